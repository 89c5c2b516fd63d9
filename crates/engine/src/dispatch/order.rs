//! Ids in the order of keys that may be stale.
//!
//! A key only ever stands too early: what makes an id come later is not told here but found out when the id
//! comes first. So a lane whose head moves on with every job costs nothing here until somebody looks, and
//! each look pays for at most one earlier change.

use crate::sorted_queue::SortedQueue;

/// See the module. Whoever owns what an id stands for keeps the id's place, the key it stands at.
#[derive(Debug)]
pub(super) struct Order<K>(SortedQueue<(K, usize), ()>);

impl<K> Default for Order<K> {
    fn default() -> Order<K> {
        Order(SortedQueue::default())
    }
}

impl<K: Ord + Copy> Order<K> {
    /// Lets `id` stand at `key`, or leaves it where it stands earlier.
    pub(super) fn put(&mut self, id: usize, key: K, place: &mut Option<K>) {
        match *place {
            Some(at) if at <= key => return,
            Some(at) => drop(self.0.remove(&(at, id))),
            None => {}
        }
        self.0.insert((key, id), ());
        *place = Some(key);
    }

    /// Lets `id` stand at `key`, which is later than where it stands, or nowhere.
    pub(super) fn correct(&mut self, id: usize, key: Option<K>, place: &mut Option<K>) {
        self.remove(id, place);
        if let Some(key) = key {
            self.put(id, key, place);
        }
    }

    pub(super) fn remove(&mut self, id: usize, place: &mut Option<K>) {
        if let Some(at) = place.take() {
            self.0.remove(&(at, id));
        }
    }

    pub(super) fn first(&self) -> Option<(K, usize)> {
        self.0.first().map(|(first, ())| first)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
