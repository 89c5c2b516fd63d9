//! The live leases: which are to lapse when, and what their workers told that is not recorded yet.
//!
//! A state machine on monotonic time. A bare heartbeat is known here only, so that it costs no write;
//! after a restart every live lease is armed anew with its whole time to live.

use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{Change, Job, LapseReason, Lease, LeaseToken, Name, Progress, Status, Timestamp};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::sorted_queue::SortedQueue;

/// At most once in so long is a job's progress recorded: a chatty worker must not flood the feed.
pub const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// How long after it was said to lapse a lease that is still live is said to lapse again.
const LAPSE_AGAIN: Duration = Duration::from_secs(1);

/// What is to be done about a lease.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// It ran out.
    Lapse(LeaseToken, LapseReason),
    /// Record this progress, which was held back.
    Record(LeaseToken, Progress),
}

/// The state machine. See the module.
#[derive(Debug, Default)]
pub struct LiveLeases {
    live: FxHashMap<u64, Watched>,
    /// When to look at which job next, soonest first.
    due: SortedQueue<(Duration, u64), ()>,
    /// The queues of which the live leases are counted by group.
    counted: FxHashSet<Name>,
    /// By how much those of each group have changed since somebody took note.
    counts: Vec<(Name, Arc<str>, Count)>,
}

/// A change of how many leases a group has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// One more.
    More,
    /// One less.
    Less,
}

#[derive(Debug)]
struct Watched {
    token: LeaseToken,
    worker: Option<Arc<str>>,
    queue: Name,
    group: Option<Arc<str>>,
    ttl: Duration,
    /// When the lease runs out for want of a heartbeat.
    silent_at: Duration,
    /// When the attempt has taken too long.
    timeout_at: Option<Duration>,
    /// When progress was recorded last.
    recorded_at: Option<Duration>,
    held: Option<Progress>,
    /// The entry in `due`.
    look_at: Duration,
}

/// A job that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its acceptance number.
    pub number: u64,
    /// Its queue.
    pub queue: Name,
    /// Its group.
    pub group: Option<Arc<str>>,
}

impl Watched {
    fn next_look(&self) -> Duration {
        let flush = self.held.as_ref().and(self.recorded_at).map(|at| at + PROGRESS_INTERVAL);
        [Some(self.silent_at), self.timeout_at, flush].into_iter().flatten().min().unwrap_or(self.silent_at)
    }
}

impl LiveLeases {
    /// Takes up a lease that was live when the server started: `now` on the server's clock, `tick` on the
    /// monotonic one.
    pub fn resume(&mut self, job: &Arc<Job>, now: Timestamp, tick: Duration) {
        if let Some(lease) = &job.lease {
            self.arm(job, lease, now, tick);
        }
    }

    /// Takes in committed changes.
    pub fn observe(&mut self, changes: &[Change], now: Timestamp, tick: Duration) {
        for change in changes {
            let job = &change.job;
            if job.status == Status::Processing {
                if let Some(lease) = &job.lease
                    && change.position == lease.fence
                {
                    self.arm(job, lease, now, tick);
                }
            } else {
                self.disarm(job.id.number());
            }
        }
    }

    /// A heartbeat was accepted: the lease lasts for `ttl` from now on, or less where the attempt has less time. Says how long.
    pub fn beat(&mut self, token: &LeaseToken, ttl: Duration, tick: Duration) -> Duration {
        let mut lasts = ttl;
        self.edit(token, |watched| {
            watched.ttl = ttl;
            watched.silent_at = tick + ttl;
            lasts = watched.timeout_at.map_or(ttl, |at| ttl.min(at.saturating_sub(tick)));
        });
        lasts
    }

    /// Whether progress told at `tick` is to be recorded at once; if not, it is held back until it may
    /// be, and newer progress takes its place.
    pub fn may_record(&mut self, token: &LeaseToken, progress: &Progress, tick: Duration) -> bool {
        let mut now = true;
        self.edit(token, |watched| {
            now = watched.recorded_at.is_none_or(|at| tick >= at + PROGRESS_INTERVAL);
            if now {
                watched.recorded_at = Some(tick);
                watched.held = None;
            } else {
                watched.held = Some(progress.clone());
            }
        });
        now
    }

    /// Progress is recorded at `tick`, whatever was told or held before.
    pub fn recorded(&mut self, token: &LeaseToken, tick: Duration) {
        self.edit(token, |watched| {
            watched.recorded_at = Some(tick);
            watched.held = None;
        });
    }

    /// What is due at `tick`.
    pub fn due(&mut self, tick: Duration, outputs: &mut Vec<Output>) {
        while let Some(((at, number), ())) = self.due.first()
            && at <= tick
        {
            self.due.pop_first();
            let Some(watched) = self.live.get_mut(&number) else { continue };
            let token = watched.token;
            let reason = if watched.silent_at <= tick {
                Some(LapseReason::Silence)
            } else {
                watched.timeout_at.is_some_and(|at| at <= tick).then_some(LapseReason::Timeout)
            };
            if let Some(reason) = reason {
                outputs.push(Output::Lapse(token, reason));
                // It is forgotten once the lapse is committed; if that fails, it is due again.
                watched.look_at = tick + LAPSE_AGAIN;
                self.due.insert((watched.look_at, number), ());
                continue;
            }
            if let Some(progress) = watched.held.take() {
                watched.recorded_at = Some(tick);
                outputs.push(Output::Record(token, progress));
            }
            watched.look_at = watched.next_look();
            self.due.insert((watched.look_at, number), ());
        }
    }

    /// When to call [`LiveLeases::due`] next.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.due.first().map(|((at, _), ())| at)
    }

    /// The leases of the worker of this name.
    #[must_use]
    pub fn of_worker(&self, worker: &str) -> Vec<LeaseToken> {
        let mut tokens: Vec<LeaseToken> =
            self.live.values().filter(|it| it.worker.as_deref() == Some(worker)).map(|it| it.token).collect();
        tokens.sort_by_key(|token| token.fence);
        tokens
    }

    /// The jobs with a live lease.
    #[must_use]
    pub fn running(&self) -> Vec<Running> {
        let running = |(number, it): (&u64, &Watched)| Running {
            number: *number,
            queue: it.queue.clone(),
            group: it.group.clone(),
        };
        self.live.iter().map(running).collect()
    }

    /// Whether the live leases of this queue are to be counted by group, as where its groups are limited. Those that are
    /// live already are counted at once, or counted off.
    pub fn count_groups(&mut self, queue: &Name, counted: bool) {
        let count = match (self.counted.contains(queue), counted) {
            (false, true) => Count::More,
            (true, false) => Count::Less,
            _ => return,
        };
        if counted {
            self.counted.insert(queue.clone());
        } else {
            self.counted.remove(queue);
        }
        for watched in self.live.values().filter(|watched| watched.queue == *queue) {
            self.counts.extend(watched.group.clone().map(|group| (queue.clone(), group, count)));
        }
    }

    /// By how much the live leases of each group that is counted have changed since the last call, in order.
    pub fn take_counts(&mut self) -> Vec<(Name, Arc<str>, Count)> {
        std::mem::take(&mut self.counts)
    }

    /// How many leases are live.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether no lease is live.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    fn arm(&mut self, job: &Arc<Job>, lease: &Lease, now: Timestamp, tick: Duration) {
        let number = job.id.number();
        self.disarm(number);
        let elapsed = now.since(lease.granted_at);
        let mut watched = Watched {
            token: lease.token(number),
            worker: job.worker.clone(),
            queue: job.spec.queue.clone(),
            group: job.spec.group.clone(),
            ttl: lease.ttl,
            silent_at: tick + lease.ttl,
            timeout_at: lease.timeout.map(|timeout| tick + timeout.saturating_sub(elapsed)),
            recorded_at: None,
            held: None,
            look_at: Duration::ZERO,
        };
        watched.look_at = watched.next_look();
        self.due.insert((watched.look_at, number), ());
        self.count(&watched, Count::More);
        self.live.insert(number, watched);
    }

    fn disarm(&mut self, number: u64) {
        if let Some(watched) = self.live.remove(&number) {
            self.due.remove(&(watched.look_at, number));
            self.count(&watched, Count::Less);
        }
    }

    /// Notes that one more or one less of the group is live.
    fn count(&mut self, watched: &Watched, count: Count) {
        if let Some(group) = &watched.group
            && self.counted.contains(&watched.queue)
        {
            self.counts.push((watched.queue.clone(), Arc::clone(group), count));
        }
    }

    fn edit(&mut self, token: &LeaseToken, edit: impl FnOnce(&mut Watched)) {
        if let Some(watched) = self.live.get_mut(&token.number).filter(|watched| watched.token == *token) {
            edit(watched);
            let next = watched.next_look();
            if next != watched.look_at {
                self.due.remove(&(watched.look_at, token.number));
                watched.look_at = next;
                self.due.insert((next, token.number), ());
            }
        }
    }
}
