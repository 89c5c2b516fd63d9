//! Copies the write-ahead log into the database, off the thread that commits.
//!
//! SQLite starts the log anew only when all of it is copied and nobody reads from it, which never
//! happens by itself while the writer goes on. So the log is copied beside the writer, again and again,
//! until what is left is short; for that rest the writer is held. Then it writes over the log's
//! beginning, which costs half the sync of appending to it.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use crate::error::OpenError;
use crate::shared::Shared;
use crate::store::{PAGE_SIZE, configure};

/// Pages for which the writer is held, a few milliseconds of work.
const SHORT: u64 = 512;

/// How often the log is copied beside the writer before it is held all the same: so the log stays
/// within a few times of what it is when copying begins, however fast the writer.
const ROUNDS: u32 = 4;

/// How many steps the log may grow while it is copied. Then the writer waits: a thread that gets no
/// processor must not let it grow for ever.
pub(crate) const MOST: u64 = 4;

/// How long a reader may keep the log from starting anew while the writer is held.
pub(crate) const READERS: Duration = Duration::from_millis(100);

/// The gate through which the writer goes into each transaction.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// The length of the log in pages.
    pages: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Pages that the log grows by until it is copied.
    step: u64,
    /// Pages of the log from which on it is to be copied.
    due_at: u64,
    due: bool,
    writing: bool,
    held: bool,
    closing: bool,
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the log is so long that its copying must end first. A copy that fails ends as well.
    fn is_behind(&self, state: &State) -> bool {
        state.due && !state.closing && self.pages.load(Ordering::Relaxed) >= state.due_at + MOST * state.step
    }

    /// The writer begins a transaction, as soon as it may.
    pub(crate) fn enter(&self) {
        let mut state = self.state();
        while state.held || self.is_behind(&state) {
            state = self.wait(state);
        }
        state.writing = true;
    }

    /// The writer has ended its transaction.
    pub(crate) fn leave(&self) {
        let mut state = self.state();
        state.writing = false;
        let due = !state.due && self.pages.load(Ordering::Relaxed) >= state.due_at;
        state.due |= due;
        if due || state.held {
            self.changed.notify_all();
        }
    }

    /// Lets `connection` tell how long the log is after each of its commits.
    pub(crate) fn watch(self: &Arc<Gate>, connection: &mut Connection) -> rusqlite::Result<()> {
        let gate = Arc::clone(self);
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
            gate.pages.store(pages.unsigned_abs().into(), Ordering::Relaxed);
            Ok(())
        }))
    }
}

/// The thread that copies. It ends with this.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    gate: Arc<Gate>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts to copy the log of the database at `path` whenever it is `at` bytes long.
    pub(crate) fn start(
        path: &Path,
        at: u64,
        gate: &Arc<Gate>,
        shared: &Arc<Shared>,
    ) -> Result<Checkpointer, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        configure(&connection, 1 << 20)?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.busy_timeout(READERS)?;
        let step = (at / u64::from(PAGE_SIZE)).max(1);
        {
            let mut state = gate.state();
            (state.step, state.due_at) = (step, step);
        }
        let copier = Copier { connection, gate: Arc::clone(gate), shared: Arc::clone(shared), step };
        let thread = std::thread::Builder::new().name("ackd-checkpoint".to_owned()).spawn(move || copier.run());
        let thread = thread.map_err(|error| OpenError::io(path, error))?;
        Ok(Checkpointer { gate: Arc::clone(gate), thread: Some(thread) })
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.gate.state().closing = true;
        self.gate.changed.notify_all();
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the thread that copies the write-ahead log had ended in a panic");
        }
    }
}

struct Copier {
    connection: Connection,
    gate: Arc<Gate>,
    shared: Arc<Shared>,
    step: u64,
}

impl Copier {
    fn run(self) {
        loop {
            let mut state = self.gate.state();
            while !state.due && !state.closing {
                state = self.gate.wait(state);
            }
            let closing = state.closing;
            drop(state);
            if closing {
                self.copy_the_rest();
                return;
            }
            let copied = self.copy();
            let pages = self.gate.pages.load(Ordering::Relaxed);
            if let Err(error) = &copied {
                self.failed(error, pages);
            } else {
                self.shared.trouble.passing("wal", None);
            }
            let mut state = self.gate.state();
            // A log that could not be started anew is tried again when it has grown by as much.
            state.due_at = if copied.is_ok() { self.step } else { pages + self.step };
            state.due = false;
            drop(state);
            self.gate.changed.notify_all();
        }
    }

    /// Copies the log until the writer can start it anew.
    fn copy(&self) -> rusqlite::Result<()> {
        for _ in 0..ROUNDS {
            if self.shared.trouble.failure().is_some() {
                return Ok(());
            }
            let (_, copied) = self.connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE)?;
            let copied = u64::from(copied.unsigned_abs());
            if self.gate.pages.load(Ordering::Relaxed).saturating_sub(copied) <= SHORT {
                break;
            }
        }
        let _held = Hold::new(&self.gate);
        self.connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::RESTART)?;
        self.gate.pages.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Leaves a database that is whole by itself, and no log: a bit that turned in one of which everything is copied would have the
    /// next start put older pages over newer ones. If this fails, the next start copies it.
    fn copy_the_rest(&self) {
        if self.shared.trouble.failure().is_none()
            && let Err(error) = self.connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::TRUNCATE)
        {
            tracing::warn!("the write-ahead log is left to the next start: {error}");
        }
    }

    /// A full disk passes, and so does a reader that does not let go. A sync that failed does not: what
    /// the database holds since is unknown.
    fn failed(&self, error: &rusqlite::Error, pages: u64) {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull};
        let bytes = pages * u64::from(PAGE_SIZE);
        let trouble = &self.shared.trouble;
        match error.sqlite_error_code() {
            // As often as not the reader has gone by the next time.
            Some(DatabaseBusy | DatabaseLocked) if pages < 4 * self.step => {}
            Some(DatabaseBusy | DatabaseLocked | DiskFull) => {
                trouble.passing(
                    "wal",
                    Some(format!("the write-ahead log has {bytes} bytes and cannot be copied: {error}")),
                );
            }
            _ => trouble.fail(&format!("the write-ahead log cannot be copied: {error}")),
        }
    }
}

/// Holds the writer between two transactions, until it is dropped.
struct Hold<'a>(&'a Gate);

impl Hold<'_> {
    fn new(gate: &Gate) -> Hold<'_> {
        let mut state = gate.state();
        state.held = true;
        // A writer that panics in its transaction never leaves it.
        while state.writing && !state.closing {
            state = gate.wait(state);
        }
        Hold(gate)
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.0.state().held = false;
        self.0.changed.notify_all();
    }
}
