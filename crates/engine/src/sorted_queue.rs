//! A sorted map for keys that mostly come in order and go from the front.
//!
//! Jobs come by the order of their acceptance, turns by a clock, leases by when they run out: such keys need no tree.
//! The first stands by itself, so that one alone costs no memory elsewhere; those behind it that came in order stand in
//! a row; only what came out of order stands in a tree. So most of it takes the time that a ring buffer takes, and the
//! rest no more than a tree.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::mem;

/// Places of entries that are gone may be left in the row up to this number, and beyond it up to half of the row.
const GONE_KEPT: usize = 32;

/// The row keeps room for so many, though fewer are there.
const ROOM_KEPT: usize = 16;

/// See the module. Keys are unique.
#[derive(Debug)]
pub(crate) struct SortedQueue<K, V> {
    /// `None` only where there is no other.
    first: Option<(K, V)>,
    /// Those that came in order, by key; one that is gone from the middle leaves its place. The outermost are there.
    row: VecDeque<(K, Option<V>)>,
    /// How many of the row are gone.
    gone: usize,
    /// Those that came out of order.
    rest: BTreeMap<K, V>,
}

impl<K, V> Default for SortedQueue<K, V> {
    fn default() -> SortedQueue<K, V> {
        SortedQueue { first: None, row: VecDeque::new(), gone: 0, rest: BTreeMap::new() }
    }
}

impl<K: Ord + Copy, V> SortedQueue<K, V> {
    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.row.len() - self.gone + self.rest.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn first(&self) -> Option<(K, &V)> {
        self.first.as_ref().map(|(key, value)| (*key, value))
    }

    pub(crate) fn last_key(&self) -> Option<K> {
        let behind = self.row.back().map(|(key, _)| *key).max(self.rest.last_key_value().map(|(key, _)| *key));
        behind.or_else(|| self.first.as_ref().map(|(key, _)| *key))
    }

    /// In no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        let row = self.row.iter().filter_map(|(_, value)| value.as_ref());
        self.first.iter().map(|(_, value)| value).chain(row).chain(self.rest.values())
    }

    /// Gives what stood at this key.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let Some((first, of_first)) = &mut self.first else {
            self.first = Some((key, value));
            return None;
        };
        if key > *first {
            return self.insert_behind(key, value);
        }
        let before = mem::replace(of_first, value);
        if key == *first {
            return Some(before);
        }
        let second = mem::replace(first, key);
        self.row.push_front((second, Some(before)));
        None
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let (first, _) = self.first.as_ref()?;
        match key.cmp(first) {
            Ordering::Less => return None,
            Ordering::Equal => return self.pop_first().map(|(_, value)| value),
            Ordering::Greater => {}
        }
        let Ok(at) = self.row.binary_search_by_key(key, |(key, _)| *key) else { return self.rest.remove(key) };
        let value = self.row[at].1.take();
        self.gone += usize::from(value.is_some());
        self.trim();
        value
    }

    pub(crate) fn pop_first(&mut self) -> Option<(K, V)> {
        let of_row = self.row.front().map(|(key, _)| *key);
        let of_rest = self.rest.first_key_value().map(|(key, _)| *key);
        let next = if of_row.is_some_and(|of_row| of_rest.is_none_or(|of_rest| of_row < of_rest)) {
            self.row.pop_front().and_then(|(key, value)| Some((key, value?)))
        } else {
            self.rest.pop_first()
        };
        self.trim();
        mem::replace(&mut self.first, next)
    }

    pub(crate) fn pop_last(&mut self) -> Option<(K, V)> {
        let of_row = self.row.back().map(|(key, _)| *key);
        let of_rest = self.rest.last_key_value().map(|(key, _)| *key);
        if of_rest > of_row {
            return self.rest.pop_last();
        }
        let Some((key, value)) = self.row.pop_back() else { return self.first.take() };
        self.trim();
        value.map(|value| (key, value))
    }

    fn insert_behind(&mut self, key: K, value: V) -> Option<V> {
        if self.row.back().is_none_or(|(last, _)| *last < key) {
            self.row.push_back((key, Some(value)));
            return self.rest.remove(&key);
        }
        match self.row.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(at) => {
                let before = self.row[at].1.replace(value);
                self.gone -= usize::from(before.is_none());
                before
            }
            Err(_) => self.rest.insert(key, value),
        }
    }

    /// Something has gone from the row: leaves none at its ends that is gone, and neither many of these nor much room.
    fn trim(&mut self) {
        if self.gone > 0 {
            while self.row.pop_front_if(|(_, value)| value.is_none()).is_some()
                || self.row.pop_back_if(|(_, value)| value.is_none()).is_some()
            {
                self.gone -= 1;
            }
            if self.gone > GONE_KEPT.max(self.row.len() / 2) {
                self.row.retain(|(_, value)| value.is_some());
                self.gone = 0;
            }
        }
        if self.row.capacity() > ROOM_KEPT && self.row.len() < self.row.capacity() / 4 {
            self.row.shrink_to(ROOM_KEPT.max(self.row.len() * 2));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is done next, with a key that is near the last one or anywhere.
    #[derive(Debug, Clone, Copy)]
    enum Act {
        Append(u16),
        Insert(u16),
        Remove(u16),
        RemoveNth(usize),
        PopFirst,
        PopLast,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            6 => (0..4u16).prop_map(Act::Append),
            2 => (0..400u16).prop_map(Act::Insert),
            1 => (0..400u16).prop_map(Act::Remove),
            4 => any::<usize>().prop_map(Act::RemoveNth),
            2 => Just(Act::PopFirst),
            1 => Just(Act::PopLast),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_map(many in 0..300u16, acts in prop::collection::vec(act(), 0..400)) {
            let (mut queue, mut model) = (SortedQueue::default(), BTreeMap::new());
            for key in 0..many {
                queue.insert(key, 0);
                model.insert(key, 0);
            }
            for (value, act) in acts.into_iter().enumerate() {
                match act {
                    Act::Append(by) => {
                        let key = model.last_key_value().map_or(0, |(last, _)| *last) + by;
                        prop_assert_eq!(queue.insert(key, value), model.insert(key, value));
                    }
                    Act::Insert(key) => prop_assert_eq!(queue.insert(key, value), model.insert(key, value)),
                    Act::Remove(key) => prop_assert_eq!(queue.remove(&key), model.remove(&key)),
                    Act::RemoveNth(nth) => {
                        if let Some(key) = model.keys().copied().nth(nth % model.len().max(1)) {
                            prop_assert_eq!(queue.remove(&key), model.remove(&key));
                        }
                    }
                    Act::PopFirst => prop_assert_eq!(queue.pop_first(), model.pop_first()),
                    Act::PopLast => prop_assert_eq!(queue.pop_last(), model.pop_last()),
                }
                prop_assert_eq!(queue.first(), model.first_key_value().map(|(key, value)| (*key, value)));
                prop_assert_eq!(queue.last_key(), model.last_key_value().map(|(key, _)| *key));
                prop_assert_eq!((queue.len(), queue.is_empty()), (model.len(), model.is_empty()));
                let (mut values, mut all): (Vec<_>, Vec<_>) = (queue.values().collect(), model.values().collect());
                values.sort();
                all.sort();
                prop_assert_eq!(values, all);
            }
        }
    }

    #[test]
    fn what_goes_from_the_middle_takes_no_place_for_long() {
        let mut queue = SortedQueue::default();
        (0..10_000).for_each(|key| _ = queue.insert(key, ()));
        (1..9_999).for_each(|key| _ = queue.remove(&key));
        assert_eq!(queue.len(), 2);
        assert!(queue.row.len() <= 2 * GONE_KEPT + 2 && queue.row.capacity() <= 2 * ROOM_KEPT, "{:?}", queue.row);
    }

    #[test]
    fn one_alone_takes_no_memory_elsewhere() {
        let mut queue = SortedQueue::default();
        for key in 0..10 {
            queue.insert(key, ());
            assert_eq!(queue.pop_first(), Some((key, ())));
        }
        assert_eq!(queue.row.capacity(), 0);
    }
}
