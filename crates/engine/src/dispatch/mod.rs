//! Which worker gets which waiting job.
//!
//! A state machine: it is told what is committed (or about to be) and who asks, and says which jobs to
//! lease to whom, which have expired, and which part of the backlog to read. It holds a bounded window
//! of every lane (see [`window`]); the ledger holds the rest.

mod asks;
mod queue;
mod window;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use ackd_domain::{Body, Change, ChangeKind, Name, Status, Timestamp};
use ackd_ports::{Lane, Ready};
use rustc_hash::FxHashMap;

use asks::Asks;
pub use asks::{Ask, AskId};
use queue::QueueLanes;
pub use window::WindowLimits;

/// What the dispatcher is told.
#[derive(Debug)]
pub enum Input<'a> {
    /// A worker asks for jobs.
    Ask(AskId, Ask),
    /// A worker no longer asks.
    Forget(AskId),
    /// Changes, in the order of the feed.
    Changes(&'a [Change]),
    /// The job that was to be leased for this ask is leased.
    Granted(AskId),
    /// The job that was to be leased for this ask could not be.
    Refused(AskId),
    /// The asks that were granted something have their answer.
    Answered,
    /// A queue is held back, or no longer.
    Paused(&'a Name, bool),
    /// These lanes have jobs waiting in the ledger.
    Lanes(Vec<Lane>),
    /// A part of the backlog that was asked for by [`Output::Read`].
    Page(PageRequest, Vec<Ready>),
    /// A part of the backlog could not be read.
    Unread(&'a PageRequest),
    /// What was told last has not been committed after all: only [`Input::Lanes`] makes the dispatcher
    /// see jobs again.
    Reset,
    /// Time has passed.
    Tick,
}

/// What the dispatcher wants done.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Lease this job for that ask.
    Lease {
        /// Who asked.
        ask: AskId,
        /// The job's acceptance number.
        number: u64,
        /// What the worker is to get, where it is at hand.
        payload: Option<Body>,
    },
    /// This waiting job has passed its expiry.
    Expire {
        /// The job's acceptance number.
        number: u64,
    },
    /// Read a part of the backlog and hand it in as [`Input::Page`].
    Read(PageRequest),
}

/// A part of a lane's backlog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// The lane.
    pub lane: Lane,
    /// The due time and number of the last job that is known already.
    pub after: Option<(Timestamp, u64)>,
    /// The most jobs to read.
    pub limit: usize,
    /// Which life of the dispatcher asked: a page of an earlier one is ignored.
    generation: u64,
}

/// The state machine. See the module.
#[derive(Debug)]
pub struct Dispatcher {
    limits: WindowLimits,
    generation: u64,
    queues: FxHashMap<Name, QueueLanes>,
    asks: Asks,
    /// Queues in which something happened that may let a parked ask have a job.
    stirred: VecDeque<Name>,
    /// When to look again at queues in which somebody waits for a job that is not due yet.
    alarms: BTreeSet<(Timestamp, Name)>,
    /// The bytes of payload that all windows hold.
    payload_bytes: usize,
}

impl Dispatcher {
    /// A dispatcher that knows of no job yet.
    #[must_use]
    pub fn new(limits: WindowLimits) -> Dispatcher {
        Dispatcher {
            limits,
            generation: 0,
            queues: FxHashMap::default(),
            asks: Asks::default(),
            stirred: VecDeque::new(),
            alarms: BTreeSet::new(),
            payload_bytes: 0,
        }
    }

    /// Takes `input` in at time `now` and adds to `outputs` what is to be done about it.
    pub fn step(&mut self, input: Input<'_>, now: Timestamp, outputs: &mut Vec<Output>) {
        match input {
            Input::Ask(id, ask) => {
                for name in &ask.queues {
                    self.queue(name).waiters.push_back(id);
                    self.stir(name);
                }
                self.asks.park(id, ask);
            }
            Input::Forget(id) => {
                for name in self.asks.remove(id).into_iter().flat_map(|ask| ask.queues) {
                    self.stir(&name);
                }
            }
            Input::Changes(changes) => changes.iter().for_each(|change| self.observe(change)),
            Input::Granted(id) => self.asks.granted(id),
            Input::Refused(id) => {
                if let Some(ask) = self.asks.refused(id) {
                    for name in ask.queues.clone() {
                        self.queue(&name).waiters.push_front(id);
                        self.stir(&name);
                    }
                }
            }
            Input::Answered => {
                for name in self.asks.answered().into_iter().flat_map(|ask| ask.queues) {
                    self.stir(&name);
                }
            }
            Input::Paused(name, paused) => {
                self.queue(name).paused = paused;
                self.stir(name);
            }
            Input::Lanes(lanes) => self.find(lanes),
            Input::Page(request, page) => self.page(&request, page),
            Input::Unread(request) => {
                if request.generation == self.generation
                    && let Some(lane) = self.queue(&request.lane.queue).lane_of(&request.lane)
                {
                    lane.unread();
                }
            }
            Input::Reset => self.reset(),
            Input::Tick => {
                let due: Vec<Name> =
                    self.alarms.iter().take_while(|(at, _)| *at <= now).map(|(_, name)| name.clone()).collect();
                due.iter().for_each(|name| self.stir(name));
            }
        }
        self.match_up(now, outputs);
    }

    /// When the next waiting job becomes due for which a worker is parked.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.alarms.first().map(|(at, _)| *at)
    }

    /// Whether a part of this queue's backlog is being read.
    #[must_use]
    pub fn is_reading(&self, name: &Name) -> bool {
        self.queues.get(name).is_some_and(QueueLanes::is_reading)
    }

    /// How many queues it remembers anything of.
    #[must_use]
    pub fn queues_known(&self) -> usize {
        self.queues.len()
    }

    /// How many asks are parked.
    #[must_use]
    pub fn parked(&self) -> usize {
        self.asks.len()
    }

    /// How many waiting jobs stand in memory.
    #[must_use]
    pub fn in_memory(&self) -> usize {
        self.queues.values().map(QueueLanes::len).sum()
    }

    fn queue(&mut self, name: &Name) -> &mut QueueLanes {
        // Not the entry call: it would clone the name on every look-up of the hot path.
        if !self.queues.contains_key(name) {
            self.queues.insert(name.clone(), QueueLanes::default());
        }
        self.queues.get_mut(name).expect("it was there or was just inserted")
    }

    /// Notes that something happened in the queue `name`.
    fn stir(&mut self, name: &Name) {
        if let Some(queue) = self.queues.get_mut(name)
            && !std::mem::replace(&mut queue.stirred, true)
        {
            self.stirred.push_back(name.clone());
        }
    }

    fn observe(&mut self, change: &Change) {
        let job = &change.job;
        let key = (job.run_at, job.id.number());
        if job.status == Status::Init {
            let payload = change.body.clone().filter(|body| {
                change.kind == ChangeKind::Submitted
                    && body.bytes.len() <= self.limits.payload
                    && self.payload_bytes + body.bytes.len() <= self.limits.payloads
            });
            let limit = self.limits.jobs;
            let ready = Ready { job: Arc::clone(job), payload };
            let gained = self.queue(&job.spec.queue).lane(&Lane::of(job)).insert(key, ready, limit);
            self.payload_bytes = self.payload_bytes.saturating_add_signed(gained);
            self.stir(&job.spec.queue);
        } else if matches!(change.kind, ChangeKind::Leased | ChangeKind::Cancelled | ChangeKind::Expired)
            && let Some(lane) = self.queue(&job.spec.queue).lane_of(&Lane::of(job))
        {
            let freed = lane.remove(key);
            self.payload_bytes = self.payload_bytes.saturating_sub(freed);
        }
    }

    fn find(&mut self, lanes: Vec<Lane>) {
        for lane in lanes {
            let freed = self.queue(&lane.queue).lane(&lane).restart();
            self.payload_bytes -= freed;
            self.stir(&lane.queue);
        }
    }

    fn page(&mut self, request: &PageRequest, page: Vec<Ready>) {
        if request.generation != self.generation {
            return;
        }
        // Not whether the page is full: what is damaged is left out of it, and more may stand behind.
        let (limit, more) = (self.limits.jobs, !page.is_empty());
        let mut room = self.limits.payloads.saturating_sub(self.payload_bytes);
        let page = page.into_iter().map(|mut ready| {
            let size = ready.payload.as_ref().map_or(0, |body| body.bytes.len());
            if size > room {
                ready.payload = None;
            } else {
                room -= size;
            }
            ready
        });
        let gained = self.queue(&request.lane.queue).lane(&request.lane).page(page, more, limit);
        self.payload_bytes = self.payload_bytes.saturating_add_signed(gained);
        self.stir(&request.lane.queue);
    }

    fn reset(&mut self) {
        self.generation += 1;
        self.payload_bytes = 0;
        for (name, queue) in &mut self.queues {
            queue.forget_jobs();
            if !std::mem::replace(&mut queue.stirred, true) {
                self.stirred.push_back(name.clone());
            }
        }
        for (id, queues) in self.asks.unassign() {
            for name in queues {
                self.queue(&name).waiters.push_front(id);
            }
        }
    }

    /// Gives the waiting jobs of the stirred queues to those who ask.
    fn match_up(&mut self, now: Timestamp, outputs: &mut Vec<Output>) {
        while let Some(name) = self.stirred.pop_front() {
            let Some(queue) = self.queues.get_mut(&name) else { continue };
            queue.stirred = false;
            queue.serve(&mut self.asks, now, &mut self.payload_bytes, outputs);
            let generation = self.generation;
            queue.wants_more(&self.limits, |lane, after, limit| {
                outputs.push(Output::Read(PageRequest { lane, after, limit, generation }));
            });
            let alarm = queue.next_alarm(now);
            let before = std::mem::replace(&mut queue.alarm, alarm);
            let idle = queue.is_idle();
            if before != alarm {
                before.map(|at| self.alarms.remove(&(at, name.clone())));
                alarm.map(|at| self.alarms.insert((at, name.clone())));
            }
            if idle {
                self.queues.remove(&name);
            }
        }
    }
}
