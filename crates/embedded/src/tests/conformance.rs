use std::path::Path;
use std::sync::{Arc, Mutex};

use ackd_conformance::ledger::{Fixture, Opened, exercise};
use ackd_ports::{LedgerError, SeededEntropy};
use rusqlite::ffi;

use super::sample::small;
use crate::shared::Shared;
use crate::{EmbeddedStore, Options};

/// A ledger in a directory of its own, with faults.
fn durable(options: &Options) -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    // The newest opening's shared part, for the faults.
    let shared: Arc<Mutex<Option<Arc<Shared>>>> = Arc::default();
    let (options, latest) = (options.clone(), Arc::clone(&shared));
    let open = move || {
        *latest.lock().unwrap() = None;
        let (opened, shared) = open(directory.path(), &options);
        *latest.lock().unwrap() = Some(shared);
        opened
    };
    let failing = move |error| {
        let code = match error {
            LedgerError::Full(_) => ffi::SQLITE_FULL,
            LedgerError::Failed(_) => ffi::SQLITE_IOERR_FSYNC,
        };
        let shared = shared.lock().unwrap();
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        *shared.as_ref().unwrap().fail_next.lock().unwrap() = Some(error);
    };
    Fixture::durable(open).failing(failing)
}

fn open(directory: &Path, options: &Options) -> (Opened, Arc<Shared>) {
    let store = EmbeddedStore::open(directory, options, Box::new(SeededEntropy::new(1))).unwrap();
    let EmbeddedStore { ledger, reader } = store;
    let shared = Arc::clone(&reader.shared);
    (Opened { ledger: Box::new(ledger), reader: reader.clone(), feed: reader }, shared)
}

#[test]
fn the_ledger_on_sqlite() {
    exercise(|| durable(&small()));
}

#[test]
fn the_ledger_on_sqlite_that_remembers_one_job() {
    exercise(|| durable(&Options { job_cache: 1, ..small() }));
}
