//! The promises under trouble, with real processes: `kill -9` under load, a disk that fills up, an fsync
//! that fails, workers that vanish, come late or come twice, jobs that were deleted.
//!
//! What needs more than the binary is told by the environment, which `cargo xtask test` sets:
//! `TEST_KILLS` (rounds of killing), `TEST_SMALL_DISK` (a directory on a small disk of its
//! own), `TEST_STRACE` (how to call strace).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod bulk;
mod deleted;
mod disk;
mod files;
mod http;
mod kill;
mod server;
mod sync;
mod workers;
