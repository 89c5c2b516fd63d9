use std::sync::Arc;

use ackd_domain::{ChangeKind, Position};

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

    /// From now on the result of the job with this number is damaged. The changes of the feed have it no longer.
    pub fn damage_result(&self, number: u64) {
        let mut state = locked(&self.0);
        state.damaged_results.insert(number);
        let of_job = state.changes.iter_mut().filter(|change| change.job.id.number() == number);
        of_job.filter(|change| change.kind == ChangeKind::Completed).for_each(|change| change.body = None);
    }

    /// Forgets the changes up to `position`, at once and whoever has yet to see them.
    pub fn purge(&self, position: Position) {
        locked(&self.0).purge(position);
    }
}
