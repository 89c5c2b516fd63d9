//! A job as a client asks for it: the body of `POST /v1/jobs`.

use std::sync::Arc;

use ackd_api::{Envelope, limits, parse};
use ackd_domain::{Start, Submission, Timestamp};
use ackd_http::{Outbounds, fuzzing};
use ackd_memory::FakeOutbound;

use crate::oracle::is_name;
use crate::{oracle, refusal};

/// 2026-11-20T10:00:00Z.
const NOW: Timestamp = Timestamp::from_millis(1_795_168_800_000);

/// The most bytes of a payload, so small that it is met.
const PAYLOAD: usize = 64;

pub(crate) fn check(input: &[u8]) {
    match parse::<Envelope<'_>>(input) {
        Err(problem) => refusal::is_fair(&problem),
        Ok(envelope) => {
            // What is taken as JSON is JSON for others too, and no deeper than they read.
            if let Some(value) = oracle::json(input) {
                assert_eq!(value["queue"], *envelope.queue);
            }
            within_limits(&envelope, 0);
            is_carried(&envelope, input);
            is_read_back(&envelope);
            is_submitted(&envelope);
        }
    }
}

/// What a client may ask for and no more.
pub(crate) fn within_limits(envelope: &Envelope<'_>, depth: usize) {
    assert!(is_name(&envelope.queue));
    assert!(envelope.payload_file.as_deref().is_none_or(is_name));
    assert!(envelope.payload.is_none() || envelope.payload_file.is_none());
    assert!(envelope.delay.is_none() || envelope.run_at.is_none());
    assert!(envelope.priority.is_none_or(|priority| priority <= 9));
    assert!(envelope.max_attempts.is_none_or(|attempts| (1..=10_000).contains(&attempts)));
    assert!([envelope.expires_in, envelope.timeout].into_iter().flatten().all(|span| !span.is_zero()));
    let durations = [envelope.delay, envelope.expires_in, envelope.timeout, envelope.result_retention];
    assert!(durations.into_iter().flatten().all(|span| span.get() <= limits::DURATION));
    let text = |text: &Option<_>, most: usize| {
        let text: Option<&str> = Option::as_ref(text).map(|text: &std::borrow::Cow<'_, str>| &**text);
        text.is_none_or(|text| (1..=most).contains(&text.len()) && !text.bytes().any(|byte| byte.is_ascii_control()))
    };
    assert!(text(&envelope.kind, 255) && text(&envelope.idempotency_key, 512) && text(&envelope.ordering_key, 512));
    assert!(text(&envelope.group, 512) && text(&envelope.key, 255) && text(&envelope.traceparent, 255));
    assert!(envelope.unique.as_ref().is_none_or(|unique| (1..=512).contains(&unique.key.len())));
    assert!(envelope.tags.len() <= 32 && envelope.tags.iter().all(|tag| tag.len() <= 255 && !tag.contains(',')));
    assert!(envelope.after.len() <= 1000);
    assert!(envelope.callback.as_ref().is_none_or(|callback| callback.url.len() <= limits::URL_BYTES));
    if let Some(backoff) = &envelope.backoff {
        assert!(backoff.factor.is_none_or(|factor| (1.0..=100.0).contains(&factor)));
        assert!(backoff.jitter.is_none_or(|jitter| (0.0..=1.0).contains(&jitter)));
    }
    assert!(envelope.then.len() <= 100 && (envelope.then.is_empty() || depth < limits::THEN_DEPTH));
    envelope.then.iter().for_each(|next| within_limits(next, depth + 1));
}

/// The payload stands in the input as it is.
fn is_carried(envelope: &Envelope<'_>, input: &[u8]) {
    let Some(payload) = envelope.payload else { return };
    let payload = payload.get().as_bytes();
    assert!(input.windows(payload.len()).any(|part| part == payload));
}

/// What is written of an envelope is read as the same.
pub(crate) fn is_read_back(envelope: &Envelope<'_>) {
    let written = serde_json::to_vec(envelope).expect("an envelope can be written");
    let read: Envelope<'_> = parse(&written).expect("and read");
    assert_eq!(serde_json::to_string(&read).unwrap(), String::from_utf8(written).unwrap());
}

/// What is submitted of it is what it says.
fn is_submitted(envelope: &Envelope<'_>) {
    let nowhere = Arc::new(FakeOutbound::new());
    let outbounds = Outbounds { webhooks: nowhere.clone(), pushes: nowhere };
    let submission = match fuzzing::submission(envelope, outbounds, PAYLOAD, NOW) {
        Ok(submission) => submission,
        Err(problem) => return refusal::is_fair(&problem),
    };
    assert!(!submission.queue.as_str().starts_with("ackd."));
    assert_eq!(submission.queue.as_str(), envelope.queue);
    assert_eq!(submission.payload.bytes, envelope.payload.map_or("", |payload| payload.get()));
    assert_eq!(submission.key.as_ref().map(|key| &*key.text), envelope.idempotency_key.as_deref());
    assert_eq!(submission.after.len(), envelope.after.len());
    assert_eq!(submission.then.len(), envelope.then.len());
    let starts = |submission: &Submission| {
        let wait = match submission.start {
            Start::Now => return,
            Start::After(wait) => wait,
            Start::At(at) => at.since(NOW),
        };
        assert!(wait <= limits::DURATION && submission.expires_in.is_none_or(|expires_in| expires_in > wait));
    };
    starts(&submission);
    let all: Vec<&Submission> = submission.then.iter().flat_map(Submission::with_all_after).collect();
    assert!(all.len() < 1000);
    for next in all {
        starts(next);
        assert!(next.payload.bytes.len() <= PAYLOAD);
        assert!(next.key.is_none() && next.unique.is_none());
    }
}
