//! The other requests in JSON: of workers, about queues, schedules, webhooks, flows and many jobs at once.

use ackd_api::lease::{Complete, Fail, Heartbeat, LeaseRequest, Release};
use ackd_api::{
    BulkRequest, FailError, FlowRequest, Problem, QueuePatch, QueueSettings, RedriveRequest, ScheduleRequest,
    WebhookRequest, limits, parse,
};

use crate::{envelope, oracle, refusal};

/// Each request is read of the input, and what is written of it is read as the same.
macro_rules! read_back {
    ($input:expr; $($request:ty),+) => {$(
        match parse::<$request>($input) {
            Err(problem) => refusal::is_fair(&problem),
            Ok(request) => {
                let written = serde_json::to_vec(&request).expect("a request can be written");
                let read: $request = parse(&written).expect("and read");
                assert_eq!(serde_json::to_string(&read).unwrap(), String::from_utf8(written).unwrap());
            }
        }
    )+};
}

pub(crate) fn check(input: &[u8]) {
    read_back!(input; LeaseRequest<'_>, Heartbeat<'_>, Complete<'_>, Fail<'_>, Release<'_>);
    read_back!(input; QueuePatch, ScheduleRequest<'_>, WebhookRequest<'_>, FlowRequest<'_>, BulkRequest, RedriveRequest);
    failure(input);
    settings(input);
    if let Ok(schedule) = parse::<ScheduleRequest<'_>>(input) {
        envelope::within_limits(&schedule.job, 0);
    }
    if let Ok(flow) = parse::<FlowRequest<'_>>(input) {
        assert!((1..=limits::FLOW_JOBS).contains(&flow.jobs.len()));
        flow.jobs.iter().for_each(|job| envelope::within_limits(job, 0));
    }
}

/// What is kept of a failure is a problem that is no larger than its limit, and is read as itself.
fn failure(input: &[u8]) {
    let failure = match parse::<Fail<'_>>(input) {
        Ok(Fail { error: Some(error), .. }) => error,
        // Any text may be why an attempt failed.
        _ => FailError::Text(String::from_utf8_lossy(input)),
    };
    let problem = failure.to_problem();
    let most = if let FailError::Text(_) = failure { limits::FAILURE_BYTES } else { FailError::PROBLEM_BYTES };
    assert!(problem.len() <= most, "{} bytes", problem.len());
    assert!(oracle::json(problem.as_bytes()).is_none_or(|problem| problem.is_object()));
    match serde_json::from_str::<Problem>(&problem) {
        Ok(problem) => assert!(!problem.kind.is_empty() || !problem.title.is_empty(), "there is nothing to show"),
        Err(error) => assert!(matches!(failure, FailError::Problem(_)), "a client reads it as a problem: {error}"),
    }
}

/// Settings that are replaced, or patched, are within their limits, and those that are asked for again are the same.
fn settings(input: &[u8]) {
    let settings = match QueueSettings::parse(input) {
        Ok(settings) => settings,
        Err(problem) => return refusal::is_fair(&problem),
    };
    assert!(settings.lease_ttl.is_none_or(|ttl| (limits::LEASE_TTL_MIN..=limits::LEASE_TTL_MAX).contains(&ttl.get())));
    assert!(settings.concurrency.is_none_or(|most| (1..=limits::CONCURRENCY).contains(&most)));
    assert!(settings.rate.is_none_or(|rate| (1..=limits::RATE).contains(&rate.limit) && !rate.per.is_zero()));
    let written = serde_json::to_vec(&settings).expect("settings can be written");
    assert_eq!(QueueSettings::parse(&written).expect("and read"), settings);
    let patch: QueuePatch = parse(input).expect("what replaces everything can be merged");
    assert_eq!(patch.apply(&QueueSettings::default()).expect("with nothing"), settings);
}
