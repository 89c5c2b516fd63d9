use ackd_domain::{Name, Rate, Started, Timestamp};
use ackd_ports::Ready;

use super::Output;
use super::asks::{Ask, Asks};
use super::lanes::Lanes;
use super::live::{Live, Running};
use super::memory::{Memory, Pace};
use super::waiters::Waiters;
use crate::waiting::Limit;

/// Every this many leases of a queue, the job that has been due longest goes first, whatever its priority.
const OLDEST_FIRST_EVERY: u64 = 16;

/// What of a queue's settings matters here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueRules {
    /// Whether its jobs are held back.
    pub paused: bool,
    /// How many jobs may run at once.
    pub concurrency: Option<u32>,
    /// How many jobs of one group may run at once.
    pub group_concurrency: Option<u32>,
    /// How many attempts may begin in a period.
    pub rate: Option<Rate>,
}

/// Why none of a queue's jobs may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limited {
    /// As many run as may.
    Running,
    /// As many have begun as may, until this time.
    Begun(Timestamp),
}

impl Limited {
    /// Whether it is so still at `now`, as far as time alone tells.
    #[must_use]
    pub fn holds_at(self, now: Timestamp) -> bool {
        match self {
            Limited::Running => true,
            Limited::Begun(until) => now < until,
        }
    }

    /// The limit that it is about.
    #[must_use]
    pub const fn limit(self) -> Limit {
        match self {
            Limited::Running => Limit::Concurrency,
            Limited::Begun(_) => Limit::Rate,
        }
    }
}

/// The waiting jobs of one queue, lane by lane, and who asks for them.
#[derive(Debug, Default)]
pub(super) struct QueueLanes {
    pub(super) rules: QueueRules,
    /// When attempts began, where that is limited.
    pub(super) started: Started,
    /// How many jobs are assigned and not leased yet.
    pub(super) assigned: usize,
    /// Why no job may begin, as it was told last.
    pub(super) limited: Option<Limited>,
    pub(super) waiters: Waiters,
    /// Whether the queue is among those that the dispatcher is to look at.
    pub(super) stirred: bool,
    /// Whether the queue is among those that may be forgotten.
    pub(super) resting: bool,
    /// The queue's entry among the dispatcher's alarms.
    pub(super) alarm: Option<Timestamp>,
    /// How many pages are on their way.
    pub(super) pages: usize,
    pub(super) lanes: Lanes,
    leased: u64,
}

impl QueueLanes {
    pub(super) fn follow(&mut self, rules: QueueRules, pace: Pace, memory: &mut Memory) {
        self.rules = rules;
        self.lanes.limit(rules.group_concurrency, pace, memory);
    }

    pub(super) fn forget_jobs(&mut self) {
        self.lanes.forget();
        self.assigned = 0;
        self.pages = 0;
    }

    /// Whether nothing of the queue need be remembered.
    pub(super) fn is_idle(&self) -> bool {
        // What began counts again when the queue gets a rate again.
        let is_forgettable = self.rules == QueueRules::default() && self.started == Started::default();
        is_forgettable && self.waiters.is_empty() && self.lanes.is_idle()
    }

    /// Whether somebody waits who may be given jobs.
    fn is_wanting(&self) -> bool {
        !self.rules.paused && !self.waiters.is_empty()
    }

    /// When to look at the queue again, if somebody waits in it for a job that is not due yet.
    /// What is due already and was not taken is of a type that nobody here asks for, or held back.
    pub(super) fn next_alarm(&mut self) -> Option<Timestamp> {
        match self.limited {
            // Whoever waits to hear why, hears of its end too.
            Some(Limited::Begun(until)) => Some(until),
            Some(Limited::Running) => None,
            None if self.is_wanting() => self.lanes.next_due(),
            None => None,
        }
    }

    /// How many jobs may begin at `now`, by the limits of the queue itself.
    fn room(&mut self, now: Timestamp) -> usize {
        let running = self.rules.concurrency.map(|most| (most as usize).saturating_sub(self.lanes.running));
        let begun = self.rules.rate.map(|rate| (self.started.room(rate, now) as usize).saturating_sub(self.assigned));
        running.into_iter().chain(begun).min().unwrap_or(usize::MAX)
    }

    /// Why no job may begin at `now`.
    pub(super) fn why_limited(&mut self, now: Timestamp) -> Option<Limited> {
        if self.rules.concurrency.is_some_and(|most| self.lanes.running >= most as usize) {
            return Some(Limited::Running);
        }
        let rate = self.rules.rate?;
        if self.started.room(rate, now) > 0 { None } else { self.started.next(rate).map(Limited::Begun) }
    }

    /// Whether a job less that runs lets another begin.
    pub(super) fn is_at_its_limit(&self) -> bool {
        matches!(self.limited, Some(Limited::Running))
    }

    /// Gives the jobs that are due to those who ask, first come, first served.
    pub(super) fn serve(
        &mut self,
        name: &Name,
        asks: &mut Asks,
        pace: Pace,
        (memory, live): (&mut Memory, &mut Live),
        outputs: &mut Vec<Output>,
    ) {
        self.lanes.wake(pace, memory);
        if self.rules.paused {
            return;
        }
        let mut room = self.room(pace.now);
        let mut unserved = Vec::new();
        while room > 0
            && let Some(id) = self.waiters.next()
        {
            let Some((ask, most)) = asks.open(id) else { continue };
            let before = outputs.len();
            let mut taken = 0;
            while taken < most
                && room > 0
                && let Some((group, ready)) = self.take(ask, pace, memory)
            {
                let number = ready.job.id.number();
                if ready.job.expires_at <= pace.now {
                    outputs.push(Output::Expire { number });
                    continue;
                }
                taken += 1;
                room -= 1;
                if live.get(number).is_none() {
                    live.begin(number, Running { queue: name.clone(), group, is_assigned: true });
                    self.lanes.begin(group);
                    self.assigned += 1;
                }
                outputs.push(Output::Lease { ask: id, number, payload: ready.payload, version: ready.job.version });
            }
            if taken > 0 {
                asks.assign(id, taken);
            } else {
                if most == ask.max {
                    unserved.push(id);
                }
                // Who takes any type found nothing, so nobody behind will.
                if before == outputs.len() && ask.kinds.is_empty() {
                    break;
                }
            }
        }
        self.waiters.rejoin_all(unserved);
    }

    /// The next job for `ask`, and its group.
    fn take(&mut self, ask: &Ask, pace: Pace, memory: &mut Memory) -> Option<(usize, Ready)> {
        if !ask.kinds.is_empty() {
            self.lanes.by_type(pace, memory);
        }
        let oldest_first = self.leased % OLDEST_FIRST_EVERY == OLDEST_FIRST_EVERY - 1;
        let id = self.lanes.next(&ask.kinds, oldest_first, pace.now)?;
        self.leased += 1;
        let group = self.lanes.all[id].group;
        let ready = self.lanes.pop(id, pace, memory)?;
        Some((group, ready))
    }

    /// The lane to read next that may have a job for somebody who waits.
    pub(super) fn next_for_waiters(&mut self, asks: &Asks, pace: Pace) -> Option<usize> {
        // What may not begin is not read in the place of what stands in memory.
        if self.rules.paused || self.limited.is_some() || !self.lanes.has_line() {
            return None;
        }
        for ask in self.waiters.iter().filter_map(|id| asks.parked(id)) {
            let id = self.lanes.next_in_line(&ask.kinds, pace);
            if id.is_some() || ask.kinds.is_empty() {
                return id;
            }
        }
        None
    }

    /// The lane to read next for whoever asks next.
    pub(super) fn next_to_read(&mut self, pace: Pace) -> Option<usize> {
        self.lanes.next_in_line(&[], pace).or_else(|| self.lanes.next_low(pace))
    }
}
