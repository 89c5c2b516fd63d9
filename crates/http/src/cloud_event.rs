//! CloudEvents that ask for jobs (HTTP protocol binding 1.0.2): as a document, or with their attributes as headers.

use std::borrow::Cow;
use std::sync::Arc;

use ackd_api::Problem;
use ackd_api::cloud_event::{CloudEvent, Data};
use ackd_domain::{Body, Name, Submission};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};

use crate::call::{Call, reserved};
use crate::headers;
use crate::intake::Whole;
use crate::problem::Rejection;
use crate::submission::{no_payload, too_large};

/// What the name of a header begins with that holds an attribute.
const PREFIX: &str = "ce-";

/// Whether a request is an event in binary mode: one with any of the attributes that every event has. Whoever forgot
/// the others is told so, rather than that the body is no envelope.
pub(crate) fn is_binary(headers: &HeaderMap) -> bool {
    ["ce-specversion", "ce-id", "ce-source", "ce-type"].iter().any(|name| headers.contains_key(*name))
}

/// The job that an event in a document asks for.
pub(crate) async fn structured(call: &mut Call) -> Result<Submission, Rejection> {
    // Base64 makes four bytes of three.
    let limit = call.shared().limits.json();
    let whole = call.body(limit + limit / 3).await?;
    let event = CloudEvent::parse(whole.bytes())?;
    let payload = payload(call, &event, &whole)?;
    asked_for(call, &event, payload)
}

/// The job that an event in binary mode asks for: the body is its data.
pub(crate) async fn binary(call: &mut Call) -> Result<Submission, Rejection> {
    let whole = call.body(call.shared().limits.payload).await?;
    let headers = call.headers();
    let event = by_headers(headers)?;
    let (has_type, content_type) = (headers.contains_key(header::CONTENT_TYPE), headers::content_type(headers)?);
    let payload = if whole.bytes().is_empty() && !has_type {
        no_payload()
    } else {
        Body { content_type: media_type(call, content_type), bytes: whole.keep(whole.bytes()) }
    };
    asked_for(call, &event, payload)
}

/// The event that the headers of a request are the attributes of.
pub(crate) fn by_headers(headers: &HeaderMap) -> Result<CloudEvent<'_>, Problem> {
    let attributes =
        headers.iter().filter_map(|(name, value)| Some((name.as_str().strip_prefix(PREFIX)?, decoded(value))));
    let content_type = headers::content_type(headers)?;
    CloudEvent::from_headers(attributes, headers.contains_key(header::CONTENT_TYPE).then_some(content_type))
}

fn asked_for(call: &Call, event: &CloudEvent<'_>, payload: Body) -> Result<Submission, Rejection> {
    let (queue, pointer) = event.queue();
    if queue.starts_with(Name::RESERVED_PREFIX) {
        return Err(reserved(&pointer).into());
    }
    let mut envelope = event.envelope();
    if let Some(key) = headers::idempotency_key(call.headers())?
        && envelope.idempotency_key.as_deref() != Some(&*key)
    {
        let detail = "does not go with an event: its `source` and `id` are its key; leave the header out";
        return Err(headers::bad(&headers::IDEMPOTENCY_KEY, detail).into());
    }
    headers::trace(call.headers(), &mut envelope);
    Ok(call.shared().submission(&envelope, payload)?)
}

/// The data of an event in a document.
fn payload(call: &Call, event: &CloudEvent<'_>, whole: &Whole) -> Result<Body, Problem> {
    let (pointer, bytes) = match &event.data {
        None => return Ok(no_payload()),
        Some(Data::Json(json)) => ("/data", whole.keep(json.get().as_bytes())),
        Some(Data::Text(Cow::Borrowed(text))) => ("/data", whole.keep(text.as_bytes())),
        Some(Data::Text(Cow::Owned(text))) => ("/data", Bytes::copy_from_slice(text.as_bytes())),
        Some(Data::Base64(text)) => {
            let decoded = STANDARD.decode(&**text);
            let decoded = decoded.map_err(|error| Problem::at("/data_base64", format!("is no base64: {error}")))?;
            ("/data_base64", decoded.into())
        }
    };
    let (size, most) = (bytes.len(), call.shared().limits.payload);
    if size > most {
        return Err(too_large(pointer, size, most));
    }
    // Without a content type data is JSON (JSON event format, section 3.1.1).
    let content_type = event.content_type.as_deref().unwrap_or(ackd_domain::JSON);
    Ok(Body { content_type: media_type(call, content_type), bytes })
}

/// The media type, shared where it is the one that nearly all have.
fn media_type(call: &Call, text: &str) -> Arc<str> {
    if text == ackd_domain::JSON { Arc::clone(&call.link.json) } else { text.into() }
}

/// The value of an attribute in a header (section 3.1.3.2): freed of quotes, then of one round of percent-encoding.
/// `None` where that gives no UTF-8.
pub(crate) fn decoded(value: &HeaderValue) -> Option<Cow<'_, str>> {
    // What is not encoded although it should be is taken as it is, if it is UTF-8.
    let text = std::str::from_utf8(value.as_bytes()).ok()?.trim_matches([' ', '\t']);
    let text = match text.strip_prefix('"') {
        Some(rest) => unescaped(rest)?,
        None => Cow::Borrowed(text),
    };
    if !text.contains('%') {
        return Some(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (b'%', [high, low, after @ ..]) => {
                bytes.push(hex(*high)? << 4 | hex(*low)?);
                after
            }
            (b'%', _) => return None,
            (byte, after) => {
                bytes.push(*byte);
                after
            }
        };
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// A quoted string after its opening quote (RFC 9110, section 5.6.4).
fn unescaped(rest: &str) -> Option<Cow<'_, str>> {
    let inner = rest.strip_suffix('"')?;
    if !inner.contains(['\\', '"']) {
        return Some(Cow::Borrowed(inner));
    }
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => text.push(chars.next()?),
            '"' => return None,
            char => text.push(char),
        }
    }
    Some(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_once() {
        for (value, text) in [
            (&b"/mycontext"[..], Some("/mycontext")),
            (b"Euro%20%E2%82%AC%20%F0%9F%98%80", Some("Euro \u{20ac} \u{1f600}")),
            (b"%e2%82%ac%41", Some("\u{20ac}A")),
            (b"%2541", Some("%41")),
            (b"a b", Some("a b")),
            ("\u{20ac}".as_bytes(), Some("\u{20ac}")),
            (b"\"a b\"", Some("a b")),
            (b"\"a\\\"b\\\\%20\"", Some("a\"b\\ ")),
            (b"", Some("")),
            (b"\"\"", Some("")),
            // An overlong space, and what is no sequence or no UTF-8 at all.
            (b"%C0%A0", None),
            (b"%ff", None),
            (b"\xff", None),
            (b"100%", None),
            (b"%2", None),
            (b"%zz", None),
            (b"%+1", None),
            (b"\"a", None),
            (b"\"", None),
            (b"\"a\"b\"", None),
            (b"\"a\\\"", None),
        ] {
            let header = HeaderValue::from_bytes(value).unwrap();
            assert_eq!(decoded(&header).as_deref(), text, "{header:?}");
        }
    }
}
