//! What stands in this crate passes its own suites.

use ackd_ports::conformance::ledger::{Fixture, Opened};
use ackd_ports::{MemoryLedger, SeededEntropy, SystemClock, SystemEntropy, conformance};

fn memory() -> Fixture {
    let ledger = MemoryLedger::new(SeededEntropy::new(1));
    let (reader, faults) = (ledger.reader(), ledger.faults());
    let purging = faults.clone();
    Fixture::volatile(Opened { ledger: Box::new(ledger), reader: reader.clone(), feed: reader })
        .failing(move |error| faults.fail_next(error))
        .purging(move |position| purging.purge(position))
}

#[test]
fn the_ledger_in_memory() {
    conformance::ledger::exercise(memory);
}

#[test]
fn the_machines_clocks() {
    conformance::clock::exercise(&SystemClock::start());
}

#[test]
fn both_sources_of_chance() {
    conformance::entropy::exercise(&mut SystemEntropy::new().unwrap());
    conformance::entropy::exercise(&mut SeededEntropy::new(2));
}
