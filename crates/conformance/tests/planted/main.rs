//! The ledger's suite must catch every bug that is planted here; otherwise its silence says nothing.

#![allow(clippy::unwrap_used, reason = "this is a test, all of it")]

mod bug;
mod ledger;
mod reader;

use std::panic;
use std::sync::{Arc, Mutex};

use ackd_conformance::ledger::{Fixture, Opened, exercise};
use ackd_memory::MemoryLedger;
use ackd_ports::SeededEntropy;

use bug::Bug;
use ledger::PlantedLedger;
use reader::PlantedReader;

/// A ledger in memory that outlives being closed, and has `bug`.
fn fixture(bug: Bug) -> Fixture {
    let memory = MemoryLedger::new(SeededEntropy::new(3));
    let (failing, opening) = (memory.faults(), memory.faults());
    let reader = Arc::new(PlantedReader::new(memory.reader(), bug));
    let memory = Arc::new(Mutex::new(memory));
    let open = move || {
        opening.heal();
        let ledger = PlantedLedger::open(Arc::clone(&memory), bug);
        Opened { ledger: Box::new(ledger), reader: reader.clone(), feed: reader.clone() }
    };
    Fixture::durable(open).failing(move |error| failing.fail_next(error))
}

#[test]
fn every_planted_bug_is_caught_and_nothing_else() {
    exercise(|| fixture(Bug::None));
    panic::set_hook(Box::new(|_| {}));
    let escaped: Vec<Bug> =
        Bug::ALL.into_iter().filter(|bug| panic::catch_unwind(|| exercise(|| fixture(*bug))).is_ok()).collect();
    drop(panic::take_hook());
    assert!(escaped.is_empty(), "the suite does not catch {escaped:?}");
}
