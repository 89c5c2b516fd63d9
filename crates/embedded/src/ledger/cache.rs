use std::collections::BTreeMap;

use ackd_domain::Status;

use crate::rows::Loaded;

/// The live jobs that the writer knows without reading: those that were accepted lately, and those that
/// are being worked on.
#[derive(Debug)]
pub(crate) struct Cache {
    waiting: BTreeMap<u64, Loaded>,
    working: BTreeMap<u64, Loaded>,
    capacity: usize,
}

impl Cache {
    /// A cache of at most `capacity` jobs, and of one at least.
    pub(crate) fn new(capacity: usize) -> Cache {
        Cache { waiting: BTreeMap::new(), working: BTreeMap::new(), capacity: capacity.max(1) }
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Loaded> {
        self.working.get(&number).or_else(|| self.waiting.get(&number))
    }

    /// Remembers a job as it was committed. One that has ended is forgotten: hardly anybody asks again.
    pub(crate) fn put(&mut self, number: u64, loaded: Loaded) {
        match loaded.job.status {
            Status::Init => {
                self.working.remove(&number);
                self.waiting.insert(number, loaded);
            }
            Status::Processing => {
                self.waiting.remove(&number);
                self.working.insert(number, loaded);
            }
            Status::Done | Status::Failed | Status::Cancelled | Status::Expired => self.remove(number),
        }
        // Those that wait go first, and among them the oldest: one that still waits when thousands
        // have come after it waits for a reason, or is read again with thousands of its like.
        while self.waiting.len() + self.working.len() > self.capacity {
            if self.waiting.pop_first().is_none() {
                self.working.pop_first();
            }
        }
    }

    pub(crate) fn remove(&mut self, number: u64) {
        if self.working.remove(&number).is_none() {
            self.waiting.remove(&number);
        }
    }
}
