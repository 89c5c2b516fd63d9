use ackd_ports::ReadError;
use rusqlite::ErrorCode;

use crate::keys::KeyIndexError;
use crate::rows::Unreadable;

/// Why a row cannot be had.
#[derive(Debug)]
pub(crate) enum Fault {
    /// What is stored of it cannot be.
    Damaged(String),
    /// SQLite says why.
    Sqlite(rusqlite::Error),
    /// The index of idempotency keys cannot be read, so that nobody knows whether a key is taken.
    Keys(KeyIndexError),
}

impl Fault {
    /// Says of which row something is unreadable.
    pub(crate) fn of(self, what: impl FnOnce() -> String) -> Fault {
        match self {
            Fault::Damaged(inner) if inner.is_empty() => Fault::Damaged(what()),
            other => other,
        }
    }
}

/// Until [`Fault::of`] says of which row.
impl From<Unreadable> for Fault {
    fn from(_: Unreadable) -> Fault {
        Fault::Damaged(String::new())
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Fault::Damaged(format!("the database ({error})"))
            }
            _ => Fault::Sqlite(error),
        }
    }
}

impl From<Fault> for ReadError {
    fn from(fault: Fault) -> ReadError {
        match fault {
            Fault::Damaged(what) => ReadError::Damaged(what),
            Fault::Sqlite(error) => ReadError::Failed(error.to_string()),
            Fault::Keys(error) => ReadError::Failed(error.to_string()),
        }
    }
}
