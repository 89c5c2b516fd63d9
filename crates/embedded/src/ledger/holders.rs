use std::ops::Range;
use std::path::Path;

use ackd_domain::{Name, Spec};
use rusqlite::{Connection, Row};
use rustc_hash::FxHashMap;

use super::touched::TouchedJob;
use crate::checksum::Checksum;
use crate::error::OpenError;
use crate::fault::Fault;
use crate::keys::{KeyHasher, KeyIndex, KeyIndexError, Options};
use crate::rows::{Columns, KeyRow, once};
use crate::trouble::Trouble;

/// Which job holds an idempotency key, and which may carry a unique one: the index names candidates, their rows tell.
pub(super) struct Holders {
    index: KeyIndex,
    hasher: KeyHasher,
    candidates: Vec<u64>,
    /// The number of the next job.
    next: u64,
}

impl Holders {
    /// Opens the index in `folder` and gives it the keys that it does not have; `jobs` are the numbers from the first job
    /// that is left to the next one.
    pub(super) fn open(
        folder: &Path,
        connection: &Connection,
        secret: [u8; 16],
        jobs: Range<u64>,
        options: Options,
        trouble: &Trouble,
    ) -> Result<Holders, OpenError> {
        let hasher = KeyHasher::new(secret);
        let next = jobs.end;
        let index = KeyIndex::open(folder, &hasher, jobs, options)?;
        let mut holders = Holders { index, hasher, candidates: Vec::new(), next };
        holders.read_again(connection, trouble)?;
        Ok(holders)
    }

    /// The number of the job that holds `key`.
    pub(super) fn find(&mut self, connection: &Connection, key: &str, trouble: &Trouble) -> Result<Option<u64>, Fault> {
        let hash = self.of_idempotency(key);
        let mut candidates = std::mem::take(&mut self.candidates);
        let found = self.ask(connection, hash, &mut candidates, trouble);
        let holder = found.and_then(|()| Holders::verify(connection, key, &candidates));
        self.candidates = candidates;
        holder
    }

    /// The numbers of the jobs that may have this unique key, the newest of those that do before any other that does.
    pub(super) fn rivals(
        &mut self,
        connection: &Connection,
        (queue, key): (&Name, &str),
        trouble: &Trouble,
    ) -> Result<Vec<u64>, Fault> {
        let hash = self.of_once(&once(queue, key));
        let mut candidates = Vec::new();
        self.ask(connection, hash, &mut candidates, trouble)?;
        Ok(candidates)
    }

    fn of_idempotency(&self, key: &str) -> u64 {
        self.hasher.hash(key.as_bytes())
    }

    fn of_once(&self, once: &str) -> u64 {
        self.hasher.hash(&[b"\0", once.as_bytes()].concat())
    }

    /// Fills `candidates`. Where the index is damaged, it is made anew from the rows first: it holds
    /// nothing that they do not.
    fn ask(
        &mut self,
        connection: &Connection,
        hash: u64,
        candidates: &mut Vec<u64>,
        trouble: &Trouble,
    ) -> Result<(), Fault> {
        loop {
            match self.index.candidates(hash, candidates) {
                Ok(()) => return Ok(()),
                Err(KeyIndexError::Damaged { from, path, .. }) => {
                    tracing::warn!("the key index is damaged in {}, and made anew from job {from} on", path.display());
                    self.index.forget_from(from);
                    self.read_again(connection, trouble)?;
                }
                Err(error) => return Err(Fault::Keys(error)),
            }
        }
    }

    fn verify(connection: &Connection, key: &str, candidates: &[u64]) -> Result<Option<u64>, Fault> {
        if candidates.is_empty() {
            return Ok(None);
        }
        let mut statement =
            connection.prepare_cached("SELECT id, text, fingerprint, once, crc FROM key WHERE id = ?1")?;
        for number in candidates {
            let mut rows = statement.query([number.cast_signed()])?;
            // A candidate may be gone, or, once in 2^64 times, have another key with the same hash. A
            // damaged one may be the holder: then nobody can say whether the key is taken.
            if let Some(row) = rows.next()?
                && read(row)?.text() == Some(key)
            {
                return Ok(Some(*number));
            }
        }
        Ok(None)
    }

    /// Notes the keys of the jobs that a durable batch made, which are in the order of their numbers. `renewed` are those
    /// whose unique key another job had before, with the number of that.
    pub(super) fn committed(&mut self, jobs: &[TouchedJob], renewed: &FxHashMap<u64, u64>, next: u64) {
        for job in jobs.iter().filter(|job| job.before.is_none()) {
            let Spec { queue, key, unique, .. } = &*job.job.spec;
            let key = key.as_ref().map(|key| self.of_idempotency(&key.text));
            let Some(unique) = unique else {
                key.into_iter().for_each(|hash| self.index.insert(hash, job.number));
                continue;
            };
            let hash = self.of_once(&once(queue, unique));
            match renewed.get(&job.number) {
                Some(old) => self.index.renew(hash, *old, key.as_slice(), job.number),
                None => self.note(key, Some(hash), job.number),
            }
        }
        self.index.advance(next);
        self.next = next;
    }

    fn note(&mut self, key: Option<u64>, once: Option<u64>, number: u64) {
        match (key, once) {
            (Some(key), Some(once)) => self.index.insert_all(&[key, once], number),
            (Some(hash), None) | (None, Some(hash)) => self.index.insert(hash, number),
            (None, None) => {}
        }
    }

    /// No job is left below the number `first`, and so no key. A key in between whose job is gone is still a candidate,
    /// without a row.
    pub(super) fn retire(&mut self, first: u64) {
        self.index.retire(first);
    }

    /// What keeps the index from its work.
    pub(super) fn trouble(&self) -> Option<String> {
        self.index.trouble().map(|error| error.to_string())
    }

    /// Whether the keys of so many more jobs can be noted without bounds being broken.
    pub(super) fn has_room(&self, keys: usize) -> bool {
        keys <= self.index.room() || self.index.trouble().is_none()
    }

    /// Reads the keys that the index does not have from their rows.
    fn read_again(&mut self, connection: &Connection, trouble: &Trouble) -> Result<(), rusqlite::Error> {
        let mut statement =
            connection.prepare("SELECT id, text, fingerprint, once, crc FROM key WHERE id >= ?1 ORDER BY id")?;
        let mut rows = statement.query([self.index.covered().cast_signed()])?;
        while let Some(row) = rows.next()? {
            let number: i64 = row.get(0)?;
            match read(row) {
                Ok(keys) => {
                    let key = keys.text().map(|key| self.of_idempotency(key));
                    let once = keys.once.as_deref().map(|once| self.of_once(once));
                    self.note(key, once, number.cast_unsigned());
                }
                Err(fault) => drop(trouble.note(fault)),
            }
        }
        self.index.advance(self.next);
        Ok(())
    }
}

/// Reads a row of id, keys and checksum.
fn read<'r>(row: &'r Row<'r>) -> Result<KeyRow<'r>, Fault> {
    let mut columns = Columns::from(row, 0);
    let number = columns.int()?;
    KeyRow::read(&mut columns, number, &mut Checksum::default())
        .map_err(|_| Fault::Damaged(format!("the keys of job {number}")))
}
