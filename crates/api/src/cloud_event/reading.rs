//! Reading an event, attribute by attribute.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{CloudEvent, Data, Mode, SPEC_VERSION, attribute};
use crate::members::{self, Members};
use crate::text::Text;
use crate::{Faults, Problem, Request, Time, limits, parse};

/// See [`CloudEvent::parse`].
pub(super) fn structured(body: &[u8]) -> Result<CloudEvent<'_>, Problem> {
    let Document(members) = parse(body)?;
    let mut faults = Faults::new();
    let mut attributes = Attributes::new(Mode::Structured);
    let (mut json, mut base64) = (None, None);
    for (at, (name, value)) in members.iter().enumerate() {
        // Of two, other readers take the last, also where it is `null`.
        if members[..at].iter().any(|(other, _)| other == name) {
            faults.add(&Mode::Structured.pointer(name), "is given twice");
            continue;
        }
        match &**name {
            "data" => json = Some(*value),
            "data_base64" => base64 = Some(*value).filter(|value| value.get() != "null"),
            name => attributes.set_json(name, value, &mut faults),
        }
    }
    let data = attributes.data(json, base64, &mut faults);
    attributes.into_event(data, faults)
}

/// See [`CloudEvent::from_headers`].
pub(super) fn binary<'a>(
    headers: impl IntoIterator<Item = (&'a str, Option<Cow<'a, str>>)>,
    content_type: Option<&'a str>,
) -> Result<CloudEvent<'a>, Problem> {
    let mut faults = Faults::new();
    let mut attributes = Attributes::new(Mode::Binary);
    attributes.content_type = content_type.map(Cow::Borrowed);
    for (name, value) in headers {
        let pointer = || Mode::Binary.pointer(name);
        match (name, value) {
            ("datacontenttype" | "data", _) => {
                faults.add(
                    &format!("/ce-{name}"),
                    "is not a header of an event: the body is its data, and `Content-Type` says what it is",
                );
            }
            (_, None) => {
                faults.add(&pointer(), "is not percent-encoded UTF-8 (HTTP protocol binding, section 3.1.3.2)")
            }
            (_, Some(value)) => attributes.set(name, value, &mut faults),
        }
    }
    attributes.into_event(None, faults)
}

/// An event's document, member by member.
struct Document<'a>(Members<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Document<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Document<'a>, D::Error> {
        members::read(deserializer, "a CloudEvent, which is an object", limits::EVENT_MEMBERS).map(Document)
    }
}

impl<'a> Request<'a> for Document<'a> {
    /// Each is looked at once it is known what it is.
    fn check(&self, _: &mut Faults) {}
}

/// The attributes of an event while they are read.
struct Attributes<'a> {
    mode: Mode,
    specversion: Option<Cow<'a, str>>,
    id: Option<Cow<'a, str>>,
    source: Option<Cow<'a, str>>,
    kind: Option<Cow<'a, str>>,
    content_type: Option<Cow<'a, str>>,
    queue: Option<Cow<'a, str>>,
    traceparent: Option<Cow<'a, str>>,
}

impl<'a> Attributes<'a> {
    fn new(mode: Mode) -> Attributes<'a> {
        let (specversion, id, source, kind) = (None, None, None, None);
        Attributes { mode, specversion, id, source, kind, content_type: None, queue: None, traceparent: None }
    }

    /// Sets an attribute that stands in JSON. `null` is the same as its absence (JSON event format, section 2.2).
    fn set_json(&mut self, name: &str, value: &'a RawValue, faults: &mut Faults) {
        let json = value.get();
        let is_integer = || json.parse::<i32>().is_ok();
        match json.as_bytes().first() {
            Some(b'n') => self.check_name(name, faults),
            Some(b'"') => match serde_json::from_str::<Text<'a>>(json) {
                Ok(text) => self.set(name, text.0, faults),
                Err(_) => faults.add(&self.mode.pointer(name), "is no text of Unicode"),
            },
            // Of another type there are extensions only, and those that matter here are texts.
            Some(b't' | b'f') if !self.is_text(name) => self.check_name(name, faults),
            Some(_) if !self.is_text(name) && is_integer() => self.check_name(name, faults),
            _ if self.is_text(name) => faults.add(&self.mode.pointer(name), "must be a string"),
            _ => faults.add(&self.mode.pointer(name), "must be a string, a boolean or an integer of 32 bits"),
        }
    }

    /// Whether this attribute is a text always.
    fn is_text(&mut self, name: &str) -> bool {
        matches!(name, "dataschema" | "subject" | "time") || self.slot(name).is_some()
    }

    fn slot(&mut self, name: &str) -> Option<&mut Option<Cow<'a, str>>> {
        Some(match name {
            "specversion" => &mut self.specversion,
            "id" => &mut self.id,
            "source" => &mut self.source,
            "type" => &mut self.kind,
            "datacontenttype" => &mut self.content_type,
            "ackdqueue" => &mut self.queue,
            "traceparent" => &mut self.traceparent,
            _ => return None,
        })
    }

    fn check_name(&self, name: &str, faults: &mut Faults) {
        if !attribute::is_name(name) {
            let detail = "is no name of an attribute: it has lower-case letters and digits only";
            faults.add(&self.mode.pointer(name), detail);
        }
    }

    /// Sets an attribute that is a text.
    fn set(&mut self, name: &str, value: Cow<'a, str>, faults: &mut Faults) {
        let pointer = || self.mode.pointer(name);
        if !attribute::is_string(&value) {
            return faults.add(&pointer(), "holds a control character or one that is none of Unicode's");
        }
        let detail = match name {
            "dataschema" if !attribute::is_uri(&value) => "is no URI (RFC 3986)",
            "subject" if value.is_empty() => "is empty; leave it out",
            "time" if value.parse::<Time>().is_err() => "is no time as RFC 3339 says, such as 2026-11-20T10:00:00Z",
            _ => "",
        };
        if !detail.is_empty() {
            return faults.add(&pointer(), detail);
        }
        let pointer = pointer();
        match self.slot(name) {
            Some(slot) if slot.is_some() => faults.add(&pointer, "is given twice"),
            Some(slot) => *slot = Some(value),
            None => self.check_name(name, faults),
        }
    }

    /// The data of a document's members `data` and `data_base64`.
    fn data(&self, json: Option<&'a RawValue>, base64: Option<&'a RawValue>, faults: &mut Faults) -> Option<Data<'a>> {
        let text = |value: &'a RawValue| serde_json::from_str::<Text<'a>>(value.get()).ok().map(|text| text.0);
        match (json, base64) {
            (None, None) => None,
            (Some(_), Some(_)) => {
                faults.add("/data_base64", "cannot be given together with `data`");
                None
            }
            (None, Some(value)) => {
                let data = text(value).map(Data::Base64);
                if data.is_none() {
                    faults.add("/data_base64", "must be a string of base64");
                }
                data
            }
            (Some(value), None) if self.content_type.as_deref().is_none_or(attribute::is_json) => {
                faults.readable("/data", Some(value));
                Some(Data::Json(value))
            }
            (Some(value), None) => {
                let data = text(value).map(Data::Text);
                if data.is_none() {
                    faults.add(
                        "/data",
                        "must be a string, for `datacontenttype` is not JSON; bytes go into `data_base64`",
                    );
                }
                data
            }
        }
    }

    fn into_event(mut self, data: Option<Data<'a>>, mut faults: Faults) -> Result<CloudEvent<'a>, Problem> {
        let mode = self.mode;
        if let Some(version) = &self.specversion
            && !version.is_empty()
            && version != SPEC_VERSION
        {
            faults.add(&mode.pointer("specversion"), format_args!("must be {SPEC_VERSION}"));
        }
        let mut required = |name: &str| {
            let value = self.slot(name).and_then(Option::take);
            match value {
                Some(value) if !value.is_empty() => return value,
                Some(_) => faults.add(&mode.pointer(name), "is empty"),
                // What is there and cannot be read has been said already.
                None if faults.is_at(&mode.pointer(name)) => {}
                None => faults.add(&mode.pointer(name), "is missing"),
            }
            Cow::Borrowed("")
        };
        required("specversion");
        let (id, source, kind) = (required("id"), required("source"), required("type"));
        let is_whole = !id.is_empty() && !source.is_empty() && !kind.is_empty();
        let Attributes { content_type, queue, traceparent, .. } = self;
        let event = CloudEvent { mode, id, source, kind, content_type, queue, traceparent, data };
        if is_whole {
            event.check(&mut faults);
        }
        faults.into_result().map(|()| event)
    }
}
