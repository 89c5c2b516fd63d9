use std::sync::Arc;

use ackd_domain::{Command, Job, Name, Position, QueuePatch, Submission};
use ackd_ports::{ChangeFeed, LedgerError, LedgerReader};
use rusqlite::ffi;

use super::sample::{json, lease, one, open, submission, submit, try_apply};
use crate::EmbeddedStore;

/// The lanes that there are, with how many submissions each has.
fn lanes(store: &EmbeddedStore) -> Vec<(i64, i64)> {
    const COUNTED: &str = "SELECT id, submissions + (SELECT count(*) FROM submission WHERE submission.lane = lane.id \
                           AND submission.id > ifnull((SELECT value FROM meta WHERE name = 'lanes_counted'), 0)) \
                           FROM lane ORDER BY id";
    let mut statement = store.ledger.connection().prepare(COUNTED).unwrap();
    statement.query_map([], |row| row.try_into()).unwrap().map(Result::unwrap).collect()
}

fn queues(store: &EmbeddedStore) -> Vec<String> {
    let mut statement = store.ledger.connection().prepare("SELECT name FROM queue ORDER BY name").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn of_group(group: &str) -> Submission {
    Submission { group: Some(group.into()), ..submission("video") }
}

fn ended(store: &mut EmbeddedStore, submission: Submission) -> Arc<Job> {
    let job = submit(store, submission);
    one(store, Command::Cancel { id: job.id }).unwrap();
    job
}

fn forget(store: &EmbeddedStore) -> Command {
    let head = store.reader.head().unwrap();
    Command::PurgeChanges { old: head, ancient: head }
}

#[test]
fn a_lane_goes_with_the_last_that_is_left_of_its_jobs() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let first = ended(&mut store, of_group("a"));
    let second = ended(&mut store, of_group("a"));
    let other = submit(&mut store, of_group("b"));
    assert_eq!(lanes(&store), [(1, 2), (2, 1)]);

    one(&mut store, Command::Delete { id: first.id }).unwrap();
    assert_eq!(lanes(&store), [(1, 2), (2, 1)], "the feed tells of it still");
    let old = forget(&store);
    one(&mut store, old).unwrap();
    assert_eq!(lanes(&store), [(1, 1), (2, 1)]);
    one(&mut store, Command::Delete { id: second.id }).unwrap();
    assert_eq!(lanes(&store), [(2, 1)], "of the second the feed tells no more");

    // It is made anew, and works as ever.
    let again = submit(&mut store, of_group("a"));
    let token = lease(&mut store, again.id.number());
    one(&mut store, Command::Complete { lease: token, result: Some(json("1")) }).unwrap();
    assert_eq!(lanes(&store), [(2, 1), (3, 1)]);
    for id in [again.id, other.id] {
        let group = store.reader.job(id).unwrap().unwrap().spec.group.clone();
        assert_eq!(group.as_deref(), Some(if id == other.id { "b" } else { "a" }));
    }
    assert!(store.reader.changes(store.reader.earliest().unwrap(), 100).is_ok());
}

/// Readers remember lanes by their numbers.
#[test]
fn the_number_of_a_lane_is_not_given_out_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    for round in 1..=3 {
        let job = ended(&mut store, of_group("a"));
        assert_eq!(lanes(&store), [(round, 1)]);
        let old = forget(&store);
        try_apply(&mut store, vec![Command::Delete { id: job.id }, old]).unwrap();
        assert_eq!(lanes(&store), []);
        drop(store);
        store = open(directory.path());
    }
}

#[test]
fn the_name_of_a_queue_goes_with_its_last_lane_unless_it_is_configured() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let configured = Name::new("configured").unwrap();
    one(&mut store, Command::Configure { queue: configured, patch: Box::new(QueuePatch::pause(true)) }).unwrap();
    let jobs = ["configured", "video", "audio"].map(|queue| ended(&mut store, submission(queue)));
    submit(&mut store, submission("audio"));
    let mut batch: Vec<Command> = jobs.iter().map(|job| Command::Delete { id: job.id }).collect();
    batch.push(forget(&store));
    try_apply(&mut store, batch).unwrap();
    assert_eq!(queues(&store), ["audio", "configured"]);
    submit(&mut store, submission("video"));
    let counted: Vec<String> =
        store.reader.counts().unwrap().iter().map(|counts| counts.queue.as_str().to_owned()).collect();
    assert_eq!(counted, ["audio", "video"]);
    assert_eq!(store.reader.queues().unwrap().len(), 1);
}

#[test]
fn a_batch_that_uses_a_lane_or_fails_keeps_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let first = ended(&mut store, of_group("a"));
    let delete = |job: &Job, store: &EmbeddedStore| vec![Command::Delete { id: job.id }, forget(store)];

    let full = rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_FULL), None);
    *store.reader.shared.fail_next.lock().unwrap() = Some(full);
    let batch = delete(&first, &store);
    assert!(matches!(try_apply(&mut store, batch), Err(LedgerError::Full(_))));
    assert_eq!(lanes(&store), [(1, 1)]);

    let mut batch = delete(&first, &store);
    batch.push(Command::Submit(vec![of_group("a")]));
    try_apply(&mut store, batch).unwrap();
    assert_eq!(lanes(&store), [(1, 1)]);
    let second = ended(&mut store, of_group("a"));
    assert_eq!(lanes(&store), [(1, 2)]);
    let batch = delete(&second, &store);
    try_apply(&mut store, batch).unwrap();
    assert_eq!(lanes(&store), [(1, 1)]);
    assert_eq!(store.reader.earliest(), Ok(Position(5)));
    assert_eq!(store.reader.trouble(), Vec::<String>::new());
}

/// Those that are not in the rows of the lanes are counted when the store is opened, and are never counted twice.
#[test]
fn what_is_not_written_down_is_counted_again() {
    const AT_ONCE: usize = 1000;
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let mut expected = 0;
    for round in 0..40 {
        let batch = (0..AT_ONCE).map(|_| of_group("a")).collect();
        try_apply(&mut store, vec![Command::Submit(batch)]).unwrap();
        expected += i64::try_from(AT_ONCE).unwrap();
        assert_eq!(lanes(&store), [(1, expected)]);
        if round % 7 == 0 {
            drop(store);
            store = open(directory.path());
        }
    }
    let in_rows = "SELECT submissions FROM lane WHERE id = 1";
    let written: i64 = store.ledger.connection().query_row(in_rows, [], |row| row.get(0)).unwrap();
    assert!(written > 0, "they are written down now and then");
    // One that leaves has all of them written down first.
    let first = ended(&mut store, of_group("a"));
    drop(store);
    store = open(directory.path());
    let old = forget(&store);
    try_apply(&mut store, vec![Command::Delete { id: first.id }, old]).unwrap();
    let written: i64 = store.ledger.connection().query_row(in_rows, [], |row| row.get(0)).unwrap();
    assert_eq!(written, expected);
    drop(store);
    assert_eq!(lanes(&open(directory.path())), [(1, expected)]);
}
