use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::error::KeyIndexError;
use super::view::View;

/// What the owner of the index and its keeper share.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Counts the views, so that the owner sees a new one without the lock.
    generation: AtomicU64,
    /// There may be work for the keeper.
    work: Condvar,
    /// The keeper has done some, or has trouble.
    done: Condvar,
}

pub(super) struct State {
    pub(super) view: Arc<View>,
    /// Views before it that may be in use. The keeper drops them, for giving back megabytes of memory
    /// takes longer than the owner has.
    pub(super) superseded: Vec<Arc<View>>,
    /// Every key of a job below is in the runs.
    pub(super) covered: u64,
    /// Keys of jobs below count no more.
    pub(super) retired: u64,
    /// Counts how often the owner took back runs and tables; what the keeper began before is void.
    pub(super) epoch: u64,
    /// Files that no view needs any more.
    pub(super) garbage: Vec<PathBuf>,
    /// Why each chore failed when it was last tried.
    pub(super) troubles: [Option<Arc<KeyIndexError>>; Chore::COUNT],
    /// Something changed since the keeper last looked.
    pub(super) nudged: bool,
    /// The keeper is to end.
    pub(super) closing: bool,
    /// There is a keeper.
    pub(super) kept: bool,
}

/// What the keeper does, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chore {
    /// Write sealed tables.
    Write,
    /// Remove files that no view needs.
    Remove,
    /// Merge runs.
    Merge,
    /// Read runs. One that cannot be read is let be.
    Verify,
}

impl Chore {
    pub(super) const COUNT: usize = 4;
}

impl State {
    pub(super) fn trouble(&mut self, chore: Chore) -> &mut Option<Arc<KeyIndexError>> {
        &mut self.troubles[chore as usize]
    }
}

impl Shared {
    pub(super) fn new(view: View, covered: u64, retired: u64) -> Shared {
        Shared {
            state: Mutex::new(State {
                view: Arc::new(view),
                superseded: Vec::new(),
                covered,
                retired,
                epoch: 0,
                garbage: Vec::new(),
                troubles: Default::default(),
                nudged: true,
                closing: false,
                kept: false,
            }),
            generation: AtomicU64::new(0),
            work: Condvar::new(),
            done: Condvar::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Puts a new view in place of the present one.
    pub(super) fn publish(&self, state: &mut State, view: View) {
        let superseded = std::mem::replace(&mut state.view, Arc::new(view));
        state.superseded.push(superseded);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Tells the keeper that there may be work.
    pub(super) fn nudge(&self, state: &mut State) {
        state.nudged = true;
        self.work.notify_one();
    }

    /// Waits for [`nudge`](Shared::nudge), at most `limit` if there is one.
    pub(super) fn wait_for_work(&self, limit: Option<Duration>) {
        let state = self.lock();
        let idle = |state: &mut State| !state.nudged && !state.closing;
        match limit {
            Some(limit) => drop(self.work.wait_timeout_while(state, limit, idle)),
            None => drop(self.work.wait_while(state, idle)),
        }
    }

    /// Tells the owner that the keeper has done something, or has trouble.
    pub(super) fn report(&self) {
        self.done.notify_all();
    }

    /// Waits until fewer than `tables` are sealed, or until waiting is of no use.
    pub(super) fn wait_for_room(&self, tables: usize) -> MutexGuard<'_, State> {
        self.done
            .wait_while(self.lock(), |state| {
                state.view.sealed.len() >= tables && state.kept && state.trouble(Chore::Write).is_none()
            })
            .unwrap_or_else(PoisonError::into_inner)
    }
}
