//! What fuzzers reach of what reads a receiver's answer. With the feature `fuzzing` only; a server is built without.

use std::time::Duration;

use ackd_domain::Timestamp;

use crate::retry_after;

/// How long `Retry-After` asks to wait, as of `now`; `None` where it says nothing that is understood.
#[must_use]
pub fn retry_after(value: &[u8], now: Timestamp) -> Option<Duration> {
    retry_after::parse(value, now)
}
