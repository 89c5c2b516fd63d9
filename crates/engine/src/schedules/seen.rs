use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use ackd_domain::{Name, Schedule};

/// The schedules as they are committed. The core writes them down before it answers whoever changed them.
#[derive(Debug, Default)]
pub(crate) struct SchedulesSeen(RwLock<BTreeMap<Name, Arc<Schedule>>>);

impl SchedulesSeen {
    /// These are all.
    pub(crate) fn new(schedules: Vec<Arc<Schedule>>) -> SchedulesSeen {
        SchedulesSeen(RwLock::new(schedules.into_iter().map(|it| (it.name.clone(), it)).collect()))
    }

    /// This one is so from now on.
    pub(crate) fn put(&self, schedule: &Arc<Schedule>) {
        let mut by_name = self.0.write().unwrap_or_else(PoisonError::into_inner);
        by_name.insert(schedule.name.clone(), Arc::clone(schedule));
    }

    /// There is none of this name any more.
    pub(crate) fn delete(&self, name: &Name) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Schedule>> {
        self.read().values().cloned().collect()
    }

    /// The one of this name.
    pub(crate) fn of(&self, name: &Name) -> Option<Arc<Schedule>> {
        self.read().get(name).cloned()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<Name, Arc<Schedule>>> {
        // A map cannot be left half changed by a panic.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}
