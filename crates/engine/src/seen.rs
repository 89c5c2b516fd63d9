use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use ackd_domain::{Endpoint, Name, Schedule};

/// What clients gave a name, as it is committed. The core writes it down before it tells of what was committed with it or
/// later, and before it answers whoever changed it: whoever sees a change knows everything that was there before it.
#[derive(Debug)]
pub(crate) struct Seen<T> {
    /// Whether there is any: mostly there is none, and some ask with every change.
    any: AtomicBool,
    by_name: RwLock<BTreeMap<Name, Arc<T>>>,
}

/// What has a name.
pub(crate) trait Named {
    fn name(&self) -> &Name;
}

impl Named for Endpoint {
    fn name(&self) -> &Name {
        &self.name
    }
}

impl Named for Schedule {
    fn name(&self) -> &Name {
        &self.name
    }
}

impl<T> Default for Seen<T> {
    fn default() -> Seen<T> {
        Seen { any: AtomicBool::new(false), by_name: RwLock::default() }
    }
}

impl<T: Named> Seen<T> {
    /// These are all.
    pub(crate) fn new(all: Vec<Arc<T>>) -> Seen<T> {
        let by_name: BTreeMap<_, _> = all.into_iter().map(|it| (it.name().clone(), it)).collect();
        Seen { any: AtomicBool::new(!by_name.is_empty()), by_name: RwLock::new(by_name) }
    }

    /// This one is so from now on.
    pub(crate) fn put(&self, one: &Arc<T>) {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        by_name.insert(one.name().clone(), Arc::clone(one));
        self.any.store(true, Ordering::Release);
    }

    /// There is none of this name any more.
    pub(crate) fn delete(&self, name: &Name) {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        by_name.remove(name);
        self.any.store(!by_name.is_empty(), Ordering::Release);
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        self.read().values().cloned().collect()
    }

    /// The one of this name.
    pub(crate) fn of(&self, name: &Name) -> Option<Arc<T>> {
        self.read().get(name).cloned()
    }

    /// Those for which `holds`; it is asked of none where there is none.
    pub(crate) fn of_which(&self, holds: impl Fn(&T) -> bool) -> Vec<Arc<T>> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.read().values().filter(|one| holds(one)).cloned().collect()
    }

    /// Whether `holds` for any of them.
    pub(crate) fn has(&self, holds: impl Fn(&T) -> bool) -> bool {
        self.any.load(Ordering::Acquire) && self.read().values().any(|one| holds(one))
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Name, Arc<T>>> {
        // A map cannot be left half changed by a panic.
        self.by_name.read().unwrap_or_else(PoisonError::into_inner)
    }
}
