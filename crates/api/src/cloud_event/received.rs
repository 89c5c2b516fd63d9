//! A CloudEvent that asks for a job.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{attribute, reading};
use crate::envelope::is_traceparent;
use crate::request::pointer_to;
use crate::{Envelope, Faults, Problem, check_name, limits};

/// How an event came, which says where its attributes stand and so how faults point at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// In a document of JSON; attributes are its members.
    Structured,
    /// As headers of HTTP that begin with `ce-`, the data being the body.
    Binary,
}

impl Mode {
    /// Where an attribute stands: a pointer into the document, or `/` and the name of a header.
    #[must_use]
    pub fn pointer(self, name: &str) -> String {
        match (self, name) {
            (Mode::Structured, name) => pointer_to(name),
            (Mode::Binary, "datacontenttype") => "/content-type".to_owned(),
            (Mode::Binary, name) => pointer_to(&format!("ce-{name}")),
        }
    }
}

/// The data of an event in a document, as its content type says what it is.
#[derive(Debug, Clone)]
pub enum Data<'a> {
    /// JSON, byte for byte as it came. `null` is data too.
    Json(&'a RawValue),
    /// A text in some other form.
    Text(Cow<'a, str>),
    /// Bytes in base64 (RFC 4648, section 4), not decoded yet.
    Base64(Cow<'a, str>),
}

/// An event (CloudEvents 1.0.2) with what a job is made of; its other attributes have been checked and let go.
///
/// `source` and `id` name an event and are its idempotency key, `type` is the job's type and, without the extension
/// `ackdqueue`, its queue too. The extension `traceparent` is the job's.
#[derive(Debug, Clone)]
pub struct CloudEvent<'a> {
    /// How it came.
    pub mode: Mode,
    /// Unique among the events of its source.
    pub id: Cow<'a, str>,
    /// A reference to where it comes from (RFC 3986).
    pub source: Cow<'a, str>,
    /// What kind of thing has happened.
    pub kind: Cow<'a, str>,
    /// What the data is; absent, it is JSON.
    pub content_type: Option<Cow<'a, str>>,
    /// The extension `ackdqueue`.
    pub queue: Option<Cow<'a, str>>,
    /// W3C Trace Context's `traceparent`.
    pub traceparent: Option<Cow<'a, str>>,
    /// The data, of an event in a document.
    pub data: Option<Data<'a>>,
}

impl<'a> CloudEvent<'a> {
    /// Reads a document in the JSON event format.
    ///
    /// # Errors
    /// An `invalid-request` that points at each attribute at fault.
    pub fn parse(body: &'a [u8]) -> Result<CloudEvent<'a>, Problem> {
        reading::structured(body)
    }

    /// Puts an event together of the headers of a request: their names without `ce-`, and their decoded values, which
    /// are `None` where they cannot be decoded. `content_type` is what the body is.
    ///
    /// # Errors
    /// An `invalid-request` that points at each header at fault.
    pub fn from_headers(
        headers: impl IntoIterator<Item = (&'a str, Option<Cow<'a, str>>)>,
        content_type: Option<&'a str>,
    ) -> Result<CloudEvent<'a>, Problem> {
        reading::binary(headers, content_type)
    }

    /// The queue, and where its name stands.
    #[must_use]
    pub fn queue(&self) -> (&str, String) {
        match &self.queue {
            Some(queue) => (queue, self.mode.pointer("ackdqueue")),
            None => (&self.kind, self.mode.pointer("type")),
        }
    }

    /// The envelope of the job that the event asks for, without a payload.
    #[must_use]
    pub fn envelope(&self) -> Envelope<'_> {
        Envelope {
            queue: Cow::Borrowed(self.queue().0),
            kind: Some(Cow::Borrowed(&self.kind)),
            idempotency_key: Some(self.key().into()),
            traceparent: self.traceparent.as_deref().map(Cow::Borrowed),
            ..Envelope::default()
        }
    }

    /// The idempotency key. There is no space in a source, so that no other event has the same.
    fn key(&self) -> String {
        format!("{} {}", self.source, self.id)
    }

    pub(super) fn check(&self, faults: &mut Faults) {
        let at = |name: &str| self.mode.pointer(name);
        if self.kind.len() > limits::TYPE_BYTES {
            let detail = format!("has {} bytes; at most {} are allowed", self.kind.len(), limits::TYPE_BYTES);
            faults.add(&at("type"), detail);
        }
        if let Err(error) = check_name(self.queue().0) {
            match &self.queue {
                Some(_) => faults.add(&at("ackdqueue"), error),
                None => {
                    faults.add(&at("type"), format_args!("is the queue too where there is no `ackdqueue`, and {error}"))
                }
            }
        }
        if !attribute::is_uri_reference(&self.source) {
            faults.add(&at("source"), "is no URI-reference (RFC 3986), such as /sensors/7");
        }
        let key = self.source.len() + 1 + self.id.len();
        if key > limits::KEY_BYTES {
            let most = limits::KEY_BYTES - 1;
            faults.add(
                &at("id"),
                format_args!("has {} bytes together with `source`; at most {most} are allowed", key - 1),
            );
        }
        if let Some(traceparent) = &self.traceparent
            && !is_traceparent(traceparent)
        {
            faults.add(&at("traceparent"), "is not version-traceid-parentid-flags as W3C Trace Context says");
        }
        if let Some(content_type) = &self.content_type
            && (content_type.len() > limits::CONTENT_TYPE_BYTES || !attribute::is_media_type(content_type))
        {
            let most = limits::CONTENT_TYPE_BYTES;
            faults.add(
                &at("datacontenttype"),
                format_args!("is no media type such as image/png of at most {most} bytes"),
            );
        }
    }
}

/// What the JSON of [`CloudEvent`] holds.
#[derive(JsonSchema)]
#[schemars(rename = "CloudEvent", description = "A CloudEvent (1.0.2, JSON event format) that asks for a job.")]
#[allow(dead_code, reason = "only its schema is used")]
struct Members {
    /// `1.0`.
    specversion: String,
    /// With `source` the idempotency key: at most 511 bytes together.
    id: String,
    /// A reference to where the event comes from (RFC 3986).
    source: String,
    /// The job's type, and its queue where there is no `ackdqueue`; 1 to 255 bytes.
    #[schemars(rename = "type")]
    kind: String,
    /// The queue.
    ackdqueue: Option<String>,
    /// What the data is; default `application/json`.
    datacontenttype: Option<String>,
    /// A URI of the data's schema; it is checked and not kept.
    dataschema: Option<String>,
    /// What the event is about; it is checked and not kept.
    subject: Option<String>,
    /// When it happened, RFC 3339; it is checked and not kept.
    time: Option<String>,
    /// W3C Trace Context's `traceparent`.
    traceparent: Option<String>,
    /// The payload: JSON, or the text of another type.
    data: Option<Value>,
    /// The payload's bytes in base64 instead.
    data_base64: Option<String>,
    /// Other extensions: texts, booleans, integers. They are checked and not kept.
    #[serde(flatten)]
    extensions: std::collections::BTreeMap<String, Value>,
}

impl JsonSchema for CloudEvent<'_> {
    fn schema_name() -> Cow<'static, str> {
        Members::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Members::json_schema(generator)
    }
}
