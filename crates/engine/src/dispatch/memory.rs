use ackd_domain::Timestamp;

use super::window::WindowLimits;

/// The fewest jobs that are worth a read of the ledger, where so many lanes share the memory that each has
/// room for few.
const SMALL_PAGE: usize = 8;

/// What all lanes of all queues hold together.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Jobs.
    pub(super) jobs: usize,
    /// Bytes of payload.
    pub(super) bytes: usize,
    /// Jobs for which pages are on their way.
    pub(super) reserved: usize,
    /// The pages that are on their way.
    pub(super) pages: usize,
    /// Lanes that have waiting jobs, in memory or not.
    pub(super) lanes: usize,
}

/// What time it is, and when a lane runs low.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) now: Timestamp,
    /// A lane with so many jobs in memory, or fewer, is read on.
    pub(super) low: usize,
}

impl Memory {
    /// How many jobs of a lane to read at once: all lanes together must find room.
    pub(super) fn page(&self, limits: &WindowLimits) -> usize {
        (limits.total / (2 * self.lanes.max(1))).clamp(Memory::small_page(limits), limits.page)
    }

    /// The fewest jobs that are read at once.
    pub(super) fn small_page(limits: &WindowLimits) -> usize {
        SMALL_PAGE.min(limits.page)
    }

    pub(super) fn pace(&self, limits: &WindowLimits, now: Timestamp) -> Pace {
        let page = self.page(limits);
        // A page's worth of jobs in memory hides the time that reading the next page takes. Where lanes are
        // many, the others hide it.
        Pace { now, low: if page == limits.page { page } else { page / 2 } }
    }

    /// How many more jobs may stand in memory.
    pub(super) fn room(&self, limits: &WindowLimits) -> usize {
        limits.total.saturating_sub(self.jobs + self.reserved)
    }
}
