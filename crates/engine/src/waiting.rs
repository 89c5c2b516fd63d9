use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ackd_domain::{Failure, Job, JobId, LeaseState, Name, Status, Timestamp, Verb};
use foldhash::HashMap;
use rustc_hash::FxHashMap;

use crate::dispatch::{Limited, QueueRules};
use crate::leases::Count;

/// After so long without anybody asking a queue for jobs, it counts as having no worker.
pub const NO_WORKER_AFTER: Duration = Duration::from_secs(60);

/// Why a job waits. The first that holds of the API's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waiting {
    /// Others must end first: those that it comes after, or the first of its ordering key.
    Blocked(Vec<JobId>),
    /// Its queue is paused.
    Paused,
    /// It is not due yet.
    Scheduled(Timestamp),
    /// Its last attempt failed, and the next is not due yet.
    Retrying(Timestamp, Option<Failure>),
    /// As many jobs run, or have begun, as its queue allows.
    Limited(Limit),
    /// Nobody has asked its queue for jobs in the last [`NO_WORKER_AFTER`].
    NoWorker,
    /// Others are before it.
    Queued,
}

/// What a queue limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// How many jobs run at once.
    Concurrency,
    /// How many jobs of a group run at once.
    GroupConcurrency,
    /// How many begin in a period.
    Rate,
}

/// What is known of the queues beside their waiting jobs: their rules, who asked when, and how many jobs of
/// each group run where that is limited. All of it is committed.
#[derive(Debug)]
pub(crate) struct QueuesSeen {
    seen: RwLock<AllSeen>,
    started: Duration,
    running: RwLock<HashMap<Name, HashMap<Arc<str>, u32>>>,
}

#[derive(Debug, Default)]
struct AllSeen {
    queues: FxHashMap<Name, Seen>,
    /// When those that nobody asks any more were dropped last.
    pruned_at: Duration,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    rules: QueueRules,
    /// What keeps all its jobs from beginning.
    limited: Option<Limited>,
    asked_at: Option<Duration>,
}

/// Queues that were asked for are remembered up to this number; beyond it those nobody asks any more are dropped.
const REMEMBERED: usize = 10_000;

impl QueuesSeen {
    pub(crate) fn new(started: Duration) -> QueuesSeen {
        QueuesSeen { seen: RwLock::default(), started, running: RwLock::default() }
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
                seen.rules != QueueRules::default()
                    || seen.asked_at.is_some_and(|at| tick.saturating_sub(at) < NO_WORKER_AFTER)
            });
        }
        seen.queues.entry(name.clone()).or_default().asked_at = Some(tick);
    }

    /// Notes the rules of the queue. Says which it had before.
    pub(crate) fn configured(&self, name: &Name, rules: QueueRules) -> QueueRules {
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut seen.queues.entry(name.clone()).or_default().rules, rules)
    }

    /// Notes which queues let no job begin, and why, and which do again.
    pub(crate) fn limited(&self, limited: Vec<(Name, Option<Limited>)>) {
        if limited.is_empty() {
            return;
        }
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        for (name, limited) in limited {
            if let Some(seen) = seen.queues.get_mut(&name) {
                seen.limited = limited;
            }
        }
    }

    /// The rules of the queue, as far as is committed.
    pub(crate) fn rules(&self, name: &Name) -> QueueRules {
        self.read(name).unwrap_or_default().rules
    }

    /// Notes by how much the running jobs of some groups have changed.
    pub(crate) fn count(&self, counts: Vec<(Name, Arc<str>, Count)>) {
        if counts.is_empty() {
            return;
        }
        let mut running = self.running.write().unwrap_or_else(PoisonError::into_inner);
        for (name, group, count) in counts {
            let groups = running.entry(name.clone()).or_default();
            let jobs = groups.entry(Arc::clone(&group)).or_default();
            match count {
                Count::More => *jobs += 1,
                Count::Less => *jobs = jobs.saturating_sub(1),
            }
            if *jobs == 0 {
                groups.remove(&group);
                if groups.is_empty() {
                    running.remove(&name);
                }
            }
        }
    }

    /// How many jobs of the group run.
    fn running(&self, name: &Name, group: &Arc<str>) -> u32 {
        let running = self.running.read().unwrap_or_else(PoisonError::into_inner);
        running.get(name).and_then(|groups| groups.get(group)).copied().unwrap_or_default()
    }

    pub(crate) fn why(&self, job: &Job, now: Timestamp, tick: Duration) -> Option<Waiting> {
        if job.status != Status::Init {
            return None;
        }
        let seen = self.read(&job.spec.queue).unwrap_or_default();
        let group_is_limited = || {
            let (most, group) = (seen.rules.group_concurrency, job.spec.group.as_ref());
            most.zip(group).is_some_and(|(most, group)| self.running(&job.spec.queue, group) >= most)
        };
        Some(if !job.held.is_free() {
            let after = job.spec.after.iter().filter(|_| job.held.after);
            Waiting::Blocked(after.map(|predecessor| predecessor.id).collect())
        } else if seen.rules.paused {
            Waiting::Paused
        } else if job.run_at > now {
            // An error may be of an attempt before the one that was given back.
            let released = job.lease.as_ref().is_some_and(|lease| lease.state == LeaseState::Settled(Verb::Release));
            match job.error.as_ref().filter(|_| !released) {
                Some(error) => Waiting::Retrying(job.run_at, Some(error.clone())),
                None => Waiting::Scheduled(job.run_at),
            }
        } else if let Some(limited) = seen.limited.filter(|limited| limited.holds_at(now)) {
            Waiting::Limited(limited.limit())
        } else if group_is_limited() {
            Waiting::Limited(Limit::GroupConcurrency)
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
