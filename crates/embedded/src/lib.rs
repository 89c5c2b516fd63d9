//! ackd's embedded ledger and change feed on SQLite.
//!
//! ```text
//! commands ─▶ ledger ── decide_batch ─▶ Batch ── persist ─▶ one transaction ─▶ write-ahead log ─▶ fdatasync
//!               │  cache, paged jobs, key index   rows          │ hook                 │
//!               └──────────── what is not there is read ────────┘        checkpoint ───┴─▶ ackd.db ◀─ scrub
//! readers ──▶ pool of read-only connections ─▶ rows, each with its checksum
//! ```
//!
//! - `ledger/` is the one writer: it loads what a batch needs, lets the domain decide, writes the rows and
//!   commits once. What it remembers changes only after the commit.
//! - `rows/` is how values become rows and back, checksums included; `schema` lays the tables out.
//! - `reader/` and `feed` read beside it, each read in a short snapshot of its own.
//! - `checkpoint` keeps the write-ahead log short, `scrub` looks for damage, [`keys`] finds idempotency keys.
//!
//! Nothing in here decides anything about a job, reads a clock or knows of tokio.

mod again;
mod block;
mod checkpoint;
mod checksum;
mod consumers;
mod dead;
mod endpoints;
mod entered;
mod error;
mod fault;
mod feed;
mod files;
mod integer;
pub mod keys;
mod lane;
mod leaving;
mod ledger;
mod lines;
mod links;
mod meta;
mod missing;
mod options;
mod paged;
mod pool;
mod queues;
mod reader;
mod rows;
mod schedules;
mod schema;
mod scrub;
mod shared;
mod started;
mod store;
#[cfg(test)]
mod tests;
mod trouble;
mod wal;

pub use error::OpenError;
pub use ledger::EmbeddedLedger;
pub use options::Options;
pub use reader::EmbeddedReader;
pub use store::EmbeddedStore;
