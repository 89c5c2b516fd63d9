use std::sync::Arc;

use ackd_domain::{
    Body, Change, Endpoint, File, FileId, Job, JobId, Name, Position, Queue, Schedule, Started, Status, Timestamp,
};

use crate::DeadCause;

/// What can be read of a ledger beside its one writer. Every answer is a committed, durable state, and
/// at least as new as the last commit before the call.
pub trait LedgerReader: Send + Sync {
    /// The job with this id.
    ///
    /// # Errors
    /// [`ReadError`] as the type says; so for every call here.
    fn job(&self, id: JobId) -> Result<Option<Arc<Job>>, ReadError>;

    /// The payloads of the jobs with these acceptance numbers, in their order; `None` where a job is gone.
    fn payloads(&self, numbers: &[u64]) -> Result<Vec<Option<Body>>, ReadError>;

    /// The result of the job with this acceptance number.
    fn result(&self, number: u64) -> Result<Option<Body>, ReadError>;

    /// The results of the jobs with these acceptance numbers, in their order; `None` where there is none in the ledger, or
    /// one of more than `most` bytes.
    fn results(&self, numbers: &[u64], most: u64) -> Result<Vec<Option<Body>>, ReadError>;

    /// The jobs that match `filter`, newest first, from below the number `before` on. At most `limit`
    /// of them, and fewer where a bounded number of rows was examined without finding more.
    fn list(&self, filter: &Filter, before: Option<u64>, limit: usize) -> Result<Page, ReadError>;

    /// Every change of a job that is still kept, oldest first, as [`crate::ChangeFeed::changes`] gives them.
    fn timeline(&self, id: JobId) -> Result<Option<Timeline>, ReadError>;

    /// The lanes in which jobs wait.
    fn lanes(&self) -> Result<Vec<Lane>, ReadError>;

    /// The jobs that wait in `lane`, ordered by the time they are due and their number, from after
    /// `after` on, at most `limit`.
    fn eligible(&self, lane: &Lane, after: Option<(Timestamp, u64)>, limit: usize) -> Result<Vec<Ready>, ReadError>;

    /// The jobs whose latest lease is live.
    fn leased(&self) -> Result<Vec<Arc<Job>>, ReadError>;

    /// The numbers of unfinished jobs that have expired by `now`, at most `limit`, and fewer where their payloads are large.
    /// It may be earlier `now` than it was when last asked.
    fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<u64>, ReadError>;

    /// Ended jobs that were kept as long as they are to be by `now`, at most `limit` of them, and fewer where their
    /// bodies are large or a bounded number of rows was examined.
    ///
    /// A job that others wait for may be among them once, and is not any more when it was to be purged
    /// ([`ackd_domain::Write::Overdue`]); once they do not wait for it, it is. One that a clock which was wrong says ended in
    /// the future may be found late: when the feed has forgotten its end at the latest.
    fn outlived(&self, now: Timestamp, limit: usize) -> Result<Outlived, ReadError>;

    /// How far the feed's changes were made before `old`, and how far before `ancient`, which is earlier. Looks at `limit`
    /// changes at most; [`Position::START`] where there is none.
    fn changes_before(&self, old: Timestamp, ancient: Timestamp, limit: usize) -> Result<OldChanges, ReadError>;

    /// How many jobs stand where, for each queue that has a job.
    fn counts(&self) -> Result<Vec<Counts>, ReadError>;

    /// The queues that somebody configured.
    fn queues(&self) -> Result<Vec<Arc<Queue>>, ReadError>;

    /// The webhook endpoints.
    fn endpoints(&self) -> Result<Vec<Arc<Endpoint>>, ReadError>;

    /// When attempts at the jobs of the queues that limit them began, as it was written last.
    fn started(&self) -> Result<Vec<(Name, Started)>, ReadError>;

    /// How far the consumer of this name has come in the change feed, if it has begun.
    fn position_of(&self, consumer: &Name) -> Result<Option<Position>, ReadError>;

    /// The jobs that deliver what became of the job with the acceptance number `source`, newest first, from below the
    /// number `before` on, at most `limit`.
    fn deliveries(&self, source: u64, before: Option<u64>, limit: usize) -> Result<Vec<Arc<Job>>, ReadError>;

    /// The schedules.
    fn schedules(&self) -> Result<Vec<Arc<Schedule>>, ReadError>;

    /// The jobs that have ended and whose followers may not all have been told: for each a
    /// [`ackd_domain::Command::Resolve`] goes on with it.
    fn unresolved(&self) -> Result<Vec<u64>, ReadError>;

    /// Of what the dead jobs of this queue failed or expired: the causes that most have first, at most `limit`, each with at
    /// most `examples`. It takes no longer where more jobs are dead. See [`crate::cause`].
    fn dead_causes(&self, queue: &Name, limit: usize, examples: usize) -> Result<Vec<DeadCause>, ReadError>;

    /// How many jobs of this queue are dead; of this cause, where one is named.
    fn dead_count(&self, queue: &Name, cause: Option<&str>) -> Result<u64, ReadError>;

    /// The dead jobs of this queue, and of this cause where one is named, with numbers above `after`, in their order, at
    /// most `limit`.
    fn dead(&self, queue: &Name, cause: Option<&str>, after: u64, limit: usize) -> Result<Vec<u64>, ReadError>;

    /// The jobs that this one comes after and that have not ended as it needs, by number, at most `limit`.
    fn predecessors(&self, follower: u64, limit: usize) -> Result<Vec<Arc<Job>>, ReadError>;

    /// The unfinished job of this queue that holds this ordering key: all others with the key stand behind it. Most often it is
    /// the first of them, but for jobs that were retried meanwhile; behind thousands of these it may not be found.
    fn holder(&self, queue: &Name, key: &str) -> Result<Option<Arc<Job>>, ReadError>;

    /// The file that the store keeps by this id, condemned or not.
    fn file(&self, id: FileId) -> Result<Option<Arc<File>>, ReadError>;

    /// The file of this name.
    fn file_named(&self, name: &Name) -> Result<Option<Arc<File>>, ReadError>;

    /// The files that nobody needs at `now`, condemned or not: by the time since when that is so, and by id where that is the
    /// same; those behind `after` in this order, at most `limit`. What is damaged is passed over, and said to be trouble.
    fn unused_files(
        &self,
        now: Timestamp,
        after: Option<(Timestamp, FileId)>,
        limit: usize,
    ) -> Result<Vec<Arc<File>>, ReadError>;

    /// What is wrong with the store, a line each; empty where nothing is known to be.
    fn trouble(&self) -> Vec<String>;
}

/// Why something cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A row does not match its checksum, or says what cannot be.
    #[error("what is stored of {0} is damaged")]
    Damaged(String),
    /// The store could not be read.
    #[error("the store cannot be read: {0}")]
    Failed(String),
}

/// Ended jobs that were kept as long as they are to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outlived {
    /// Their acceptance numbers.
    pub numbers: Vec<u64>,
    /// Whether there may be more.
    pub more: bool,
}

/// How far the feed's changes are older than some times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OldChanges {
    /// Up to here older than the later one.
    pub old: Position,
    /// Up to here older than the earlier one.
    pub ancient: Position,
    /// Whether there may be more of either.
    pub more: bool,
}

/// What a list is to contain; what is empty or `None` does not narrow it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    /// Of one of these queues.
    pub queues: Vec<Name>,
    /// In one of these statuses.
    pub statuses: Vec<Status>,
    /// Of one of these types.
    pub kinds: Vec<Arc<str>>,
    /// With one of these tags.
    pub tags: Vec<Arc<str>>,
    /// With this idempotency key.
    pub key: Option<Arc<str>>,
    /// Of this flow.
    pub flow: Option<JobId>,
    /// Accepted at this time or later.
    pub created_after: Option<Timestamp>,
    /// Accepted before this time.
    pub created_before: Option<Timestamp>,
}

impl Filter {
    /// Whether `job` is in the list. Jobs of the server's own queues never are.
    #[must_use]
    pub fn matches(&self, job: &Job) -> bool {
        fn one_of<T: PartialEq>(wanted: &[T], is: impl Fn(&T) -> bool) -> bool {
            wanted.is_empty() || wanted.iter().any(is)
        }
        let spec = &job.spec;
        !spec.queue.is_reserved()
            && one_of(&self.queues, |queue| *queue == spec.queue)
            && one_of(&self.statuses, |status| *status == job.status)
            && one_of(&self.kinds, |kind| spec.kind.as_ref() == Some(kind))
            && one_of(&self.tags, |tag| spec.tags.contains(tag))
            && self.key.as_ref().is_none_or(|key| spec.key.as_ref().is_some_and(|it| it.text == *key))
            && self.flow.is_none_or(|flow| spec.flow.as_ref().is_some_and(|part| part.id == flow))
            && self.created_after.is_none_or(|after| job.created_at() >= after)
            && self.created_before.is_none_or(|before| job.created_at() < before)
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The jobs, newest first.
    pub jobs: Vec<Arc<Job>>,
    /// Where the next page goes on; `None` at the end.
    pub next: Option<u64>,
}

/// Every kept change of one job.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    /// The changes, oldest first.
    pub changes: Vec<Change>,
    /// Whether older ones are gone.
    pub truncated: bool,
}

/// Waiting jobs that are alike for dispatch: of one queue, type, priority and group. Within a lane jobs stand
/// in the order of the time they are due and their number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    /// The queue.
    pub queue: Name,
    /// The type, or the jobs that have none.
    pub kind: Option<Arc<str>>,
    /// The priority.
    pub priority: u8,
    /// The group, or the jobs that have none.
    pub group: Option<Arc<str>>,
}

impl Lane {
    /// The lane in which `job` waits.
    #[must_use]
    pub fn of(job: &Job) -> Lane {
        let spec = &job.spec;
        Lane { queue: spec.queue.clone(), kind: spec.kind.clone(), priority: spec.priority, group: spec.group.clone() }
    }
}

/// A waiting job with what its worker will get.
#[derive(Debug, Clone, PartialEq)]
pub struct Ready {
    /// The job.
    pub job: Arc<Job>,
    /// Its payload; `None` where it is large and better read when it is needed.
    pub payload: Option<Body>,
}

/// How many jobs of a queue stand where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// The queue.
    pub queue: Name,
    /// The number of jobs, by the number of their status.
    pub by_status: [u64; Status::ALL.len()],
}

impl Counts {
    /// The number of jobs in `status`.
    #[must_use]
    pub const fn of(&self, status: Status) -> u64 {
        self.by_status[status as usize]
    }
}
