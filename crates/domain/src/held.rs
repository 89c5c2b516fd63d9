use std::sync::Arc;

use crate::JobId;

/// What holds a waiting job back beside its time and its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Jobs that it comes after have not all ended as it needs.
    pub after: bool,
    /// Another unfinished job of its ordering key is before it.
    pub behind: bool,
}

impl Held {
    /// Whether nothing of it holds the job back.
    #[must_use]
    pub const fn is_free(self) -> bool {
        !self.after && !self.behind
    }
}

/// A job that another comes after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predecessor {
    /// The job.
    pub id: JobId,
    /// Under which name its result is handed on, where that is not its id.
    pub key: Option<Arc<str>>,
}

/// Which job a submitted one is to come after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// One that was accepted before.
    Job(JobId),
    /// The one of this line of the same command, from 0; an earlier line than that of the job itself.
    Line(usize),
}

/// What becomes of a job when one that it comes after ends otherwise than `DONE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum OnFailure {
    /// It is cancelled, and so is what comes after it in turn.
    #[default]
    Cancel = 0,
    /// It runs all the same.
    Continue = 1,
    /// It waits until that job has been retried and is `DONE`.
    Wait = 2,
}

impl OnFailure {
    /// The policy of this number, as a ledger stores it.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<OnFailure> {
        match number {
            0 => Some(OnFailure::Cancel),
            1 => Some(OnFailure::Continue),
            2 => Some(OnFailure::Wait),
            _ => None,
        }
    }
}

/// A job's place in a flow: jobs that were accepted together, whose acceptance numbers follow one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowPart {
    /// The first job of the flow, whose id is the flow's.
    pub id: JobId,
    /// How many jobs the flow has.
    pub size: u32,
    /// The job's name in it.
    pub key: Arc<str>,
}
