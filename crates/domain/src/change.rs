use std::sync::Arc;

use crate::{Body, Job, Position, Timestamp};

/// A committed fact of the ledger: what happened to a job, and what the job was after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its place in the feed.
    pub position: Position,
    /// The job's change before this one; [`Position::START`] for its first.
    pub previous: Position,
    /// When it was decided.
    pub at: Timestamp,
    /// What happened.
    pub kind: ChangeKind,
    /// The job after it.
    pub job: Arc<Job>,
    /// The payload of a submitted or replaced job, the result of a completed one, where they are still at hand.
    /// Who needs them and finds `None` reads them from the ledger; only a job that is
    /// [replaced](ChangeKind::Replaced) gets another payload.
    pub body: Option<Body>,
    /// When a replaced job was due before, where that is at hand: for whoever holds waiting jobs by their time.
    pub was_due: Option<Timestamp>,
}

/// What happened to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ChangeKind {
    /// It was accepted.
    Submitted = 0,
    /// A worker got it.
    Leased = 1,
    /// Its worker told how far it has come.
    Progressed = 2,
    /// Its worker left something for the next attempt.
    Checkpointed = 3,
    /// Its worker completed it.
    Completed = 4,
    /// Its attempt failed; the status says whether another follows.
    Failed = 5,
    /// Its worker gave it back.
    Released = 6,
    /// Its lease ran out; the status says whether another attempt follows.
    Lapsed = 7,
    /// Its worker is asked to stop.
    CancelRequested = 8,
    /// It was cancelled.
    Cancelled = 9,
    /// It was not done in time.
    Expired = 10,
    /// A further run was asked for.
    Retried = 11,
    /// Something that held it back is no more: those that it comes after, or the one of its ordering key before it.
    Unblocked = 12,
    /// It took the payload and the time of a submission with its unique key.
    Replaced = 13,
    /// A further run was asked for, by a redrive of its queue.
    Redriven = 14,
    /// One with its ordering key that was accepted before it runs again, and goes first.
    Blocked = 15,
}

impl ChangeKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [ChangeKind; 16] = [
        ChangeKind::Submitted,
        ChangeKind::Leased,
        ChangeKind::Progressed,
        ChangeKind::Checkpointed,
        ChangeKind::Completed,
        ChangeKind::Failed,
        ChangeKind::Released,
        ChangeKind::Lapsed,
        ChangeKind::CancelRequested,
        ChangeKind::Cancelled,
        ChangeKind::Expired,
        ChangeKind::Retried,
        ChangeKind::Unblocked,
        ChangeKind::Replaced,
        ChangeKind::Redriven,
        ChangeKind::Blocked,
    ];

    /// The kind of this number, as a ledger stores it.
    #[must_use]
    pub fn from_number(number: u8) -> Option<ChangeKind> {
        ChangeKind::ALL.get(usize::from(number)).copied()
    }
}
