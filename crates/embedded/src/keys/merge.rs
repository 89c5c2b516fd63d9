use std::ops::Range;
use std::sync::Arc;

use super::entry::Entry;
use super::error::KeyIndexError;
use super::folder::Folder;
use super::header::Header;
use super::run::Run;
use super::run_reader::RunReader;
use super::run_writer::RunWriter;

/// Runs of one size that are merged to one of the next.
const FAN_IN: usize = 4;
/// Runs merged at once at most, which bounds the memory it takes.
const MOST_INPUTS: usize = 16;
/// Entries merged in a step, about a millisecond's work.
const STEP: usize = 16 << 10;

/// Chooses neighbours that are to be merged, given the entries of each run, oldest first, and those
/// of a table. None if there are few enough runs: fewer than [`FAN_IN`] of each size, as a rule.
pub(super) fn choose(runs: &[usize], table: usize) -> Option<Range<usize>> {
    let tiers: Vec<u32> = runs.iter().map(|entries| tier(*entries, table)).collect();
    for tier in 0..=tiers.iter().copied().max()? {
        // Smaller ones that stand among those of the tier go along with them.
        let start = tiers.iter().rposition(|other| *other > tier).map_or(0, |larger| larger + 1);
        let newest = &tiers[start..];
        if newest.iter().filter(|other| **other == tier).count() >= FAN_IN {
            let len = newest.iter().rposition(|other| *other == tier)? + 1;
            return Some(start..start + len.min(MOST_INPUTS));
        }
    }
    None
}

/// The size of a run: 0 up to twice a table, then a step for every factor of [`FAN_IN`].
fn tier(entries: usize, table: usize) -> u32 {
    let tables = entries / table.saturating_mul(FAN_IN / 2);
    if tables == 0 { 0 } else { 1 + tables.ilog(FAN_IN) }
}

/// A merge of neighbouring runs that is under way, in steps, so that whoever has more urgent work
/// can do it in between.
pub(super) struct Merge {
    pub(super) inputs: Vec<Arc<Run>>,
    /// Each with the entry that it has to give next.
    readers: Vec<(Entry, RunReader)>,
    writer: RunWriter,
    /// Entries of jobs below are left out.
    retired: u64,
}

impl Merge {
    /// Begins to merge neighbouring runs, oldest first, of which there is at least one.
    pub(super) fn begin(
        folder: &Arc<Folder>,
        inputs: Vec<Arc<Run>>,
        serial: u64,
        retired: u64,
    ) -> Result<Merge, KeyIndexError> {
        let (from, to) = (inputs[0].header.from, inputs[inputs.len() - 1].header.to);
        let entries = inputs.iter().map(|run| run.header.entries).sum();
        let writer = RunWriter::create(folder, Header::plan(folder.fingerprint, from, to, serial, entries))?;
        let mut readers = Vec::with_capacity(inputs.len());
        for run in &inputs {
            let mut reader = RunReader::new(Arc::clone(run));
            if let Some(first) = reader.read()? {
                readers.push((first, reader));
            }
        }
        Ok(Merge { inputs, readers, writer, retired })
    }

    /// The first job number that the merged runs cover.
    pub(super) fn from(&self) -> u64 {
        self.inputs[0].header.from
    }

    /// The job number after the last that the merged runs cover.
    pub(super) fn to(&self) -> u64 {
        self.inputs[self.inputs.len() - 1].header.to
    }

    /// Goes on for a bounded while. True when nothing is left but to [`finish`](Merge::finish).
    pub(super) fn step(&mut self) -> Result<bool, KeyIndexError> {
        for _ in 0..STEP {
            let Some(at) = (0..self.readers.len()).min_by_key(|at| self.readers[*at].0) else {
                return Ok(true);
            };
            let (entry, reader) = &mut self.readers[at];
            let least = *entry;
            match reader.read()? {
                Some(next) => *entry = next,
                None => drop(self.readers.swap_remove(at)),
            }
            if least.number() >= self.retired {
                self.writer.push(least)?;
            }
        }
        Ok(false)
    }

    /// Puts the merged run in its place, beside its inputs.
    pub(super) fn finish(self) -> Result<Run, KeyIndexError> {
        self.writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{choose, tier};

    #[test]
    fn tiers_are_factors_of_four_around_a_table() {
        assert_eq!([0, 1, 199].map(|entries| tier(entries, 100)), [0; 3]);
        assert_eq!([200, 400, 799].map(|entries| tier(entries, 100)), [1; 3]);
        assert_eq!([800, 1_600, 3_199].map(|entries| tier(entries, 100)), [2; 3]);
        assert_eq!(tier(usize::MAX, 1), 32);
    }

    #[test]
    fn four_of_a_size_are_merged() {
        assert_eq!(choose(&[], 100), None);
        assert_eq!(choose(&[100; 3], 100), None);
        assert_eq!(choose(&[100; 4], 100), Some(0..4));
        assert_eq!(choose(&[400, 400, 400, 100, 100, 100], 100), None);
        assert_eq!(choose(&[400, 400, 400, 100, 100, 100, 100], 100), Some(3..7));
        assert_eq!(choose(&[400, 400, 400, 400, 100], 100), Some(0..4));
    }

    #[test]
    fn small_runs_among_large_ones_go_along() {
        assert_eq!(choose(&[0, 400, 0, 400, 400, 400, 100], 100), Some(0..6));
        assert_eq!(choose(&[0, 0, 0, 0, 0], 100), Some(0..5));
    }

    #[test]
    fn a_merge_takes_so_many_and_no_more() {
        assert_eq!(choose(&[100; 16], 100), Some(0..16));
        assert_eq!(choose(&[100; 17], 100), Some(0..16));
    }

    /// However many tables come, the runs stay few and each entry is written few times.
    #[test]
    fn runs_stay_few() {
        let (mut runs, mut written) = (Vec::new(), 0);
        for tables in 1..=4_096_usize {
            runs.push(100);
            written += 100;
            while let Some(merged) = choose(&runs, 100) {
                let entries = runs[merged.clone()].iter().sum();
                written += entries;
                runs.splice(merged, [entries]);
            }
            assert!(runs.len() <= 3 * (tables.ilog(4) as usize + 1), "{runs:?}");
        }
        assert_eq!(written / 100 / 4_096, 7);
    }
}
