//! A job to be submitted.

use std::borrow::Cow;
use std::time::Duration;

use ackd_api::{Backoff, Callback, Envelope, OnFailure, Request, Time, Unique, UniquePolicy};
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::Error;
use crate::address::Path;

/// Why something is no submission.
#[derive(Debug, thiserror::Error)]
pub enum SubmissionError {
    /// The payload has no JSON.
    #[error("the payload cannot be written as JSON: {0}")]
    Payload(#[from] serde_json::Error),
}

/// A job as it is to be submitted: a queue, a payload, and what else the envelope of the API holds. What is left out
/// follows the queue's settings, then the server's defaults.
#[derive(Debug, Clone)]
pub struct Submission {
    /// All fields but the payload and `then`, whose values are kept as they are here.
    fields: Envelope<'static>,
    payload: Payload,
    then: Vec<Submission>,
}

#[derive(Debug, Clone)]
enum Payload {
    None,
    Json(Box<RawValue>),
    Bytes { content_type: String, bytes: Bytes },
}

impl Submission {
    /// A job for a queue, without a payload.
    pub fn new(queue: impl Into<String>) -> Submission {
        let fields = Envelope { queue: Cow::Owned(queue.into()), ..Envelope::default() };
        Submission { fields, payload: Payload::None, then: Vec::new() }
    }

    /// What the worker gets, as JSON.
    ///
    /// # Errors
    /// The value has no JSON: a map with keys that are no texts, say.
    pub fn payload(self, payload: &(impl Serialize + ?Sized)) -> Result<Submission, SubmissionError> {
        let json = serde_json::value::to_raw_value(payload)?;
        Ok(self.payload_json(json))
    }

    /// What the worker gets, as JSON that is there already; it is sent byte for byte.
    #[must_use]
    pub fn payload_json(mut self, payload: Box<RawValue>) -> Submission {
        self.payload = Payload::Json(payload);
        self
    }

    /// What the worker gets, as bytes of any type. With it the job cannot have a back-off of its own, a callback or
    /// `then`, and cannot be one of a batch: these need an envelope, which is JSON.
    #[must_use]
    pub fn payload_bytes(mut self, content_type: impl Into<String>, bytes: impl Into<Bytes>) -> Submission {
        self.payload = Payload::Bytes { content_type: content_type.into(), bytes: bytes.into() };
        self
    }

    /// The name of an uploaded file that is the payload instead.
    #[must_use]
    pub fn payload_file(mut self, file: impl Into<String>) -> Submission {
        self.fields.payload_file = Some(Cow::Owned(file.into()));
        self
    }

    /// What kind of job it is, for workers that take only some.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Submission {
        self.fields.kind = Some(Cow::Owned(kind.into()));
        self
    }

    /// How long to wait before the first attempt.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Submission {
        self.fields.delay = Some(delay.into());
        self
    }

    /// When the first attempt may begin; in the past means now.
    #[must_use]
    pub fn run_at(mut self, run_at: Time) -> Submission {
        self.fields.run_at = Some(run_at);
        self
    }

    /// If it is not done this long after it was accepted, it ends as `EXPIRED`.
    #[must_use]
    pub fn expires_in(mut self, expires_in: Duration) -> Submission {
        self.fields.expires_in = Some(expires_in.into());
        self
    }

    /// 0 (lowest) to 9 (highest).
    #[must_use]
    pub fn priority(mut self, priority: u8) -> Submission {
        self.fields.priority = Some(priority);
        self
    }

    /// How many attempts it has, 1 to 10 000.
    #[must_use]
    pub fn max_attempts(mut self, max_attempts: u32) -> Submission {
        self.fields.max_attempts = Some(max_attempts);
        self
    }

    /// The longest time of one attempt, heartbeats or not.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Submission {
        self.fields.timeout = Some(timeout.into());
        self
    }

    /// The wait between attempts.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Submission {
        self.fields.backoff = Some(backoff);
        self
    }

    /// How long it is kept after its end.
    #[must_use]
    pub fn result_retention(mut self, retention: Duration) -> Submission {
        self.fields.result_retention = Some(retention.into());
        self
    }

    /// The promise that two submissions with this key are the same one, so that it is safe to repeat.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Submission {
        self.fields.idempotency_key = Some(Cow::Owned(key.into()));
        self
    }

    /// Jobs of a queue with the same ordering key run one at a time, in order.
    #[must_use]
    pub fn ordering_key(mut self, key: impl Into<String>) -> Submission {
        self.fields.ordering_key = Some(Cow::Owned(key.into()));
        self
    }

    /// The key of fairness and of per-group concurrency.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Submission {
        self.fields.group = Some(Cow::Owned(group.into()));
        self
    }

    /// While a job with this key waits or runs in the queue, this one is not a second: the policy says what it does.
    #[must_use]
    pub fn unique(mut self, key: impl Into<String>, policy: UniquePolicy) -> Submission {
        self.fields.unique = Some(Unique { key: Cow::Owned(key.into()), policy: Some(policy) });
        self
    }

    /// Adds a word to find it by.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Submission {
        self.fields.tags.push(Cow::Owned(tag.into()));
        self
    }

    /// Where to tell of its end.
    #[must_use]
    pub fn callback(mut self, callback: Callback<'static>) -> Submission {
        self.fields.callback = Some(callback);
        self
    }

    /// The topic that its terminal document is appended to.
    #[must_use]
    pub fn reply_to(mut self, topic: impl Into<String>) -> Submission {
        self.fields.reply_to = Some(Cow::Owned(topic.into()));
        self
    }

    /// Adds the id of a job that must end before this one may begin.
    #[must_use]
    pub fn after(mut self, id: impl Into<String>) -> Submission {
        self.fields.after.push(Cow::Owned(id.into()));
        self
    }

    /// What becomes of it where one that it comes after does not end as `DONE`.
    #[must_use]
    pub fn on_failure(mut self, on_failure: OnFailure) -> Submission {
        self.fields.on_failure = Some(on_failure);
        self
    }

    /// Adds a job to submit when this one is `DONE`.
    #[must_use]
    pub fn then(mut self, next: Submission) -> Submission {
        self.then.push(next);
        self
    }

    /// W3C Trace Context's `traceparent`, handed to the worker.
    #[must_use]
    pub fn traceparent(mut self, traceparent: impl Into<String>) -> Submission {
        self.fields.traceparent = Some(Cow::Owned(traceparent.into()));
        self
    }

    /// What to send, and where.
    pub(crate) fn to_sent(&self) -> Result<Sent, Error> {
        match &self.payload {
            Payload::Bytes { content_type, bytes } => {
                Ok(Sent { path: self.query()?, content_type: content_type.clone(), body: bytes.clone() })
            }
            Payload::None | Payload::Json(_) => {
                let mut body = Vec::new();
                self.write(&mut body)?;
                Ok(Sent {
                    path: Path::new("/v1/jobs"),
                    content_type: crate::transport::JSON.to_owned(),
                    body: body.into(),
                })
            }
        }
    }

    /// Writes the envelope's JSON.
    pub(crate) fn write(&self, into: &mut Vec<u8>) -> Result<(), Error> {
        let envelope = self.envelope()?;
        serde_json::to_writer(into, &envelope).map_err(|error| Error::BadRequest(error.to_string()))
    }

    /// The envelope of the API, which a schedule takes too.
    ///
    /// # Errors
    /// [`Error::BadRequest`] where the payload is bytes, which have no place in it.
    pub fn envelope(&self) -> Result<Envelope<'_>, Error> {
        let payload = match &self.payload {
            Payload::None => None,
            Payload::Json(json) => Some(&**json),
            Payload::Bytes { .. } => {
                return Err(Error::BadRequest("a payload of bytes cannot stand in a batch or in `then`".into()));
            }
        };
        let then = self.then.iter().map(Submission::envelope).collect::<Result<_, _>>()?;
        Ok(Envelope { payload, then, ..self.fields.clone() })
    }

    /// The path of `POST /v1/queues/{queue}/jobs` with the fields as query parameters.
    fn query(&self) -> Result<Path, Error> {
        let fields = &self.fields;
        let mut faults = ackd_api::Faults::new();
        fields.check(&mut faults);
        faults.into_result().map_err(|problem| Error::BadRequest(problem.detail.clone()))?;
        let unfit = [
            ("backoff", fields.backoff.is_some()),
            ("callback", fields.callback.is_some()),
            ("payload_file", fields.payload_file.is_some()),
            ("then", !self.then.is_empty()),
            (
                "unique policy",
                fields.unique.as_ref().is_some_and(|unique| unique.policy.unwrap_or_default() != UniquePolicy::Keep),
            ),
        ];
        if let Some((name, _)) = unfit.iter().find(|(_, is_set)| *is_set) {
            return Err(Error::BadRequest(format!("a job with a payload of bytes cannot have a `{name}`")));
        }
        let text = |duration: Option<ackd_api::Duration>| duration.map(|duration| duration.to_string());
        let list = |list: &[Cow<'_, str>]| (!list.is_empty()).then(|| list.join(","));
        let on_failure = fields.on_failure.map(|on_failure| match on_failure {
            OnFailure::Cancel => "cancel",
            OnFailure::Continue => "continue",
            OnFailure::Wait => "wait",
        });
        Ok(Path::new("/v1/queues")
            .segment(&fields.queue)
            .segment("jobs")
            .query_option("type", fields.kind.as_deref())
            .query_option("delay", text(fields.delay).as_deref())
            .query_option("run_at", fields.run_at.map(|time| time.to_string()).as_deref())
            .query_option("expires_in", text(fields.expires_in).as_deref())
            .query_option("priority", fields.priority.map(|number| number.to_string()).as_deref())
            .query_option("max_attempts", fields.max_attempts.map(|number| number.to_string()).as_deref())
            .query_option("timeout", text(fields.timeout).as_deref())
            .query_option("result_retention", text(fields.result_retention).as_deref())
            .query_option("idempotency_key", fields.idempotency_key.as_deref())
            .query_option("ordering_key", fields.ordering_key.as_deref())
            .query_option("group", fields.group.as_deref())
            .query_option("unique", fields.unique.as_ref().map(|unique| unique.key.as_ref()))
            .query_option("tags", list(&fields.tags).as_deref())
            .query_option("reply_to", fields.reply_to.as_deref())
            .query_option("after", list(&fields.after).as_deref())
            .query_option("on_failure", on_failure)
            .query_option("traceparent", fields.traceparent.as_deref()))
    }
}

/// A submission as it goes over the wire.
pub(crate) struct Sent {
    pub(crate) path: Path,
    pub(crate) content_type: String,
    pub(crate) body: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Submission {
        Submission::new("video")
            .kind("t")
            .delay(Duration::from_secs(5))
            .expires_in(Duration::from_secs(3600))
            .priority(9)
            .max_attempts(3)
            .timeout(Duration::from_secs(600))
            .result_retention(Duration::from_secs(60))
            .idempotency_key("k/1")
            .ordering_key("o")
            .group("g")
            .unique("u", UniquePolicy::Keep)
            .tag("a")
            .tag("b")
            .reply_to("r")
            .after("x")
            .on_failure(OnFailure::Wait)
            .traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    }

    #[test]
    fn every_field_stands_in_the_envelope() {
        let submission = full()
            .payload(&serde_json::json!({"file": "cat.mp4"}))
            .unwrap()
            .backoff(Backoff { factor: Some(3.0), ..Backoff::default() })
            .callback(Callback { url: "http://x/".into(), ..Callback::default() })
            .then(Submission::new("next").payload("text").unwrap());
        let sent = submission.to_sent().unwrap();
        assert_eq!(sent.path.into_string(), "/v1/jobs");
        assert_eq!(
            std::str::from_utf8(&sent.body).unwrap(),
            r#"{"queue":"video","type":"t","payload":{"file":"cat.mp4"},"delay":"5s","expires_in":"1h","priority":9,"max_attempts":3,"timeout":"10m","backoff":{"factor":3.0},"result_retention":"1m","idempotency_key":"k/1","ordering_key":"o","group":"g","unique":{"key":"u","policy":"keep"},"tags":["a","b"],"callback":{"url":"http://x/"},"reply_to":"r","after":["x"],"on_failure":"wait","then":[{"queue":"next","payload":"text"}],"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}"#
        );
        assert_eq!(Submission::new("q").to_sent().unwrap().body, r#"{"queue":"q"}"#);
    }

    #[test]
    fn with_bytes_the_fields_are_query_parameters() {
        let sent = full().payload_bytes("video/mp4", &b"\0\xff"[..]).to_sent().unwrap();
        assert_eq!(
            sent.path.into_string(),
            "/v1/queues/video/jobs?type=t&delay=5s&expires_in=1h&priority=9&max_attempts=3&timeout=10m\
             &result_retention=1m&idempotency_key=k%2F1&ordering_key=o&group=g&unique=u&tags=a%2Cb&reply_to=r&after=x\
             &on_failure=wait&traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        );
        assert_eq!((sent.content_type.as_str(), &sent.body[..]), ("video/mp4", &b"\0\xff"[..]));
    }

    #[test]
    fn what_bytes_cannot_have_is_refused() {
        let bytes = || Submission::new("q").payload_bytes("text/plain", "x");
        for bad in [
            bytes().backoff(Backoff::default()),
            bytes().callback(Callback::default()),
            bytes().then(Submission::new("q")),
            bytes().unique("u", UniquePolicy::Replace),
            bytes().payload_file("f"),
            bytes().tag("a,b"),
            Submission::new("q").then(bytes()),
        ] {
            assert!(matches!(bad.to_sent(), Err(Error::BadRequest(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_payload_without_json_is_told_at_once() {
        let payload = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert!(matches!(Submission::new("q").payload(&payload), Err(SubmissionError::Payload(_))));
    }
}
