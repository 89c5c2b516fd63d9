//! The part of a lane's waiting jobs that stands in memory.
//!
//! A window always holds exactly the first jobs of its lane, up to its horizon; what lies beyond is in
//! the ledger only and is read page by page as the window runs low. So a backlog costs no memory, and
//! what it costs to take the next job does not depend on how many wait behind it.

use ackd_domain::Timestamp;
use ackd_ports::Ready;

use crate::sorted_queue::SortedQueue;

/// A job's place in its lane: when it is due, and its acceptance number.
pub(super) type Key = (Timestamp, u64);

/// How much of the backlog is held in memory.
#[derive(Debug, Clone, Copy)]
pub struct WindowLimits {
    /// The most waiting jobs of one lane.
    pub jobs: usize,
    /// How many jobs are read from the ledger at once.
    pub page: usize,
    /// The largest payload that is kept beside its job, in bytes.
    pub payload: usize,
    /// The bytes of payload of all lanes together.
    pub payloads: usize,
    /// The bytes of payload of jobs that are held back, all together.
    pub held: usize,
    /// The most waiting jobs of all lanes together, of whatever queue; a page that somebody waits for may come
    /// on top.
    pub total: usize,
}

impl Default for WindowLimits {
    fn default() -> WindowLimits {
        WindowLimits { jobs: 4096, page: 1024, payload: 16 << 10, payloads: 16 << 20, held: 2 << 20, total: 16 << 10 }
    }
}

#[derive(Debug, Default)]
pub(super) struct Window {
    jobs: SortedQueue<Key, Ready>,
    beyond: Beyond,
    /// What happened beyond the horizon since a page was asked for; `None` while none is.
    since: Option<Since>,
}

/// What lies behind the jobs in memory.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Beyond {
    /// Nothing: the window holds the whole lane.
    #[default]
    Nothing,
    /// Jobs in the ledger after this key, or from the start of the lane; none of them is due before this time.
    After(Option<Key>, Timestamp),
}

/// A page shows the ledger as of some moment after it was asked for; what happened meanwhile is laid over it.
#[derive(Debug, Default)]
struct Since {
    events: Vec<(Key, Option<Ready>)>,
    /// There were more than the window holds: the page cannot be used.
    too_many: bool,
}

impl Window {
    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(super) fn head(&self) -> Option<Key> {
        self.jobs.first().map(|(key, _)| key)
    }

    pub(super) fn pop(&mut self) -> Option<Ready> {
        self.jobs.pop_first().map(|(_, ready)| ready)
    }

    /// When the first waiting job is due, at the earliest; `None` where there is none, or where a page will tell.
    pub(super) fn due(&self) -> Option<Timestamp> {
        match (self.head(), self.beyond) {
            (Some((run_at, _)), _) => Some(run_at),
            (None, Beyond::After(_, due)) if self.since.is_none() => Some(due),
            (None, _) => None,
        }
    }

    /// Whether the lane has no waiting jobs at all.
    pub(super) fn is_void(&self) -> bool {
        self.jobs.is_empty() && self.beyond == Beyond::Nothing && self.since.is_none()
    }

    /// Makes the window look into the ledger from the start of its lane. Gives the bytes of payload freed.
    pub(super) fn restart(&mut self) -> usize {
        let freed: isize = self.jobs.values().map(size).sum();
        self.jobs = SortedQueue::default();
        self.beyond = Beyond::After(None, Timestamp::default());
        if let Some(since) = &mut self.since {
            since.too_many = true;
        }
        freed.unsigned_abs()
    }

    /// Takes in a waiting job if it lies before the horizon. Gives the bytes of payload gained.
    pub(super) fn insert(&mut self, key: Key, ready: Ready, limit: usize) -> isize {
        if let Beyond::After(horizon, due) = &mut self.beyond
            && horizon.is_none_or(|horizon| key > horizon)
        {
            *due = key.0.min(*due);
            self.note(key, Some(ready), limit);
            return 0;
        }
        let mut gained = size(&ready);
        if let Some(old) = self.jobs.insert(key, ready) {
            gained -= size(&old);
        }
        gained - self.shrink(limit)
    }

    /// Forgets a job that no longer waits. Gives the bytes of payload freed.
    pub(super) fn remove(&mut self, key: Key) -> usize {
        match self.jobs.remove(&key) {
            Some(ready) => size(&ready).unsigned_abs(),
            None => {
                // What the page cannot bring must not be taken out again when it comes: by then the job may be back.
                if self.is_beyond(key) {
                    self.note(key, None, usize::MAX);
                }
                0
            }
        }
    }

    /// Whether a job with this key stands in the ledger only.
    fn is_beyond(&self, key: Key) -> bool {
        matches!(self.beyond, Beyond::After(horizon, _) if horizon.is_none_or(|horizon| key > horizon))
    }

    fn note(&mut self, key: Key, event: Option<Ready>, limit: usize) {
        if let Some(since) = &mut self.since {
            if since.events.len() < limit {
                since.events.push((key, event));
            } else {
                since.too_many = true;
            }
        }
    }

    /// Drops jobs from the end until `limit` are left. Gives the bytes of payload freed.
    pub(super) fn shrink(&mut self, limit: usize) -> isize {
        let mut freed = 0;
        while self.jobs.len() > limit
            && let Some((key, ready)) = self.jobs.pop_last()
        {
            freed += size(&ready);
            self.beyond = Beyond::After(self.jobs.last_key(), key.0);
            // The horizon moved towards the front: a page that was asked for no longer joins on.
            if let Some(since) = &mut self.since {
                since.too_many = true;
            }
        }
        freed
    }

    /// Gives the room back that jobs had which are gone: lanes that wait to be read may be many.
    pub(super) fn give_back(&mut self) {
        if self.jobs.is_empty() {
            self.jobs = SortedQueue::default();
        }
    }

    /// Whether the window runs low, with at most `low` jobs, and the ledger has more.
    pub(super) fn wants_more(&self, low: usize) -> bool {
        self.since.is_none() && self.jobs.len() <= low && matches!(self.beyond, Beyond::After(..))
    }

    /// Says where to read on; a page from there is on its way now.
    pub(super) fn read_on(&mut self) -> Option<Key> {
        self.since = Some(Since::default());
        match self.beyond {
            Beyond::After(after, _) => after,
            Beyond::Nothing => None,
        }
    }

    /// A page that was asked for will not come.
    pub(super) fn unread(&mut self) {
        self.since = None;
    }

    /// Takes in the page that was asked for; behind one that is not empty there may be more, full or not, for
    /// what is damaged is left out of it. Gives the bytes of payload gained.
    pub(super) fn page(&mut self, page: impl Iterator<Item = Ready>, limit: usize) -> isize {
        let Some(since) = self.since.take() else { return 0 };
        if since.too_many {
            return 0;
        }
        let mut gained = 0;
        let mut last = None;
        for ready in page {
            let key = (ready.job.run_at, ready.job.id.number());
            last = Some(key);
            gained += size(&ready);
            if let Some(old) = self.jobs.insert(key, ready) {
                gained -= size(&old);
            }
        }
        self.beyond = last.map_or(Beyond::Nothing, |last| Beyond::After(Some(last), last.0));
        for (key, event) in since.events {
            gained += match event {
                Some(ready) => self.insert(key, ready, limit),
                None => -isize::try_from(self.remove(key)).unwrap_or(isize::MAX),
            };
        }
        gained - self.shrink(limit)
    }
}

/// The bytes of payload that stand beside a job.
fn size(ready: &Ready) -> isize {
    ready.payload.as_ref().map_or(0, |body| isize::try_from(body.bytes.len()).unwrap_or(isize::MAX))
}
