use std::collections::VecDeque;

use ackd_domain::Timestamp;
use ackd_ports::{Lane, Ready};

use super::Output;
use super::asks::{Ask, AskId, Asks};
use super::window::{Key, Window, WindowLimits};

/// Every this many leases of a queue, the job that has been due longest goes first, whatever its priority.
const OLDEST_FIRST_EVERY: u64 = 16;

/// The waiting jobs of one queue, lane by lane, and who asks for them.
#[derive(Debug, Default)]
pub(super) struct QueueLanes {
    pub(super) paused: bool,
    /// Who asks, in the order of asking. One who no longer does is skipped when its turn comes.
    pub(super) waiters: VecDeque<AskId>,
    /// Whether the queue is among those that the dispatcher is to look at.
    pub(super) stirred: bool,
    /// The queue's entry among the dispatcher's alarms.
    pub(super) alarm: Option<Timestamp>,
    lanes: Vec<(Lane, Window)>,
    leased: u64,
}

impl QueueLanes {
    pub(super) fn lane_of(&mut self, lane: &Lane) -> Option<&mut Window> {
        self.lanes.iter_mut().find(|(it, _)| it == lane).map(|(_, window)| window)
    }

    /// The window of `lane`; one that was unknown has no jobs in the ledger that are not told of.
    pub(super) fn lane(&mut self, lane: &Lane) -> &mut Window {
        let at = match self.lanes.iter().position(|(it, _)| it == lane) {
            Some(at) => at,
            None => {
                self.lanes.push((lane.clone(), Window::default()));
                self.lanes.len() - 1
            }
        };
        &mut self.lanes[at].1
    }

    pub(super) fn len(&self) -> usize {
        self.lanes.iter().map(|(_, window)| window.len()).sum()
    }

    pub(super) fn is_reading(&self) -> bool {
        self.lanes.iter().any(|(_, window)| window.is_reading())
    }

    pub(super) fn forget_jobs(&mut self) {
        self.lanes.clear();
    }

    /// Whether nothing of the queue need be remembered.
    pub(super) fn is_idle(&self) -> bool {
        !self.paused && self.waiters.is_empty() && self.lanes.is_empty()
    }

    /// When to look at the queue again, if somebody waits in it for a job that is not due yet.
    /// What is due already and was not taken is of a type that nobody here asks for.
    pub(super) fn next_alarm(&self, now: Timestamp) -> Option<Timestamp> {
        if self.paused || self.waiters.is_empty() {
            return None;
        }
        let heads = self.lanes.iter().filter_map(|(_, window)| window.head());
        heads.map(|(run_at, _)| run_at).filter(|run_at| *run_at > now).min()
    }

    /// Gives the jobs that are due to those who ask, first come, first served.
    pub(super) fn serve(
        &mut self,
        asks: &mut Asks,
        now: Timestamp,
        payload_bytes: &mut usize,
        outputs: &mut Vec<Output>,
    ) {
        if self.paused {
            return;
        }
        let mut unserved = VecDeque::new();
        while let Some(id) = self.waiters.pop_front() {
            let Some(ask) = asks.parked(id) else { continue };
            let before = outputs.len();
            let mut taken = 0;
            while taken < ask.max
                && let Some(ready) = self.take(ask, now)
            {
                let number = ready.job.id.number();
                *payload_bytes -= ready.payload.as_ref().map_or(0, |body| body.bytes.len());
                if ready.job.expires_at <= now {
                    outputs.push(Output::Expire { number });
                } else {
                    taken += 1;
                    outputs.push(Output::Lease { ask: id, number, payload: ready.payload });
                }
            }
            if taken > 0 {
                asks.assign(id, taken);
            } else {
                unserved.push_back(id);
                // Who takes any type found nothing, so nobody behind will.
                if before == outputs.len() && ask.kinds.is_empty() {
                    break;
                }
            }
        }
        unserved.append(&mut self.waiters);
        self.waiters = unserved;
    }

    /// The next job for `ask` that is due: the highest priority first, then the one due longest.
    fn take(&mut self, ask: &Ask, now: Timestamp) -> Option<Ready> {
        let oldest_first = self.leased % OLDEST_FIRST_EVERY == OLDEST_FIRST_EVERY - 1;
        let rank = |lane: &Lane, head: Key| {
            let priority = if oldest_first { 0 } else { lane.priority };
            (std::cmp::Reverse(priority), head)
        };
        let best = self
            .lanes
            .iter_mut()
            .filter(|(lane, _)| ask.takes(lane.kind.as_ref()))
            .filter_map(|(lane, window)| {
                let head = window.head().filter(|(run_at, _)| *run_at <= now)?;
                Some((rank(lane, head), window))
            })
            .min_by(|(a, _), (b, _)| a.cmp(b));
        let (_, window) = best?;
        self.leased += 1;
        window.pop()
    }

    /// Says which lanes run low and have more in the ledger, and drops those that have nothing at all.
    pub(super) fn wants_more(&mut self, limits: &WindowLimits, mut read: impl FnMut(Lane, Option<Key>, usize)) {
        self.lanes.retain_mut(|(lane, window)| {
            if let Some(after) = window.wants_more(limits) {
                read(lane.clone(), after, limits.page);
            }
            !window.is_void()
        });
    }
}
