use std::collections::VecDeque;

use super::asks::{AskId, Asks};

/// So many may be stale before they are looked for.
const SLACK: usize = 64;

/// Who asks for jobs of one queue, in the order of asking.
///
/// An ask of several queues stands in each of them. One that has gone, or got its jobs elsewhere, is skipped when its turn
/// comes; where no turn comes, because nothing of the queue may begin, those are taken out once they are as many as the others.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    ids: VecDeque<AskId>,
    /// How many there were when the stale ones were taken out last.
    kept: usize,
}

impl Waiters {
    /// Puts a new ask last.
    pub(super) fn join(&mut self, id: AskId, asks: &Asks) {
        if self.ids.len() >= 2 * self.kept + SLACK {
            // One with jobs on their way to it joins again, in front, should it not get them.
            self.ids.retain(|id| asks.parked(*id).is_some());
            self.kept = self.ids.len();
        }
        self.ids.push_back(id);
    }

    /// Puts one first whose turn has been.
    pub(super) fn rejoin(&mut self, id: AskId) {
        self.ids.push_front(id);
    }

    /// Puts those first whose turn has been, in their order.
    pub(super) fn rejoin_all(&mut self, ids: Vec<AskId>) {
        ids.into_iter().rev().for_each(|id| self.rejoin(id));
    }

    pub(super) fn next(&mut self) -> Option<AskId> {
        self.ids.pop_front()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = AskId> {
        self.ids.iter().copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }
}
