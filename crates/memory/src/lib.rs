//! The ports in memory, for tests and simulations: a ledger with its reader and its feed, a store of files, and an outbound
//! that sends nothing. No part of the server.

mod files;
mod ledger;
mod outbound;

pub use files::MemoryFiles;
pub use ledger::{Faults, MemoryDisk, MemoryLedger, MemoryReader};
pub use outbound::{FakeOutbound, Script};
