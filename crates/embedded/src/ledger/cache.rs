use std::collections::BTreeMap;

use ackd_domain::Status;
use rustc_hash::FxHashMap;

use crate::rows::Loaded;

/// The live jobs that the writer knows without reading: those that were accepted lately, and those that
/// are being worked on. What a batch needs it takes out, and puts back as it was committed.
#[derive(Debug)]
pub(super) struct Cache {
    waiting: BTreeMap<u64, Loaded>,
    working: FxHashMap<u64, Loaded>,
    capacity: usize,
}

impl Cache {
    /// A cache of at most `capacity` jobs, and of one at least.
    pub(super) fn new(capacity: usize) -> Cache {
        Cache { waiting: BTreeMap::new(), working: FxHashMap::default(), capacity: capacity.max(1) }
    }

    /// The job of this number, which is no longer in the cache then: it is about to change, and if its
    /// batch fails it is read again.
    pub(super) fn take(&mut self, number: u64) -> Option<Loaded> {
        self.working.remove(&number).or_else(|| self.waiting.remove(&number))
    }

    /// Remembers a job as it was committed. One that has ended is not kept: hardly anybody asks again.
    pub(super) fn put(&mut self, number: u64, loaded: Loaded) {
        match loaded.job.status {
            Status::Init => self.waiting.insert(number, loaded),
            Status::Processing => self.working.insert(number, loaded),
            Status::Done | Status::Failed | Status::Cancelled | Status::Expired => return,
        };
        // Those that wait go first, and among them the oldest: one that still waits when thousands
        // have come after it waits for a reason, or is read again with thousands of its like.
        while self.waiting.len() + self.working.len() > self.capacity {
            if self.waiting.pop_first().is_none() {
                let Some(number) = self.working.keys().next().copied() else { return };
                self.working.remove(&number);
            }
        }
    }
}
