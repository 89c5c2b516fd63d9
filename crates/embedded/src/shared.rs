use std::fs::File;
use std::sync::atomic::AtomicI64;

use crate::lane::Lanes;
use crate::paged::Paged;
use crate::trouble::Trouble;

/// What the writer, the readers and the threads in the background share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) lanes: Lanes,
    pub(crate) trouble: Trouble,
    pub(crate) paged: Paged,
    /// Up to which position no job is to be found any more by its end.
    pub(crate) ends_seen: AtomicI64,
    /// How the next commit is to fail.
    #[cfg(test)]
    pub(crate) fail_next: std::sync::Mutex<Option<rusqlite::Error>>,
    /// Locked for as long as anybody has the store open.
    _lock: File,
}

impl Shared {
    pub(crate) fn new(lock: File) -> Shared {
        Shared {
            lanes: Lanes::default(),
            trouble: Trouble::default(),
            paged: Paged::default(),
            ends_seen: AtomicI64::new(0),
            #[cfg(test)]
            fail_next: std::sync::Mutex::default(),
            _lock: lock,
        }
    }
}
