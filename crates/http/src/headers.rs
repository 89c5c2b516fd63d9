//! The headers of a request that mean something here.

use std::borrow::Cow;

use ackd_api::{Code, Duration, Envelope, Problem, cloud_event, limits};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// RFC 7240.
pub(crate) const PREFER: HeaderName = HeaderName::from_static("prefer");
/// RFC 7240.
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// draft-ietf-httpapi-idempotency-key-header.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The answer is an earlier request's job.
pub(crate) const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// The answer is a job with the same unique key, which stays as it was.
pub(crate) const UNIQUE_KEPT: HeaderName = HeaderName::from_static("unique-kept");
/// The answer is a job with the same unique key, which took payload and time of the submission.
pub(crate) const UNIQUE_REPLACED: HeaderName = HeaderName::from_static("unique-replaced");
/// WHATWG HTML, section 9.2.
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// W3C Trace Context.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The lease of an answer that is a payload.
pub(crate) const LEASE: HeaderName = HeaderName::from_static("ackd-lease");
/// The job of an answer that is a payload.
pub(crate) const JOB: HeaderName = HeaderName::from_static("ackd-job");
/// The attempt that such a lease begins.
pub(crate) const ATTEMPT: HeaderName = HeaderName::from_static("ackd-attempt");

/// Of a request: `no` where whoever asks cannot follow a redirect to where a file lies.
pub(crate) const LINKS: HeaderName = HeaderName::from_static("ackd-links");

pub(crate) const NDJSON: &str = "application/x-ndjson";

/// The problem of a header.
pub(crate) fn bad(name: &HeaderName, detail: impl std::fmt::Display) -> Problem {
    Problem::new(Code::InvalidRequest, format!("the header `{name}` {detail}"))
}

/// The one value of a header that may be given once.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(bad(name, "is given twice"));
    }
    match value.to_str() {
        Ok(text) => Ok(Some(text.trim())),
        Err(_) => Err(bad(name, "is no text of visible ASCII characters")),
    }
}

/// How long the client would have the answer held back (`Prefer: wait=`), cut to what is granted.
pub(crate) fn prefer_wait(headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    for value in headers.get_all(PREFER) {
        let Ok(text) = value.to_str() else { return Err(bad(&PREFER, "is no text of visible ASCII characters")) };
        for preference in text.split(',') {
            // Parameters of a preference come after a semicolon.
            let preference = preference.split(';').next().unwrap_or_default();
            let Some((name, value)) = preference.split_once('=') else { continue };
            if name.trim().eq_ignore_ascii_case("wait") {
                let wait = Duration::parse_query(value.trim().trim_matches('"'))
                    .map_err(|error| bad(&PREFER, format_args!("names no time to wait: {error}")))?;
                // The first of several counts (RFC 7240, section 2).
                return Ok(Some(wait.min(Duration::new(limits::WAIT))));
            }
        }
    }
    Ok(None)
}

/// What `Preference-Applied` says of a wait.
pub(crate) fn wait_applied(wait: Duration) -> HeaderValue {
    let text = match wait.get() {
        whole if whole.subsec_millis() == 0 => format!("wait={}", whole.as_secs()),
        _ => format!("wait={wait}"),
    };
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("wait"))
}

/// The idempotency key of the header, which may be quoted.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<Cow<'_, str>>, Problem> {
    let Some(text) = single(headers, &IDEMPOTENCY_KEY)? else { return Ok(None) };
    let key = match text.strip_prefix('"') {
        None => Cow::Borrowed(text),
        Some(rest) => unquoted(rest).ok_or_else(|| bad(&IDEMPOTENCY_KEY, "begins with a quote and does not end so"))?,
    };
    if key.is_empty() || key.len() > limits::KEY_BYTES {
        let detail = format!("has {} bytes; 1 to {} are allowed", key.len(), limits::KEY_BYTES);
        return Err(bad(&IDEMPOTENCY_KEY, detail));
    }
    if key.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(bad(&IDEMPOTENCY_KEY, "holds a control character"));
    }
    Ok(Some(key))
}

/// A string of RFC 8941 after its opening quote.
fn unquoted(rest: &str) -> Option<Cow<'_, str>> {
    let inner = rest.strip_suffix('"')?;
    if !inner.contains(['\\', '"']) {
        return Some(Cow::Borrowed(inner));
    }
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => text.push(chars.next().filter(|char| matches!(char, '\\' | '"'))?),
            '"' => return None,
            char => text.push(char),
        }
    }
    Some(Cow::Owned(text))
}

/// Puts the header `traceparent` into an envelope that has none of its own.
pub(crate) fn trace<'e>(headers: &'e HeaderMap, envelope: &mut Envelope<'e>) {
    if envelope.traceparent.is_none()
        && let Some(header) = headers.get(TRACEPARENT)
        && let Ok(text) = header.to_str()
        // What is none is ignored, as W3C Trace Context asks.
        && ackd_api::envelope::is_traceparent(text)
    {
        envelope.traceparent = Some(Cow::Borrowed(text));
    }
}

/// Whether `If-None-Match` names `version`; `None` where it is not given. Entity tags are compared weakly.
pub(crate) fn none_match(headers: &HeaderMap, version: u64) -> Result<Option<bool>, Problem> {
    let mut found = None;
    for value in headers.get_all(header::IF_NONE_MATCH) {
        // Compared as it is written, character by character (RFC 9110, section 8.8.3.2): `"07"` and `"+7"` are others.
        let own = version.to_string();
        let text = value.to_str().unwrap_or_default();
        for tag in text.split(',').map(str::trim) {
            let matches = tag == "*" || {
                let tag = tag.strip_prefix("W/").unwrap_or(tag);
                let inner = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
                let inner =
                    inner.ok_or_else(|| bad(&header::IF_NONE_MATCH, "is no list of entity tags such as W/\"7\""))?;
                inner == own
            };
            found = Some(found.unwrap_or(false) || matches);
        }
    }
    Ok(found)
}

/// Whether the header is `*`.
pub(crate) fn is_star(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get(name).is_some_and(|value| value.as_bytes().trim_ascii() == b"*")
}

/// Whether the header, a list of entity tags, names this one. They are compared weakly.
pub(crate) fn names_tag(headers: &HeaderMap, name: &HeaderName, etag: &str) -> bool {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.any(|text| text.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag))
}

/// The position after which the client would have events, of the header or else of the query.
pub(crate) fn last_event_id(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    Ok(single(headers, &LAST_EVENT_ID)?.filter(|text| !text.is_empty()))
}

/// What a body is, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media<'h> {
    /// Nobody said.
    Unnamed,
    /// `application/json`.
    Json,
    /// `application/merge-patch+json`.
    MergePatch,
    /// `application/x-ndjson`.
    Ndjson,
    /// A CloudEvent as a document of JSON.
    CloudEvent,
    /// A CloudEvent in another form, or several.
    OtherEvents(&'h str),
    /// What an HTML form sends, which any page may without asking.
    Form,
    /// Anything else.
    Other(&'h str),
}

/// The media type of a request's body.
pub(crate) fn media(headers: &HeaderMap) -> Result<Media<'_>, Problem> {
    let Some(text) = single(headers, &header::CONTENT_TYPE)? else { return Ok(Media::Unnamed) };
    let essence = text.split(';').next().unwrap_or_default().trim();
    let is = |name: &str| essence.eq_ignore_ascii_case(name);
    let starts = |name: &str| essence.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    Ok(if is("application/json") {
        Media::Json
    } else if is(NDJSON) || is("application/ndjson") || is("application/jsonl") {
        Media::Ndjson
    } else if is("application/merge-patch+json") {
        Media::MergePatch
    } else if is(cloud_event::MEDIA_TYPE) {
        Media::CloudEvent
    } else if starts("application/cloudevents") {
        Media::OtherEvents(text)
    } else if is("application/x-www-form-urlencoded") || starts("multipart/") {
        Media::Form
    } else {
        Media::Other(text)
    })
}

/// Whether a body comes as it is. None is decompressed here, so that none can be small where it is counted and large where
/// it is kept; and of one that is kept nobody would know that it has to be.
pub(crate) fn is_plain(headers: &HeaderMap) -> bool {
    let is_plain = |coding: &str| coding.is_empty() || coding.eq_ignore_ascii_case("identity");
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    values.all(|value| value.to_str().is_ok_and(|text| text.split(',').all(|coding| is_plain(coding.trim()))))
}

/// The content type of a body that is kept as it is.
pub(crate) fn content_type(headers: &HeaderMap) -> Result<&str, Problem> {
    const MOST: usize = ackd_domain::limits::CONTENT_TYPE_BYTES;
    let text = single(headers, &header::CONTENT_TYPE)?.unwrap_or("application/octet-stream");
    if text.len() > MOST {
        return Err(bad(&header::CONTENT_TYPE, format_args!("has {} bytes; at most {MOST} are allowed", text.len())));
    }
    let (kind, rest) = text.split_once('/').unwrap_or_default();
    if kind.is_empty() || rest.is_empty() || kind.contains([' ', ';', '"']) {
        return Err(bad(&header::CONTENT_TYPE, "is no media type such as image/png"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_preference_to_wait_is_found_among_others_and_cut() {
        for (values, wait) in [
            (&["wait=10"][..], Some("10s")),
            (&["respond-async, WAIT = \"5\"; x=y"], Some("5s")),
            (&["return=minimal", "wait=56"], Some("55s")),
            (&["wait=1m"], Some("55s")),
            (&["wait=0"], Some("0s")),
            (&["respond-async"], None),
            (&[], None),
        ] {
            let found = prefer_wait(&headers(PREFER, values)).unwrap();
            assert_eq!(found.map(|wait| wait.to_string()).as_deref(), wait, "{values:?}");
        }
        assert!(prefer_wait(&headers(PREFER, &["wait=soon"])).is_err());
        assert_eq!(wait_applied("5s".parse().unwrap()), "wait=5");
        assert_eq!(wait_applied("500ms".parse().unwrap()), "wait=500ms");
    }

    #[test]
    fn an_idempotency_key_is_quoted_or_bare() {
        for (value, key) in [("k-1", "k-1"), ("\"k 1\"", "k 1"), ("\"a\\\"b\\\\\"", "a\"b\\"), (" k ", "k")] {
            let headers = headers(IDEMPOTENCY_KEY, &[value]);
            assert_eq!(idempotency_key(&headers).unwrap().as_deref(), Some(key), "{value}");
        }
        for values in [&["\"k"][..], &["\""], &["\"a\"b\""], &["\"a\\b\""], &["\"\""], &[""], &["a\tb"], &["a", "a"]] {
            assert!(idempotency_key(&headers(IDEMPOTENCY_KEY, values)).is_err(), "{values:?}");
        }
        let long =
            |bytes: usize| HeaderMap::from_iter([(IDEMPOTENCY_KEY, HeaderValue::try_from("k".repeat(bytes)).unwrap())]);
        assert!(idempotency_key(&long(512)).is_ok());
        assert!(idempotency_key(&long(513)).is_err());
    }

    #[test]
    fn entity_tags_are_compared_weakly() {
        for (values, matches) in [
            (&["W/\"7\""][..], Some(true)),
            (&["\"7\""], Some(true)),
            (&["W/\"6\", W/\"7\""], Some(true)),
            (&["\"6\"", "\"x\""], Some(false)),
            (&["\"+7\"", "W/\"07\""], Some(false)),
            (&["*"], Some(true)),
            (&[], None),
        ] {
            assert_eq!(none_match(&headers(header::IF_NONE_MATCH, values), 7).unwrap(), matches, "{values:?}");
        }
        assert!(none_match(&headers(header::IF_NONE_MATCH, &["7"]), 7).is_err());
    }

    #[test]
    fn an_encoding_is_plain_or_another() {
        for plain in [&[][..], &["identity"], &["Identity, identity"], &["", " "]] {
            assert!(is_plain(&headers(header::CONTENT_ENCODING, plain)), "{plain:?}");
        }
        for other in [&["gzip"][..], &["br"], &["identity, gzip"], &["identity", "zstd"], &["x"], &["identity;q=1"]] {
            assert!(!is_plain(&headers(header::CONTENT_ENCODING, other)), "{other:?}");
        }
    }

    #[test]
    fn media_types_are_told_apart() {
        for (value, expected) in [
            ("application/json", Media::Json),
            ("Application/JSON; charset=utf-8", Media::Json),
            ("application/x-ndjson", Media::Ndjson),
            ("multipart/form-data; boundary=x", Media::Form),
            ("application/x-www-form-urlencoded", Media::Form),
            ("application/cloudevents+json; charset=UTF-8", Media::CloudEvent),
            ("application/cloudevents-batch+json", Media::OtherEvents("application/cloudevents-batch+json")),
            ("application/cloudevents+avro", Media::OtherEvents("application/cloudevents+avro")),
            ("text/plain", Media::Other("text/plain")),
        ] {
            assert_eq!(media(&headers(header::CONTENT_TYPE, &[value])), Ok(expected));
        }
        assert_eq!(media(&HeaderMap::new()), Ok(Media::Unnamed));
        for bad in ["", "x", "/x", "x/", "a b/c"] {
            assert!(content_type(&headers(header::CONTENT_TYPE, &[bad])).is_err(), "{bad}");
        }
        let long = |bytes: usize| {
            let value = format!("text/{}", "x".repeat(bytes - 5));
            HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::try_from(value).unwrap())])
        };
        assert!(content_type(&long(255)).is_ok());
        assert!(content_type(&long(256)).is_err());
    }
}
