//! A CloudEvent by the headers of a request: their values, quoted and percent-encoded, and what is made of them.

use ackd_http::fuzzing;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::oracle::{percent_decoded, percent_encoded};
use crate::{cloud_event, refusal};

pub(crate) fn check(input: &[u8]) {
    let headers = read(input);
    for value in headers.values() {
        decoded(value);
    }
    match fuzzing::event(&headers) {
        Err(problem) => refusal::is_fair(&problem),
        Ok(event) => {
            cloud_event::asks_for_a_job(&event);
            // The same event, written as carefully as can be, is the same.
            let mut written = HeaderMap::new();
            let mut put = |name: &'static str, value: &str| {
                written.insert(HeaderName::from_static(name), HeaderValue::try_from(percent_encoded(value)).unwrap());
            };
            put("ce-specversion", "1.0");
            put("ce-id", &event.id);
            put("ce-source", &event.source);
            put("ce-type", &event.kind);
            if let Some(queue) = &event.queue {
                put("ce-ackdqueue", queue);
            }
            let read = fuzzing::event(&written).expect("it can be read");
            assert_eq!(
                (&read.id, &read.source, &read.kind, &read.queue),
                (&event.id, &event.source, &event.kind, &event.queue)
            );
        }
    }
}

/// What a header's value says is what it says without its quotes and its encoding.
fn decoded(value: &HeaderValue) {
    let Some(text) = fuzzing::attribute(value) else { return };
    let again = HeaderValue::try_from(percent_encoded(&text)).unwrap();
    assert_eq!(fuzzing::attribute(&again).as_deref(), Some(&*text));
    let bytes = value.as_bytes().trim_ascii();
    if !bytes.starts_with(b"\"") {
        let decoded = percent_decoded(bytes).map(String::from_utf8);
        assert_eq!(decoded.and_then(Result::ok).as_deref(), Some(&*text));
    }
}

/// The headers in lines of `name: value`; what is none is left out.
pub(crate) fn read(input: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n').take(100) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}
