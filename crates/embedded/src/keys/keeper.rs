use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::KeyIndexError;
use super::filter::{Filter, Meter};
use super::folder::Folder;
use super::header::Header;
use super::merge::{self, Merge};
use super::options::Options;
use super::patience::Patience;
use super::run::Run;
use super::run_writer::RunWriter;
use super::shared::{Chore, Shared};
use super::table::Table;
use super::view::{Piece, View};

/// Keeps the runs in order, in the background: writes sealed tables, merges, loads filters, drops what
/// has retired. It works in steps of which each does the most urgent thing, so that a long merge never
/// keeps a table waiting, and so that a test can stop it anywhere.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    folder: Arc<Folder>,
    options: Options,
    meter: Meter,
    next_serial: u64,
    merge: Option<Merge>,
    /// The epoch in which the merge began.
    merge_epoch: u64,
    /// Serials of runs that are let be because they cannot be read.
    unreadable: Vec<u64>,
    patience: [Patience; Chore::COUNT],
}

/// What came of a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Something was done or failed; there may be more to do.
    Worked,
    /// There is nothing to do before the time, if there is one, or the next nudge.
    Idle(Option<Instant>),
    /// The index is closing.
    Closing,
}

impl Keeper {
    pub(super) fn new(shared: Arc<Shared>, folder: Arc<Folder>, options: Options, next_serial: u64) -> Keeper {
        // A table that waits holds up submissions; the other chores can wait for an operator.
        let patience = [5, 300, 300, 300].map(|seconds| Patience::new(Duration::from_secs(seconds)));
        Keeper {
            shared,
            folder,
            options,
            meter: Meter::default(),
            next_serial,
            merge: None,
            merge_epoch: 0,
            unreadable: Vec::new(),
            patience,
        }
    }

    /// Works until the index closes.
    pub(super) fn run(mut self) {
        let _departure = Departure(Arc::clone(&self.shared));
        loop {
            let now = Instant::now();
            match self.step(now) {
                Step::Worked => {}
                Step::Idle(until) => {
                    self.shared.wait_for_work(until.map(|until| until.saturating_duration_since(now)));
                }
                Step::Closing => return,
            }
        }
    }

    /// Does the most urgent thing that can be done now.
    pub(super) fn step(&mut self, now: Instant) -> Step {
        let (unused, view, epoch, retired, has_garbage) = {
            let mut state = self.shared.lock();
            if state.closing {
                return Step::Closing;
            }
            state.nudged = false;
            let unused: Vec<Arc<View>> = state.superseded.extract_if(.., |view| Arc::strong_count(view) == 1).collect();
            (unused, Arc::clone(&state.view), state.epoch, state.retired, !state.garbage.is_empty())
        };
        drop(unused);
        self.merge.take_if(|merge| self.merge_epoch != epoch || merge.to() <= retired);

        if let Some(table) = view.sealed.first()
            && self.may_try(Chore::Write, now)
        {
            let result = self.write(table, epoch);
            self.tried(Chore::Write, result, &view, now);
            return Step::Worked;
        }
        if has_garbage && self.may_try(Chore::Remove, now) {
            let result = self.remove();
            self.tried(Chore::Remove, result, &view, now);
            return Step::Worked;
        }
        if self.retire(&view, epoch, retired) || self.evict_filters(&view, epoch) {
            return Step::Worked;
        }
        if let Some(run) = self.run_to_load(&view) {
            self.load_filter(run, epoch);
            return Step::Worked;
        }
        if self.merge.is_none()
            && self.may_try(Chore::Merge, now)
            && let Some(runs) = self.runs_to_merge(&view)
        {
            let serial = self.serial();
            let begun = Merge::begin(&self.folder, runs, serial, retired).map(|merge| {
                self.merge = Some(merge);
                self.merge_epoch = epoch;
            });
            if begun.is_err() {
                self.tried(Chore::Merge, begun, &view, now);
            }
            return Step::Worked;
        }
        if let Some(mut merge) = self.merge.take() {
            match merge.step() {
                Ok(false) => self.merge = Some(merge),
                Ok(true) => {
                    let result = self.finish(merge, &view, epoch);
                    self.tried(Chore::Merge, result, &view, now);
                }
                Err(error) => {
                    drop(merge);
                    self.tried(Chore::Merge, Err(error), &view, now);
                }
            }
            return Step::Worked;
        }
        Step::Idle(self.patience.iter().filter_map(Patience::until).filter(|until| *until > now).min())
    }

    fn may_try(&self, chore: Chore, now: Instant) -> bool {
        self.patience[chore as usize].is_over(now)
    }

    /// Takes down how a chore went, for the owner to see and for the next try.
    fn tried(&mut self, chore: Chore, result: Result<(), KeyIndexError>, view: &View, now: Instant) {
        let patience = &mut self.patience[chore as usize];
        match result {
            Ok(()) => {
                patience.succeeded();
                *self.shared.lock().trouble(chore) = None;
            }
            Err(KeyIndexError::Damaged { path, from, to, page }) => {
                let damaged = view.runs.iter().find(|piece| piece.run.path == path);
                let serial = damaged.map(|piece| piece.run.header.serial);
                self.let_be(serial, KeyIndexError::Damaged { path, from, to, page });
            }
            Err(error) => {
                tracing::warn!(%error, "the key index has trouble and will try again");
                patience.failed(now);
                *self.shared.lock().trouble(chore) = Some(Arc::new(error));
            }
        }
        self.shared.report();
    }

    /// Neither merges a run nor loads its filter from now on, for it cannot be read and reading it
    /// again would find the same.
    fn let_be(&mut self, serial: Option<u64>, error: KeyIndexError) {
        tracing::error!(%error, "a run of the key index cannot be read");
        self.unreadable.extend(serial);
        *self.shared.lock().trouble(Chore::Verify) = Some(Arc::new(error));
    }

    fn serial(&mut self) -> u64 {
        self.next_serial += 1;
        self.next_serial - 1
    }

    /// Changes the runs or filters of the view, unless the owner has taken back what it was based on.
    fn publish(&self, epoch: u64, change: impl FnOnce(&mut View)) -> bool {
        let mut state = self.shared.lock();
        if state.epoch != epoch {
            return false;
        }
        let mut view = View::clone(&state.view);
        change(&mut view);
        state.covered = view.runs.last().map_or(state.covered, |newest| newest.run.header.to);
        self.shared.publish(&mut state, view);
        true
    }

    /// Writes the oldest sealed table as a run.
    fn write(&mut self, table: &Table, epoch: u64) -> Result<(), KeyIndexError> {
        let plan = Header::plan(self.folder.fingerprint, table.from, table.to, self.serial(), table.len());
        let mut writer = RunWriter::create(&self.folder, plan)?;
        for entry in table.sorted() {
            writer.push(entry)?;
        }
        let run = Arc::new(writer.finish()?);
        let piece = Piece { filter: self.filter_if_room(&run), run: Arc::clone(&run) };
        let published = self.publish(epoch, |view| {
            view.sealed.remove(0);
            view.runs.push(piece);
        });
        if !published {
            self.shared.lock().garbage.push(run.path.clone());
        }
        Ok(())
    }

    /// Puts a merged run in the place of its inputs.
    fn finish(&mut self, merge: Merge, view: &View, epoch: u64) -> Result<(), KeyIndexError> {
        let inputs = merge.inputs.clone();
        let run = Arc::new(merge.finish()?);
        // Its filter comes when those of its inputs are gone, or memory would hold both.
        let piece = Piece { run: Arc::clone(&run), filter: None };
        let first = view.runs.iter().position(|piece| Arc::ptr_eq(&piece.run, &inputs[0])).unwrap_or_default();
        let published = self.publish(epoch, |view| drop(view.runs.splice(first..first + inputs.len(), [piece])));
        let mut state = self.shared.lock();
        if published {
            state.garbage.extend(inputs.iter().map(|run| run.path.clone()));
        } else {
            state.garbage.push(run.path.clone());
        }
        Ok(())
    }

    /// Removes the files that no view needs. That they are gone need not survive a power cut: the next
    /// start would see that it does not need them.
    fn remove(&self) -> Result<(), KeyIndexError> {
        let mut garbage = std::mem::take(&mut self.shared.lock().garbage);
        let mut result = Ok(());
        garbage.retain(|path| match self.folder.disk.remove(path) {
            Ok(()) => false,
            Err(error) => {
                result = Err(KeyIndexError::io("remove", path)(error));
                true
            }
        });
        self.shared.lock().garbage.append(&mut garbage);
        result
    }

    /// Drops the oldest runs whose keys count no more, but none that is being merged.
    fn retire(&self, view: &View, epoch: u64, retired: u64) -> bool {
        let limit = self.merge.as_ref().map_or(retired, |merge| retired.min(merge.from()));
        let count = view.runs.partition_point(|piece| piece.run.header.to <= limit);
        if count == 0 || !self.publish(epoch, |view| drop(view.runs.drain(..count))) {
            return false;
        }
        self.shared.lock().garbage.extend(view.runs[..count].iter().map(|piece| piece.run.path.clone()));
        true
    }

    /// Which runs' filters belong in memory, newest first as long as there is room.
    fn filters_wanted(&self, view: &View) -> Vec<bool> {
        let mut room = self.options.filter_bytes;
        let mut wanted = vec![false; view.runs.len()];
        for (piece, wanted) in view.runs.iter().zip(&mut wanted).rev() {
            let bytes = piece.run.filter_bytes();
            if bytes > 0 && bytes <= room && !self.unreadable.contains(&piece.run.header.serial) {
                room -= bytes;
                *wanted = true;
            }
        }
        wanted
    }

    /// Takes from memory the filters for which newer ones leave no room.
    fn evict_filters(&self, view: &View, epoch: u64) -> bool {
        let wanted = self.filters_wanted(view);
        if !view.runs.iter().zip(&wanted).any(|(piece, wanted)| piece.filter.is_some() && !wanted) {
            return false;
        }
        self.publish(epoch, |view| {
            for (piece, wanted) in view.runs.iter_mut().zip(&wanted) {
                piece.filter.take_if(|_| !wanted);
            }
        })
    }

    /// The newest run whose filter belongs in memory and is not there, as soon as no filter takes its
    /// room that only a view before this one needs.
    fn run_to_load<'a>(&self, view: &'a View) -> Option<&'a Arc<Run>> {
        let wanted = self.filters_wanted(view);
        let wanted = || view.runs.iter().zip(&wanted).filter_map(|(piece, wanted)| wanted.then_some(piece));
        let missing = &wanted().rfind(|piece| piece.filter.is_none())?.run;
        let bytes: usize = wanted().map(|piece| piece.run.filter_bytes()).sum();
        (self.meter.bytes() + missing.filter_bytes() <= bytes).then_some(missing)
    }

    fn load_filter(&mut self, run: &Arc<Run>, epoch: u64) {
        match run.load_filter(&self.meter) {
            Ok(filter) => {
                let filter = Arc::new(filter);
                self.publish(epoch, |view| {
                    if let Some(piece) = view.runs.iter_mut().find(|piece| Arc::ptr_eq(&piece.run, run)) {
                        piece.filter = Some(filter);
                    }
                });
            }
            // A filter that cannot be read is read again by each lookup, which then has the answer.
            Err(error) => self.let_be(Some(run.header.serial), error),
        }
    }

    /// The filter of a run that has just been written and is in no view yet.
    fn filter_if_room(&self, run: &Run) -> Option<Arc<Filter>> {
        if run.filter_bytes() == 0 || self.meter.bytes() + run.filter_bytes() > self.options.filter_bytes {
            return None;
        }
        run.load_filter(&self.meter).ok().map(Arc::new)
    }

    fn runs_to_merge(&self, view: &View) -> Option<Vec<Arc<Run>>> {
        let start = view
            .runs
            .iter()
            .rposition(|piece| self.unreadable.contains(&piece.run.header.serial))
            .map_or(0, |unreadable| unreadable + 1);
        let runs = &view.runs[start..];
        let entries: Vec<usize> = runs.iter().map(|piece| piece.run.header.entries).collect();
        let chosen = merge::choose(&entries, self.options.memory_entries)?;
        Some(runs[chosen].iter().map(|piece| Arc::clone(&piece.run)).collect())
    }
}

#[cfg(test)]
impl Keeper {
    /// Says that there is a keeper, so that the owner waits for it.
    pub(super) fn attend(&self) {
        self.shared.lock().kept = true;
    }

    pub(super) fn departure(&self) -> impl Drop + use<> {
        Departure(Arc::clone(&self.shared))
    }

    pub(super) fn wait(&self, limit: Duration) {
        self.shared.wait_for_work(Some(limit));
    }

    pub(super) fn runs(&self) -> usize {
        self.shared.lock().view.runs.len()
    }

    pub(super) fn sealed(&self) -> usize {
        self.shared.lock().view.sealed.len()
    }

    pub(super) fn entries(&self) -> usize {
        self.shared.lock().view.runs.iter().map(|piece| piece.run.header.entries).sum()
    }

    /// Bytes that filters take in memory.
    pub(super) fn filter_bytes(&self) -> usize {
        self.meter.bytes()
    }

    /// Bytes of each run's filter if it is in memory, oldest first.
    pub(super) fn filters(&self) -> Vec<Option<usize>> {
        let view = Arc::clone(&self.shared.lock().view);
        view.runs.iter().map(|piece| piece.filter.as_ref().map(|_| piece.run.filter_bytes())).collect()
    }
}

/// Says that the keeper is gone, however it went, so that nobody waits for it.
struct Departure(Arc<Shared>);

impl Drop for Departure {
    fn drop(&mut self) {
        self.0.lock().kept = false;
        self.0.report();
    }
}
