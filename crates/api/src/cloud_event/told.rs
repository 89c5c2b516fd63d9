//! A job as a CloudEvent: the one place where it is written, for answers and for webhooks alike.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::{JobDocument, Status, Time};

/// A change of a job as a structured CloudEvent (JSON event format 1.0.2, section 3); serde writes it.
///
/// Answers to `Accept: application/cloudevents+json` and webhooks of the format `cloudevents` are both written by it, so
/// that a receiver meets one form. The same version of a job gives the same event, whoever asks and whenever: only what
/// [`JobDocument::waiting`] says may differ, which is computed when read.
///
/// ```
/// # use ackd_api::{JobDocument, cloud_event::JobEvent};
/// # fn told(document: &JobDocument<'_>) -> serde_json::Result<String> {
/// serde_json::to_string(&JobEvent::of(document, "https://ackd.example"))
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct JobEvent<'a> {
    job: &'a JobDocument<'a>,
    source: &'a str,
    id: Option<Cow<'a, str>>,
}

impl<'a> JobEvent<'a> {
    /// `job` as an event whose `source` is the server's public URL; where that is empty it is `/`, the reference that
    /// leads to whatever server the event came from.
    #[must_use]
    pub fn of(job: &'a JobDocument<'a>, source: &'a str) -> JobEvent<'a> {
        JobEvent { job, source: if source.is_empty() { "/" } else { source }, id: None }
    }

    /// The event under another id than `<job's id>/<version>`; a webhook's is its `webhook-id`.
    #[must_use]
    pub fn with_id(self, id: impl Into<Cow<'a, str>>) -> JobEvent<'a> {
        JobEvent { id: Some(id.into()), ..self }
    }

    /// `ackd.job.` and the status in lower case.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.job.status {
            Status::Init => "ackd.job.init",
            Status::Processing => "ackd.job.processing",
            Status::Done => "ackd.job.done",
            Status::Failed => "ackd.job.failed",
            Status::Cancelled => "ackd.job.cancelled",
            Status::Expired => "ackd.job.expired",
        }
    }

    /// When it happened: the latest of the times that the document tells, for a change has no time of its own there.
    #[must_use]
    pub fn time(&self) -> Time {
        let job = self.job;
        if let (true, Some(at)) = (job.status.is_terminal(), job.finished_at) {
            return at;
        }
        let progress = job.progress.as_ref().map(|progress| progress.at);
        let later = [job.started_at, progress, job.cancel_requested_at].into_iter().flatten().max();
        later.map_or(job.created_at, |at| at.max(job.created_at))
    }
}

/// `<job's id>/<version>`, not built before it is written.
struct Id<'a>(&'a JobDocument<'a>);

impl fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0.id, self.0.version)
    }
}

impl Serialize for Id<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for JobEvent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let traced = usize::from(self.job.traceparent.is_some());
        let mut event = serializer.serialize_struct("JobEvent", 8 + traced)?;
        event.serialize_field("specversion", super::SPEC_VERSION)?;
        match &self.id {
            Some(id) => event.serialize_field("id", id)?,
            None => event.serialize_field("id", &Id(self.job))?,
        }
        event.serialize_field("source", self.source)?;
        event.serialize_field("type", self.kind())?;
        event.serialize_field("subject", &self.job.id)?;
        event.serialize_field("time", &self.time())?;
        if let Some(traceparent) = &self.job.traceparent {
            // The extension of distributed tracing.
            event.serialize_field("traceparent", traceparent)?;
        }
        event.serialize_field("datacontenttype", "application/json")?;
        event.serialize_field("data", self.job)?;
        event.end()
    }
}

/// What the JSON of [`JobEvent`] holds.
#[derive(JsonSchema)]
#[schemars(rename = "JobEvent", description = "A job as a CloudEvent (1.0.2, JSON event format).")]
#[allow(dead_code, reason = "only its schema is used")]
struct EventFields<'a> {
    /// `1.0`.
    specversion: String,
    /// `<job's id>/<version>`: names the change on every channel.
    id: String,
    /// The server's public URL, or `/`.
    source: String,
    /// `ackd.job.` and the status in lower case.
    #[schemars(rename = "type")]
    kind: String,
    /// The job's id.
    subject: String,
    /// When it happened, as far as the document tells.
    time: Time,
    /// The job's, if it has one (the extension of distributed tracing).
    traceparent: Option<String>,
    /// `application/json`.
    datacontenttype: String,
    /// The job.
    data: JobDocument<'a>,
}

impl JsonSchema for JobEvent<'_> {
    fn schema_name() -> Cow<'static, str> {
        EventFields::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        EventFields::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::tests::EXAMPLE;
    use serde_json::{Value, json};

    fn job(change: impl Fn(&mut JobDocument<'static>)) -> JobDocument<'static> {
        let mut job = serde_json::from_str(EXAMPLE).unwrap();
        change(&mut job);
        job
    }

    fn told(job: &JobDocument<'_>, source: &str) -> Value {
        serde_json::to_value(JobEvent::of(job, source)).unwrap()
    }

    #[test]
    fn an_event_has_what_the_specification_asks_for() {
        let job = job(|_| {});
        let event = told(&job, "https://ackd.example");
        let expected = json!({
            "specversion": "1.0",
            "id": "01941f29-7c00-7abc-8def-0123456789ab/7",
            "source": "https://ackd.example",
            "type": "ackd.job.processing",
            "subject": "01941f29-7c00-7abc-8def-0123456789ab",
            "time": "2026-11-20T10:00:03.000Z",
            "datacontenttype": "application/json",
            "data": serde_json::from_str::<Value>(EXAMPLE).unwrap(),
        });
        assert_eq!(event, expected);
        assert_eq!(told(&job, "")["source"], "/");
        let named = serde_json::to_value(JobEvent::of(&job, "/").with_id("msg_1")).unwrap();
        assert_eq!(named["id"], "msg_1");
        // The document stands in it byte for byte.
        assert!(serde_json::to_string(&JobEvent::of(&job, "/")).unwrap().contains(r#""payload":{"file": "cat.mp4"}"#));
    }

    #[test]
    fn every_status_is_a_type() {
        for status in Status::ALL {
            let job = job(|job| job.status = status);
            assert_eq!(told(&job, "/")["type"], format!("ackd.job.{}", status.as_str().to_lowercase()));
        }
    }

    #[test]
    fn the_time_is_the_latest_that_is_known() {
        let at = |text: &str| Some(text.parse::<Time>().unwrap());
        let time =
            |change: &dyn Fn(&mut JobDocument<'static>)| told(&job(change), "/")["time"].as_str().unwrap().to_owned();
        assert_eq!(time(&|job| job.progress = None), "2026-11-20T10:00:01.000Z");
        assert_eq!(time(&|job| (job.progress, job.started_at) = (None, None)), "2026-11-20T10:00:00.000Z");
        assert_eq!(time(&|job| job.cancel_requested_at = at("2026-11-20T10:00:09Z")), "2026-11-20T10:00:09.000Z");
        let ended = |job: &mut JobDocument<'static>| {
            (job.status, job.finished_at) = (Status::Done, at("2026-11-20T10:00:02Z"));
        };
        assert_eq!(time(&ended), "2026-11-20T10:00:02.000Z");
    }

    #[test]
    fn the_trace_goes_along() {
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let traced = job(|job| job.traceparent = Some(traceparent.into()));
        assert_eq!(told(&traced, "/")["traceparent"], traceparent);
        assert!(told(&job(|_| {}), "/").get("traceparent").is_none());
    }
}
