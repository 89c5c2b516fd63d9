//! Hands committed changes to those who follow a job.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ackd_domain::Change;
use rustc_hash::FxHashMap;
use tokio::sync::Notify;

/// The most changes that wait for one follower. One that falls behind further reads the ledger instead.
const WAITING_CHANGES: usize = 32;

/// Who follows which job.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    followers: Mutex<FxHashMap<u64, Vec<Arc<Slot>>>>,
    /// The server stops: whoever begins to follow is told so at once. It changes under the lock of `followers`.
    closed: AtomicBool,
    /// How many follow, so that publishing costs nothing while nobody does.
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Slot {
    state: Mutex<SlotState>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct SlotState {
    changes: VecDeque<Change>,
    lagging: bool,
    closed: bool,
}

/// What a follower gets.
#[derive(Debug)]
pub(crate) enum Followed {
    /// A change of the job.
    Change(Change),
    /// Some changes were not kept: read the ledger.
    Lagging,
    /// The server stops.
    Closed,
}

impl Hub {
    /// Follows the job with this acceptance number from now on.
    pub(crate) fn follow(self: &Arc<Hub>, number: u64) -> Following {
        let slot = Arc::new(Slot::default());
        let mut followers = lock(&self.followers);
        lock(&slot.state).closed = self.closed.load(Ordering::Relaxed);
        followers.entry(number).or_default().push(Arc::clone(&slot));
        drop(followers);
        self.count.fetch_add(1, Ordering::SeqCst);
        Following { hub: Arc::clone(self), number, slot }
    }

    /// Hands on committed changes, in the order of the feed.
    pub(crate) fn publish(&self, changes: &[Change]) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let followers = lock(&self.followers);
        for change in changes {
            let Some(slots) = followers.get(&change.job.id.number()) else { continue };
            for slot in slots {
                slot.put(change);
            }
        }
    }

    /// How many follow a job.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Tells everybody that the server stops.
    pub(crate) fn close(&self) {
        let followers = lock(&self.followers);
        self.closed.store(true, Ordering::Relaxed);
        for slot in followers.values().flatten() {
            lock(&slot.state).closed = true;
            slot.changed.notify_one();
        }
    }
}

impl Slot {
    fn put(&self, change: &Change) {
        let mut state = lock(&self.state);
        if state.changes.len() < WAITING_CHANGES {
            state.changes.push_back(change.clone());
        } else {
            state.changes.clear();
            state.lagging = true;
        }
        drop(state);
        self.changed.notify_one();
    }
}

/// One follower of one job. Dropping it ends the following.
#[derive(Debug)]
pub(crate) struct Following {
    hub: Arc<Hub>,
    number: u64,
    slot: Arc<Slot>,
}

impl Following {
    /// The next thing to know. May be cancelled and called again.
    pub(crate) async fn next(&self) -> Followed {
        loop {
            {
                let mut state = lock(&self.slot.state);
                if std::mem::take(&mut state.lagging) {
                    return Followed::Lagging;
                }
                if let Some(change) = state.changes.pop_front() {
                    return Followed::Change(change);
                }
                if state.closed {
                    return Followed::Closed;
                }
            }
            self.slot.changed.notified().await;
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut followers = lock(&self.hub.followers);
        if let Some(slots) = followers.get_mut(&self.number) {
            slots.retain(|slot| !Arc::ptr_eq(slot, &self.slot));
            if slots.is_empty() {
                followers.remove(&self.number);
            }
        }
        self.hub.count.fetch_sub(1, Ordering::SeqCst);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks can be left half changed by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
