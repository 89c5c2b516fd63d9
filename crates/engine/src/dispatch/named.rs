//! What clients have named, by its name and by a small number that is quicker.

use std::hash::BuildHasher;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use slab::Slab;

/// What has a name, or none as one of its kind has.
pub(super) trait Named {
    fn name(&self) -> &Option<Arc<str>>;
}

/// All of a kind. Names are kept with what they name only, and looked for with a hash that nobody can foresee.
#[derive(Debug)]
pub(super) struct AllNamed<T> {
    all: Slab<(u64, T)>,
    numbers: HashTable<usize>,
    hasher: RandomState,
}

impl<T> Default for AllNamed<T> {
    fn default() -> AllNamed<T> {
        AllNamed { all: Slab::new(), numbers: HashTable::new(), hasher: RandomState::default() }
    }
}

impl<T: Named> AllNamed<T> {
    pub(super) fn find(&self, name: &Option<Arc<str>>) -> Option<usize> {
        let hash = self.hasher.hash_one(name);
        self.numbers.find(hash, |number| self.all[*number].1.name() == name).copied()
    }

    /// The number of what has this name, which is made where there is none.
    pub(super) fn number(&mut self, name: &Option<Arc<str>>, make: impl FnOnce() -> T) -> usize {
        let AllNamed { all, numbers, hasher } = self;
        let hash = hasher.hash_one(name);
        if let Some(number) = numbers.find(hash, |number| all[*number].1.name() == name) {
            return *number;
        }
        let number = all.insert((hash, make()));
        numbers.insert_unique(hash, number, |number| all[*number].0);
        number
    }

    pub(super) fn remove(&mut self, number: usize) {
        let (hash, _) = self.all.remove(number);
        if let Ok(entry) = self.numbers.find_entry(hash, |other| *other == number) {
            entry.remove();
        }
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = usize> {
        self.all.iter().map(|(number, _)| number)
    }

    /// For how many there is room.
    pub(super) fn capacity(&self) -> usize {
        self.all.capacity()
    }
}

impl<T> Index<usize> for AllNamed<T> {
    type Output = T;

    fn index(&self, number: usize) -> &T {
        &self.all[number].1
    }
}

impl<T> IndexMut<usize> for AllNamed<T> {
    fn index_mut(&mut self, number: usize) -> &mut T {
        &mut self.all[number].1
    }
}
