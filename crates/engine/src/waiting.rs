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
    queues: RwLock<FxHashMap<Name, Seen>>,
    started: Duration,
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
        QueuesSeen { queues: RwLock::default(), started }
    }

    /// Somebody asks this queue for jobs.
    pub(crate) fn asked(&self, name: &Name, tick: Duration) {
        // Not to the moment: a lock that all take for reading is not taken for writing with every ask.
        let recent = |seen: &Seen| seen.asked_at.is_some_and(|at| tick.saturating_sub(at) < Duration::from_secs(1));
        if self.read(name).is_some_and(|seen| recent(&seen)) {
            return;
        }
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        if queues.len() >= REMEMBERED {
            queues.retain(|_, seen| {
                seen.paused || seen.asked_at.is_some_and(|at| tick.saturating_sub(at) < NO_WORKER_AFTER)
            });
        }
        queues.entry(name.clone()).or_default().asked_at = Some(tick);
    }

    pub(crate) fn paused(&self, name: &Name, paused: bool) {
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        queues.entry(name.clone()).or_default().paused = paused;
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
        self.queues.read().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }
}
