use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong with the index of idempotency keys. Nothing is lost by any of it: the index is
/// made from the job rows and can be made again from them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyIndexError {
    /// The operating system refused, for example for want of space.
    #[error("the key index cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: "read", "write", "sync" and the like.
        action: &'static str,
        /// The file or folder it was tried on.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A page of a run does not match its checksum. Which keys stood there is unknown, so no lookup
    /// that needs the page can be answered until [`KeyIndex::forget_from`](super::KeyIndex::forget_from).
    #[error("the key index is damaged: page {page} of {}, which covers jobs {from} to {to}", path.display())]
    Damaged {
        /// The run's file.
        path: PathBuf,
        /// The first job number that the run covers.
        from: u64,
        /// The job number after the last that the run covers.
        to: u64,
        /// The page in the file, in units of 4 KiB from its beginning.
        page: u64,
    },
    /// The background thread ended by a fault of its own. Lookups stay right, but nothing is written
    /// any more and memory grows with every key.
    #[error("the key index is no longer written: its background thread has ended")]
    Stopped,
}

impl KeyIndexError {
    /// Names what was tried on which file beside what the operating system said.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyIndexError {
        let path = path.to_owned();
        move |source| KeyIndexError::Io { action, path, source }
    }
}
