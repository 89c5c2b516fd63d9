use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ackd_domain::{Change, ChangeKind};

/// What the core has done since it started. Counters only grow, but for the gauges that say so.
#[derive(Debug, Default)]
pub struct Stats {
    changes: [AtomicU64; ChangeKind::ALL.len()],
    /// How long commits took, from deciding to durable.
    pub commits: Histogram,
    /// Commands that were refused.
    pub refusals: AtomicU64,
    /// Commits that failed.
    pub failed_commits: AtomicU64,
    /// Live leases (gauge).
    pub live_leases: AtomicU64,
    /// Workers that wait for a job (gauge).
    pub parked_asks: AtomicU64,
    /// Waiting jobs in memory (gauge).
    pub in_memory: AtomicU64,
}

impl Stats {
    /// Counts committed changes.
    pub(crate) fn count(&self, changes: &[Change]) {
        // Summed up first: one atomic operation a kind, not one a change.
        let mut sums = [0u64; ChangeKind::ALL.len()];
        changes.iter().for_each(|change| sums[change.kind as usize] += 1);
        for (counter, sum) in self.changes.iter().zip(sums) {
            if sum > 0 {
                counter.fetch_add(sum, Ordering::Relaxed);
            }
        }
    }

    /// How many changes of this kind were committed.
    #[must_use]
    pub fn changes(&self, kind: ChangeKind) -> u64 {
        self.changes[kind as usize].load(Ordering::Relaxed)
    }
}

/// How often something took how long, in buckets that double from 100 µs on.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; Histogram::BUCKETS],
    micros: AtomicU64,
}

impl Histogram {
    /// The number of buckets; the last has no upper bound.
    pub const BUCKETS: usize = 18;

    pub(crate) fn record(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = (0..Histogram::BUCKETS - 1).find(|at| took <= Histogram::bound(*at));
        self.buckets[bucket.unwrap_or(Histogram::BUCKETS - 1)].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// The upper bound of a bucket, inclusive. The last bucket has none, whatever this says.
    #[must_use]
    pub const fn bound(bucket: usize) -> Duration {
        Duration::from_micros(100 << bucket)
    }

    /// How many fell into each bucket.
    #[must_use]
    pub fn counts(&self) -> [u64; Histogram::BUCKETS] {
        std::array::from_fn(|at| self.buckets[at].load(Ordering::Relaxed))
    }

    /// The sum of all that was recorded.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }
}
