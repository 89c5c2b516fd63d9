use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::faulty_disk::FaultyDisk;
use super::spread;
use crate::keys::keeper::{Keeper, Step};
use crate::keys::{KeyHasher, KeyIndex, KeyIndexError, Options};

pub(super) const HASHER: fn() -> KeyHasher = || KeyHasher::new([3; 16]);

/// Bounds so narrow that every path is walked with few keys.
pub(super) fn narrow() -> Options {
    Options { memory_entries: 8, sealed_tables: 2, table_span: 40, filter_bytes: 6 * 64 }
}

/// The hash of a small key: most are spread, some crowd at either end.
pub(super) fn hash(key: u64) -> u64 {
    match key % 8 {
        6 => key / 8,
        7 => u64::MAX - key / 8,
        _ => spread(key),
    }
}

/// A ledger's rows, and the index that must know their keys.
pub(super) struct World {
    pub(super) index: KeyIndex,
    pub(super) keeper: Keeper,
    pub(super) disk: Arc<FaultyDisk>,
    pub(super) options: Options,
    /// The jobs that are there, with the hash of the key if they have one.
    pub(super) rows: BTreeMap<u64, Option<u64>>,
    pub(super) next: u64,
    pub(super) retired: u64,
    now: Instant,
    pub(super) folder: TempDir,
}

impl World {
    pub(super) fn new(options: Options, disk: FaultyDisk) -> World {
        let folder = TempDir::new().unwrap();
        let disk = Arc::new(disk);
        let (index, keeper) = open(folder.path(), 0..0, &options, &disk).unwrap();
        World { index, keeper, disk, options, rows: BTreeMap::new(), next: 0, retired: 0, now: Instant::now(), folder }
    }

    /// Accepts a job.
    pub(super) fn submit(&mut self, hash: Option<u64>) {
        self.rows.insert(self.next, hash);
        if let Some(hash) = hash {
            self.index.insert(hash, self.next);
        }
        self.next += 1;
    }

    /// Accepts jobs with keys of which hardly any is like another.
    pub(super) fn submit_keys(&mut self, count: u64) {
        for _ in 0..count {
            self.submit(Some(hash(self.next)));
        }
    }

    /// Deletes all jobs below.
    pub(super) fn retire(&mut self, below: u64) {
        self.rows = self.rows.split_off(&below);
        self.retired = self.retired.max(below);
        self.index.retire(below);
    }

    /// Lets the keeper work. False if it had nothing to do.
    pub(super) fn step(&mut self) -> bool {
        let worked = self.keeper.step(self.now) == Step::Worked;
        assert!(self.keeper.filter_bytes() <= self.options.filter_bytes);
        worked
    }

    /// Lets the keeper work until it has nothing to do even after the longest pause.
    pub(super) fn settle(&mut self) {
        for _ in 0..10_000 {
            // The owner is not idle: full tables are sealed, the memory of old views is given back.
            self.index.advance(self.next);
            self.index.candidates(0, &mut Vec::new()).ok();
            if !self.step() {
                if self.step_later() {
                    continue;
                }
                return;
            }
        }
        panic!("the keeper never rests");
    }

    /// Lets the keeper work after any pause that it makes.
    pub(super) fn step_later(&mut self) -> bool {
        self.now += Duration::from_secs(600);
        self.step()
    }

    /// Stops everything where it is, as `kill -9` or a power cut does, and starts again.
    pub(super) fn crash(&mut self) {
        self.disk.cut_power();
        self.disk.tear();
        self.reopen();
    }

    /// Starts again in good order, unless the disk has died before.
    pub(super) fn crash_if_dead_or_reopen(&mut self) {
        if self.disk.is_dead() { self.crash() } else { self.reopen() }
    }

    pub(super) fn reopen(&mut self) {
        self.disk = Arc::default();
        let jobs = self.retired..self.next;
        let (index, keeper) = open(self.folder.path(), jobs, &self.options, &self.disk).unwrap();
        self.index = index;
        self.keeper = keeper;
        self.rebuild();
    }

    /// Inserts again what the index says it does not have.
    pub(super) fn rebuild(&mut self) {
        let covered = self.index.covered();
        assert!(covered <= self.next.max(self.retired));
        for (number, hash) in self.rows.range(covered..) {
            if let Some(hash) = hash {
                self.index.insert(*hash, *number);
            }
        }
        self.index.advance(self.next);
    }

    /// Looks a hash up and compares with the rows.
    pub(super) fn check(&mut self, hash: u64) -> Result<(), KeyIndexError> {
        let rows = self.rows.iter().rev().filter(|(_, row)| **row == Some(hash));
        let expected: Vec<u64> = rows.map(|(number, _)| *number).collect();
        self.look_up(hash, &expected)
    }

    /// Looks all hashes up, and some that nobody has.
    pub(super) fn check_all(&mut self) -> Result<(), KeyIndexError> {
        let mut expected: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for (number, hash) in self.rows.iter().rev() {
            if let Some(hash) = hash {
                expected.entry(*hash).or_default().push(*number);
            }
        }
        expected.iter().try_for_each(|(hash, numbers)| self.look_up(*hash, numbers))?;
        (1_000_000..1_000_020).try_for_each(|key| self.look_up(hash(key), &[]))
    }

    fn look_up(&mut self, hash: u64, expected: &[u64]) -> Result<(), KeyIndexError> {
        let mut numbers = vec![99];
        self.index.candidates(hash, &mut numbers)?;
        assert_eq!(numbers, expected, "hash {hash:016x}");
        Ok(())
    }

    /// The files of the index, in the order of what they cover.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    }
}

fn open(
    path: &Path,
    jobs: std::ops::Range<u64>,
    options: &Options,
    disk: &Arc<FaultyDisk>,
) -> Result<(KeyIndex, Keeper), KeyIndexError> {
    let disk: Arc<FaultyDisk> = Arc::clone(disk);
    KeyIndex::open_without_thread(path, &HASHER(), jobs, options.clone(), disk)
}
