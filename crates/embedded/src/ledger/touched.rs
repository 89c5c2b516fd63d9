use std::sync::Arc;

use ackd_domain::{Body, Job, Status, Timestamp};
use ackd_ports::cause;
use rustc_hash::FxHashMap;

use super::places::Moved;
use crate::again;
use crate::dead::Move;
use crate::lane::LaneNumbers;
use crate::lines::line;
use crate::rows::{JobRow, Loaded, Refs, Shape, expiry, leaving};

/// The jobs that a batch has looked at.
pub(super) struct Touched {
    /// In the order of the first look, until they are sorted.
    pub(super) jobs: Vec<TouchedJob>,
    index: FxHashMap<u64, usize>,
}

/// A job as the batch leaves it.
pub(super) struct TouchedJob {
    pub(super) number: u64,
    pub(super) job: Arc<Job>,
    /// How it was before the batch; none where the batch made it.
    pub(super) before: Option<Before>,
    /// None until a new job is persisted.
    pub(super) lane: Option<LaneNumbers>,
    /// Where its long texts stand, and the texts themselves, to see whether a change brings others.
    pub(super) refs: Refs,
    pub(super) texts: Texts,
    pub(super) written: bool,
    pub(super) payload: Option<Body>,
    /// The number of the job whose payload it gets, where the batch makes it so.
    pub(super) copied_from: Option<u64>,
    pub(super) result: Option<Body>,
    /// Of what it was dead before the batch, if it was.
    pub(super) cause: Option<Arc<str>>,
    /// The batch has erased it.
    pub(super) erased: bool,
    /// It is to be found by when it was to go, whether that is the usual time or not.
    pub(super) overdue: bool,
}

/// What is remembered of a job as it was.
#[derive(Clone, Copy)]
pub(super) struct Before {
    pub(super) status: Status,
    pub(super) shape: Shape,
    pub(super) expiry: Option<i64>,
    pub(super) line: Option<i64>,
    pub(super) again: Option<i64>,
    /// When it was to go.
    pub(super) kept_until: Option<i64>,
}

/// The long texts of a job.
#[derive(Default)]
pub(super) struct Texts {
    pub(super) error: Option<Arc<str>>,
    pub(super) checkpoint: Option<Arc<str>>,
}

impl Touched {
    pub(super) fn with_capacity(jobs: usize) -> Touched {
        Touched { jobs: Vec::with_capacity(jobs), index: FxHashMap::with_capacity_and_hasher(jobs, Default::default()) }
    }

    pub(super) fn get(&mut self, number: u64) -> Option<&mut TouchedJob> {
        let at = *self.index.get(&number)?;
        self.jobs.get_mut(at)
    }

    pub(super) fn put(&mut self, job: TouchedJob) {
        self.index.insert(job.number, self.jobs.len());
        self.jobs.push(job);
    }

    /// Sorts the jobs by number, the order of their rows. What a batch makes is in that order already.
    pub(super) fn sort(&mut self) {
        if !self.jobs.is_sorted_by_key(|job| job.number) {
            self.jobs.sort_unstable_by_key(|job| job.number);
            self.index.clear();
        }
    }
}

impl TouchedJob {
    /// A job as it was before the batch.
    pub(super) fn loaded(Loaded { job, lane, refs }: Loaded) -> TouchedJob {
        TouchedJob {
            number: job.id.number(),
            before: Some(Before {
                status: job.status,
                shape: JobRow::shape_of_update(&job, refs),
                expiry: expiry(&job),
                line: line(&job),
                again: again::of(&job),
                kept_until: job.kept_until().map(Timestamp::millis),
            }),
            lane: Some(lane),
            refs,
            texts: Texts {
                error: job.error.as_ref().map(|error| Arc::clone(&error.problem)),
                checkpoint: job.checkpoint.clone(),
            },
            written: false,
            payload: None,
            copied_from: None,
            result: None,
            cause: cause(&job),
            erased: false,
            overdue: false,
            job,
        }
    }

    /// A job that the batch makes.
    pub(super) fn inserted(job: Arc<Job>, payload: Body) -> TouchedJob {
        TouchedJob { payload: Some(payload), ..TouchedJob::made(job, None) }
    }

    /// A job that the batch makes, with the payload of another.
    pub(super) fn copied(job: Arc<Job>, from: u64) -> TouchedJob {
        TouchedJob::made(job, Some(from))
    }

    fn made(job: Arc<Job>, copied_from: Option<u64>) -> TouchedJob {
        TouchedJob {
            number: job.id.number(),
            job,
            before: None,
            lane: None,
            refs: Refs::default(),
            texts: Texts::default(),
            written: true,
            payload: None,
            copied_from,
            result: None,
            cause: None,
            erased: false,
            overdue: false,
        }
    }

    /// The number of the job's lane, which it has by the time it is persisted.
    pub(super) fn lane_id(&self) -> i64 {
        self.lane.map_or(0, |lane| lane.id)
    }

    /// In which line of an ordering key the job stands: before, and now.
    pub(super) fn lines(&self) -> Moved {
        (self.before.and_then(|before| before.line), line(&self.job))
    }

    /// Where the job stands among those that carry a unique key in a further run: before, and now.
    pub(super) fn again(&self) -> Moved {
        (self.before.and_then(|before| before.again), again::of(&self.job))
    }

    /// How the job moved among the dead; nothing where it is written no row.
    pub(super) fn dead_move(&self) -> Option<Move> {
        let lane = self.lane.filter(|_| self.written || self.erased)?;
        let now = if self.erased { None } else { cause(&self.job) };
        Some(Move { queue: lane.queue, job: self.number.cast_signed(), before: self.cause.clone(), now })
    }

    /// Where the job stands in the table of those that expire at a time of their own: before, and now.
    pub(super) fn expiries(&self) -> Moved {
        (self.before.and_then(|before| before.expiry), expiry(&self.job))
    }

    /// When the job was to go, if it is to be found by that from now on.
    pub(super) fn overdue(&self) -> Option<i64> {
        self.job.kept_until().filter(|_| self.overdue && !self.erased).map(Timestamp::millis)
    }

    /// Where the job may have stood in the table of those that go at a time of their own, whatever brought it there, and
    /// where it is to stand now. Nothing where it goes when it went.
    pub(super) fn leavings(&self) -> Moved {
        let before = self.before.and_then(|before| before.kept_until);
        let now = self.job.kept_until().map(Timestamp::millis);
        if before == now { (None, None) } else { (before, leaving(&self.job)) }
    }
}
