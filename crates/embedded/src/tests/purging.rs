use std::time::Duration;

use ackd_domain::{Command, Failure, Position};
use ackd_ports::{ChangeFeed, FeedError, LedgerReader};

use super::sample::{json, lease, one, open, submission, submit};
use crate::EmbeddedStore;

fn fail(store: &mut EmbeddedStore, number: u64, problem: &str) {
    let lease = lease(store, number);
    let error = Failure { problem: problem.into() };
    let retry_after = Some(Duration::ZERO);
    one(store, Command::Fail { lease, error, retryable: true, retry_after, cancelled: false }).unwrap();
}

fn texts(store: &EmbeddedStore) -> i64 {
    store.ledger.connection().query_row("SELECT count(*) FROM failure", [], |row| row.get(0)).unwrap()
}

#[test]
fn what_is_purged_is_gone_and_what_is_kept_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let job = submit(&mut store, submission("video"));
    let number = job.id.number();
    for problem in ["one", "two", "two"] {
        fail(&mut store, number, problem);
    }
    let lease = lease(&mut store, number);
    let done = one(&mut store, Command::Complete { lease, result: Some(json("1")) });
    assert!(done.is_ok());
    let all = store.reader.changes(Position::START, 100).unwrap();
    assert_eq!(all.len(), 9);
    assert_eq!(texts(&store), 2, "a text that stays the same is written once");

    for upto in 1..=9u64 {
        assert_eq!(store.ledger.purge_changes(Position(upto), 10), Ok(1));
        assert_eq!(store.reader.earliest(), Ok(Position(upto)));
        assert_eq!(store.reader.head(), Ok(Position(9)));
        let kept = store.reader.changes(Position(upto), 100).unwrap();
        assert!(
            kept.iter().zip(&all[usize::try_from(upto).unwrap()..]).all(|(kept, was)| kept.job.error == was.job.error)
        );
        assert_eq!(kept.len() as u64, 9 - upto);
        assert!(
            matches!(store.reader.changes(Position(upto - 1), 1), Err(FeedError::Purged(p)) if p == Position(upto))
        );
        let timeline = store.reader.timeline(job.id).unwrap().unwrap();
        assert!(timeline.truncated && timeline.changes.len() as u64 == 9 - upto);
    }
    assert_eq!(texts(&store), 0);
    assert_eq!(store.ledger.purge_changes(Position(100), 10), Ok(0));
    drop(store);

    // Positions go on though no change is left to tell where they were.
    let mut store = open(directory.path());
    assert_eq!(submit(&mut store, submission("video")).changed, Position(10));
}

#[test]
fn a_purge_takes_no_more_than_it_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    for _ in 0..10 {
        submit(&mut store, submission("video"));
    }
    assert_eq!(store.ledger.purge_changes(Position(9), 4), Ok(4));
    assert_eq!(store.reader.earliest(), Ok(Position(4)));
    assert_eq!(store.ledger.purge_changes(Position(9), 100), Ok(5));
    assert_eq!(store.reader.earliest(), Ok(Position(9)));
}
