use std::io;
use std::path::PathBuf;

use crate::fault::{Fault, is_damage};
use crate::keys::KeyIndexError;

/// Why a data directory cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another server has it open.
    #[error("the data directory {} is in use by another server", .0.display())]
    InUse(PathBuf),
    /// A newer ackd wrote it.
    #[error("the database is of version {found}, this ackd knows up to {known}: it was written by a newer one")]
    Newer {
        /// The version of the file.
        found: i64,
        /// The newest version that this binary knows.
        known: i64,
    },
    /// The database is another program's.
    #[error("the database in the data directory is not one of ackd's")]
    Foreign,
    /// What is stored cannot be.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The database is gone, and the directory is no new one.
    #[error(
        "{} is missing or empty, though a server has used the directory: put the database back, or, to begin without its jobs, \
         take everything else out of the directory too",
        .0.display()
    )]
    Missing(PathBuf),
    /// The path names something else.
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// The user that runs the server may not read and write there.
    #[error("no permission to read and write {}", .0.display())]
    Permission(PathBuf),
    /// There is no room.
    #[error("the disk is full: {0}")]
    Full(String),
    /// The operating system refused.
    #[error("cannot open {}: {error}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// SQLite refused.
    #[error("cannot open the database: {0}")]
    Sqlite(rusqlite::Error),
    /// The index of idempotency keys could not be opened.
    #[error(transparent)]
    Keys(#[from] KeyIndexError),
}

impl OpenError {
    /// What the operating system said of `path`.
    pub(crate) fn io(path: impl Into<PathBuf>, error: io::Error) -> OpenError {
        let path = path.into();
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => OpenError::Permission(path),
            io::ErrorKind::NotADirectory => OpenError::NotADirectory(path),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OpenError::Full(error.to_string()),
            _ => OpenError::Io { path, error },
        }
    }
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> OpenError {
        match fault {
            Fault::Damaged(what) => OpenError::Damaged(what),
            Fault::Sqlite(error) => error.into(),
            Fault::Keys(error) => error.into(),
        }
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> OpenError {
        if is_damage(&error) {
            return OpenError::Damaged(error.to_string());
        }
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => OpenError::Full(error.to_string()),
            _ => OpenError::Sqlite(error),
        }
    }
}
