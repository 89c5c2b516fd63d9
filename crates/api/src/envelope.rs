//! The submission envelope: a job as a client asks for it.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration as StdDuration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::queue_patch::BackoffPatch;
use crate::webhook::check_secret;
use crate::{Duration, Faults, Request, Secret, Time, WebhookFormat, limits, number, raw, text};

/// A job to be accepted: the body of `POST /v1/jobs`, or a line of it. Only `queue` is required.
///
/// It borrows from the body that it is read from. What is absent follows the queue's settings, then the server's
/// defaults.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Envelope<'a> {
    /// The queue's name: `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`, not beginning with `ackd.`. It needs no creation.
    #[serde(borrow)]
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"))]
    pub queue: Cow<'a, str>,
    /// What kind of job it is, for workers that take only some; 1 to 255 bytes.
    #[serde(
        rename = "type",
        borrow,
        default,
        deserialize_with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(length(min = 1, max = 255))]
    pub kind: Option<Cow<'a, str>>,
    /// What the worker gets: any JSON, byte for byte, nested at most 100 deep. Not together with `payload_file`.
    #[serde(borrow, default, deserialize_with = "raw::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub payload: Option<&'a RawValue>,
    /// The name of an uploaded file that is the payload instead.
    #[serde(borrow, default, deserialize_with = "text::option", skip_serializing_if = "Option::is_none")]
    pub payload_file: Option<Cow<'a, str>>,
    /// How long to wait before the first attempt. Not together with `run_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Duration>,
    /// When the first attempt may begin; a time in the past means now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_at: Option<Time>,
    /// A job that is not done this long after it was accepted ends as `EXPIRED`; more than 0 s, and more than its `delay`.
    /// Without it, the queue's `expires_in`, or 14 days, after it is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<Duration>,
    /// 0 (lowest) to 9 (highest), default 5.
    #[serde(default, deserialize_with = "number::option", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 9))]
    pub priority: Option<u8>,
    /// How many attempts a run has, 1 to 10 000, default 20.
    #[serde(default, deserialize_with = "number::option", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_attempts: Option<u32>,
    /// The longest time of one attempt, heartbeats or not; more than 0 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// The wait between attempts.
    #[serde(default, deserialize_with = "strict_backoff", skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// How long the job is kept after its end, default 7 days; then it is gone (404).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_retention: Option<Duration>,
    /// The client's promise that two requests with this key are the same request; 1 to 512 bytes.
    #[serde(borrow, default, deserialize_with = "text::option", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub idempotency_key: Option<Cow<'a, str>>,
    /// Jobs of a queue with the same ordering key run one at a time, in order; 1 to 512 bytes.
    #[serde(borrow, default, deserialize_with = "text::option", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub ordering_key: Option<Cow<'a, str>>,
    /// The key of fairness and of per-group concurrency; 1 to 512 bytes.
    #[serde(borrow, default, deserialize_with = "text::option", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub group: Option<Cow<'a, str>>,
    /// While a job with this key waits or runs in the queue, a further submit makes no second one.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<Unique<'a>>,
    /// Words to find the job by: at most 32, each of 1 to 255 bytes and without a comma.
    #[serde(borrow, default, deserialize_with = "text::list_or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<String>>", length(max = 32))]
    pub tags: Vec<Cow<'a, str>>,
    /// Where to tell of the job's end.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<Callback<'a>>,
    /// The topic that the terminal document is appended to.
    #[serde(borrow, default, deserialize_with = "text::option", skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Cow<'a, str>>,
    /// The ids of the jobs that must end before this one may begin; at most 1000.
    #[serde(borrow, default, deserialize_with = "text::list_or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<String>>", length(max = 1000))]
    pub after: Vec<Cow<'a, str>>,
    /// What becomes of this job where one that it comes after does not end as `DONE`; default `cancel`, and in a `then`
    /// `wait`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// What to submit when this job is `DONE`: at most 100 envelopes, nested at most 8 deep.
    #[serde(borrow, default, deserialize_with = "text::any_or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<Envelope<'a>>>", length(max = 100))]
    pub then: Vec<Envelope<'a>>,
    /// The job's name in its flow, 1 to 255 bytes; in flows only. Whatever comes after the job gets its result under it.
    #[serde(borrow, default, deserialize_with = "text::option", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub key: Option<Cow<'a, str>>,
    /// W3C Trace Context's `traceparent`, handed to the worker; at most 255 bytes.
    #[serde(borrow, default, deserialize_with = "text::option", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 55, max = 255))]
    pub traceparent: Option<Cow<'a, str>>,
}

impl Envelope<'_> {
    /// Checks all but `then`.
    fn check_itself(&self, faults: &mut Faults) {
        faults.name("/queue", &self.queue);
        if let Some(kind) = &self.kind {
            faults.text("/type", kind, limits::TYPE_BYTES);
        }
        faults.readable("/payload", self.payload);
        faults.not_both("/payload_file", self.payload_file.is_some(), "payload", self.payload.is_some());
        if let Some(file) = &self.payload_file {
            faults.name("/payload_file", file);
        }
        faults.not_both("/run_at", self.run_at.is_some(), "delay", self.delay.is_some());
        faults.positive("/expires_in", self.expires_in);
        faults.range("/priority", self.priority, 0, limits::PRIORITY);
        faults.range("/max_attempts", self.max_attempts, 1, limits::ATTEMPTS);
        faults.positive("/timeout", self.timeout);
        if let Some(backoff) = &self.backoff {
            faults.within(|| "/backoff".into(), |faults| backoff.check(faults));
        }
        let keys = [
            ("/idempotency_key", &self.idempotency_key),
            ("/ordering_key", &self.ordering_key),
            ("/group", &self.group),
        ];
        for (pointer, key) in keys {
            if let Some(key) = key {
                faults.text(pointer, key, limits::KEY_BYTES);
            }
        }
        if let Some(unique) = &self.unique {
            faults.text(
                if unique.policy.is_some() { "/unique/key" } else { "/unique" },
                &unique.key,
                limits::KEY_BYTES,
            );
        }
        faults.count("/tags", self.tags.len(), limits::TAGS);
        for (index, tag) in self.tags.iter().enumerate().take(limits::TAGS) {
            faults.within(|| format!("/tags/{index}"), |faults| check_tag(tag, faults));
        }
        if let Some(callback) = &self.callback {
            faults.within(|| "/callback".into(), |faults| callback.check(faults));
        }
        if let Some(topic) = &self.reply_to {
            faults.name("/reply_to", topic);
        }
        faults.count("/after", self.after.len(), limits::AFTER);
        for (index, id) in self.after.iter().enumerate().take(limits::AFTER) {
            faults.within(|| format!("/after/{index}"), |faults| faults.text("", id, limits::TOKEN_BYTES));
        }
        if let Some(key) = &self.key {
            faults.text("/key", key, limits::FLOW_KEY_BYTES);
        }
        if let Some(traceparent) = &self.traceparent
            && !is_traceparent(traceparent)
        {
            faults.add("/traceparent", "is not version-traceid-parentid-flags as W3C Trace Context says");
        }
    }

    /// Checks everything, for an envelope that stands in `depth` others.
    fn check_at(&self, depth: usize, faults: &mut Faults) {
        self.check_itself(faults);
        if depth == limits::THEN_DEPTH && !self.then.is_empty() {
            faults.add("/then", format_args!("is nested deeper than {} levels", limits::THEN_DEPTH));
            return;
        }
        faults.count("/then", self.then.len(), limits::THEN);
        for (index, next) in self.then.iter().enumerate().take(limits::THEN) {
            faults.within(|| format!("/then/{index}"), |faults| next.check_at(depth + 1, faults));
        }
    }
}

impl<'a> Request<'a> for Envelope<'a> {
    fn check(&self, faults: &mut Faults) {
        self.check_at(0, faults);
    }
}

fn check_tag(tag: &str, faults: &mut Faults) {
    faults.text("", tag, limits::TAG_BYTES);
    // Lists of tags in query parameters are separated by commas.
    if tag.contains(',') {
        faults.add("", "holds a comma");
    }
}

/// Whether a text is a `traceparent` (W3C Trace Context, section 3.2): version 00 to its end, later ones to what all
/// versions share. A header that is none is to be ignored; a field that is none is refused.
#[must_use]
pub fn is_traceparent(text: &str) -> bool {
    let bytes = text.as_bytes();
    let hex = |part: &[u8]| part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let some = |part: &[u8]| part.iter().any(|byte| *byte != b'0');
    bytes.len() >= 55
        && bytes.len() <= limits::TRACEPARENT_BYTES
        && bytes.is_ascii()
        && !bytes.iter().any(u8::is_ascii_control)
        && [2, 35, 52].iter().all(|at| bytes[*at] == b'-')
        && hex(&bytes[..2])
        && &bytes[..2] != b"ff"
        && hex(&bytes[3..35])
        && some(&bytes[3..35])
        && hex(&bytes[36..52])
        && some(&bytes[36..52])
        && hex(&bytes[53..55])
        && (bytes.len() == 55 || (&bytes[..2] != b"00" && bytes[55] == b'-'))
}

/// Reads the back-off of a request, which may hold no unknown field; one of an answer may.
fn strict_backoff<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Backoff>, D::Error> {
    Ok(Option::<BackoffPatch>::deserialize(deserializer)?.map(|patch| patch.merged(None)))
}

/// The wait between attempts: `base * factor^(attempt - 1)`, at most `max`, of which the share `jitter` is left to
/// chance. What is absent follows the server's default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Backoff {
    /// The wait after the first attempt, at most 30 days; default 1 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Duration>,
    /// What each further attempt multiplies the wait with, 1 to 100; default 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub factor: Option<f64>,
    /// The longest wait, at least `base` and at most 30 days; default 1 h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Duration>,
    /// 0: always the whole wait; 1: any wait between nothing and the whole; default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub jitter: Option<f64>,
}

impl Backoff {
    pub(crate) fn check(&self, faults: &mut Faults) {
        faults.span("/base", self.base, StdDuration::ZERO, limits::BACKOFF_MAX);
        faults.range("/factor", self.factor, 1.0, 100.0);
        faults.span("/max", self.max, StdDuration::ZERO, limits::BACKOFF_MAX);
        faults.range("/jitter", self.jitter, 0.0, 1.0);
        if let (Some(base), Some(max)) = (self.base, self.max)
            && max < base
        {
            faults.add("/max", "must be at least as long as `base`");
        }
    }
}

/// What makes a job the only one of its kind in its queue: `"key"` or `{"key", "policy"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unique<'a> {
    /// The key, 1 to 512 bytes.
    pub key: Cow<'a, str>,
    /// What a further submit does; absent: [`UniquePolicy::Keep`].
    pub policy: Option<UniquePolicy>,
}

/// What a further submit does to the job that is waiting. While it runs every policy is `keep`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UniquePolicy {
    /// Nothing: it is answered with the one that is there.
    #[default]
    Keep,
    /// The waiting one takes the new payload and time.
    Replace,
    /// As `replace`, and its time is pushed back.
    Debounce,
}

/// The long form of [`Unique`], with all that it may hold.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UniqueKey")]
struct UniqueFields<'a> {
    /// The key, 1 to 512 bytes.
    #[serde(borrow)]
    #[schemars(length(min = 1, max = 512))]
    key: Cow<'a, str>,
    /// What a further submit does; default `keep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<UniquePolicy>,
}

/// What the JSON of [`Unique`] looks like.
#[derive(JsonSchema)]
#[schemars(description = "A key, or a key and what a further submit with it does.")]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum UniqueForms<'a> {
    /// The key alone; the policy is `keep`.
    Key(#[schemars(length(min = 1, max = 512))] Cow<'a, str>),
    /// Key and policy.
    Fields(UniqueFields<'a>),
}

impl Serialize for Unique<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.policy {
            None => serializer.serialize_str(&self.key),
            Some(_) => UniqueFields { key: Cow::Borrowed(&self.key), policy: self.policy }.serialize(serializer),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Unique<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Unique<'a>, D::Error> {
        deserializer.deserialize_any(UniqueVisitor)
    }
}

// By hand, for serde's untagged enums say no more than "did not match any variant".
struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Unique<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key or {\"key\", \"policy\"}")
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, key: &'de str) -> Result<Unique<'de>, E> {
        Ok(Unique { key: Cow::Borrowed(key), policy: None })
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Unique<'de>, E> {
        Ok(Unique { key: Cow::Owned(key.to_owned()), policy: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Unique<'de>, A::Error> {
        let fields = UniqueFields::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Unique { key: fields.key, policy: Some(fields.policy.unwrap_or_default()) })
    }
}

impl JsonSchema for Unique<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Unique".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        UniqueForms::json_schema(generator)
    }
}

/// Where to tell of a job's end: a webhook for this job alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Callback<'a> {
    /// An `http` or `https` URL, at most 2048 bytes.
    #[serde(borrow)]
    #[schemars(url, length(max = 2048))]
    pub url: Cow<'a, str>,
    /// Which ends to tell of; absent or empty: all.
    #[serde(default, deserialize_with = "text::any_or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<CallbackEvent>>")]
    pub events: Vec<CallbackEvent>,
    /// What the deliveries are signed with (Standard Webhooks 1.0.0): `whsec_…`, an HMAC secret, or `whsk_…`, a private
    /// ed25519 key; write-only. Where absent an HMAC secret is made, and shown once in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub secret: Option<Secret<'a>>,
    /// The form of what is sent; default `standard`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<WebhookFormat>,
}

impl Callback<'_> {
    fn check(&self, faults: &mut Faults) {
        check_url("/url", &self.url, faults);
        check_secret(self.secret.as_ref(), faults);
    }
}

/// A URL of a target is `http` or `https` and not too long; what it may point at is the server's to decide.
pub(crate) fn check_url(pointer: &str, url: &str, faults: &mut Faults) {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') && !url.contains(char::is_whitespace) => {
            faults.text(pointer, url, limits::URL_BYTES);
        }
        _ => faults.add(pointer, "is not an absolute http or https URL"),
    }
}

/// The end of a job as webhooks name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum CallbackEvent {
    /// The job ended as `DONE`.
    #[serde(rename = "job.done")]
    Done,
    /// The job ended as `FAILED`.
    #[serde(rename = "job.failed")]
    Failed,
    /// The job ended as `CANCELLED`.
    #[serde(rename = "job.cancelled")]
    Cancelled,
    /// The job ended as `EXPIRED`.
    #[serde(rename = "job.expired")]
    Expired,
}

/// What becomes of a job where one that it comes after does not end as `DONE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// It is cancelled.
    #[default]
    Cancel,
    /// It runs all the same.
    Continue,
    /// It waits until the other one is retried and done.
    Wait,
}

impl OnFailure {
    pub(crate) fn from_text(text: &str) -> Option<OnFailure> {
        OnFailure::deserialize(StrDeserializer::<serde::de::value::Error>::new(text)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Problem, parse};

    const ALL: &str = r#"{"queue":"video","type":"transcode","payload":{"a" : 1},"delay":"5s","expires_in":"1h","priority":9,"max_attempts":3,"timeout":"10m","backoff":{"base":"1s","factor":2.0,"max":"1m","jitter":0.5},"result_retention":"24h","idempotency_key":"k","ordering_key":"o","group":"g","unique":{"key":"u","policy":"replace"},"tags":["a","b"],"callback":{"url":"https://example.com/hook","events":["job.done"],"secret":"whsec_x","format":"cloudevents"},"reply_to":"topic","after":["01941f29-7c00-7abc-8def-0123456789ab"],"on_failure":"wait","then":[{"queue":"next","run_at":"2026-11-20T10:00:00.000Z"}],"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}"#;

    fn faults(body: &str) -> Vec<(String, String)> {
        match parse::<Envelope<'_>>(body.as_bytes()) {
            Ok(_) => Vec::new(),
            Err(problem) => faults_of(&problem),
        }
    }

    fn faults_of(problem: &Problem) -> Vec<(String, String)> {
        assert!(!problem.errors.is_empty(), "{problem}");
        problem.errors.iter().map(|fault| (fault.pointer.clone(), fault.detail.clone())).collect()
    }

    fn with(field: &str) -> String {
        format!(r#"{{"queue":"q",{field}}}"#)
    }

    #[test]
    fn every_field_is_read_and_written_back() {
        let envelope: Envelope<'_> = parse(ALL.as_bytes()).unwrap();
        assert_eq!(envelope.payload.unwrap().get(), r#"{"a" : 1}"#);
        assert_eq!(serde_json::to_string(&envelope).unwrap(), ALL);
        let least: Envelope<'_> = parse(br#"{"queue":"q"}"#).unwrap();
        assert_eq!(serde_json::to_string(&least).unwrap(), r#"{"queue":"q"}"#);
    }

    #[test]
    fn texts_are_borrowed_from_the_body() {
        let envelope: Envelope<'_> = parse(ALL.as_bytes()).unwrap();
        for text in [Some(&envelope.queue), envelope.kind.as_ref(), envelope.idempotency_key.as_ref()] {
            assert!(matches!(text, Some(Cow::Borrowed(_))), "{text:?}");
        }
        assert!(matches!(envelope.tags[0], Cow::Borrowed(_)));
        assert!(matches!(envelope.unique.unwrap().key, Cow::Borrowed(_)));
        let escaped: Envelope<'_> = parse(br#"{"queue":"\u0071","unique":"\u0071"}"#).unwrap();
        assert_eq!((escaped.queue.as_ref(), escaped.unique.unwrap().key.as_ref()), ("q", "q"));
    }

    #[test]
    fn null_is_a_payload_and_elsewhere_an_absence() {
        let envelope: Envelope<'_> =
            parse(br#"{"queue":"q","payload":null,"type":null,"priority":null,"unique":null}"#).unwrap();
        assert_eq!(envelope.payload.map(RawValue::get), Some("null"));
        assert!(envelope.kind.is_none() && envelope.priority.is_none() && envelope.unique.is_none());
        let lists = r#"{"queue":"q","tags":null,"after":null,"callback":{"url":"http://x","events":null},"then":[{"queue":"q","tags":null,"then":null}]}"#;
        let envelope: Envelope<'_> = parse(lists.as_bytes()).unwrap();
        assert!(envelope.tags.is_empty() && envelope.after.is_empty() && envelope.then[0].then.is_empty());
        assert_eq!(faults(&with(r#""tags":"a""#))[0].0, "/tags");
        assert_eq!(faults(&with(r#""tags":[null]"#))[0].0, "/tags/0");
    }

    #[test]
    fn unique_has_two_forms() {
        let unique =
            |body: &str| parse::<Envelope<'_>>(body.as_bytes()).unwrap().unique.map(|u| (u.key.into_owned(), u.policy));
        assert_eq!(unique(&with(r#""unique":"u""#)), Some(("u".into(), None)));
        assert_eq!(unique(&with(r#""unique":{"key":"u"}"#)), Some(("u".into(), Some(UniquePolicy::Keep))));
        assert_eq!(
            unique(&with(r#""unique":{"key":"u","policy":"debounce"}"#)),
            Some(("u".into(), Some(UniquePolicy::Debounce)))
        );
        assert_eq!(faults(&with(r#""unique":{"key":"u","polcy":"keep"}"#))[0].0, "/unique/polcy");
        assert_eq!(faults(&with(r#""unique":7"#))[0].0, "/unique");
    }

    #[test]
    fn each_limit_holds_at_its_edge_and_breaks_one_beyond() {
        let text = |name: &str, bytes: usize| format!(r#""{name}":"{}""#, "x".repeat(bytes));
        let list = |name: &str, entries: usize| format!(r#""{name}":[{}]"#, vec!["\"x\""; entries].join(","));
        let then = |entries: usize| format!(r#""then":[{}]"#, vec![r#"{"queue":"q"}"#; entries].join(","));
        let url = |bytes: usize| format!(r#""callback":{{"url":"http://{}"}}"#, "x".repeat(bytes - 7));
        let tag = |bytes: usize| format!(r#""tags":["{}"]"#, "x".repeat(bytes));
        let after = |bytes: usize| format!(r#""after":["{}"]"#, "x".repeat(bytes));
        for (good, bad, pointer) in [
            (text("type", 255), text("type", 256), "/type"),
            (text("type", 1), text("type", 0), "/type"),
            (text("idempotency_key", 512), text("idempotency_key", 513), "/idempotency_key"),
            (text("ordering_key", 512), text("ordering_key", 513), "/ordering_key"),
            (text("group", 512), text("group", 513), "/group"),
            (text("unique", 512), text("unique", 513), "/unique"),
            (text("reply_to", 128), text("reply_to", 129), "/reply_to"),
            (text("payload_file", 128), text("payload_file", 129), "/payload_file"),
            (tag(255), tag(256), "/tags/0"),
            (tag(1), tag(0), "/tags/0"),
            (list("tags", 32), list("tags", 33), "/tags"),
            (after(512), after(513), "/after/0"),
            (list("after", 1000), list("after", 1001), "/after"),
            (then(100), then(101), "/then"),
            (url(2048), url(2049), "/callback/url"),
            (r#""priority":0"#.into(), r#""priority":-1"#.into(), "/priority"),
            (r#""priority":9"#.into(), r#""priority":10"#.into(), "/priority"),
            (r#""max_attempts":1"#.into(), r#""max_attempts":0"#.into(), "/max_attempts"),
            (r#""max_attempts":10000"#.into(), r#""max_attempts":10001"#.into(), "/max_attempts"),
            (r#""timeout":"1ms""#.into(), r#""timeout":"0s""#.into(), "/timeout"),
            (r#""expires_in":"1ms""#.into(), r#""expires_in":"0s""#.into(), "/expires_in"),
            (r#""expires_in":"3650d""#.into(), r#""expires_in":"3651d""#.into(), "/expires_in"),
            (r#""backoff":{"factor":1}"#.into(), r#""backoff":{"factor":0.9}"#.into(), "/backoff/factor"),
            (r#""backoff":{"factor":100}"#.into(), r#""backoff":{"factor":100.1}"#.into(), "/backoff/factor"),
            (r#""backoff":{"jitter":0}"#.into(), r#""backoff":{"jitter":-0.1}"#.into(), "/backoff/jitter"),
            (r#""backoff":{"jitter":1}"#.into(), r#""backoff":{"jitter":1.1}"#.into(), "/backoff/jitter"),
            (r#""backoff":{"max":"30d"}"#.into(), r#""backoff":{"max":"721h"}"#.into(), "/backoff/max"),
            (
                r#""backoff":{"base":"2s","max":"2s"}"#.into(),
                r#""backoff":{"base":"2s","max":"1s"}"#.into(),
                "/backoff/max",
            ),
            (r#""delay":"0s""#.into(), r#""delay":"0s","run_at":"2026-11-20T10:00:00Z""#.into(), "/run_at"),
            (r#""payload":1"#.into(), r#""payload":1,"payload_file":"f""#.into(), "/payload_file"),
            (r#""tags":["a b"]"#.into(), r#""tags":["a,b"]"#.into(), "/tags/0"),
            (r#""type":"a b""#.into(), r#""type":"a\nb""#.into(), "/type"),
        ] {
            assert_eq!(faults(&with(&good)), [], "{good}");
            let found = faults(&with(&bad));
            assert_eq!(found.first().map(|fault| fault.0.as_str()), Some(pointer), "{bad}: {found:?}");
        }
        assert_eq!(faults(r#"{"queue":"a b"}"#)[0].0, "/queue");
    }

    #[test]
    fn then_is_nested_to_a_limit() {
        let nested = |depth: usize| {
            let mut body = r#"{"queue":"q"}"#.to_owned();
            for _ in 0..depth {
                body = format!(r#"{{"queue":"q","then":[{body}]}}"#);
            }
            body
        };
        assert_eq!(faults(&nested(limits::THEN_DEPTH)), []);
        let found = faults(&nested(limits::THEN_DEPTH + 1));
        assert_eq!(found[0].0, "/then/0".repeat(limits::THEN_DEPTH) + "/then");
    }

    #[test]
    fn several_faults_are_told_together() {
        let pointers: Vec<_> = faults(r#"{"queue":"","priority":10,"then":[{"queue":"","tags":[""]}]}"#)
            .into_iter()
            .map(|fault| fault.0)
            .collect();
        assert_eq!(pointers, ["/queue", "/priority", "/then/0/queue", "/then/0/tags/0"]);
    }

    #[test]
    fn callbacks_are_checked_and_keep_their_secret() {
        for bad in ["ftp://x", "/hook", "http://", "https:///x", "http://a b"] {
            assert_eq!(faults(&with(&format!(r#""callback":{{"url":"{bad}"}}"#)))[0].0, "/callback/url", "{bad}");
        }
        let secret =
            |bytes: usize| with(&format!(r#""callback":{{"url":"http://x","secret":"{}"}}"#, "x".repeat(bytes)));
        assert_eq!(faults(&secret(limits::SECRET_BYTES)), []);
        let found = faults(&secret(limits::SECRET_BYTES + 1));
        assert_eq!(found[0].0, "/callback/secret");
        assert!(!found[0].1.contains("xx"));
        assert_eq!(
            faults(&with(r#""callback":{"url":"http://x","events":["job.started"]}"#))[0].0,
            "/callback/events/0"
        );
        let envelope: Envelope<'_> = parse(ALL.as_bytes()).unwrap();
        assert!(!format!("{envelope:?}").contains("whsec_x"));
    }

    #[test]
    fn traceparents_are_told_from_what_only_looks_alike() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert!(is_traceparent(good));
        assert!(is_traceparent(&format!("01{}-later", &good[2..])));
        for bad in [
            String::new(),
            good[..54].to_owned(),
            format!("{good}-x"),
            format!("ff{}", &good[2..]),
            format!("01{}x", &good[2..]),
            good.to_uppercase(),
            good.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            good.replace("b7ad6b7169203331", &"0".repeat(16)),
            good.replace('-', "_"),
            format!("01{}-{}", &good[2..], "x".repeat(200)),
        ] {
            assert!(!is_traceparent(&bad), "{bad}");
        }
    }

    #[test]
    fn on_failure_is_read_from_a_query_as_from_json() {
        assert_eq!(OnFailure::from_text("continue"), Some(OnFailure::Continue));
        assert_eq!(OnFailure::from_text("Continue"), None);
    }
}
