use std::sync::Arc;
use std::time::Duration;

use crate::{
    Advance, Body, BulkAction, BulkCourse, EndpointRequest, Failure, FileId, Firing, JobId, LeaseToken, Name,
    NewDelivery, NewFile, Position, PostOutcome, Progress, QueuePatch, ScheduleRequest, Status, Submission, Timestamp,
    Verb,
};

/// Something asked of the ledger.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Accept jobs: all of them or none.
    Submit(Vec<Submission>),
    /// Hand the waiting job to a worker.
    Lease {
        /// The job's acceptance number.
        number: u64,
        /// The worker's name.
        worker: Option<Arc<str>>,
        /// How long the lease lasts without a heartbeat; the queue's own time where it is `None`.
        ttl: Option<Duration>,
    },
    /// The worker is alive, and may have something to tell.
    Heartbeat {
        /// Proof of the lease.
        lease: LeaseToken,
        /// A new time to live of the lease.
        ttl: Option<Duration>,
        /// How far the worker has come. Its `at` is set when it is recorded.
        progress: Option<Progress>,
        /// What the next attempt is to get, JSON.
        checkpoint: Option<Arc<str>>,
    },
    /// The work is done.
    Complete {
        /// Proof of the lease.
        lease: LeaseToken,
        /// What came out.
        result: Option<Body>,
    },
    /// The work is done, and what came out is in a file.
    CompleteByFile {
        /// Proof of the lease.
        lease: LeaseToken,
        /// What came out.
        file: NewFile,
    },
    /// The attempt failed.
    Fail {
        /// Proof of the lease.
        lease: LeaseToken,
        /// Why.
        error: Failure,
        /// Whether another attempt makes sense.
        retryable: bool,
        /// When to try again, instead of the back-off.
        retry_after: Option<Duration>,
        /// The worker stopped because it was asked to, or decided that the job is void.
        cancelled: bool,
    },
    /// Give the job back; the attempt does not count.
    Release {
        /// Proof of the lease.
        lease: LeaseToken,
        /// When it is due again.
        delay: Option<Duration>,
        /// What the next attempt is to get, JSON.
        checkpoint: Option<Arc<str>>,
    },
    /// The lease ran out.
    Lapse {
        /// The lease.
        lease: LeaseToken,
        /// Why.
        reason: LapseReason,
    },
    /// Stop it, or ask its worker to.
    Cancel {
        /// The job.
        id: JobId,
    },
    /// It was not done in time.
    Expire {
        /// The job's acceptance number.
        number: u64,
    },
    /// Run it once more.
    Retry {
        /// The job.
        id: JobId,
    },
    /// Do to a job what a bulk job is about.
    BulkStep {
        /// The job's acceptance number.
        number: u64,
        /// What to do.
        action: BulkAction,
        /// See [`BulkCourse::until`].
        until: Position,
        /// Proof of the bulk job's lease.
        bulk: LeaseToken,
    },
    /// Write down how far a bulk job has come: with its steps, which are before this command in the same commit.
    BulkPart {
        /// Proof of its lease.
        bulk: LeaseToken,
        /// How far, but for what came of those steps.
        course: BulkCourse,
    },
    /// Tell those that come after a job of its end, a few at a time.
    Resolve {
        /// The job that has ended, by its acceptance number.
        number: u64,
        /// Which of its runs; none after a restart, which knows only that some were not told.
        run: Option<u32>,
        /// Those with this number or a lower one have been told.
        told: u64,
    },
    /// End a waiting job because one that it comes after has ended otherwise than it needs.
    Forgo {
        /// The job's acceptance number.
        number: u64,
        /// The job that has ended.
        because: JobId,
        /// How it has.
        ended: Status,
    },
    /// Erase the ended job.
    Delete {
        /// The job.
        id: JobId,
    },
    /// Erase the job that ended and was kept as long as it is to be. One that others wait for stays until they do not.
    Purge {
        /// The job's acceptance number.
        number: u64,
    },
    /// Forget the oldest changes of the feed. None goes that a consumer of the feed has yet to see, but for those that
    /// it has had twice the time for.
    PurgeChanges {
        /// Up to here they are older than they need be.
        old: Position,
        /// Up to here they are twice as old: no consumer is waited for.
        ancient: Position,
    },
    /// Change a queue's settings.
    Configure {
        /// The queue.
        queue: Name,
        /// What to change.
        patch: Box<QueuePatch>,
    },
    /// Have an endpoint, new or as it is to be from now on. One that was disabled is not any more.
    PutEndpoint {
        /// Its name.
        name: Name,
        /// What it is to be.
        request: Box<EndpointRequest>,
    },
    /// Have an endpoint no longer.
    DeleteEndpoint {
        /// Its name.
        name: Name,
    },
    /// Take note of what became of a post to an endpoint.
    NotePost {
        /// The endpoint.
        name: Name,
        /// What it was when it was posted to.
        revision: u64,
        /// What became of it.
        outcome: PostOutcome,
    },
    /// Make deliveries, and write down up to which change they have been made: all of it or nothing.
    Deliver {
        /// How far the consumer has come; `None` where the deliveries follow from no change.
        advance: Option<Advance>,
        /// What to deliver.
        deliveries: Vec<NewDelivery>,
    },
    /// Have a schedule, new or as it is to be from now on.
    PutSchedule {
        /// Its name.
        name: Name,
        /// What it is to be.
        request: Box<ScheduleRequest>,
        /// Its first time after now and after all for which it made a job.
        next: Option<Timestamp>,
    },
    /// Have a schedule no longer. The jobs that it made stay.
    DeleteSchedule {
        /// Its name.
        name: Name,
    },
    /// Make the jobs of a schedule whose time has come.
    Fire(Box<Firing>),
    /// Give a file a name. The one that had it before has none any more, and stays for the jobs that refer to it.
    PutFile {
        /// The name.
        name: Name,
        /// The file.
        file: NewFile,
        /// How long it is kept while no job refers to it.
        expires_in: Duration,
        /// Whether another file may have the name already.
        replace: bool,
    },
    /// Take a file's name away. It stays for the jobs that refer to it.
    DeleteFile {
        /// The name.
        name: Name,
    },
    /// See to it that nobody can refer to a file any more that nobody does: its bytes are to be deleted.
    CondemnFile {
        /// The file.
        id: FileId,
    },
    /// Forget a condemned file, whose bytes are deleted.
    ForgetFile {
        /// The file.
        id: FileId,
    },
}

/// Why a lease ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LapseReason {
    /// The worker sent no heartbeat in time.
    Silence,
    /// The attempt took longer than it may.
    Timeout,
}

/// The rows that a command's [`crate::View`] must hold.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Needs<'a> {
    /// The job with this acceptance number, and its queue.
    pub job: Option<u64>,
    /// For each of these, the job that holds its idempotency key, the one that carries its unique key, and its queue.
    pub submissions: &'a [Submission],
    /// The queue of this name.
    pub queue: Option<&'a Name>,
    /// The queue of this name, and those to which its dead letters go on, at most [`crate::limits::DEAD_LETTER_HOPS`] in all.
    pub dead_letter: Option<&'a Name>,
    /// The endpoint of this name, and the number of all.
    pub endpoint: Option<&'a Name>,
    /// The position of the consumer of this name.
    pub consumer: Option<&'a Name>,
    /// The schedule of this name, and the number of all.
    pub schedule: Option<&'a Name>,
    /// When attempts at jobs of the named job's queue began, if that is limited.
    pub starts: bool,
    /// The next in line of the named job, whether others come after it, its dead-letter queue and the file of its payload: for
    /// when it ends.
    pub ends: bool,
    /// The other unfinished job with the unique key of the named job.
    pub rival: bool,
    /// The jobs that come after the named one, with higher numbers than this, at most
    /// [`crate::limits::RESOLVED_AT_ONCE`].
    pub followers: Option<u64>,
    /// Whether a job waits for the end of the named one.
    pub awaited: bool,
    /// The position of the consumer that has come least far.
    pub slowest: bool,
    /// The bulk job with this acceptance number.
    pub bulk: Option<u64>,
    /// The files that the named job refers to.
    pub files: bool,
    /// This file.
    pub file: Option<FileId>,
    /// The file of this name.
    pub file_name: Option<&'a Name>,
}

impl Command {
    /// What the decision on this command looks at.
    #[must_use]
    pub fn needs(&self) -> Needs<'_> {
        match self {
            Command::Submit(submissions) => Needs { submissions, ..Needs::default() },
            Command::Lease { number, .. } => Needs { job: Some(*number), starts: true, ..Needs::default() },
            Command::Expire { number } | Command::Forgo { number, .. } => {
                Needs { job: Some(*number), ends: true, ..Needs::default() }
            }
            Command::BulkStep { number, action, bulk, .. } => Needs {
                job: Some(*number),
                ends: true,
                rival: matches!(action, BulkAction::Retry | BulkAction::Redrive),
                bulk: Some(bulk.number),
                ..Needs::default()
            },
            Command::BulkPart { bulk, .. } => Needs { job: Some(bulk.number), ends: true, ..Needs::default() },
            Command::Heartbeat { lease, .. } => Needs { job: Some(lease.number), ..Needs::default() },
            Command::Complete { lease, .. }
            | Command::CompleteByFile { lease, .. }
            | Command::Fail { lease, .. }
            | Command::Release { lease, .. }
            | Command::Lapse { lease, .. } => Needs { job: Some(lease.number), ends: true, ..Needs::default() },
            // A further run stands in line anew.
            Command::Retry { id } => Needs { job: Some(id.number()), ends: true, rival: true, ..Needs::default() },
            Command::Cancel { id } => Needs { job: Some(id.number()), ends: true, ..Needs::default() },
            // Who waits for it keeps it.
            Command::Purge { number } => Needs { job: Some(*number), awaited: true, files: true, ..Needs::default() },
            Command::Delete { id } => Needs { job: Some(id.number()), awaited: true, files: true, ..Needs::default() },
            Command::PurgeChanges { .. } => Needs { slowest: true, ..Needs::default() },
            Command::Resolve { number, told, .. } => {
                Needs { job: Some(*number), followers: Some(*told), ..Needs::default() }
            }
            Command::Configure { queue, patch } => {
                let dead_letter = patch.dead_letter.as_ref().and_then(Option::as_ref);
                Needs { queue: Some(queue), dead_letter, ..Needs::default() }
            }
            Command::PutEndpoint { name, .. } | Command::DeleteEndpoint { name } | Command::NotePost { name, .. } => {
                Needs { endpoint: Some(name), ..Needs::default() }
            }
            Command::Deliver { advance, .. } => Needs {
                queue: Some(Name::webhooks()),
                consumer: advance.as_ref().map(|advance| &advance.consumer),
                ..Needs::default()
            },
            Command::PutSchedule { name, .. } | Command::DeleteSchedule { name } => {
                Needs { schedule: Some(name), ..Needs::default() }
            }
            Command::PutFile { name, .. } | Command::DeleteFile { name } => {
                Needs { file_name: Some(name), ..Needs::default() }
            }
            Command::CondemnFile { id } | Command::ForgetFile { id } => Needs { file: Some(*id), ..Needs::default() },
            Command::Fire(firing) => {
                Needs { schedule: Some(&firing.name), submissions: &firing.jobs, ..Needs::default() }
            }
        }
    }

    /// How many jobs the command would make. Where there is little room, those that make some are refused first.
    #[must_use]
    pub fn makes(&self) -> usize {
        match self {
            Command::Submit(submissions) => submissions.iter().map(|it| it.with_all_after().count()).sum(),
            Command::Deliver { deliveries, .. } => deliveries.len(),
            Command::Fire(firing) => firing.jobs.len(),
            _ => 0,
        }
    }

    /// Puts off by `ahead` what is to start at a time: clients name it by the wall clock, and the time that the ledger is given
    /// may be ahead of that.
    pub fn put_off_starts(&mut self, ahead: Duration) {
        if let Command::Submit(submissions) = self
            && !ahead.is_zero()
        {
            submissions.iter_mut().for_each(|submission| submission.put_off_starts(ahead));
        }
    }

    /// The verb, where the command settles a lease.
    #[must_use]
    pub const fn verb(&self) -> Option<Verb> {
        match self {
            Command::Complete { .. } | Command::CompleteByFile { .. } => Some(Verb::Complete),
            Command::Fail { .. } => Some(Verb::Fail),
            Command::Release { .. } => Some(Verb::Release),
            _ => None,
        }
    }
}
