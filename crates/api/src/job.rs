//! The job document, as every channel shows it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::raw::Json;
use crate::{CallbackSecret, Duration, Problem, Time, Waiting};

/// Where a job is in its life. The set is closed within version 1 of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Accepted, and waiting for an attempt.
    Init,
    /// A worker holds a lease on it.
    Processing,
    /// Done; there is a result.
    Done,
    /// Every attempt failed, or one failed for good.
    Failed,
    /// Cancelled by a client.
    Cancelled,
    /// Not done in time.
    Expired,
}

impl Status {
    /// Every status.
    pub const ALL: [Status; 6] =
        [Status::Init, Status::Processing, Status::Done, Status::Failed, Status::Cancelled, Status::Expired];

    /// Whether the run has ended. Only an explicit retry or redrive goes on from there, with the next run.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Status::Init | Status::Processing)
    }

    /// The status as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Init => "INIT",
            Status::Processing => "PROCESSING",
            Status::Done => "DONE",
            Status::Failed => "FAILED",
            Status::Cancelled => "CANCELLED",
            Status::Expired => "EXPIRED",
        }
    }

    /// The status that is written so, in capitals.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a worker says it has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Progress<'a> {
    /// 0 to 100, where the worker knows it.
    #[schemars(range(min = 0, max = 100))]
    pub percent: Option<f64>,
    /// A line for people, at most 1024 bytes.
    pub message: Option<Cow<'a, str>>,
    /// When the server recorded it.
    pub at: Time,
}

/// What a payload or a result is, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BodyInfo<'a> {
    /// The media type (RFC 9110, section 8.3.1), as it came.
    pub content_type: Cow<'a, str>,
    /// The length in bytes.
    pub size: u64,
}

/// A payload or result that stands in the document itself.
///
/// On the wire both are JSON, so reading gives [`Inline::Json`] always, and [`BodyInfo::content_type`] tells a text
/// from a JSON string.
#[derive(Debug, Clone)]
pub enum Inline<'a> {
    /// JSON, byte for byte as it came.
    Json(Json<'a>),
    /// A body of type `text/*`, written as a JSON string.
    Text(Cow<'a, str>),
}

impl<'a> Inline<'a> {
    /// JSON to be shown as it is.
    #[must_use]
    pub fn json(json: &'a RawValue) -> Inline<'a> {
        Inline::Json(Cow::Borrowed(json))
    }

    /// A text to be shown as a JSON string.
    #[must_use]
    pub fn text(text: &'a str) -> Inline<'a> {
        Inline::Text(Cow::Borrowed(text))
    }

    /// The JSON, unless this is a text that has not been written yet.
    #[must_use]
    pub fn as_json(&self) -> Option<&RawValue> {
        match self {
            Inline::Json(json) => Some(json),
            Inline::Text(_) => None,
        }
    }
}

impl Serialize for Inline<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Inline::Json(json) => json.serialize(serializer),
            Inline::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Inline<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Inline::Json(Cow::Owned(Box::<RawValue>::deserialize(deserializer)?)))
    }
}

impl JsonSchema for Inline<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Inline".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        serde_json::Value::json_schema(generator)
    }
}

/// A job. Lists and events carry no `payload`; events carry a small `result`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct JobDocument<'a> {
    /// The job's id, a UUIDv7: opaque, and no secret.
    pub id: Cow<'a, str>,
    /// The queue's name.
    pub queue: Cow<'a, str>,
    /// What kind of job it is, if the client said so.
    #[serde(rename = "type")]
    pub kind: Option<Cow<'a, str>>,
    /// Where it is in its life.
    pub status: Status,
    /// Grows by one with every change; (`id`, `version`) names a change on every channel. From 1.
    pub version: u64,
    /// Which run this is, from 1; a retry or redrive opens the next one.
    pub run: u32,
    /// Which attempt of the run is under way or was the last, from 1; 0 before the first.
    pub attempt: u32,
    /// How many attempts a run has.
    pub max_attempts: u32,
    /// 0 (lowest) to 9 (highest).
    pub priority: u8,
    /// The last progress that was recorded.
    pub progress: Option<Progress<'a>>,
    /// The payload, if it is JSON or text of at most 64 KiB and is asked for here.
    pub payload: Option<Inline<'a>>,
    /// What the payload is; null where there is none.
    pub payload_info: Option<BodyInfo<'a>>,
    /// The result, if it is JSON or text of at most 64 KiB.
    pub result: Option<Inline<'a>>,
    /// What the result is; null where there is none.
    pub result_info: Option<BodyInfo<'a>>,
    /// Why the last attempt failed: a problem document (RFC 9457), the worker's own or one made of its text. See
    /// [`JobDocument::problem`].
    #[schemars(with = "Option<crate::problem::Fields>")]
    pub error: Option<Json<'a>>,
    /// Why it waits, while it is `INIT`.
    pub waiting: Option<Waiting<'a>>,
    /// When a client asked for its cancellation, while the worker has not settled it.
    pub cancel_requested_at: Option<Time>,
    /// What an attempt left for the next one: any JSON of at most 64 KiB.
    #[schemars(with = "Option<serde_json::Value>")]
    pub checkpoint: Option<Json<'a>>,
    /// The name of the worker that holds it or held it last.
    pub worker: Option<Cow<'a, str>>,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<Cow<'a, str>>,
    /// The client's key that makes repeated requests one.
    pub idempotency_key: Option<Cow<'a, str>>,
    /// The key whose jobs run one at a time.
    pub ordering_key: Option<Cow<'a, str>>,
    /// The key of which its queue has one unfinished job at most; left out where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<Cow<'a, str>>,
    /// The key of fairness and of per-group concurrency.
    pub group: Option<Cow<'a, str>>,
    /// The ids of the jobs that it comes after.
    #[serde(default)]
    pub after: Vec<Cow<'a, str>>,
    /// The id of the flow that it belongs to.
    pub flow: Option<Cow<'a, str>>,
    /// The results of the jobs that it came after, by their keys in the flow, else by their ids. One that is neither JSON
    /// nor text, or large, is null.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub inputs: BTreeMap<Cow<'a, str>, Option<Inline<'a>>>,
    /// The id of the dead job that it was made of in this dead-letter queue; left out where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter_of: Option<Cow<'a, str>>,
    /// The topic that its terminal document goes to.
    pub reply_to: Option<Cow<'a, str>>,
    /// Only in the answer to its submission, and only where a secret was made for its callback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<CallbackSecret<'a>>,
    /// W3C Trace Context's `traceparent` of who submitted it.
    pub traceparent: Option<Cow<'a, str>>,
    /// The longest time of one attempt.
    pub timeout: Option<Duration>,
    /// When it was accepted.
    pub created_at: Time,
    /// When it may begin, or could have begun.
    pub run_at: Time,
    /// When the latest attempt began.
    pub started_at: Option<Time>,
    /// When it ended.
    pub finished_at: Option<Time>,
    /// When it ends as `EXPIRED` if it is not done; null once that cannot happen any more.
    pub expires_at: Option<Time>,
    /// The point of the change feed that this document stands for; the feeds take it as `after`.
    pub position: Cow<'a, str>,
    /// Where else to look.
    pub links: Links<'a>,
}

impl JobDocument<'_> {
    /// The weak entity tag of this version, `W/"7"` (RFC 9110, section 8.8.3).
    #[must_use]
    pub fn etag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }

    /// [`JobDocument::error`] as a problem; `None` where there is none, or none that can be read.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        self.error.as_ref().and_then(|error| serde_json::from_str(error.get()).ok())
    }
}

/// Addresses of a job, relative to the server.
///
/// A server writes them from the id, without building the texts; a client reads them as the server gave them.
#[derive(Debug, Clone)]
pub enum Links<'a> {
    /// Those of the job with this id.
    Of(Cow<'a, str>),
    /// Those that a server gave.
    Given {
        /// The job itself.
        job: String,
        /// The bytes of its result.
        result: String,
        /// Its events (SSE).
        events: String,
    },
}

impl<'a> Links<'a> {
    /// The links of the job with this id.
    pub fn of(id: impl Into<Cow<'a, str>>) -> Links<'a> {
        Links::Of(id.into())
    }

    /// The job itself, `self` on the wire.
    #[must_use]
    pub fn job(&self) -> Cow<'_, str> {
        match self {
            Links::Of(id) => format!("/v1/jobs/{id}").into(),
            Links::Given { job, .. } => job.into(),
        }
    }

    /// The bytes of its result.
    #[must_use]
    pub fn result(&self) -> Cow<'_, str> {
        match self {
            Links::Of(id) => format!("/v1/jobs/{id}/result").into(),
            Links::Given { result, .. } => result.into(),
        }
    }

    /// Its events (SSE).
    #[must_use]
    pub fn events(&self) -> Cow<'_, str> {
        match self {
            Links::Of(id) => format!("/v1/jobs/{id}/events").into(),
            Links::Given { events, .. } => events.into(),
        }
    }
}

/// What the JSON of [`Links`] holds.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Links", description = "Addresses of a job, relative to the server.")]
struct LinkFields {
    /// The job itself.
    #[serde(rename = "self")]
    job: String,
    /// The bytes of its result.
    result: String,
    /// Its events (SSE).
    events: String,
}

/// Writes an address without building it first.
struct Address<'a>(&'a str, &'static str);

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("/v1/jobs/")?;
        f.write_str(self.0)?;
        f.write_str(self.1)
    }
}

impl Serialize for Address<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Links<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut links = serializer.serialize_struct("Links", 3)?;
        match self {
            Links::Of(id) => {
                links.serialize_field("self", &Address(id, ""))?;
                links.serialize_field("result", &Address(id, "/result"))?;
                links.serialize_field("events", &Address(id, "/events"))?;
            }
            Links::Given { job, result, events } => {
                links.serialize_field("self", job)?;
                links.serialize_field("result", result)?;
                links.serialize_field("events", events)?;
            }
        }
        links.end()
    }
}

impl<'de> Deserialize<'de> for Links<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let LinkFields { job, result, events } = LinkFields::deserialize(deserializer)?;
        Ok(Links::Given { job, result, events })
    }
}

impl JsonSchema for Links<'_> {
    fn schema_name() -> Cow<'static, str> {
        LinkFields::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        LinkFields::json_schema(generator)
    }
}

/// A page of jobs, newest first, without payloads.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct JobList<'a> {
    /// The jobs; a page may be short or empty although more follow.
    pub jobs: Vec<JobDocument<'a>>,
    /// What to ask the next page with; null at the end.
    pub next_page_token: Option<Cow<'a, str>>,
    /// From where on the feed tells whatever this page does not show: list, then watch, without a gap. Of several
    /// pages the first one's counts.
    pub position: Cow<'a, str>,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// API.md's example, in its order and with its times filled in.
    pub(crate) const EXAMPLE: &str = r#"{"id":"01941f29-7c00-7abc-8def-0123456789ab","queue":"video","type":null,"status":"PROCESSING","version":7,"run":1,"attempt":1,"max_attempts":20,"priority":5,"progress":{"percent":42.0,"message":"720p","at":"2026-11-20T10:00:03.000Z"},"payload":{"file": "cat.mp4"},"payload_info":{"content_type":"application/json","size":18},"result":null,"result_info":null,"error":null,"waiting":null,"cancel_requested_at":null,"checkpoint":null,"worker":"host-1","tags":["demo"],"idempotency_key":null,"ordering_key":null,"group":null,"after":[],"flow":null,"inputs":{},"reply_to":null,"traceparent":null,"timeout":null,"created_at":"2026-11-20T10:00:00.000Z","run_at":"2026-11-20T10:00:00.000Z","started_at":"2026-11-20T10:00:01.000Z","finished_at":null,"expires_at":"2026-12-04T10:00:00.000Z","position":"12","links":{"self":"/v1/jobs/01941f29-7c00-7abc-8def-0123456789ab","result":"/v1/jobs/01941f29-7c00-7abc-8def-0123456789ab/result","events":"/v1/jobs/01941f29-7c00-7abc-8def-0123456789ab/events"}}"#;

    #[test]
    fn the_document_is_the_contract_s_in_its_order() {
        let mut job: JobDocument<'static> = serde_json::from_str(EXAMPLE).unwrap();
        assert_eq!(serde_json::to_string(&job).unwrap(), EXAMPLE);
        // As a server writes it.
        let given = job.links.clone();
        job.links = Links::of("01941f29-7c00-7abc-8def-0123456789ab");
        assert_eq!(serde_json::to_string(&job).unwrap(), EXAMPLE);
        assert_eq!(
            (job.links.job(), job.links.result(), job.links.events()),
            (given.job(), given.result(), given.events())
        );
        assert_eq!(job.etag(), "W/\"7\"");
    }

    #[test]
    fn fields_of_a_newer_server_are_ignored_and_statuses_are_closed() {
        let newer = EXAMPLE.replacen('{', r#"{"mood":{"good":true},"#, 1);
        assert!(serde_json::from_str::<JobDocument<'static>>(&newer).is_ok());
        let other = EXAMPLE.replace("PROCESSING", "DREAMING");
        assert!(serde_json::from_str::<JobDocument<'static>>(&other).is_err());
    }

    #[test]
    fn bodies_are_shown_as_they_came_or_as_strings() {
        let mut job: JobDocument<'_> = serde_json::from_str(EXAMPLE).unwrap();
        assert_eq!(job.payload.as_ref().and_then(Inline::as_json).map(RawValue::get), Some(r#"{"file": "cat.mp4"}"#));
        job.result = Some(Inline::text("a \"text\"\n"));
        job.checkpoint = Some(Cow::Owned(RawValue::from_string("[1 , 2]".into()).unwrap()));
        let text = serde_json::to_string(&job).unwrap();
        assert!(text.contains(r#""result":"a \"text\"\n","#), "{text}");
        assert!(text.contains(r#""checkpoint":[1 , 2],"#), "{text}");
    }

    #[test]
    fn an_error_is_read_as_a_problem() {
        let mut job: JobDocument<'_> = serde_json::from_str(EXAMPLE).unwrap();
        assert_eq!(job.problem(), None);
        job.error = Some(Cow::Owned(RawValue::from_string(r#"{"title":"boom","line":3}"#.into()).unwrap()));
        let problem = job.problem().unwrap();
        assert_eq!((problem.title.as_ref(), &problem.extensions["line"]), ("boom", &3.into()));
    }

    #[test]
    fn statuses_are_written_in_capitals() {
        for status in Status::ALL {
            assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{status}\""));
            assert_eq!(Status::from_text(status.as_str()), Some(status));
        }
        assert_eq!(Status::from_text("done"), None);
        let terminal: Vec<_> = Status::ALL.into_iter().filter(|status| status.is_terminal()).collect();
        assert_eq!(terminal, [Status::Done, Status::Failed, Status::Cancelled, Status::Expired]);
    }

    #[test]
    fn a_list_ends_with_a_null_token() {
        let list = JobList { jobs: Vec::new(), next_page_token: None, position: "12".into() };
        assert_eq!(serde_json::to_string(&list).unwrap(), r#"{"jobs":[],"next_page_token":null,"position":"12"}"#);
    }
}
