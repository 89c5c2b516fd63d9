use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// How many attempts are under way. How many may be is for whoever begins them to say, anew each time.
#[derive(Debug, Default)]
pub(super) struct Slots {
    taken: AtomicUsize,
    freed: Notify,
}

impl Slots {
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }

    /// Waits until one is given back; one that was since this was asked last is told at once.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }

    pub(super) fn take(self: &Arc<Slots>) -> Slot {
        self.taken.fetch_add(1, Ordering::AcqRel);
        Slot(Arc::clone(self))
    }
}

/// One attempt's share, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot(Arc<Slots>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
        self.0.freed.notify_one();
    }
}
