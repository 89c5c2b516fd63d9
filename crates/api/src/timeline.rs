//! Every change of a job, in order.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::raw::Json;
use crate::{Status, Time};

/// What happened to a job, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Timeline<'a> {
    /// The changes.
    pub entries: Vec<TimelineEntry<'a>>,
    /// Whether older changes are purged already, after the server's `--feed-retention`.
    pub truncated: bool,
}

/// One change of a job, and the job as of it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct TimelineEntry<'a> {
    /// When the server recorded it.
    pub at: Time,
    /// What happened.
    pub event: TimelineEvent,
    /// The status as of this change.
    pub status: Status,
    /// The version that the change made.
    pub version: u64,
    /// The run it belongs to, from 1.
    pub run: u32,
    /// The attempt it belongs to, from 1; 0 before the first.
    pub attempt: u32,
    /// The worker that held the lease.
    pub worker: Option<Cow<'a, str>>,
    /// The hop of a job's way that it belongs to.
    pub hop: Hop,
    /// Why the attempt failed: a problem document (RFC 9457).
    #[schemars(with = "Option<crate::problem::Fields>")]
    pub error: Option<Json<'a>>,
    /// The point of the change feed.
    pub position: Cow<'a, str>,
}

/// What happened to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimelineEvent {
    /// It was accepted.
    Submitted,
    /// A worker was granted a lease: an attempt began.
    Leased,
    /// Progress was recorded.
    Progress,
    /// A checkpoint was recorded.
    Checkpoint,
    /// The worker completed it.
    Completed,
    /// The worker's attempt failed.
    Failed,
    /// The worker gave it back, and the attempt does not count.
    Released,
    /// The worker was not heard of until the lease's deadline, or the attempt took longer than its timeout.
    Lapsed,
    /// A client asked for its cancellation while a worker held it.
    CancelRequested,
    /// It ended as `CANCELLED`.
    Cancelled,
    /// It ended as `EXPIRED`.
    Expired,
    /// A client opened the next run.
    Retried,
    /// A redrive of its queue opened the next run.
    Redriven,
    /// Something that held it back is no more: jobs that it comes after, or the one of its ordering key before it.
    Unblocked,
    /// A job with its ordering key that was accepted before it runs again, and goes first.
    Blocked,
    /// It waited, and took payload and time of a submission with its unique key.
    Replaced,
    /// An event of a newer server, which this version does not know. Never written by a server.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// A hop of a job's way: from whom to whom the change came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hop {
    /// Client → ledger: the job was accepted.
    Submit,
    /// Ledger → broker → worker: a lease was granted.
    Dispatch,
    /// Worker → ledger: progress, a checkpoint, or the attempt's end.
    Work,
    /// Client → ledger: cancel or retry of an accepted job.
    Control,
    /// Clock → ledger: a lease that lapsed, a job that expired.
    Clock,
    /// A hop of a newer server, which this version does not know. Never written by a server.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_is_written_and_read_back() {
        let text = r#"{"entries":[{"at":"2026-11-20T10:00:00.000Z","event":"failed","status":"INIT","version":3,"run":1,"attempt":1,"worker":"w","hop":"work","error":{"title":"boom"},"position":"9"}],"truncated":true}"#;
        let timeline: Timeline<'static> = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&timeline).unwrap(), text);
    }

    #[test]
    fn what_a_newer_server_says_is_no_error() {
        assert_eq!(serde_json::from_str::<TimelineEvent>("\"moved\"").unwrap(), TimelineEvent::Unknown);
        assert_eq!(serde_json::from_str::<Hop>("\"mirror\"").unwrap(), Hop::Unknown);
        assert_eq!(
            serde_json::from_str::<TimelineEvent>("\"cancel_requested\"").unwrap(),
            TimelineEvent::CancelRequested
        );
    }
}
