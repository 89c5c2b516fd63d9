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
        if is_damage(&error) { Fault::Damaged(format!("the database ({error})")) } else { Fault::Sqlite(error) }
    }
}

/// Whether an error says that what is stored cannot be: SQLite says so, or a value is of another type than was ever written.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        || matches!(
            error,
            FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..)
        )
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
