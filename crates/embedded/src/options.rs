use std::time::Duration;

use crate::keys;

/// The bounds of an [`EmbeddedStore`](crate::EmbeddedStore).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Bytes that the writer's page cache may take; it grows as pages are used.
    pub page_cache: usize,
    /// Live jobs that the writer remembers, so that it need not read what it has just written. One
    /// takes about 1 KB.
    pub job_cache: usize,
    /// Connections for readers: as many reads can run at once, more wait for their turn.
    pub readers: usize,
    /// Bytes of the write-ahead log from which on it is copied into the database in the background.
    pub checkpoint_at: u64,
    /// Bytes set aside on the disk, so that work can still be settled when it is full otherwise.
    pub reserve: u64,
    /// Rows that are looked at for damage a second, in the background; 0: none.
    pub scrub_rate: u32,
    /// How long that rests once every row was looked at.
    pub scrub_pause: Duration,
    /// The bounds of the index of idempotency keys.
    pub keys: keys::Options,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            page_cache: 8 << 20,
            job_cache: 4 << 10,
            readers: 4,
            checkpoint_at: 16 << 20,
            reserve: 16 << 20,
            scrub_rate: 2000,
            scrub_pause: Duration::from_hours(1),
            keys: keys::Options::default(),
        }
    }
}
