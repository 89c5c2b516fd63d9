use ackd_domain::Name;
use rustc_hash::FxHashMap;

/// The jobs that are leased, or assigned to somebody who asks, and belong to a group: a job counts once,
/// however often it is told.
#[derive(Debug, Default)]
pub(super) struct Live(FxHashMap<u64, (Name, usize)>);

impl Live {
    /// The job of this number runs, of this queue and its group. Says whether that is new.
    pub(super) fn begin(&mut self, number: u64, queue: &Name, group: usize) -> bool {
        let is_new = !self.0.contains_key(&number);
        if is_new {
            self.0.insert(number, (queue.clone(), group));
        }
        is_new
    }

    /// The job of this number does not run. Gives its queue and group if it did.
    pub(super) fn end(&mut self, number: u64) -> Option<(Name, usize)> {
        self.0.remove(&number)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
