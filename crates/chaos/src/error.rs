use std::io;

/// Why a row did not come to its end, or what it found.
#[derive(Debug, thiserror::Error)]
pub enum ChaosError {
    /// The machine does not allow it: there is no root, no loop device, no ptrace, or a program is missing.
    #[error("this machine does not allow it: {0}")]
    Forbidden(String),
    /// What the row itself needs has failed.
    #[error("{what}: {error}")]
    Io {
        /// What was to be done.
        what: String,
        /// Why it could not be.
        error: io::Error,
    },
    /// The server did what it must not, or did not do what it must.
    #[error("{0}")]
    Broken(String),
}

/// What every part of a row comes to.
pub type Done<T = ()> = Result<T, ChaosError>;

/// Says what could not be done.
pub(crate) trait Doing<T> {
    /// `what` could not be done.
    fn doing(self, what: impl Into<String>) -> Done<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl Into<String>) -> Done<T> {
        self.map_err(|error| ChaosError::Io { what: what.into(), error })
    }
}

/// The server did what it must not.
pub(crate) fn broken<T>(what: impl Into<String>) -> Done<T> {
    Err(ChaosError::Broken(what.into()))
}
