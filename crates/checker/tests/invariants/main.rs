//! Each invariant is broken in several ways, and nearly broken in others.

#![allow(clippy::unwrap_used, reason = "this is a test, all of it")]

mod history;
mod jobs;
mod leases;
mod random;
mod telling;

use ackd_checker::{Checker, Event, HistoryError, Verb};

use history::History;

#[test]
fn what_is_no_history_is_said_to_be_none() {
    let take = |records: &[Event<u64>]| {
        let mut history = History::new();
        for is in records {
            history.add(is.clone());
        }
        let mut checker = Checker::new();
        history.records.iter().try_for_each(|record| checker.take(record))
    };
    let settle = Event::Settle { request: 1, lease: 1, verb: Verb::Complete, result: None };
    let done = Event::Done { request: 1 };
    assert_eq!(take(std::slice::from_ref(&done)), Err(HistoryError::NeverAsked { place: 0 }));
    assert_eq!(take(&[settle.clone(), settle.clone()]), Err(HistoryError::AskedTwice { place: 1, before: 0 }));
    assert_eq!(take(&[settle.clone(), done]), Err(HistoryError::WrongAnswer { place: 1, asked: 0 }));
    assert_eq!(take(&[settle, Event::Refused { request: 1 }]), Ok(()));
    let mut checker = Checker::new();
    let mut history = History::new();
    history.end().end();
    history.records.reverse();
    checker.take(&history.records[0]).unwrap();
    assert_eq!(checker.take(&history.records[1]), Err(HistoryError::OutOfOrder { place: 1 }));
}
