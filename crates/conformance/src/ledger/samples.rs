//! What the cases are made of.

use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{Backoff, Body, Failure, JSON, LeaseToken, Name, Position, Submission, Timestamp};
use bytes::Bytes;

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const HOUR: Duration = Duration::from_hours(1);

/// When every case starts: 2025-01-01T00:00:00Z.
pub(super) const START: Timestamp = Timestamp::from_millis(1_735_689_600_000);

pub(super) fn name(text: &str) -> Name {
    Name::new(text).expect("the name of a sample follows the rule")
}

pub(super) fn body(content_type: &str, bytes: impl Into<Bytes>) -> Body {
    Body { content_type: Arc::from(content_type), bytes: bytes.into() }
}

pub(super) fn json(text: &str) -> Body {
    body(JSON, text.to_owned())
}

pub(super) fn submission(queue: &str) -> Submission {
    Submission::new(name(queue), json(r#"{"n":1}"#))
}

pub(super) fn failure(title: &str) -> Failure {
    Failure { problem: Arc::from(format!(r#"{{"title":"{title}"}}"#)) }
}

/// A back-off that leaves nothing to chance.
pub(super) fn sure_backoff(base: Duration) -> Backoff {
    Backoff::new(base, 2.0, 100 * base, 0.0).expect("the back-off of a sample is within its limits")
}

/// A token that no ledger gave.
pub(super) const FOREIGN: LeaseToken = LeaseToken { number: 1, fence: Position(1), secret: 7 };

/// `text` again and again, up to `bytes` bytes and not one more.
pub(super) fn filled(text: &str, bytes: usize) -> Arc<str> {
    let mut long = text.repeat(bytes / text.len());
    long.push_str(&"x".repeat(bytes - long.len()));
    Arc::from(long)
}
