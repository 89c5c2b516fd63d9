//! What every ledger must do, with its reader and its change feed.
//!
//! An adapter's test makes a [`Fixture`] of a new and empty store each time it is asked:
//!
//! ```
//! use ackd_conformance::ledger::{Fixture, Opened, exercise};
//! use ackd_memory::MemoryLedger;
//! use ackd_ports::SeededEntropy;
//!
//! # fn test() {
//! exercise(|| {
//!     let ledger = MemoryLedger::new(SeededEntropy::new(1));
//!     let (reader, faults) = (ledger.reader(), ledger.faults());
//!     Fixture::volatile(Opened { ledger: Box::new(ledger), reader: reader.clone(), feed: reader })
//!         .failing(move |error| faults.fail_next(error))
//! });
//! # }
//! ```
//!
//! A store that outlives being closed is a [`Fixture::durable`]; what makes a commit fail is told by `failing`, and left
//! out of the cases where it is not.

mod audit;
mod batch;
mod bodies;
mod dead;
mod dead_letters;
mod faults;
mod feed;
mod files;
mod fixture;
mod large;
mod lifecycle;
mod list;
mod model;
mod order;
mod queues;
mod recorder;
mod reopen;
mod retention;
mod samples;
mod schedules;
mod submit;
mod unique;
mod waiting;
mod webhooks;
mod world;

use std::thread;

pub use fixture::{Fixture, Opened};

use world::World;

/// One thing a ledger must do, by the name that a failure is reported under.
type Case = (&'static str, fn(&mut World));

/// Exercises the ledgers that `open` makes, each of them new and empty, with every case, and with random
/// batches beside a [`ackd_memory::MemoryLedger`].
///
/// # Panics
/// Where a ledger, its reader or its feed does not do what [`ackd_ports::Ledger`], [`ackd_ports::LedgerReader`] and
/// [`ackd_ports::ChangeFeed`] say.
pub fn exercise(mut open: impl FnMut() -> Fixture) {
    for (name, case) in cases() {
        let _named = Named(name);
        let mut world = World::new(open());
        case(&mut world);
        world.audit();
        world.reopen();
    }
    let _named = Named("random batches, beside a ledger in memory");
    model::exercise(open);
}

fn cases() -> impl Iterator<Item = Case> {
    let chapters: [&[Case]; 19] = [
        submit::CASES,
        unique::CASES,
        lifecycle::CASES,
        batch::CASES,
        faults::CASES,
        feed::CASES,
        list::CASES,
        waiting::CASES,
        queues::CASES,
        webhooks::CASES,
        schedules::CASES,
        order::CASES,
        bodies::CASES,
        reopen::CASES,
        retention::CASES,
        dead::CASES,
        dead_letters::CASES,
        large::CASES,
        files::CASES,
    ];
    chapters.into_iter().flatten().copied()
}

/// Says which case it was when one panics.
struct Named(&'static str);

impl Drop for Named {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the ledger's conformance suite failed at: {}", self.0);
        }
    }
}
