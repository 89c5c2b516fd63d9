use std::time::Duration;

use ackd_domain::{Backoff, Body, Command, Failure, JSON, LapseReason, LeaseToken, Name, Submission, Timestamp};
use bytes::Bytes;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// When every test starts: 2025-01-01T00:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_735_689_600_000);

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn json(text: &str) -> Body {
    Body { content_type: JSON.into(), bytes: Bytes::copy_from_slice(text.as_bytes()) }
}

pub(crate) fn submission() -> Submission {
    Submission::new(name("video"), json("1"))
}

/// A back-off of `base`, doubled, that leaves nothing to chance.
pub(crate) fn backoff(base: Duration) -> Backoff {
    Backoff::new(base, 2.0, HOUR, 0.0).unwrap()
}

pub(crate) fn failure() -> Failure {
    Failure { problem: r#"{"title":"no"}"#.into() }
}

pub(crate) fn complete(lease: LeaseToken) -> Command {
    Command::Complete { lease, result: Some(json("2")) }
}

pub(crate) fn fail(lease: LeaseToken) -> Command {
    Command::Fail { lease, error: failure(), retryable: true, retry_after: None, cancelled: false }
}

pub(crate) fn fail_for_good(lease: LeaseToken) -> Command {
    Command::Fail { lease, error: failure(), retryable: false, retry_after: None, cancelled: false }
}

pub(crate) fn fail_cancelled(lease: LeaseToken) -> Command {
    Command::Fail { lease, error: failure(), retryable: true, retry_after: None, cancelled: true }
}

pub(crate) fn release(lease: LeaseToken) -> Command {
    Command::Release { lease, delay: None, checkpoint: None }
}

pub(crate) fn lapse(lease: LeaseToken) -> Command {
    Command::Lapse { lease, reason: LapseReason::Silence }
}

pub(crate) fn beat(lease: LeaseToken) -> Command {
    Command::Heartbeat { lease, ttl: None, progress: None, checkpoint: None }
}

/// A heartbeat that tells something.
pub(crate) fn tell(lease: LeaseToken) -> Command {
    Command::Heartbeat { lease, ttl: None, progress: None, checkpoint: Some("{}".into()) }
}
