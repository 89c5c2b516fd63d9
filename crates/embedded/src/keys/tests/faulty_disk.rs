use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};

use crate::keys::disk::{Disk, FileSystem};

/// A file system that fails or dies at a chosen operation. Dying is a power cut: nothing happens from
/// then on, and what was not synced is torn.
#[derive(Default)]
pub(super) struct FaultyDisk(Mutex<Faults>);

#[derive(Default)]
struct Faults {
    operations: u64,
    fails_at: Option<u64>,
    fails_always: bool,
    dies_at: Option<u64>,
    pauses_at: Option<(u64, Arc<Barrier>)>,
    dead: bool,
    /// Files with bytes that a power cut would lose.
    unsynced: BTreeSet<PathBuf>,
    /// Files whose sync failed. Nobody may sync them again.
    lost: BTreeSet<PathBuf>,
}

enum Fate {
    Well,
    Fails,
    Dies,
}

impl FaultyDisk {
    pub(super) fn dying_at(operation: u64) -> FaultyDisk {
        FaultyDisk(Mutex::new(Faults { dies_at: Some(operation), ..Faults::default() }))
    }

    pub(super) fn failing_at(operation: u64) -> FaultyDisk {
        FaultyDisk(Mutex::new(Faults { fails_at: Some(operation), ..Faults::default() }))
    }

    /// At the operation, whoever does it meets another thread at the barrier twice.
    pub(super) fn pause_at(&self, operation: u64, barrier: Arc<Barrier>) {
        self.faults().pauses_at = Some((operation, barrier));
    }

    pub(super) fn die_in(&self, operations: u64) {
        let mut faults = self.faults();
        faults.dies_at = Some(faults.operations + operations);
    }

    pub(super) fn fail_in(&self, operations: u64) {
        let mut faults = self.faults();
        faults.fails_at = Some(faults.operations + operations);
    }

    /// Whether everything fails from now on.
    pub(super) fn fail_always(&self, fails: bool) {
        self.faults().fails_always = fails;
    }

    pub(super) fn operations(&self) -> u64 {
        self.faults().operations
    }

    pub(super) fn cut_power(&self) {
        self.faults().dead = true;
    }

    pub(super) fn is_dead(&self) -> bool {
        self.faults().dead
    }

    /// Tears what a power cut loses: half of each file that was not synced.
    pub(super) fn tear(&self) {
        for path in &self.faults().unsynced {
            if let Ok(file) = File::options().write(true).open(path) {
                file.set_len(file.metadata().unwrap().len() / 2).unwrap();
            }
        }
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fate(&self) -> Fate {
        let mut faults = self.faults();
        let operations = faults.operations;
        if let Some((_, barrier)) = faults.pauses_at.take_if(|(operation, _)| *operation == operations) {
            drop(faults);
            barrier.wait();
            barrier.wait();
            faults = self.faults();
        }
        if faults.dead {
            return Fate::Fails;
        }
        let now = faults.operations;
        faults.operations += 1;
        if faults.dies_at == Some(now) {
            faults.dead = true;
            Fate::Dies
        } else if faults.fails_always || faults.fails_at == Some(now) {
            Fate::Fails
        } else {
            Fate::Well
        }
    }

    fn attempt(&self) -> io::Result<()> {
        match self.fate() {
            Fate::Well => Ok(()),
            Fate::Fails | Fate::Dies => Err(io::ErrorKind::StorageFull.into()),
        }
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.attempt()?;
        FileSystem.create(path)
    }

    fn write(&self, file: &File, path: &Path, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.faults().unsynced.insert(path.to_owned());
        match self.fate() {
            Fate::Well => FileSystem.write(file, path, bytes, offset),
            Fate::Fails => Err(io::ErrorKind::StorageFull.into()),
            Fate::Dies => {
                FileSystem.write(file, path, &bytes[..bytes.len() / 2], offset)?;
                Err(io::ErrorKind::StorageFull.into())
            }
        }
    }

    fn sync(&self, _: &File, path: &Path) -> io::Result<()> {
        assert!(!self.faults().lost.contains(path), "{} is synced again after a failure", path.display());
        let result = self.attempt();
        let mut faults = self.faults();
        if result.is_err() {
            faults.lost.insert(path.to_owned());
        } else {
            faults.unsynced.remove(path);
        }
        result
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        assert!(!self.faults().unsynced.contains(from), "{} is renamed before it is synced", from.display());
        self.attempt()?;
        FileSystem.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.attempt()?;
        FileSystem.remove(path)
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        self.attempt()
    }
}
