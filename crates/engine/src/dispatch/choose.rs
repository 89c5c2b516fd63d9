//! Which lane's first job goes next.

use std::sync::Arc;

use ackd_domain::Timestamp;

use super::group::{Group, Stall, Turn};
use super::lanes::{LaneState, Lanes};
use super::order::Order;
use super::window::Key;
use slab::Slab;

impl Lanes {
    /// The lane whose first job goes next, of those that are due: the highest priority first, then the group
    /// whose turn it is, then the job due longest. With `oldest_first` just the job due longest. Of these
    /// types, or of any.
    pub(super) fn next(&mut self, kinds: &[Arc<str>], oldest_first: bool, now: Timestamp) -> Option<usize> {
        if kinds.is_empty() {
            return if oldest_first { self.oldest(now) } else { self.in_turn(now) };
        }
        if oldest_first {
            let first = kinds.iter().filter_map(|name| self.oldest_of(self.kind(name)?, now)).min();
            first.map(|(_, id)| id)
        } else {
            let first = kinds.iter().filter_map(|name| self.in_turn_of(self.kind(name)?, now)).min();
            first.map(|(.., id)| id)
        }
    }

    pub(super) fn kind(&self, name: &Arc<str>) -> Option<usize> {
        self.kinds.find(&Some(Arc::clone(name)))
    }

    fn in_turn(&mut self, now: Timestamp) -> Option<usize> {
        let Lanes { all, groups, turns, due, most, .. } = self;
        while let Some((turn, group)) = turns.first() {
            let it = &mut groups[group];
            let is_limited = it.is_limited(*most);
            let stall = it.stall(turn.0.0);
            debug_assert_eq!(stall.place(), turn, "whoever had its turn stands where it belongs at once");
            if !is_limited && let Some((_, id)) = first_of(stall, all, due, now) {
                return Some(id);
            }
            turns.remove(group, &mut stall.in_turns);
        }
        None
    }

    fn oldest(&mut self, now: Timestamp) -> Option<usize> {
        let Lanes { all, groups, heads, due, most, .. } = self;
        while let Some((head, group)) = heads.first() {
            let is_limited = groups[group].is_limited(*most);
            let Group { stalls, in_heads, .. } = &mut groups[group];
            let first = stalls.iter_mut().filter_map(|stall| first_of(stall, all, due, now)).min();
            match first {
                _ if is_limited => heads.remove(group, in_heads),
                Some((key, id)) if key == head => return Some(id),
                first => heads.correct(group, first.map(|(key, _)| key), in_heads),
            }
        }
        None
    }

    fn in_turn_of(&mut self, kind: usize, now: Timestamp) -> Option<(Turn, Key, usize)> {
        while let Some((turn, id)) = self.kinds[kind].turns.first() {
            let head = self.head_of(id, now);
            let lane = &mut self.all[id];
            let place = self.groups[lane.group].stall(lane.priority).place();
            match head {
                Some(head) if place == turn => return Some((turn, head, id)),
                head => self.kinds[kind].turns.correct(id, head.map(|_| place), &mut lane.in_kind_turns),
            }
        }
        None
    }

    fn oldest_of(&mut self, kind: usize, now: Timestamp) -> Option<(Key, usize)> {
        while let Some((key, id)) = self.kinds[kind].heads.first() {
            match self.head_of(id, now) {
                Some(head) if head == key => return Some((head, id)),
                head => self.kinds[kind].heads.correct(id, head, &mut self.all[id].in_kind_heads),
            }
        }
        None
    }

    /// The first job of a lane, if it may go now; else the lane is noted where it comes back from.
    fn head_of(&mut self, id: usize, now: Timestamp) -> Option<Key> {
        let lane = &mut self.all[id];
        let group = &mut self.groups[lane.group];
        if group.is_limited(self.most) {
            group.aside.insert(id);
            return None;
        }
        due_head(id, lane, &mut self.due, now)
    }
}

/// The lane of a stall with the job due longest.
fn first_of(
    stall: &mut Stall,
    all: &mut Slab<LaneState>,
    due: &mut Order<Timestamp>,
    now: Timestamp,
) -> Option<(Key, usize)> {
    while let Some((key, id)) = stall.heads.first() {
        let lane = &mut all[id];
        match due_head(id, lane, due, now) {
            Some(head) if head == key => return Some((head, id)),
            head => stall.heads.correct(id, head, &mut lane.in_stall),
        }
    }
    None
}

/// The first job of a lane if it is due; a lane whose first job is not comes back when it is.
fn due_head(id: usize, lane: &mut LaneState, due: &mut Order<Timestamp>, now: Timestamp) -> Option<Key> {
    let head = lane.window.head()?;
    if head.0 > now {
        due.put(id, head.0, &mut lane.in_due);
        return None;
    }
    Some(head)
}
