//! A ledger in memory, for tests and simulations.

mod batch;
mod disk;
mod faults;
mod reader;
mod state;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ackd_domain::{Command, Position, Timestamp};

pub use disk::MemoryDisk;
pub use faults::Faults;
pub use reader::MemoryReader;

use ackd_ports::{Applied, Entropy, Ledger, LedgerError, Reactor, decide_batch};
use batch::Batch;
use state::State;

/// A ledger that keeps everything in memory. The same commands and the same entropy give the same
/// jobs, changes and answers in the same order.
///
/// It is as durable as the process, or as its [`MemoryDisk`]. What is committed and what is drawn stand apart, so that a batch
/// which fails leaves nothing of the one behind and uses up the other.
pub struct MemoryLedger {
    state: Shared,
    drawn: Drawn,
    /// What outlives it, if anything does.
    disk: Option<MemoryDisk>,
}

/// What is committed, as the writer and its readers share it.
type Shared = Arc<Mutex<State>>;

/// What was drawn last, committed or not.
struct Drawn {
    number: u64,
    position: Position,
    entropy: Box<dyn Entropy>,
}

impl MemoryLedger {
    /// An empty ledger that takes its chance from `entropy`.
    #[must_use]
    pub fn new(entropy: impl Entropy + 'static) -> MemoryLedger {
        MemoryLedger {
            state: Shared::default(),
            drawn: Drawn { number: 0, position: Position::START, entropy: Box::new(entropy) },
            disk: None,
        }
    }

    fn over(
        state: State,
        (number, position): (u64, Position),
        disk: MemoryDisk,
        entropy: impl Entropy + 'static,
    ) -> MemoryLedger {
        let drawn = Drawn { number, position, entropy: Box::new(entropy) };
        MemoryLedger { state: Arc::new(Mutex::new(state)), drawn, disk: Some(disk) }
    }

    /// What reads this ledger, and its change feed.
    #[must_use]
    pub fn reader(&self) -> Arc<MemoryReader> {
        Arc::new(MemoryReader::of(&self.state))
    }

    /// What makes this ledger fail.
    #[must_use]
    pub fn faults(&self) -> Faults {
        Faults::of(&self.state)
    }
}

impl Ledger for MemoryLedger {
    fn apply(
        &mut self,
        commands: Vec<Command>,
        now: Timestamp,
        reactor: &mut dyn Reactor,
    ) -> Result<Applied, LedgerError> {
        locked(&self.state).check()?;
        let mut batch = Batch::new(&self.state, &mut self.drawn);
        let decided = decide_batch(&mut batch, commands, now, reactor);
        let writes = batch.into_writes();
        let Some(disk) = &self.disk else {
            let applied = decided?;
            locked(&self.state).commit(writes, &applied.changes)?;
            return Ok(applied);
        };
        disk.drawn(self.drawn.number, self.drawn.position);
        let applied = decided?;
        locked(&self.state).commit(writes.clone(), &applied.changes)?;
        disk.write(writes, &applied.changes);
        Ok(applied)
    }
}

impl fmt::Debug for MemoryLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLedger")
            .field("number", &self.drawn.number)
            .field("position", &self.drawn.position)
            .finish_non_exhaustive()
    }
}

/// The state, locked for the shortest time: a reactor may read while a batch is decided. Nothing
/// panics half-way through a commit, so a poisoned lock guards a whole state all the same.
fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
