//! The groups of a queue: whose turn it is, and how many of their jobs run.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::lanes::Lanes;
use super::memory::{Memory, Pace};
use super::named::Named;
use super::order::Order;
use super::window::Key;

/// Where a group stands at one priority: the highest first, then the group served longest ago.
pub(super) type Turn = (Reverse<u8>, u64);

/// The jobs of a queue that name the same group, or none.
#[derive(Debug)]
pub(super) struct Group {
    name: Option<Arc<str>>,
    /// Its jobs that are leased or assigned.
    pub(super) live: u32,
    /// How many lanes are its.
    pub(super) lanes: usize,
    /// One of them, mostly the only one; none where that has gone and others are left.
    pub(super) lane: Option<usize>,
    /// One for each priority at which it has had lanes.
    pub(super) stalls: Vec<Stall>,
    /// Lanes that were passed over because the group is at its limit.
    pub(super) aside: BTreeSet<usize>,
    /// Its place among the groups by the job due longest.
    pub(super) in_heads: Option<Key>,
}

/// What a group has waiting at one priority.
#[derive(Debug)]
pub(super) struct Stall {
    pub(super) priority: u8,
    /// Grows with every turn it is given.
    pub(super) turn: u64,
    /// How many of its lanes have waiting jobs.
    pub(super) waiting: usize,
    /// Its lanes by the job due longest.
    pub(super) heads: Order<Key>,
    /// Its place among those who take turns.
    pub(super) in_turns: Option<Turn>,
}

impl Named for Group {
    fn name(&self) -> &Option<Arc<str>> {
        &self.name
    }
}

impl Group {
    fn new(name: Option<Arc<str>>) -> Group {
        Group { name, live: 0, lanes: 0, lane: None, stalls: Vec::new(), aside: BTreeSet::new(), in_heads: None }
    }

    /// Whether so many of its jobs run that no further one may.
    pub(super) fn is_limited(&self, most: Option<u32>) -> bool {
        self.name.is_some() && most.is_some_and(|most| self.live >= most)
    }

    pub(super) fn stall(&mut self, priority: u8) -> &mut Stall {
        // Ten at the most.
        let at = match self.stalls.iter().position(|stall| stall.priority == priority) {
            Some(at) => at,
            None => {
                // Most have one only.
                self.stalls.reserve_exact(1);
                self.stalls.push(Stall { priority, turn: 0, waiting: 0, heads: Order::default(), in_turns: None });
                self.stalls.len() - 1
            }
        };
        &mut self.stalls[at]
    }
}

impl Stall {
    pub(super) const fn place(&self) -> Turn {
        (Reverse(self.priority), self.turn)
    }
}

impl Lanes {
    /// The group of this name.
    pub(super) fn group(&mut self, name: &Option<Arc<str>>) -> usize {
        self.groups.number(name, || Group::new(name.clone()))
    }

    /// One more job of the group runs.
    pub(super) fn begin(&mut self, group: usize) {
        self.groups[group].live += 1;
        self.running += 1;
    }

    /// One job less of the group runs. Says whether others of it may run again.
    pub(super) fn end(&mut self, group: usize, pace: Pace, memory: &mut Memory) -> bool {
        let it = &mut self.groups[group];
        let was_limited = it.is_limited(self.most);
        it.live -= 1;
        self.running -= 1;
        let is_free = was_limited && !it.is_limited(self.most);
        if is_free {
            self.readmit(group, pace, memory);
        }
        self.drop_group(group);
        is_free
    }

    /// Sets the most jobs of one group that may run at once.
    pub(super) fn limit(&mut self, most: Option<u32>, pace: Pace, memory: &mut Memory) {
        if std::mem::replace(&mut self.most, most) != most {
            let all: Vec<usize> = self.groups.numbers().collect();
            all.into_iter().for_each(|group| self.readmit(group, pace, memory));
        }
    }

    /// The lanes of a group that may have jobs run again stand in every order again.
    fn readmit(&mut self, group: usize, pace: Pace, memory: &mut Memory) {
        let it = &mut self.groups[group];
        for stall in &mut it.stalls {
            if let Some((head, _)) = stall.heads.first() {
                let turn = stall.place();
                self.turns.put(group, turn, &mut stall.in_turns);
                self.heads.put(group, head, &mut it.in_heads);
            }
        }
        for id in std::mem::take(&mut it.aside) {
            self.touch(id, pace, memory);
        }
    }

    /// Drops the group if nothing is its.
    pub(super) fn drop_group(&mut self, id: usize) {
        let group = &self.groups[id];
        if group.lanes == 0 && group.live == 0 {
            // Where no lane is, none waits, and the group stands in no order.
            self.groups.remove(id);
        }
    }
}
