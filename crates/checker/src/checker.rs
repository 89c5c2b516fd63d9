use crate::invariants::Invariants;
use crate::known::{Known, What};
use crate::record::{Event, Record};
use crate::violation::{Violation, Violations};

/// Takes a history record by record. Time and memory of a record do not grow with the history; memory grows with the jobs.
#[derive(Debug, Default)]
pub struct Checker {
    known: Known,
    invariants: Invariants,
    violations: Violations,
    records: u64,
    at: u64,
}

/// What came of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How many records there were.
    pub records: u64,
    /// What is violated; of each invariant the first hundred.
    pub violations: Vec<Violation>,
    /// How many violations there are in all.
    pub found: u64,
}

/// Why something is no history: whoever wrote it down made a mistake. Places count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// Two requests have the same id, and the first has no answer yet.
    #[error("record {place} asks under the id of record {before}, which has no answer yet")]
    AskedTwice {
        /// The record.
        place: u64,
        /// The one before.
        before: u64,
    },
    /// An answer to what was not asked, or was answered.
    #[error("record {place} answers what was not asked or was answered before")]
    NeverAsked {
        /// The record.
        place: u64,
    },
    /// An answer of another kind than the request.
    #[error("record {place} does not answer what was asked in record {asked}")]
    WrongAnswer {
        /// The record.
        place: u64,
        /// The request.
        asked: u64,
    },
    /// A record was made before the one before it.
    #[error("record {place} was made before the one before it")]
    OutOfOrder {
        /// The record.
        place: u64,
    },
}

impl Checker {
    /// A checker of a history that has not begun.
    #[must_use]
    pub fn new() -> Checker {
        Checker::default()
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// [`HistoryError`] where the record cannot stand there.
    pub fn take(&mut self, record: &Record<u64>) -> Result<(), HistoryError> {
        let place = self.records;
        if record.at < self.at {
            return Err(HistoryError::OutOfOrder { place });
        }
        self.at = record.at;
        self.known.take(place, record)?;
        let fact = self.known.fact(place, record);
        if let Some(asked) = fact.asked {
            let fits = matches!(
                (&record.is, &asked.what),
                (Event::Refused { .. } | Event::Unknown { .. }, _)
                    | (Event::Accepted { .. }, What::Submit { .. })
                    | (Event::Settled { .. }, What::Settle { .. })
                    | (Event::Done { .. }, What::Change)
            );
            if !fits {
                return Err(HistoryError::WrongAnswer { place, asked: asked.place });
            }
        }
        self.records += 1;
        self.invariants.take(&fact, &self.known, &mut self.violations);
        Ok(())
    }

    /// What came of the history, which has no further records.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.invariants.finish(&self.known, &mut self.violations);
        let (mut violations, found) = self.violations.into_all();
        // Some are found job by job, in no order of the history.
        violations.sort_by(|a, b| (&a.records, a.invariant, a.about).cmp(&(&b.records, b.invariant, b.about)));
        Report { records: self.records, violations, found }
    }
}
