use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use ackd_domain::{Failure, Job, Name, Status, Timestamp};
use rustc_hash::FxHashMap;

/// After so long without anybody asking a queue for jobs, it counts as having no worker.
pub const NO_WORKER_AFTER: Duration = Duration::from_secs(60);

/// Why a job waits. The first that holds of the API's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waiting {
    /// Its queue is paused.
    Paused,
    /// It is not due yet.
    Scheduled(Timestamp),
    /// Its last attempt failed, and the next is not due yet.
    Retrying(Timestamp, Option<Failure>),
    /// Nobody has asked its queue for jobs in the last [`NO_WORKER_AFTER`].
    NoWorker,
    /// Others are before it.
    Queued,
}

/// What is known of the queues beside their jobs: whether they are paused, and who asked when.
#[derive(Debug)]
pub(crate) struct QueuesSeen {
    seen: RwLock<AllSeen>,
    started: Duration,
}

#[derive(Debug, Default)]
struct AllSeen {
    queues: FxHashMap<Name, Seen>,
    /// When those that nobody asks any more were dropped last.
    pruned_at: Duration,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    paused: bool,
    asked_at: Option<Duration>,
}

/// Queues that were asked for are remembered up to this number; beyond it those nobody asks any more are dropped.
const REMEMBERED: usize = 10_000;

impl QueuesSeen {
    pub(crate) fn new(started: Duration) -> QueuesSeen {
        QueuesSeen { seen: RwLock::default(), started }
    }

    /// Somebody asks this queue for jobs.
    pub(crate) fn asked(&self, name: &Name, tick: Duration) {
        // Not to the moment: a lock that all take for reading is not taken for writing with every ask.
        let recent = |seen: &Seen| seen.asked_at.is_some_and(|at| tick.saturating_sub(at) < Duration::from_secs(1));
        if self.read(name).is_some_and(|seen| recent(&seen)) {
            return;
        }
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        if seen.queues.len() >= REMEMBERED && tick.saturating_sub(seen.pruned_at) >= Duration::from_secs(1) {
            seen.pruned_at = tick;
            seen.queues.retain(|_, seen| {
                seen.paused || seen.asked_at.is_some_and(|at| tick.saturating_sub(at) < NO_WORKER_AFTER)
            });
        }
        seen.queues.entry(name.clone()).or_default().asked_at = Some(tick);
    }

    /// Notes whether the queue is paused. Says whether it was before.
    pub(crate) fn paused(&self, name: &Name, paused: bool) -> bool {
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut seen.queues.entry(name.clone()).or_default().paused, paused)
    }

    /// Whether the queue is paused, as far as is committed.
    pub(crate) fn is_paused(&self, name: &Name) -> bool {
        self.read(name).is_some_and(|seen| seen.paused)
    }

    pub(crate) fn why(&self, job: &Job, now: Timestamp, tick: Duration) -> Option<Waiting> {
        if job.status != Status::Init {
            return None;
        }
        let seen = self.read(&job.spec.queue).unwrap_or_default();
        Some(if seen.paused {
            Waiting::Paused
        } else if job.run_at > now {
            match &job.error {
                Some(error) => Waiting::Retrying(job.run_at, Some(error.clone())),
                None => Waiting::Scheduled(job.run_at),
            }
        } else if tick.saturating_sub(seen.asked_at.unwrap_or(self.started)) >= NO_WORKER_AFTER {
            Waiting::NoWorker
        } else {
            Waiting::Queued
        })
    }

    fn read(&self, name: &Name) -> Option<Seen> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).queues.get(name).copied()
    }
}
