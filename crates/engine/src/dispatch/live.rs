use ackd_domain::Name;
use rustc_hash::FxHashMap;

/// The jobs that are leased, or assigned to somebody who asks: a job counts once, however often it is told.
#[derive(Debug, Default)]
pub(super) struct Live(FxHashMap<u64, Running>);

/// A job that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) queue: Name,
    pub(super) group: usize,
    /// It is not leased yet.
    pub(super) is_assigned: bool,
}

impl Live {
    /// The job of this number, of which nothing is known yet, runs.
    pub(super) fn begin(&mut self, number: u64, running: Running) {
        self.0.insert(number, running);
    }

    pub(super) fn get(&mut self, number: u64) -> Option<&mut Running> {
        self.0.get_mut(&number)
    }

    /// The job of this number does not run. Gives what is known of it if it did.
    pub(super) fn end(&mut self, number: u64) -> Option<Running> {
        self.0.remove(&number)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
