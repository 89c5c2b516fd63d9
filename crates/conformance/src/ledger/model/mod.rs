//! Random batches, applied to the ledger under test and to one in memory: both must say the same.

mod plan;
mod side;

use std::cell::RefCell;
use std::collections::HashSet;
use std::{env, panic};

use ackd_domain::ChangeKind;
use proptest::collection::vec;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use ackd_memory::MemoryLedger;
use ackd_ports::{LedgerError, SeededEntropy};

use super::{Fixture, Opened};
use plan::{Step, step};
use side::Side;

/// How many sequences of batches are tried, unless the environment's `PROPTEST_CASES` says.
const CASES: u32 = 48;

/// How often so many are tried at most, until each kind of change has come.
const ROUNDS: usize = 5;

pub(super) fn exercise(open: impl FnMut() -> Fixture) {
    let cases = env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
    let open = RefCell::new(open);
    let seen: RefCell<HashSet<ChangeKind>> = RefCell::default();
    let missed = || -> Vec<ChangeKind> {
        let seen = seen.borrow();
        ChangeKind::ALL.into_iter().filter(|kind| !seen.contains(kind)).collect()
    };
    // Some kinds take luck: it is tried again for them, a few times.
    for _ in 0..ROUNDS {
        let outcome = TestRunner::new(config.clone()).run(&vec(step(), 1..40), |steps| {
            let fixture = (open.borrow_mut())();
            seen.borrow_mut().extend(compare(fixture, &steps));
            Ok::<(), TestCaseError>(())
        });
        if let Err(error) = outcome {
            panic!("{error}");
        }
        if cases < CASES || missed().is_empty() {
            return;
        }
    }
    panic!("the random batches never came to {:?}", missed());
}

/// Takes both ledgers through `steps`; gives the kinds of change that came of it.
fn compare(fixture: Fixture, steps: &[Step]) -> Vec<ChangeKind> {
    let mut tested = Side::new(fixture);
    let mut model = Side::new(memory());
    for step in steps {
        match step {
            Step::Pass(time) => {
                tested.world.pass(*time);
                model.world.pass(*time);
            }
            Step::Batch(batch) => assert_eq!(tested.apply(batch), model.apply(batch), "after {batch:?}"),
            Step::Full(batch) => {
                if tested.world.fixture.fail_next(LedgerError::Full("no room".into())) {
                    tested.fail(batch);
                }
                assert_eq!(tested.apply(batch), model.apply(batch), "after {batch:?}, which failed once");
            }
            Step::Reopen => tested.world.reopen(),
        }
    }
    tested.world.audit();
    model.world.audit();
    model.world.changes.iter().map(|change| change.kind).collect()
}

fn memory() -> Fixture {
    let ledger = MemoryLedger::new(SeededEntropy::new(0));
    let reader = ledger.reader();
    Fixture::volatile(Opened { ledger: Box::new(ledger), reader: reader.clone(), feed: reader })
}
