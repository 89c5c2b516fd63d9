use ackd_domain::Command;
use ackd_ports::{Counts, LedgerError, LedgerReader};

use super::sample::{json, lease, one, small, submission, submit, try_apply, try_open};
use crate::{EmbeddedStore, Options};

/// Lets the database grow by so many pages more and no further.
fn limit(store: &EmbeddedStore, more: i64) {
    let connection = store.ledger.connection();
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    connection.pragma_update_and_check(None, "max_page_count", pages + more, |_| Ok(())).unwrap();
}

fn fill(store: &mut EmbeddedStore) -> LedgerError {
    let mut large = submission("video");
    large.payload.bytes = vec![b'x'; 100_000].into();
    loop {
        if let Err(error) = try_apply(store, vec![Command::Submit(vec![large.clone()])]) {
            return error;
        }
    }
}

#[test]
fn a_full_store_says_so_loses_nothing_and_works_again_when_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { reserve: 1 << 20, ..small() };
    let mut store = try_open(directory.path(), &options).unwrap();
    let reserve = directory.path().join("reserve");
    assert_eq!(reserve.metadata().unwrap().len(), 1 << 20);
    let leased = submit(&mut store, submission("video"));
    let token = lease(&mut store, leased.id.number());

    limit(&store, 60);
    assert!(matches!(fill(&mut store), LedgerError::Full(_)));
    assert!(!reserve.exists(), "the reserve is for what was accepted before");
    let counts = store.reader.counts().unwrap();
    let head = store.reader.list(&Default::default(), None, 1).unwrap();

    // The disk has room, only the database has not: it is tried again, and fails again.
    assert!(matches!(fill(&mut store), LedgerError::Full(_)));
    assert_eq!(store.reader.counts(), Ok(counts));
    assert_eq!(store.reader.list(&Default::default(), None, 1), Ok(head));
    assert!(one(&mut store, Command::Complete { lease: token, result: Some(json("1")) }).is_ok());

    limit(&store, 1000);
    submit(&mut store, submission("video"));
    assert!(reserve.exists(), "the reserve is made anew");
    assert_eq!(store.reader.trouble(), Vec::<String>::new());
    let total = |counts: &Counts| counts.by_status.iter().sum::<u64>();
    assert!(store.reader.counts().unwrap().iter().map(total).sum::<u64>() > 2);
}

#[test]
fn without_room_for_the_reserve_work_is_settled_and_none_is_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = try_open(directory.path(), &small()).unwrap();
    let number = submit(&mut store, submission("video")).id.number();
    let token = lease(&mut store, number);
    drop(store);

    let greedy = Options { reserve: i64::MAX as u64, ..small() };
    let mut store = try_open(directory.path(), &greedy).unwrap();
    let refused = try_apply(&mut store, vec![Command::Submit(vec![submission("video")])]);
    assert!(matches!(refused, Err(LedgerError::Full(_))), "{refused:?}");
    assert!(one(&mut store, Command::Complete { lease: token, result: None }).is_ok());
    assert_eq!(store.reader.trouble().len(), 1);
}
