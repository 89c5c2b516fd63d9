//! The queries of addresses: filters of lists, and the fields of a job whose payload is the body.

use std::borrow::Cow;

use ackd_api::{Envelope, QueryEnvelope, parse};
use ackd_engine::Search;
use ackd_http::fuzzing;

use crate::oracle::{is_name, percent_decoded, percent_encoded};
use crate::{envelope, refusal};

pub(crate) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    pairs(text);
    fields(text);
    match fuzzing::search(text) {
        Err(problem) => refusal::is_fair(&problem),
        Ok(search) => {
            assert!(search.fields.len() <= Search::FIELDS);
            let filter = &search.filter;
            assert!(filter.queues.iter().all(|queue| is_name(queue.as_str()) && !queue.as_str().starts_with("ackd.")));
            assert!(filter.queues.len() <= 100 && filter.kinds.len() <= 100 && filter.tags.len() <= 100);
        }
    }
}

/// The pairs of names and values are those of any reader of such a query.
fn pairs(text: &str) {
    let pairs = match fuzzing::query(text, |_| true) {
        Err(problem) => return refusal::is_fair(&problem),
        Ok(pairs) => pairs,
    };
    assert!(pairs.len() <= 100);
    let decoded =
        |part: &str| percent_decoded(part.replace('+', " ").as_bytes()).and_then(|it| String::from_utf8(it).ok());
    let expected = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name).expect("a name"), decoded(value).expect("a value"))
    });
    assert!(expected.eq(pairs.iter().cloned()));
    let written: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", percent_encoded(name), percent_encoded(value))).collect();
    // A name that is empty is written as nothing before `=`, which is a pair still.
    assert_eq!(fuzzing::query(&written.join("&"), |_| true).expect("what is written is read"), pairs);
}

/// A job by parameters is the job of the envelope that says the same.
fn fields(text: &str) {
    let Ok(pairs) = fuzzing::query(text, |_| true) else { return };
    let pairs = pairs.into_iter().map(|(name, value)| (Cow::Owned(name), Cow::Owned(value)));
    let envelope = QueryEnvelope::parse(pairs).and_then(|query| query.into_envelope("q".into()));
    match envelope {
        Err(problem) => refusal::is_fair(&problem),
        Ok(envelope) => {
            envelope::within_limits(&envelope, 0);
            let written = serde_json::to_vec(&envelope).unwrap();
            let read: Envelope<'_> = parse(&written).expect("the same in JSON is taken");
            assert_eq!(serde_json::to_vec(&read).unwrap(), written);
        }
    }
}
