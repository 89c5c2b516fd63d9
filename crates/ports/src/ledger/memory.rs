//! A ledger in memory.

/// A ledger that keeps everything in memory, for tests and simulations.
#[derive(Debug)]
pub struct MemoryLedger;
