use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::{Endpoint, File, FileId, Job, Name, Position, Queue, Schedule, Started, Stepped};

/// What a decision sees of the ledger: the rows that [`crate::Command::needs`] names, as they are
/// after the command before it.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The named job, if there is one.
    pub job: Option<Arc<Job>>,
    /// For each submission, in order, the job that holds its idempotency key. Empty where none is held.
    pub holders: Vec<Option<Arc<Job>>>,
    /// For each submission, in order, the unfinished job of its queue that carries its unique key. Empty where none does.
    /// Of a job that is to run once more the other one that does.
    pub rivals: Vec<Option<Arc<Job>>>,
    /// For each submission, in order, its queue; or the one queue that is named, or that the named job
    /// is of. `None` where nobody has configured it; empty where no queue is configured.
    pub queues: Vec<Option<Arc<Queue>>>,
    /// When attempts at the jobs of the named job's queue began, where that is limited.
    pub started: Option<Started>,
    /// The named endpoint, if there is one.
    pub endpoint: Option<Arc<Endpoint>>,
    /// How many endpoints there are, where one is named.
    pub endpoints: usize,
    /// The position of the named consumer, or of the one that has come least far; `None` where there is none.
    pub position: Option<Position>,
    /// The named schedule, if there is one.
    pub schedule: Option<Arc<Schedule>>,
    /// How many schedules there are, where one is named.
    pub schedules: usize,
    /// The jobs that the submissions come after, by number; those that are not there are missing.
    pub predecessors: BTreeMap<u64, Arc<Job>>,
    /// The queues of what comes after the submissions, or to which dead letters go, where somebody has configured them.
    pub later_queues: BTreeMap<Name, Arc<Queue>>,
    /// The ordering keys of the submissions that have unfinished jobs in their queue already.
    pub behind: BTreeSet<(Name, Arc<str>)>,
    /// The first other unfinished job with the ordering key of the named job, in its queue.
    pub next_in_line: Option<Arc<Job>>,
    /// Whether jobs come after the named one.
    pub followed: bool,
    /// The jobs that come after the named one, those that are asked for, and whether it is the last that each waits for. Those
    /// that are gone or cannot be read are left out.
    pub followers: Vec<(Arc<Job>, bool)>,
    /// How far they were looked for, if there was any.
    pub looked_at: Option<LookedAt>,
    /// Whether a job waits for the end of the named one.
    pub awaited: bool,
    /// The bulk job that the command is a step of.
    pub bulk: Option<Arc<Job>>,
    /// What came of the bulk job's steps before the command, in the same commit.
    pub stepped: Stepped,
    /// The files that are asked for, or that the named job or the rivals refer to.
    pub files: BTreeMap<FileId, Arc<File>>,
    /// The files of the names that are asked for, or that the submissions name.
    pub named_files: BTreeMap<Name, Arc<File>>,
}

/// How far the jobs were looked at that come after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookedAt {
    /// The number of the last.
    pub last: u64,
    /// Whether there is none beyond it.
    pub is_all: bool,
}

impl View {
    /// The queue of a command that concerns one.
    #[must_use]
    pub fn queue(&self) -> Option<&Arc<Queue>> {
        self.queue_of(0)
    }

    /// The queue of the `line`-th submission.
    #[must_use]
    pub fn queue_of(&self, line: usize) -> Option<&Arc<Queue>> {
        self.queues.get(line).and_then(Option::as_ref)
    }

    /// The unfinished job with the unique key of the `line`-th submission, or with that of the named job.
    #[must_use]
    pub fn rival_of(&self, line: usize) -> Option<&Arc<Job>> {
        self.rivals.get(line).and_then(Option::as_ref)
    }

    /// The job that holds the key of the `line`-th submission.
    #[must_use]
    pub fn holder_of(&self, line: usize) -> Option<&Arc<Job>> {
        self.holders.get(line).and_then(Option::as_ref)
    }
}
