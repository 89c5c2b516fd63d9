use std::sync::Arc;

use ackd_domain::Position;

use ackd_ports::LedgerError;

use super::state::Health;
use super::{Shared, locked};

/// What makes a [`super::MemoryLedger`] fail, wherever the ledger itself has gone.
#[derive(Debug, Clone)]
pub struct Faults(Shared);

impl Faults {
    pub(super) fn of(state: &Shared) -> Faults {
        Faults(Arc::clone(state))
    }

    /// Fails the next batch so, at its commit. After [`LedgerError::Failed`] every further one fails,
    /// after [`LedgerError::Full`] the next one works.
    pub fn fail_next(&self, error: LedgerError) {
        let mut state = locked(&self.0);
        if !matches!(state.health, Health::Failed(_)) {
            state.health = Health::Next(error);
        }
    }

    /// Ends a failure, as opening a store again does.
    pub fn heal(&self) {
        locked(&self.0).health = Health::Sound;
    }

    /// Forgets the changes up to `position`, at once and whoever has yet to see them.
    pub fn purge(&self, position: Position) {
        locked(&self.0).purge(position);
    }
}
