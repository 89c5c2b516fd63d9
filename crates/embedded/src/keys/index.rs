use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::disk::{Disk, FileSystem};
use super::entry::NUMBERS;
use super::error::KeyIndexError;
use super::folder::Folder;
use super::hasher::KeyHasher;
use super::keeper::Keeper;
use super::options::Options;
use super::page::Page;
use super::pattern::Pattern;
use super::shared::{Chore, Shared};
use super::table::Table;
use super::view::{Piece, View};

/// The index of idempotency keys; see [the module](super).
///
/// One thread owns it, that which writes the ledger. It never writes a file; it reads one where the
/// filter of a run says *maybe*, or where filters have outgrown their memory. Job numbers are below
/// 2^44 and come in ascending order.
///
/// After [`open`](KeyIndex::open) the owner inserts the keys of all jobs from
/// [`covered`](KeyIndex::covered) on, in ascending order; before that the index does not know them.
pub struct KeyIndex {
    table: Table,
    /// What the table is not: the present view, unless the keeper has just made another.
    view: Arc<View>,
    generation: u64,
    retired: u64,
    page: Box<Page>,
    options: Options,
    shared: Arc<Shared>,
    keeper: Option<JoinHandle<()>>,
}

impl KeyIndex {
    /// Opens the index in the folder `path`, which is made if it is not there and which nothing else
    /// uses, and starts its background thread.
    ///
    /// `jobs` are the numbers that the ledger has: from the lowest whose key still counts (never below
    /// what [`retire`](KeyIndex::retire) was last told) to the number after the highest that it ever
    /// gave. Runs count as long as they cover these numbers from the first on without a gap. Every
    /// other run is deleted: one that is torn or whose header is damaged, those after it, one made with
    /// another secret, and one that covers numbers which this ledger has not given yet, as after a
    /// restore from a backup.
    ///
    /// It takes about as long as to open each run and read its first 4 KiB; there are few.
    ///
    /// # Errors
    /// [`KeyIndexError::Io`] if the folder cannot be made, read or cleared of useless files, or the
    /// thread cannot be started.
    ///
    /// # Panics
    /// If `jobs` ends above 2^44.
    pub fn open(
        path: &Path,
        hasher: &KeyHasher,
        jobs: Range<u64>,
        options: Options,
    ) -> Result<KeyIndex, KeyIndexError> {
        let (mut index, keeper) = KeyIndex::open_without_thread(path, hasher, jobs, options, Arc::new(FileSystem))?;
        index.shared.lock().kept = true;
        let thread = std::thread::Builder::new().name("ackd-keys".to_owned()).spawn(|| keeper.run());
        index.keeper = Some(thread.map_err(KeyIndexError::io("start the thread of", path))?);
        Ok(index)
    }

    /// An index whose keeper works when it is told to.
    pub(super) fn open_without_thread(
        path: &Path,
        hasher: &KeyHasher,
        jobs: Range<u64>,
        mut options: Options,
        disk: Arc<dyn Disk>,
    ) -> Result<(KeyIndex, Keeper), KeyIndexError> {
        assert!(jobs.end <= NUMBERS, "job numbers are below 2^44");
        options.memory_entries = options.memory_entries.max(1);
        options.sealed_tables = options.sealed_tables.max(1);
        options.table_span = options.table_span.max(1);

        let folder = Arc::new(Folder { path: path.to_owned(), fingerprint: hasher.fingerprint(), disk });
        let recovered = folder.recover(&jobs)?;
        // Filters are loaded by the keeper; until then lookups read them from disk.
        let runs = recovered.runs.into_iter().map(|run| Piece { run: Arc::new(run), filter: None });
        let view = View { runs: runs.collect(), sealed: Vec::new() };
        let shared = Arc::new(Shared::new(view, recovered.covered, jobs.start));
        let keeper = Keeper::new(Arc::clone(&shared), folder, options.clone(), recovered.next_serial);
        let view = Arc::clone(&shared.lock().view);
        let index = KeyIndex {
            table: Table::new(options.memory_entries, recovered.covered),
            view,
            generation: shared.generation(),
            retired: jobs.start,
            page: Box::new(Page::EMPTY),
            options,
            shared,
            keeper: None,
        };
        Ok((index, keeper))
    }

    /// Every key of a job with a number below is on disk. It moves on as tables are written, and stands
    /// still while [`trouble`](KeyIndex::trouble) keeps them from it.
    #[must_use]
    pub fn covered(&self) -> u64 {
        self.shared.lock().covered
    }

    /// Fills `numbers` with the jobs whose key may have this hash, newest first, in place of what was
    /// in there. Each that was inserted under it and not retired is among them; whether its key is the
    /// one in question, its row tells.
    ///
    /// # Errors
    /// [`KeyIndexError::Damaged`] or [`KeyIndexError::Io`] if a page that matters cannot be read. Then
    /// it is unknown whether the key is taken. Damage stays until [`forget_from`](KeyIndex::forget_from).
    pub fn candidates(&mut self, hash: u64, numbers: &mut Vec<u64>) -> Result<(), KeyIndexError> {
        self.refresh();
        numbers.clear();
        let pattern = Pattern::of(hash);
        let suspects = self.view.suspects(&pattern);
        self.table.find(hash, numbers);
        self.view.find(&pattern, suspects, &mut self.page, numbers)?;
        numbers.retain(|number| *number >= self.retired);
        Ok(())
    }

    /// Adds the key of a job whose commit is durable. A job without a key needs no call.
    ///
    /// Waits if the table is full and [`Options::sealed_tables`] before it are not written yet. It
    /// never waits while they cannot be written at all: then memory grows by 21 bytes a key, and it
    /// is for the caller to stop accepting keys ([`room`](KeyIndex::room)).
    ///
    /// # Panics
    /// If `number` is not above all numbers so far, or is 2^44 or more: a key would be lost.
    pub fn insert(&mut self, hash: u64, number: u64) {
        self.insert_all(&[hash], number);
    }

    /// Adds the keys of a job that has several, as [`insert`](KeyIndex::insert) does: all of them go to one run.
    ///
    /// # Panics
    /// As [`insert`](KeyIndex::insert).
    pub fn insert_all(&mut self, hashes: &[u64], number: u64) {
        assert!(number >= self.table.to, "job {number} comes after job {} was seen", self.table.to);
        assert!(number < NUMBERS, "job numbers are below 2^44");
        if self.table.is_full() {
            self.seal();
        }
        hashes.iter().for_each(|hash| self.table.insert(*hash, number));
        self.table.to = number + 1;
        self.seal_if_due();
    }

    /// Adds the key of a job, as [`insert`](KeyIndex::insert) does, whose very same key the job `old` had last: where that
    /// is still in memory it gives its place up, so that a key which is used again and again takes one place.
    ///
    /// `hashes` are the job's other keys.
    ///
    /// # Panics
    /// As [`insert`](KeyIndex::insert).
    pub fn renew(&mut self, hash: u64, old: u64, hashes: &[u64], number: u64) {
        assert!(number < NUMBERS, "job numbers are below 2^44");
        // A full table is sealed first, and must not hold what comes after it.
        if self.table.is_full() || !self.table.renew(hash, old, number) {
            return self.insert_all(&[&[hash], hashes].concat(), number);
        }
        self.insert_all(hashes, number);
    }

    /// Says that the keys of all jobs below `number` have been inserted, so that
    /// [`covered`](KeyIndex::covered) moves on over jobs without keys too. Never waits.
    ///
    /// # Panics
    /// If `number` is above 2^44.
    pub fn advance(&mut self, number: u64) {
        assert!(number <= NUMBERS, "job numbers are below 2^44");
        self.table.to = self.table.to.max(number);
        self.seal_if_due();
    }

    /// Says that no key of a job below `below` counts any more, as a rule because the jobs were
    /// deleted. They are no candidates from now on; a run that lies wholly below is deleted soon, and
    /// others lose their part when they are merged.
    pub fn retire(&mut self, below: u64) {
        if below <= self.retired {
            return;
        }
        self.retired = below;
        let mut state = self.shared.lock();
        state.retired = below;
        if state.view.runs.first().is_some_and(|oldest| oldest.run.header.to <= below) {
            self.shared.nudge(&mut state);
        }
    }

    /// Forgets every key of the run that covers the job `number`, and of all that are newer, in memory
    /// too; the way out of [`KeyIndexError::Damaged`], with its `from`. Afterwards the owner inserts the
    /// keys of all jobs from [`covered`](KeyIndex::covered) on again, as after opening.
    pub fn forget_from(&mut self, number: u64) {
        let mut state = self.shared.lock();
        let kept = state.view.runs.partition_point(|piece| piece.run.header.to <= number);
        let (kept, forgotten) = state.view.runs.split_at(kept);
        let view = View { runs: kept.to_vec(), sealed: Vec::new() };
        let files: Vec<_> = forgotten.iter().map(|piece| piece.run.path.clone()).collect();
        let covered = forgotten.first().map_or(state.covered, |oldest| oldest.run.header.from);
        state.garbage.extend(files);
        state.covered = covered;
        state.epoch += 1;
        *state.trouble(Chore::Verify) = None;
        self.shared.publish(&mut state, view);
        self.shared.nudge(&mut state);
        drop(state);
        self.table = Table::new(self.options.memory_entries, covered);
        self.refresh();
    }

    /// Keys that can be inserted for certain without waiting or growing beyond the bounds. With
    /// [`trouble`](KeyIndex::trouble), a caller that has more of them than this refuses them before it
    /// commits their jobs.
    #[must_use]
    pub fn room(&self) -> usize {
        let sealed = self.shared.lock().view.sealed.len();
        let tables = self.options.sealed_tables.saturating_sub(sealed);
        (tables + 1) * self.options.memory_entries - self.table.len().min(self.options.memory_entries)
    }

    /// What keeps the background thread from its work, if anything does: it tries again by itself, and
    /// no key is lost meanwhile. [`KeyIndexError::Damaged`] stays until
    /// [`forget_from`](KeyIndex::forget_from), [`KeyIndexError::Stopped`] for good.
    #[must_use]
    pub fn trouble(&self) -> Option<Arc<KeyIndexError>> {
        let state = self.shared.lock();
        let trouble = state.troubles.iter().flatten().next().cloned();
        trouble.or_else(|| (!state.kept).then(|| Arc::new(KeyIndexError::Stopped)))
    }

    /// Looks at the newest view.
    fn refresh(&mut self) {
        if self.shared.generation() == self.generation {
            return;
        }
        let mut state = self.shared.lock();
        self.view = Arc::clone(&state.view);
        self.generation = self.shared.generation();
        // The keeper may have waited to give back the memory of the view before.
        self.shared.nudge(&mut state);
    }

    /// Seals the table if that is due and possible without waiting.
    fn seal_if_due(&mut self) {
        if self.table.is_full() || self.table.to - self.table.from >= self.options.table_span {
            self.refresh();
            if self.view.sealed.len() < self.options.sealed_tables {
                self.seal();
            }
        }
    }

    /// Hands the table to the keeper and begins a new one, as soon as there is room.
    fn seal(&mut self) {
        let mut state = self.shared.wait_for_room(self.options.sealed_tables);
        let next = Table::new(self.options.memory_entries, self.table.to);
        let mut view = View::clone(&state.view);
        view.sealed.push(Arc::new(std::mem::replace(&mut self.table, next)));
        self.shared.publish(&mut state, view);
        self.shared.nudge(&mut state);
        drop(state);
        self.refresh();
    }
}

impl Drop for KeyIndex {
    /// Ends the background thread after the step that it is at. What is not written by then, the next
    /// start reads from the rows.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closing = true;
        self.shared.nudge(&mut state);
        drop(state);
        if let Some(Err(_)) = self.keeper.take().map(JoinHandle::join) {
            tracing::error!("the background thread of the key index had ended in a panic");
        }
    }
}
