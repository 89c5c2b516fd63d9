//! The headers that mean something here: `Prefer`, `Idempotency-Key`, `If-None-Match`, `Range`, `Accept`, …

use ackd_api::{Duration, limits};
use ackd_http::fuzzing;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::{event_headers, refusal};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

pub(crate) fn check(input: &[u8]) {
    let headers = event_headers::read(input);
    wait(&headers);
    key(&headers);
    tags(&headers);
    part(&headers);
    media(&headers);
    for refused in [fuzzing::last_event_id(&headers).err(), fuzzing::is_form(&headers).err()].into_iter().flatten() {
        refusal::is_fair(&refused);
    }
    // In which order the ranges of a list stand does not matter.
    let mut turned = HeaderMap::new();
    for value in headers.get_all(header::ACCEPT) {
        let Ok(text) = value.to_str() else { return };
        let list: Vec<&str> = text.split(',').rev().collect();
        turned.append(header::ACCEPT, HeaderValue::try_from(list.join(",")).unwrap());
    }
    assert_eq!(fuzzing::prefers_event(&headers), fuzzing::prefers_event(&turned));
}

fn only(name: HeaderName, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(name, HeaderValue::try_from(value).unwrap())])
}

fn wait(headers: &HeaderMap) {
    match fuzzing::prefer_wait(headers) {
        Err(problem) => refusal::is_fair(&problem),
        Ok(None) => {}
        Ok(Some(wait)) => {
            assert!(wait <= Duration::new(limits::WAIT));
            let applied = fuzzing::wait_applied(wait);
            let again = only(PREFER, applied.to_str().expect("ASCII"));
            assert_eq!(fuzzing::prefer_wait(&again), Ok(Some(wait)));
        }
    }
}

fn key(headers: &HeaderMap) {
    match fuzzing::idempotency_key(headers) {
        Err(problem) => refusal::is_fair(&problem),
        Ok(None) => assert!(!headers.contains_key(IDEMPOTENCY_KEY)),
        Ok(Some(key)) => {
            assert!((1..=limits::KEY_BYTES).contains(&key.len()));
            let quoted = format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""));
            assert_eq!(fuzzing::idempotency_key(&only(IDEMPOTENCY_KEY, &quoted)).unwrap().as_deref(), Some(&*key));
        }
    }
}

/// A version is named by its own tag and by no other (RFC 9110, section 8.8.3.2: compared character by character).
fn tags(headers: &HeaderMap) {
    let values: Vec<&[u8]> = headers.get_all(header::IF_NONE_MATCH).iter().map(HeaderValue::as_bytes).collect();
    for version in [0, 7, 10, u64::MAX] {
        match fuzzing::none_match(headers, version) {
            Err(problem) => refusal::is_fair(&problem),
            Ok(matches) => {
                let tag = format!("\"{version}\"");
                let lists = values.iter().flat_map(|value| value.split(|byte| *byte == b','));
                let mut tags = lists.map(|tag| tag.trim_ascii()).map(|tag| tag.strip_prefix(b"W/").unwrap_or(tag));
                let is_named = tags.any(|it| it == b"*" || it == tag.as_bytes());
                assert_eq!(matches, (!values.is_empty()).then_some(is_named), "{version} {headers:?}");
            }
        }
    }
}

fn part(headers: &HeaderMap) {
    for size in [0, 1, 10, u64::MAX] {
        let Some(part) = fuzzing::part(headers, size, "\"t\"") else { continue };
        let range = headers.get(header::RANGE).expect("a part is asked for").to_str().expect("in ASCII");
        assert!(range.to_ascii_lowercase().starts_with("bytes="), "{range}");
        assert!(part.end <= size && part.start <= part.end, "{range}: {part:?} of {size}");
        if part.is_empty() {
            continue;
        }
        let (first, last) = range["bytes=".len()..].split_once('-').expect("two numbers");
        let number = |text: &str| text.trim().parse::<u128>().unwrap_or(u128::MAX);
        let wanted = match (first.trim(), last.trim()) {
            ("", length) => u128::from(size).saturating_sub(number(length))..u128::from(size),
            (first, "") => number(first)..u128::from(size),
            (first, last) => number(first)..number(last).saturating_add(1).min(size.into()),
        };
        assert_eq!(u128::from(part.start)..u128::from(part.end), wanted, "{range} of {size}");
    }
}

fn media(headers: &HeaderMap) {
    match fuzzing::content_type(headers) {
        Err(problem) => refusal::is_fair(&problem),
        Ok(text) => {
            assert!(text.len() <= limits::CONTENT_TYPE_BYTES && text.contains('/'));
            // It goes out again as the header of a stored body.
            HeaderValue::try_from(text).expect("it can be a header's value");
        }
    }
}
