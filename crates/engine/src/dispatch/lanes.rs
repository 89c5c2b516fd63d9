//! The lanes of one queue, found by name, and kept in every order in which somebody looks for them.
//!
//! However many lanes there are, each step here looks at a few: the orders are corrected when they are asked
//! (see [`super::order`]), and a lane is looked at when something happens to it ([`Lanes::touch`]).

use std::collections::VecDeque;
use std::sync::Arc;

use ackd_domain::{Name, Spec, Timestamp};
use ackd_ports::{Lane, Ready};
use rustc_hash::FxHashMap;
use slab::Slab;

use super::group::{Group, Turn};
use super::memory::{Memory, Pace};
use super::named::{AllNamed, Named};
use super::order::Order;
use super::window::{Key, Window};

/// So many lanes without a waiting job are kept, so that a lane which runs empty with every job is not made
/// anew with every job. In tests so few that lanes go in a short history too.
const VOIDS_KEPT: usize = if cfg!(test) { 2 } else { 16 };

/// The room for so many lanes is kept, though fewer are there.
const ROOM_KEPT: usize = 1024;

/// How many lanes that came earlier a lane goes ahead of for each step of priority, when lanes wait to be read.
/// So a low priority waits longer, but not for ever.
const HEAD_START: u64 = 4096;

/// What names a lane within its queue.
#[derive(Clone, Copy)]
pub(super) struct LaneName<'a> {
    pub(super) kind: &'a Option<Arc<str>>,
    pub(super) priority: u8,
    pub(super) group: &'a Option<Arc<str>>,
}

impl<'a> From<&'a Spec> for LaneName<'a> {
    fn from(spec: &'a Spec) -> LaneName<'a> {
        LaneName { kind: &spec.kind, priority: spec.priority, group: &spec.group }
    }
}

impl<'a> From<&'a Lane> for LaneName<'a> {
    fn from(lane: &'a Lane) -> LaneName<'a> {
        LaneName { kind: &lane.kind, priority: lane.priority, group: &lane.group }
    }
}

/// A lane, and its place in each order.
#[derive(Debug, Default)]
pub(super) struct LaneState {
    pub(super) kind: usize,
    pub(super) group: usize,
    pub(super) priority: u8,
    pub(super) window: Window,
    /// Whether jobs wait in it, in memory or not.
    waits: bool,
    /// Whether it is among the lanes to be dropped.
    is_void: bool,
    pub(super) in_stall: Option<Key>,
    pub(super) in_kind_turns: Option<Turn>,
    pub(super) in_kind_heads: Option<Key>,
    pub(super) in_due: Option<Timestamp>,
    in_line: Option<u64>,
    in_kind_line: Option<u64>,
    in_low: Option<u64>,
    in_holders: Option<u64>,
}

/// The lanes of one type.
#[derive(Debug, Default)]
pub(super) struct Kind {
    name: Option<Arc<str>>,
    lanes: usize,
    pub(super) turns: Order<Turn>,
    pub(super) heads: Order<Key>,
    line: Order<u64>,
}

impl Named for Kind {
    fn name(&self) -> &Option<Arc<str>> {
        &self.name
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    pub(super) all: Slab<LaneState>,
    pub(super) groups: AllNamed<Group>,
    pub(super) kinds: AllNamed<Kind>,
    /// The lanes beside the one that their group knows, by group, type and priority.
    others: FxHashMap<(usize, usize, u8), usize>,
    /// The lane asked for last: mostly it is asked for again.
    last: Option<usize>,
    /// The most jobs of one group that may run at once.
    pub(super) most: Option<u32>,
    /// The groups with a due job in memory, by whose turn it is.
    pub(super) turns: Order<Turn>,
    /// The same groups, by the job due longest.
    pub(super) heads: Order<Key>,
    /// Lanes of which the first job is not due before then.
    pub(super) due: Order<Timestamp>,
    /// Lanes with no job in memory whose first job, in the ledger, may be due.
    line: Order<u64>,
    /// Lanes with jobs in memory that run low and have more in the ledger.
    low: Order<u64>,
    /// Lanes with jobs in memory, the one first that was cut down longest ago.
    holders: Order<u64>,
    voids: VecDeque<usize>,
    /// How many lanes have waiting jobs.
    waiting: usize,
    /// How many jobs are leased or assigned, of all groups.
    pub(super) running: usize,
    /// How many jobs stand in memory.
    held: usize,
    /// Whether anybody has asked for jobs by type: only then lanes are kept by type too.
    typed: bool,
    pub(super) clock: u64,
}

impl Lanes {
    pub(super) fn find(&mut self, name: LaneName<'_>) -> Option<usize> {
        if let Some(last) = self.last
            && let Some(lane) = self.all.get(last)
            && lane.priority == name.priority
            && self.groups[lane.group].name() == name.group
            && self.kinds[lane.kind].name() == name.kind
        {
            return Some(last);
        }
        let group = self.groups.find(name.group)?;
        self.last = self.find_of(group, name.kind, name.priority);
        self.last
    }

    /// The lane of a group for jobs of this type and priority.
    pub(super) fn find_of(&self, group: usize, kind: &Option<Arc<str>>, priority: u8) -> Option<usize> {
        let of = &self.groups[group];
        if let Some(id) = of.lane
            && let lane = &self.all[id]
            && lane.priority == priority
            && self.kinds[lane.kind].name() == kind
        {
            return Some(id);
        }
        if of.lanes == usize::from(of.lane.is_some()) {
            return None;
        }
        self.others.get(&(group, self.kinds.find(kind)?, priority)).copied()
    }

    /// The lane of this name; one that was unknown has no jobs in the ledger that are not told of.
    pub(super) fn lane(&mut self, name: LaneName<'_>) -> usize {
        if let Some(id) = self.find(name) {
            return id;
        }
        let group = self.group(name.group);
        let kind = self.kinds.number(name.kind, || Kind { name: name.kind.clone(), ..Kind::default() });
        let id = self.all.insert(LaneState { kind, group, priority: name.priority, ..LaneState::default() });
        let of = &mut self.groups[group];
        of.lanes += 1;
        if of.lane.is_none() {
            of.lane = Some(id);
        } else {
            self.others.insert((group, kind, name.priority), id);
        }
        self.kinds[kind].lanes += 1;
        self.make_void(id);
        self.last = Some(id);
        id
    }

    /// The whole name of a lane.
    pub(super) fn name(&self, queue: &Name, id: usize) -> Lane {
        let lane = &self.all[id];
        Lane {
            queue: queue.clone(),
            kind: self.kinds[lane.kind].name().clone(),
            priority: lane.priority,
            group: self.groups[lane.group].name().clone(),
        }
    }

    /// How many jobs stand in memory.
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// Whether no job waits and none runs.
    pub(super) const fn is_idle(&self) -> bool {
        self.waiting == 0 && self.running == 0
    }

    /// Gives back the room of the many lanes that there were, where none is left in use.
    pub(super) fn give_back(&mut self) {
        if self.has_room_to_give() {
            self.forget();
        }
    }

    /// Whether much room is kept and nothing in it.
    pub(super) fn has_room_to_give(&self) -> bool {
        self.is_idle() && self.all.capacity().max(self.groups.capacity()) > ROOM_KEPT
    }

    /// Forgets every job, waiting or running.
    pub(super) fn forget(&mut self) {
        *self = Lanes { most: self.most, typed: self.typed, clock: self.clock, ..Lanes::default() };
    }

    /// Changes the window of a lane; `edit` gives the bytes of payload gained.
    pub(super) fn edit<T>(
        &mut self,
        id: usize,
        pace: Pace,
        memory: &mut Memory,
        edit: impl FnOnce(&mut Window) -> (isize, T),
    ) -> T {
        let window = &mut self.all[id].window;
        let before = window.len();
        let (gained, given) = edit(window);
        let after = window.len();
        self.held = self.held + after - before;
        memory.jobs = memory.jobs + after - before;
        memory.bytes = memory.bytes.saturating_add_signed(gained);
        self.touch(id, pace, memory);
        given
    }

    /// Takes the first job of a lane; its group has had its turn.
    pub(super) fn pop(&mut self, id: usize, pace: Pace, memory: &mut Memory) -> Option<Ready> {
        self.clock += 1;
        let (group, priority) = (self.all[id].group, self.all[id].priority);
        self.groups[group].stall(priority).turn = self.clock;
        let ready = self.edit(id, pace, memory, |window| {
            let ready = window.pop();
            let size = ready.as_ref().and_then(|ready| ready.payload.as_ref()).map_or(0, |body| body.bytes.len());
            (-isize::try_from(size).unwrap_or(isize::MAX), ready)
        });
        let stall = self.groups[group].stall(priority);
        if stall.in_turns.is_some() {
            self.turns.correct(group, Some(stall.place()), &mut stall.in_turns);
        }
        ready
    }

    /// Puts a lane, to which something has happened, into the orders in which it belongs now.
    pub(super) fn touch(&mut self, id: usize, pace: Pace, memory: &mut Memory) {
        let Lanes { all, groups, kinds, turns, heads, due, line, low, holders, typed, clock, .. } = self;
        let lane = &mut all[id];
        let group = &mut groups[lane.group];
        let kind = &mut kinds[lane.kind];
        let waits = !lane.window.is_void();
        let began = waits && !lane.waits;
        let ended = lane.waits && !waits;
        lane.waits = waits;
        if began {
            let stall = group.stall(lane.priority);
            if stall.waiting == 0 {
                // Who had nothing waiting comes after those who have.
                *clock += 1;
                stall.turn = *clock;
            }
            stall.waiting += 1;
            self.waiting += 1;
            memory.lanes += 1;
        } else if ended {
            self.waiting -= 1;
            memory.lanes -= 1;
            self.leave(id);
            return self.make_void(id);
        }
        if let Some(head) = lane.window.head() {
            if lane.in_holders.is_none() {
                *clock += 1;
                holders.put(id, *clock, &mut lane.in_holders);
            }
            if head.0 <= pace.now {
                let stall = group.stall(lane.priority);
                let turn = stall.place();
                stall.heads.put(id, head, &mut lane.in_stall);
                turns.put(lane.group, turn, &mut stall.in_turns);
                heads.put(lane.group, head, &mut group.in_heads);
                if *typed {
                    kind.turns.put(id, turn, &mut lane.in_kind_turns);
                    kind.heads.put(id, head, &mut lane.in_kind_heads);
                }
            } else {
                due.put(id, head.0, &mut lane.in_due);
            }
        }
        if lane.window.wants_more(pace.low) {
            let first = lane.window.due().unwrap_or_default();
            *clock += 1;
            let place = *clock + u64::from(u8::MAX - lane.priority) * HEAD_START;
            if lane.window.len() > 0 {
                return low.put(id, place, &mut lane.in_low);
            }
            lane.window.give_back();
            if first > pace.now {
                due.put(id, first, &mut lane.in_due);
            } else {
                line.put(id, place, &mut lane.in_line);
                if *typed {
                    kind.line.put(id, place, &mut lane.in_kind_line);
                }
            }
        }
    }

    /// Takes a lane in which no job waits any more out of every order.
    fn leave(&mut self, id: usize) {
        let lane = &mut self.all[id];
        let group = &mut self.groups[lane.group];
        let stall = group.stall(lane.priority);
        stall.waiting -= 1;
        stall.heads.remove(id, &mut lane.in_stall);
        if stall.waiting == 0 {
            self.turns.remove(lane.group, &mut stall.in_turns);
        }
        group.aside.remove(&id);
        if group.stalls.iter().all(|stall| stall.waiting == 0) {
            self.heads.remove(lane.group, &mut group.in_heads);
        }
        let kind = &mut self.kinds[lane.kind];
        kind.turns.remove(id, &mut lane.in_kind_turns);
        kind.heads.remove(id, &mut lane.in_kind_heads);
        kind.line.remove(id, &mut lane.in_kind_line);
        self.due.remove(id, &mut lane.in_due);
        self.line.remove(id, &mut lane.in_line);
        self.low.remove(id, &mut lane.in_low);
        self.holders.remove(id, &mut lane.in_holders);
    }

    /// Takes up the lanes that have become due.
    pub(super) fn wake(&mut self, pace: Pace, memory: &mut Memory) {
        while let Some((at, id)) = self.due.first()
            && at <= pace.now
        {
            self.due.remove(id, &mut self.all[id].in_due);
            self.touch(id, pace, memory);
        }
    }

    /// When the next lane becomes due.
    pub(super) fn next_due(&mut self) -> Option<Timestamp> {
        while let Some((at, id)) = self.due.first() {
            let lane = &mut self.all[id];
            let due = lane.window.due();
            if due == Some(at) {
                return due;
            }
            self.due.correct(id, due, &mut lane.in_due);
        }
        None
    }

    /// Keeps the lanes by type too, from now on.
    pub(super) fn by_type(&mut self, pace: Pace, memory: &mut Memory) {
        if !std::mem::replace(&mut self.typed, true) {
            let all: Vec<usize> = self.all.iter().map(|(id, _)| id).collect();
            for id in all {
                let lane = &mut self.all[id];
                if let Some(place) = lane.in_line {
                    self.kinds[lane.kind].line.put(id, place, &mut lane.in_kind_line);
                }
                self.touch(id, pace, memory);
            }
        }
    }

    /// Whether no lane waits to be read.
    pub(super) fn is_read(&self) -> bool {
        self.line.is_empty() && self.low.is_empty()
    }

    /// Whether a lane with no job in memory waits to be read.
    pub(super) fn has_line(&self) -> bool {
        !self.line.is_empty()
    }

    /// The lane that is to be read on next, so that it does not run empty.
    pub(super) fn next_low(&mut self, pace: Pace) -> Option<usize> {
        loop {
            let (_, id) = self.low.first()?;
            let lane = &mut self.all[id];
            if lane.window.wants_more(pace.low) && lane.window.len() > 0 {
                return Some(id);
            }
            self.low.remove(id, &mut lane.in_low);
        }
    }

    /// The lane with no job in memory that is to be read next, of these types or of any.
    pub(super) fn next_in_line(&mut self, kinds: &[Arc<str>], pace: Pace) -> Option<usize> {
        if kinds.is_empty() {
            return self.first_in_line(None, pace).map(|(_, id)| id);
        }
        let first = kinds.iter().filter_map(|name| {
            let kind = self.kind(name)?;
            self.first_in_line(Some(kind), pace)
        });
        first.min().map(|(_, id)| id)
    }

    fn first_in_line(&mut self, kind: Option<usize>, pace: Pace) -> Option<(u64, usize)> {
        loop {
            let (place, id) = kind.map_or(&self.line, |kind| &self.kinds[kind].line).first()?;
            let lane = &self.all[id];
            let group = &mut self.groups[lane.group];
            let is_limited = group.is_limited(self.most);
            let first = lane.window.due().filter(|_| lane.window.len() == 0);
            match first {
                Some(first) if first <= pace.now && !is_limited => return Some((place, id)),
                _ if is_limited => drop(group.aside.insert(id)),
                Some(first) => self.due.put(id, first, &mut self.all[id].in_due),
                None => {}
            }
            self.leave_line(id);
        }
    }

    /// A page of this lane's jobs is on its way. Gives the place to read on from.
    pub(super) fn read_on(&mut self, id: usize) -> Option<Key> {
        self.leave_line(id);
        let lane = &mut self.all[id];
        self.low.remove(id, &mut lane.in_low);
        lane.window.read_on()
    }

    fn leave_line(&mut self, id: usize) {
        let lane = &mut self.all[id];
        self.line.remove(id, &mut lane.in_line);
        self.kinds[lane.kind].line.remove(id, &mut lane.in_kind_line);
    }

    /// Cuts the jobs of one lane in memory down by half. Says how many went.
    pub(super) fn cut_down(&mut self, pace: Pace, memory: &mut Memory) -> usize {
        while let Some((_, id)) = self.holders.first() {
            self.holders.remove(id, &mut self.all[id].in_holders);
            let held = self.all[id].window.len();
            if held > 0 {
                // What is left goes to the end of those who hold any.
                self.edit(id, pace, memory, |window| (-window.shrink(held / 2), ()));
                return held - held / 2;
            }
        }
        0
    }

    fn make_void(&mut self, id: usize) {
        if !std::mem::replace(&mut self.all[id].is_void, true) {
            self.voids.push_back(id);
        }
        while self.voids.len() > VOIDS_KEPT
            && let Some(id) = self.voids.pop_front()
        {
            self.all[id].is_void = false;
            if !self.all[id].waits {
                self.drop_lane(id);
            }
        }
    }

    /// Drops a lane in which no job waits, and which thus stands in no order.
    fn drop_lane(&mut self, id: usize) {
        let lane = self.all.remove(id);
        let kind = &mut self.kinds[lane.kind];
        kind.lanes -= 1;
        if kind.lanes == 0 {
            self.kinds.remove(lane.kind);
        }
        let group = &mut self.groups[lane.group];
        group.lanes -= 1;
        if group.lane == Some(id) {
            group.lane = None;
        } else {
            self.others.remove(&(lane.group, lane.kind, lane.priority));
        }
        self.drop_group(lane.group);
    }
}
