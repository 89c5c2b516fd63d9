use std::sync::{Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

use crate::rows::Loaded;

/// The most jobs that wait here to be leased. Whoever pages them in has as many in memory anyway.
const HELD: usize = 16 << 10;

/// Waiting jobs that a reader has paged in for dispatch. They are leased next, so the writer takes them
/// from here rather than read them once more.
///
/// The reader's snapshot may be older than the writer's last commit. So each job comes with the position
/// as of which it was read, and the writer takes it only if it has not written that job since.
#[derive(Debug, Default)]
pub(crate) struct Paged(Mutex<FxHashMap<u64, PagedJob>>);

/// A job as of a position.
#[derive(Debug)]
pub(crate) struct PagedJob {
    pub(crate) loaded: Loaded,
    pub(crate) as_of: u64,
}

impl Paged {
    fn jobs(&self) -> MutexGuard<'_, FxHashMap<u64, PagedJob>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds the jobs of a page, all read as of `as_of`.
    pub(crate) fn put(&self, page: impl ExactSizeIterator<Item = Loaded>, as_of: u64) {
        let mut jobs = self.jobs();
        if jobs.len() + page.len() > HELD {
            // Nobody came for what is there: it is read again if somebody does.
            jobs.clear();
        }
        jobs.extend(page.take(HELD).map(|loaded| (loaded.job.id.number(), PagedJob { loaded, as_of })));
    }

    /// Gives a job away.
    pub(crate) fn take(&self, number: u64) -> Option<PagedJob> {
        self.jobs().remove(&number)
    }
}
