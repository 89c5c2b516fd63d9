use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ackd_domain::{Change, Position, Write};

use ackd_ports::Entropy;

use super::MemoryLedger;
use super::state::State;

/// What of a [`MemoryLedger`] outlives it: a disk that has written what the ledger committed, and on which only what was
/// synced outlives a power cut. For simulations, which say when it is synced. A clone is the same disk.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<Written>>);

#[derive(Debug, Default)]
struct Written {
    batches: Vec<(Vec<Write>, Arc<[Change]>)>,
    /// So many of them outlive a power cut.
    synced: usize,
    /// The last number and position that were drawn, which are kept whatever becomes of what they were drawn for.
    drawn: (u64, Position),
}

impl MemoryDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> MemoryDisk {
        MemoryDisk::default()
    }

    /// A ledger with what the disk holds, which takes its chance from `entropy` and writes to the disk what it commits. It
    /// is no longer to be used once there is another.
    #[must_use]
    pub fn open(&self, entropy: impl Entropy + 'static) -> MemoryLedger {
        let written = self.written();
        let mut state = State::default();
        for (writes, changes) in &written.batches {
            state.restore(writes.clone(), changes);
        }
        MemoryLedger::over(state, written.drawn, self.clone(), entropy)
    }

    /// Sees to it that all that was written until now outlives a power cut.
    pub fn sync(&self) {
        let mut written = self.written();
        written.synced = written.batches.len();
    }

    /// How many batches would not outlive a power cut.
    #[must_use]
    pub fn unsynced(&self) -> usize {
        let written = self.written();
        written.batches.len() - written.synced
    }

    /// The power is cut. Of what was not synced only the first `lucky` batches happen to be there.
    pub fn cut(&self, lucky: usize) {
        let mut written = self.written();
        let kept = written.synced + lucky;
        written.batches.truncate(kept);
        written.synced = written.batches.len();
    }

    /// Loses the last batch, as where an fsync fails and the pages are marked clean all the same.
    pub fn lose_last(&self) {
        let mut written = self.written();
        written.batches.pop();
        written.synced = written.synced.min(written.batches.len());
    }

    pub(super) fn write(&self, writes: Vec<Write>, changes: &Arc<[Change]>) {
        self.written().batches.push((writes, Arc::clone(changes)));
    }

    pub(super) fn drawn(&self, number: u64, position: Position) {
        self.written().drawn = (number, position);
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        // Nothing under the lock can be left half changed by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
