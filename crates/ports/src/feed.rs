use ackd_domain::{Change, Position};

use crate::ReadError;

/// The change feed of a ledger: every committed change, in the order of commit.
pub trait ChangeFeed: Send + Sync {
    /// The changes after `after`, in order, at most `limit`; none where there are no more yet.
    ///
    /// A change that is read may lack its body and its job's lease: a lease is a secret, and
    /// [`crate::LedgerReader::leased`] tells the live ones.
    ///
    /// # Errors
    /// [`FeedError::Purged`] where changes after `after` are no longer kept.
    fn changes(&self, after: Position, limit: usize) -> Result<Vec<Change>, FeedError>;

    /// The position of the last committed change.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn head(&self) -> Result<Position, ReadError>;

    /// The earliest position that [`ChangeFeed::changes`] takes: what came after it is still kept.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn earliest(&self) -> Result<Position, ReadError>;
}

/// Why changes cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The position is older than what is kept. Whoever asked starts anew from the current state.
    #[error("changes are kept from position {0:?} on only")]
    Purged(Position),
    /// The position lies beyond the last change: it is not of this feed.
    #[error("the last change is at {0:?}")]
    Beyond(Position),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}
