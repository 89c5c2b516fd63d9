//! The ledger: the database of jobs, and the only truth about them.

mod batch;

use std::sync::Arc;

use ackd_domain::{Answer, Change, Command, Refusal, Timestamp};

pub use batch::{Rows, decide_batch};

/// The one writer of the ledger.
pub trait Ledger: Send {
    /// Loads, decides and persists `commands`, in order, in one commit, and then whatever `reactor` adds.
    ///
    /// A command sees the writes of the one before it; a refused one writes nothing. When this returns
    /// `Ok`, everything is durable. When it returns an error, nothing of it has happened, and nothing
    /// that was drawn for it (numbers, positions) is ever drawn again.
    ///
    /// # Errors
    /// [`LedgerError`]; it fails the whole batch.
    fn apply(
        &mut self,
        commands: Vec<Command>,
        now: Timestamp,
        reactor: &mut dyn Reactor,
    ) -> Result<Applied, LedgerError>;
}

/// Sees what a batch is about to commit, and adds to the same commit.
///
/// So a waiting worker gets its lease in the very commit that accepts the job. Nothing it is told may
/// leave it before [`Ledger::apply`] has returned `Ok`.
pub trait Reactor {
    /// Is told every command's outcome once, in order, and its changes; returns what to do as well. It is
    /// asked again about what came of that, until it has nothing to add.
    fn react(&mut self, answers: &[Result<Answer, Refusal>], changes: &[Change]) -> Vec<Command>;
}

/// A reactor that adds nothing.
#[derive(Debug, Clone, Copy)]
pub struct Idle;

impl Reactor for Idle {
    fn react(&mut self, _: &[Result<Answer, Refusal>], _: &[Change]) -> Vec<Command> {
        Vec::new()
    }
}

/// What a batch came to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Applied {
    /// One for each command, in order; those of the reactor's commands follow.
    pub answers: Vec<Result<Answer, Refusal>>,
    /// The changes of the batch, in the order of the feed.
    pub changes: Arc<[Change]>,
    /// What follows from the batch and was too much for one commit. Whoever owns the ledger applies it next; after a crash
    /// [`crate::LedgerReader::unresolved`] tells where to begin again.
    pub follow_ups: Vec<Command>,
}

/// Why a batch was not committed. Nothing of it has happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// There is no room. It may work again once there is.
    #[error("the store is full: {0}")]
    Full(String),
    /// The store cannot be trusted to hold what it is given (a failed fsync, an I/O error). Whoever owns
    /// this ledger stops accepting; it does not try again.
    #[error("the store has failed: {0}")]
    Failed(String),
}
