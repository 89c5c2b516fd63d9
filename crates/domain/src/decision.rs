use std::sync::Arc;
use std::time::Duration;

use crate::{Body, Change, Command, Endpoint, File, FileId, Job, JobId, Name, Position, Queue, Schedule, Started};

/// What a command comes to: rows to write, changes to tell, and the answer to give once both are durable.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The rows to write, in order.
    pub writes: Vec<Write>,
    /// The facts to tell, in order; their positions are drawn already.
    pub changes: Vec<Change>,
    /// What the asker gets.
    pub answer: Answer,
    /// What follows from it for other jobs. The ledger goes on with it in the same commit, or, where that is too much at
    /// once, hands it on ([`Write::Unresolved`] makes sure that none of it is forgotten).
    pub follow_ups: Vec<Command>,
}

/// One row to write.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// A new job and its payload.
    Insert(Arc<Job>, Body),
    /// A new job whose payload is that of the job with this number, as it is when the batch is committed: of any number of jobs
    /// no more than one payload needs to be in memory.
    Copy {
        /// Whose payload it is.
        from: u64,
        /// The new job.
        job: Arc<Job>,
    },
    /// A waiting job's new state, and the payload that it has from now on.
    Replace(Arc<Job>, Body),
    /// A job's new state.
    Update(Arc<Job>),
    /// A job's new state and its result.
    Finish(Arc<Job>, Body),
    /// The job, as it was last, is no longer: nor are its bytes, its key and its texts. Its changes are still told until
    /// the feed forgets them; what is told of it then may lack its keys, its error and its checkpoint.
    Erase(Arc<Job>),
    /// The job was kept as long as it is to be, and stays as long as others wait for it: then it is to be found at once, among
    /// those that may go.
    Overdue(Arc<Job>),
    /// The feed's changes up to here are no longer.
    Forget(Position),
    /// A queue's new settings.
    Queue(Arc<Queue>),
    /// An endpoint, new or changed.
    Endpoint(Arc<Endpoint>),
    /// An endpoint is no longer.
    NoEndpoint(Name),
    /// When attempts at this queue's jobs began.
    Started(Name, Started),
    /// The position of a consumer of the change feed.
    Position(Name, Position),
    /// A schedule, new or changed.
    Schedule(Arc<Schedule>),
    /// A schedule is no longer.
    NoSchedule(Name),
    /// The second job comes after the first, which has not ended yet as the second needs.
    Link(u64, u64),
    /// It does no longer.
    Unlink(u64, u64),
    /// This job has ended, and those that come after it have not all been told.
    Unresolved(u64),
    /// They have.
    Resolved(u64),
    /// A file, new or changed.
    File(Arc<File>),
    /// A file is no longer.
    NoFile(FileId),
}

/// What the asker gets.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The jobs are accepted, or were before; one for each submission, in order.
    Accepted(Vec<Accepted>),
    /// The job after the command.
    Job(Arc<Job>),
    /// The lease goes on.
    Beat {
        /// For so long, from now, without a heartbeat.
        ttl: Duration,
        /// The worker is asked to stop.
        cancel_requested: bool,
    },
    /// The job of this id is no longer.
    Erased(JobId),
    /// The changes up to a position are no longer.
    Forgotten {
        /// The position.
        through: Position,
        /// How far the consumer had come that has not seen all of them, where there is one.
        missed_from: Option<Position>,
    },
    /// The queue after the command.
    Queue(Arc<Queue>),
    /// The endpoint after the command.
    Endpoint {
        /// The endpoint.
        endpoint: Arc<Endpoint>,
        /// There was none of this name before.
        created: bool,
        /// Its secret was made by this command.
        made_secret: bool,
    },
    /// The endpoint of this name is no longer.
    NoEndpoint(Name),
    /// The schedule after the command.
    Schedule {
        /// The schedule.
        schedule: Arc<Schedule>,
        /// There was none of this name before.
        created: bool,
    },
    /// The schedule of this name is no longer.
    NoSchedule(Name),
    /// The schedule has made its jobs.
    Fired {
        /// The schedule, its next time before it.
        schedule: Arc<Schedule>,
        /// The jobs, one for each that was to be made.
        accepted: Vec<Accepted>,
    },
    /// The file after the command, or, where it is forgotten, before it.
    File {
        /// The file.
        file: Arc<File>,
        /// There was none of this name before.
        created: bool,
    },
}

/// A submission that was accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// The job as it is now.
    pub job: Arc<Job>,
    /// How it came to be this one.
    pub how: Acceptance,
}

/// How a submission came by its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acceptance {
    /// It made the job.
    Made,
    /// An earlier request with the same idempotency key made it.
    Replayed,
    /// It carries the unique key, and stays as it was. Nothing of the submission is kept.
    Kept,
    /// It carries the unique key, waits, and took the payload and the time of the submission. Nothing else of it is kept.
    Replaced,
}

impl Accepted {
    /// Whether an earlier request with the same idempotency key made the job.
    #[must_use]
    pub fn is_replayed(&self) -> bool {
        self.how == Acceptance::Replayed
    }
}

impl Decision {
    /// A decision that writes nothing and only answers.
    #[must_use]
    pub const fn answer(answer: Answer) -> Decision {
        Decision { writes: Vec::new(), changes: Vec::new(), answer, follow_ups: Vec::new() }
    }
}
