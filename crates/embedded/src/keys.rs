//! The index of idempotency keys and unique keys: from a keyed hash of the key to the numbers of the jobs that may carry
//! it.
//!
//! A unique B-tree on random keys dirties a page for every key and made commits four to eight times
//! slower. This index stays out of the commit instead. The newest keys stand in a table in memory; a
//! full table is sealed and written by one background thread, the *keeper*, as a sorted, immutable
//! *run*; four runs of a size are merged to one of the next size, so that there are few of them.
//!
//! It is a filter, not the truth: it may name a job whose key is another one (two keys with one hash)
//! or that is gone by now, and whoever asks reads the job's row to be sure. What it must never do is
//! leave a job out, for that would be the same request accepted twice. So everything on disk carries
//! checksums that are looked at on each read, and whatever is in doubt is given up and made again
//! from the job rows: the index holds nothing that the rows do not.
//!
//! ```text
//! insert ─▶ table ─(full)─▶ sealed tables ─ keeper ─▶ run run run run ─ keeper ─▶ one larger run
//!             ▲                  ▲                     ▲ filter in memory        ▲ (oldest: filter on disk)
//! candidates ─┴──────────────────┴─────────────────────┴─────────────────────────┘  newest first
//! ```
//!
//! A run's file is made of pages of 4 KiB. The header and each page of entries has a CRC-32C, as has
//! each block of the filter:
//!
//! ```text
//! header │ Bloom filter, 64 blocks of 64 bytes a page │ entries by hash, 14 bytes each, up to 292 a page
//! ```
//!
//! Both the block of the filter and the page of the entries follow from the hash by a multiplication
//! that keeps its order. So a run is written front to back in constant memory however large it is, and
//! a lookup reads one block and, if that says *maybe*, nearly always one page.
//!
//! There is no manifest. A run's header says which job numbers it covers; the runs in use are those
//! that cover the ledger's numbers without a gap. A merge that a crash interrupts leaves either its
//! inputs or also its output, and both answer the same.

mod block;
mod disk;
mod entry;
mod error;
mod filter;
mod folder;
mod hasher;
mod header;
mod index;
mod keeper;
mod merge;
mod options;
mod page;
mod patience;
mod pattern;
mod run;
mod run_reader;
mod run_writer;
mod shared;
mod table;
#[cfg(test)]
mod tests;
mod view;

pub use error::KeyIndexError;
pub use hasher::KeyHasher;
pub use index::KeyIndex;
pub use options::Options;
