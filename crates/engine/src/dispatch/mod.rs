//! Which worker gets which waiting job.
//!
//! A state machine: it is told what is committed (or about to be) and who asks, and says which jobs to
//! lease to whom, which have expired, and which part of the backlog to read. It holds a bounded window
//! of every lane (see [`window`]); the ledger holds the rest.

mod asks;
mod choose;
mod group;
mod held;
mod lanes;
mod live;
mod memory;
mod named;
mod order;
mod queue;
#[cfg(test)]
mod tests;
mod waiters;
mod window;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use ackd_domain::{Body, Change, ChangeKind, Name, Spec, Started, Status, Timestamp};
use ackd_ports::{Lane, Ready};
use rustc_hash::FxHashMap;

use crate::leases::Running;
use asks::Asks;
pub use asks::{Ask, AskId};
use held::Held;
use live::Live;
use memory::{Memory, Pace};
use queue::QueueLanes;
pub use queue::{Limited, QueueRules};
use window::Key;
pub use window::WindowLimits;

/// The most pages that are on their way for lanes nobody waits for at this moment.
const PAGES: usize = 32;

/// So many queues of which nothing need be remembered are, so that one which runs empty with every job is not
/// made anew with every job.
const RESTING: usize = 64;

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
    /// The job of this number, that was to be leased for this ask, could not be.
    Refused(AskId, u64),
    /// The asks that were granted something have their answer.
    Answered,
    /// A queue is configured.
    Configured(&'a Name, QueueRules),
    /// These jobs are leased. With those told of as changes since the start, or since a reset, they are all.
    Leased(&'a [Running]),
    /// When attempts at the jobs of these queues began; at those of others none did.
    Started(Vec<(Name, Started)>),
    /// These lanes have jobs waiting in the ledger.
    Lanes(Vec<Lane>),
    /// A part of the backlog that was asked for by [`Output::Read`].
    Page(PageRequest, Vec<Ready>),
    /// A part of the backlog could not be read.
    Unread(&'a PageRequest),
    /// What was told last has not been committed after all: only [`Input::Lanes`] makes the dispatcher
    /// see jobs again, and [`Input::Leased`] those that run.
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
        /// What the worker is to get, where it is at hand: if this is the version that is leased.
        payload: Option<Body>,
        /// The job's version when it was taken up.
        version: u64,
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
    /// Queues of which nothing had to be remembered when they were looked at last.
    resting: VecDeque<Name>,
    /// When to look again at queues in which somebody waits for a job that is not due yet.
    alarms: BTreeSet<(Timestamp, Name)>,
    /// The time of the last [`Input::Tick`].
    last_tick: Timestamp,
    memory: Memory,
    held: Held,
    live: Live,
    /// The queues that let no job begin of late, and those that do again, since somebody took note.
    limited: Vec<(Name, Option<Limited>)>,
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
            resting: VecDeque::new(),
            alarms: BTreeSet::new(),
            last_tick: Timestamp::default(),
            memory: Memory::default(),
            held: Held::default(),
            live: Live::default(),
            limited: Vec::new(),
        }
    }

    /// Takes `input` in at time `now` and adds to `outputs` what is to be done about it.
    pub fn step(&mut self, input: Input<'_>, now: Timestamp, outputs: &mut Vec<Output>) {
        let pace = self.memory.pace(&self.limits, now);
        match input {
            Input::Ask(id, ask) => {
                for name in &ask.queues {
                    known(&mut self.queues, name).waiters.join(id, &self.asks);
                }
                for name in in_turn(id, &ask.queues) {
                    self.stir(name);
                }
                self.asks.park(id, ask);
            }
            Input::Forget(id) => {
                for name in self.asks.remove(id).into_iter().flat_map(|ask| ask.queues) {
                    self.stir(&name);
                }
            }
            Input::Changes(changes) => changes.iter().for_each(|change| self.observe(change, pace)),
            Input::Granted(id) => self.asks.granted(id),
            Input::Refused(id, number) => {
                self.ended(number, pace);
                if let Some(ask) = self.asks.refused(id) {
                    for name in ask.queues.clone() {
                        self.queue(&name).waiters.rejoin(id);
                        self.stir(&name);
                    }
                }
            }
            Input::Answered => {
                for name in self.asks.answered().into_iter().flat_map(|ask| ask.queues) {
                    self.stir(&name);
                }
            }
            Input::Configured(name, rules) => {
                let (queue, memory) = self.queue_and_memory(name);
                queue.follow(rules, pace, memory);
                self.stir(name);
            }
            Input::Leased(jobs) => {
                for Running { number, queue, group } in jobs {
                    let _ = self.began(*number, queue, group);
                }
            }
            Input::Started(started) => {
                // Of the others nothing has begun, whatever was to.
                self.queues.values_mut().for_each(|queue| queue.started = Started::default());
                for (name, started) in started {
                    self.queue(&name).started = started;
                    self.stir(&name);
                }
            }
            Input::Lanes(lanes) => self.find(lanes, pace),
            Input::Page(request, page) => self.page(&request, page, pace),
            Input::Unread(request) => self.unread(request, pace),
            Input::Reset => self.reset(),
            Input::Tick => {
                // Where the time was taken back, what was to be looked at later may be looked at now.
                let went_back = now < std::mem::replace(&mut self.last_tick, now);
                let due = self.alarms.iter().take_while(|(at, _)| went_back || *at <= now);
                let due: Vec<Name> = due.map(|(_, name)| name.clone()).collect();
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
        self.queues.get(name).is_some_and(|queue| queue.pages > 0)
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

    /// How many asks of clients' workers are parked.
    #[must_use]
    pub fn parked_of_clients(&self) -> usize {
        self.asks.of_clients()
    }

    /// How many waiting jobs stand in memory.
    #[must_use]
    pub const fn in_memory(&self) -> usize {
        self.memory.jobs
    }

    /// The queues that let no job begin, and why, and those that do again; since this was asked for last.
    pub fn take_limited(&mut self) -> Vec<(Name, Option<Limited>)> {
        std::mem::take(&mut self.limited)
    }

    /// How many jobs run, as far as it was told.
    #[must_use]
    pub fn running(&self) -> usize {
        self.live.len()
    }

    fn queue(&mut self, name: &Name) -> &mut QueueLanes {
        self.queue_and_memory(name).0
    }

    fn queue_and_memory(&mut self, name: &Name) -> (&mut QueueLanes, &mut Memory) {
        (known(&mut self.queues, name), &mut self.memory)
    }

    /// Notes that something happened in the queue `name`.
    fn stir(&mut self, name: &Name) {
        if let Some(queue) = self.queues.get_mut(name)
            && !std::mem::replace(&mut queue.stirred, true)
        {
            self.stirred.push_back(name.clone());
        }
    }

    fn observe(&mut self, change: &Change, pace: Pace) {
        let job = &change.job;
        let spec = &*job.spec;
        let mut group = None;
        if job.status == Status::Processing {
            let (of, is_new) = self.began(job.id.number(), &spec.queue, &spec.group);
            group = Some(of);
            if is_new {
                self.note_start(&spec.queue, change.at);
            }
        } else if change.kind != ChangeKind::Submitted {
            self.ended(job.id.number(), pace);
        }
        if let Some(due) = change.was_due {
            self.remove(spec, group, (due, job.id.number()), pace);
        }
        let held = if change.kind == ChangeKind::Submitted { None } else { self.held.take(job.id.number()) };
        let payload = match change.kind {
            ChangeKind::Submitted | ChangeKind::Replaced => change.body.clone(),
            _ => held,
        };
        let payload = payload.filter(|body| body.bytes.len() <= self.limits.payload);
        if job.is_ready() {
            let payload = payload.filter(|body| self.memory.bytes + body.bytes.len() <= self.limits.payloads);
            self.insert(Ready { job: Arc::clone(job), payload }, pace);
            self.stir(&spec.queue);
        } else if matches!(
            change.kind,
            ChangeKind::Leased | ChangeKind::Cancelled | ChangeKind::Expired | ChangeKind::Blocked
        ) {
            self.remove(spec, group, (job.run_at, job.id.number()), pace);
        } else if let (Status::Init, Some(payload)) = (job.status, payload) {
            self.held.keep(job.id.number(), payload, self.limits.held);
        }
    }

    /// Takes the waiting job of this time and number out of its lane, if it stands in memory. Its group is looked for by
    /// its name unless it is known.
    fn remove(&mut self, spec: &Spec, group: Option<usize>, key: Key, pace: Pace) {
        let (queue, memory) = self.queue_and_memory(&spec.queue);
        let lane = match group {
            Some(group) => queue.lanes.find_of(group, &spec.kind, spec.priority),
            None => queue.lanes.find(spec.into()),
        };
        if let Some(lane) = lane {
            queue
                .lanes
                .edit(lane, pace, memory, |window| (-isize::try_from(window.remove(key)).unwrap_or(isize::MAX), ()));
        }
    }

    fn insert(&mut self, ready: Ready, pace: Pace) {
        let name = ready.job.spec.queue.clone();
        if self.memory.room(&self.limits) == 0 {
            let queues = self.queues.len();
            let lanes = &self.queue(&name).lanes;
            // While lanes wait to be read, a job of a queue that has its share waits behind them.
            if !lanes.has_line() || lanes.held() < self.limits.total / queues {
                self.make_room(1, pace);
            }
        }
        let (limit, room) = (self.limits.jobs, self.memory.room(&self.limits));
        let (queue, memory) = self.queue_and_memory(&name);
        let lane = queue.lanes.lane((&*ready.job.spec).into());
        let key = (ready.job.run_at, ready.job.id.number());
        queue.lanes.edit(lane, pace, memory, |window| {
            let before = window.len();
            let gained = window.insert(key, ready, limit);
            let kept = window.len().min(before + room);
            (gained - window.shrink(kept), ())
        });
    }

    /// A job is leased. Gives its group, and says whether that is new.
    fn began(&mut self, number: u64, name: &Name, group: &Option<Arc<str>>) -> (usize, bool) {
        if let Some(running) = self.live.get(number) {
            let (group, was_assigned) = (running.group, std::mem::take(&mut running.is_assigned));
            if was_assigned {
                self.queue(name).assigned -= 1;
            }
            return (group, was_assigned);
        }
        let queue = self.queue(name);
        let group = queue.lanes.group(group);
        queue.lanes.begin(group);
        self.live.begin(number, live::Running { queue: name.clone(), group, is_assigned: false });
        (group, true)
    }

    /// An attempt at a job of this queue began.
    fn note_start(&mut self, name: &Name, now: Timestamp) {
        let queue = self.queue(name);
        if let Some(rate) = queue.rules.rate {
            queue.started.begin(rate, now);
            self.stir(name);
        }
    }

    /// A job does not run, if it did.
    fn ended(&mut self, number: u64, pace: Pace) {
        if let Some(live::Running { queue: name, group, is_assigned }) = self.live.end(number) {
            let (queue, memory) = self.queue_and_memory(&name);
            queue.assigned -= usize::from(is_assigned);
            let was_at_its_limit = queue.is_at_its_limit() || is_assigned && queue.rules.rate.is_some();
            let is_free = queue.lanes.end(group, pace, memory);
            if is_free || was_at_its_limit || queue.is_idle() || queue.lanes.has_room_to_give() {
                self.stir(&name);
            }
        }
    }

    fn find(&mut self, lanes: Vec<Lane>, pace: Pace) {
        for lane in lanes {
            let (queue, memory) = self.queue_and_memory(&lane.queue);
            let id = queue.lanes.lane((&lane).into());
            queue.lanes.edit(id, pace, memory, |window| (-isize::try_from(window.restart()).unwrap_or(isize::MAX), ()));
            self.stir(&lane.queue);
        }
    }

    fn page(&mut self, request: &PageRequest, page: Vec<Ready>, pace: Pace) {
        if request.generation != self.generation {
            return;
        }
        self.memory.reserved -= request.limit;
        self.memory.pages -= 1;
        let limit = self.limits.jobs;
        let mut room = self.limits.payloads.saturating_sub(self.memory.bytes);
        let page = page.into_iter().map(|mut ready| {
            let size = ready.payload.as_ref().map_or(0, |body| body.bytes.len());
            if size > room {
                ready.payload = None;
            } else {
                room -= size;
            }
            ready
        });
        let (queue, memory) = self.queue_and_memory(&request.lane.queue);
        queue.pages -= 1;
        let lane = queue.lanes.lane((&request.lane).into());
        queue.lanes.edit(lane, pace, memory, |window| (window.page(page, limit), ()));
        self.stir(&request.lane.queue);
    }

    fn unread(&mut self, request: &PageRequest, pace: Pace) {
        if request.generation != self.generation {
            return;
        }
        self.memory.reserved -= request.limit;
        self.memory.pages -= 1;
        let (queue, memory) = self.queue_and_memory(&request.lane.queue);
        queue.pages -= 1;
        let lane = queue.lanes.lane((&request.lane).into());
        queue.lanes.edit(lane, pace, memory, |window| {
            window.unread();
            (0, ())
        });
    }

    fn reset(&mut self) {
        self.generation += 1;
        self.memory = Memory::default();
        self.held = Held::default();
        self.live.clear();
        for (name, queue) in &mut self.queues {
            queue.forget_jobs();
            if !std::mem::replace(&mut queue.stirred, true) {
                self.stirred.push_back(name.clone());
            }
        }
        // The last of them first, so that they stand in the order of asking.
        for (id, queues) in self.asks.unassign().into_iter().rev() {
            for name in queues {
                self.queue(&name).waiters.rejoin(id);
            }
        }
    }

    /// Gives the waiting jobs of the stirred queues to those who ask.
    fn match_up(&mut self, now: Timestamp, outputs: &mut Vec<Output>) {
        while let Some(name) = self.stirred.pop_front() {
            let Some(queue) = self.queues.get_mut(&name) else { continue };
            queue.stirred = false;
            let pace = self.memory.pace(&self.limits, now);
            queue.serve(&name, &mut self.asks, pace, (&mut self.memory, &mut self.live), outputs);
            let limited = queue.why_limited(now);
            if std::mem::replace(&mut queue.limited, limited) != limited {
                self.limited.push((name.clone(), limited));
            }
            if !queue.lanes.is_read() {
                self.read_on(&name, pace, outputs);
            }
            let Some(queue) = self.queues.get_mut(&name) else { continue };
            queue.lanes.give_back();
            let alarm = queue.next_alarm();
            let before = std::mem::replace(&mut queue.alarm, alarm);
            let rests = queue.is_idle() && !std::mem::replace(&mut queue.resting, true);
            if before != alarm {
                before.map(|at| self.alarms.remove(&(at, name.clone())));
                alarm.map(|at| self.alarms.insert((at, name.clone())));
            }
            if rests {
                self.resting.push_back(name);
                self.forget_queues();
            }
        }
        self.asks.close();
    }

    /// Asks for the parts of the queue's backlog that are wanted and find room.
    fn read_on(&mut self, name: &Name, pace: Pace, outputs: &mut Vec<Output>) {
        loop {
            let Some(queue) = self.queues.get_mut(name) else { return };
            let page = self.memory.page(&self.limits);
            let small = Memory::small_page(&self.limits);
            let room = self.memory.room(&self.limits);
            let may_read = room >= small && self.memory.pages < PAGES;
            // Whoever waits is shown a page, however full the memory is and however much others read.
            let wanted = if may_read || queue.pages == 0 { queue.next_for_waiters(&self.asks, pace) } else { None };
            let Some(id) = wanted.or_else(|| if may_read { queue.next_to_read(pace) } else { None }) else { return };
            let limit = page.min(room).max(small);
            let (lane, after) = (queue.lanes.name(name, id), queue.lanes.read_on(id));
            queue.pages += 1;
            self.memory.pages += 1;
            if room < limit {
                self.make_room(limit, pace);
            }
            self.memory.reserved += limit;
            outputs.push(Output::Read(PageRequest { lane, after, limit, generation: self.generation }));
        }
    }

    /// Cuts the lanes in memory down until `jobs` more find room, those of the queue first that holds most.
    fn make_room(&mut self, jobs: usize, pace: Pace) {
        while self.memory.room(&self.limits) < jobs {
            let most = self.queues.values_mut().max_by_key(|queue| queue.lanes.held());
            if most.is_none_or(|queue| queue.lanes.cut_down(pace, &mut self.memory) == 0) {
                return;
            }
        }
    }

    /// Forgets the queue that has rested longest, if too many rest.
    fn forget_queues(&mut self) {
        while self.resting.len() > RESTING
            && let Some(name) = self.resting.pop_front()
        {
            if let Some(queue) = self.queues.get_mut(&name) {
                queue.resting = false;
                if queue.is_idle() {
                    self.queues.remove(&name);
                }
            }
        }
    }
}

/// The queues of an ask, from one on that is another with another ask: whoever always asks for the same is given jobs of each.
fn in_turn(id: AskId, queues: &[Name]) -> impl Iterator<Item = &Name> {
    // The golden ratio of 2^64: also those of every second or third ask begin with each queue about as often.
    let spread = id.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let first = (spread * queues.len() as u64) >> 32;
    let (before, from) = queues.split_at(usize::try_from(first).unwrap_or_default());
    from.iter().chain(before)
}

/// The queue `name`, of which nothing may have been known.
fn known<'a>(queues: &'a mut FxHashMap<Name, QueueLanes>, name: &Name) -> &'a mut QueueLanes {
    // Not the entry call: it would clone the name on every look-up of the hot path.
    if !queues.contains_key(name) {
        queues.insert(name.clone(), QueueLanes::default());
    }
    queues.get_mut(name).expect("it was there or was just inserted")
}
