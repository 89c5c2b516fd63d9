use crate::{JobId, Name, Position, Status};

/// Why a command changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such job, or its id differs from the given one.
    #[error("there is no such job")]
    NotFound,
    /// The lease lapsed, was superseded, was settled by another verb, or never existed.
    #[error("the lease lapsed, was superseded or settled, or never existed")]
    LeaseLost,
    /// The job is not waiting, so that no worker can have it.
    #[error("the job does not wait for a worker")]
    NotWaiting,
    /// The job is not due yet, has expired, or its queue is paused or has begun as many as it may.
    #[error("the job is held back")]
    HeldBack,
    /// The run has ended in another way than was asked for.
    #[error("the job has ended as {0}")]
    AlreadyFinished(Status),
    /// The run has not ended.
    #[error("the job is {0}")]
    NotFinished(Status),
    /// The queue takes no new jobs.
    #[error("queue {0} takes no new jobs")]
    Draining(Name),
    /// The job has ended later than what is asked for is about.
    #[error("the job has changed since")]
    ChangedSince,
    /// The job has not reached its time of expiry.
    #[error("the job has not expired")]
    NotExpired,
    /// The job ended, and is to be kept for longer.
    #[error("the job is to be kept for longer")]
    Kept,
    /// The job has ended, and others wait for it.
    #[error("other jobs wait for the job")]
    Followed,
    /// Another unfinished job carries the unique key of the one that was to run once more.
    #[error("job {0} has the same unique key, and has not ended")]
    NotUnique(JobId),
    /// Idempotency keys belong to different requests: the lines of the submissions, from 0, and the jobs
    /// that the keys made; `None` where an earlier line of the same command has the key.
    #[error("an idempotency key belongs to another request")]
    KeyMismatch(Vec<(usize, Option<JobId>)>),
    /// Jobs that others were to come after are not there, or no longer: who was to come after them, and the jobs.
    #[error("a job that another is to come after is not there")]
    NoPredecessor(Vec<(Place, JobId)>),
    /// There are as many endpoints as there may be.
    #[error("there are {} webhook endpoints already", crate::limits::ENDPOINTS)]
    TooManyEndpoints,
    /// There are as many schedules as there may be.
    #[error("there are {} schedules already", crate::limits::SCHEDULES)]
    TooManySchedules,
    /// The schedule was put anew, or its time was left already, since whoever asks looked at it.
    #[error("the schedule has moved on")]
    ScheduleMoved,
    /// Another consumer of the same name has come to this position.
    #[error("the consumer has come to another position: {0:?}")]
    Overtaken(Option<Position>),
    /// Files that were to be payloads are not there, or no longer: whose they were to be, and the names.
    #[error("a file that was to be a payload is not there")]
    NoFile(Vec<(Place, Name)>),
    /// A file has this name already.
    #[error("a file has this name already")]
    FileExists,
    /// The file is needed still.
    #[error("the file is needed")]
    FileNeeded,
    /// The dead letters of a queue would come back to it: through these queues, itself first.
    #[error("its dead letters would come back to it")]
    DeadLetterRing(Vec<Name>),
    /// The dead letters of a queue would go on through too many others.
    #[error("its dead letters would go through more than {} queues", crate::limits::DEAD_LETTER_HOPS)]
    DeadLettersTooFar,
    /// A row that the decision needs does not match its checksum.
    #[error("what is stored of {0} is damaged")]
    Damaged(String),
}

/// Which of a command's submissions is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its line, from 0.
    pub line: usize,
    /// Its places in one `then` after the other, from 0, where it comes after another of the same line.
    pub then: Vec<usize>,
}

impl From<usize> for Place {
    fn from(line: usize) -> Place {
        Place { line, then: Vec::new() }
    }
}
