use std::sync::Arc;

use super::error::KeyIndexError;
use super::filter::Filter;
use super::page::Page;
use super::pattern::Pattern;
use super::run::Run;
use super::table::Table;

/// All keys but those of the table that is being filled, as of one moment. The keeper makes a new
/// view for every change; a view itself never changes.
#[derive(Clone, Default)]
pub(super) struct View {
    /// Oldest first, each beginning where the one before it ends.
    pub(super) runs: Vec<Piece>,
    /// Tables that are still to be written, oldest first.
    pub(super) sealed: Vec<Arc<Table>>,
}

/// A run and, if there is room for it in memory, its filter.
#[derive(Clone)]
pub(super) struct Piece {
    pub(super) run: Arc<Run>,
    pub(super) filter: Option<Arc<Filter>>,
}

impl View {
    /// The runs whose filters in memory let a hash through, or have none, as a set of bits: bit 0 is
    /// the newest run, and those beyond the 64 newest are not asked.
    ///
    /// A filter costs little but the wait for its cache line. Here nothing depends on any of them, so
    /// the processor waits for all at once, and goes on to the tables meanwhile.
    pub(super) fn suspects(&self, pattern: &Pattern) -> u64 {
        self.runs.iter().rev().take(64).enumerate().fold(0, |suspects, (age, piece)| {
            let maybe = piece.filter.as_ref().is_none_or(|filter| filter.may_hold(pattern));
            suspects | u64::from(maybe) << age
        })
    }

    /// Appends the numbers under the hash of `pattern`, of which the suspects are known, newest first.
    pub(super) fn find(
        &self,
        pattern: &Pattern,
        suspects: u64,
        page: &mut Page,
        numbers: &mut Vec<u64>,
    ) -> Result<(), KeyIndexError> {
        for table in self.sealed.iter().rev() {
            table.find(pattern.hash, numbers);
        }
        for (age, Piece { run, filter }) in self.runs.iter().rev().enumerate() {
            if age < 64 && suspects >> age & 1 == 0 {
                continue;
            }
            let maybe = match filter {
                Some(filter) => filter.may_hold(pattern),
                None => run.may_hold(pattern)?,
            };
            if maybe {
                run.find(pattern.hash, page, numbers)?;
            }
        }
        Ok(())
    }
}
