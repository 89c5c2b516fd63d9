use std::time::Duration;

use ackd_domain::{Answer, Command, Failure, FileId, NewFile, PayloadFile, Position, Submission, limits};
use ackd_ports::{ChangeFeed, FeedError, Idle, Ledger, LedgerReader, ReadError};

use super::sample::{NOW, json, lease, one, open, submission, submit, try_apply};
use crate::EmbeddedStore;

fn fail(store: &mut EmbeddedStore, number: u64, problem: &str) {
    let lease = lease(store, number);
    let error = Failure { problem: problem.into() };
    let retry_after = Some(Duration::ZERO);
    one(store, Command::Fail { lease, error, retryable: true, retry_after, cancelled: false }).unwrap();
}

fn purge(store: &mut EmbeddedStore, upto: u64) -> u64 {
    let position = Position(upto);
    match one(store, Command::PurgeChanges { old: position, ancient: position }) {
        Ok(Answer::Forgotten { .. }) => store.reader.earliest().unwrap().0,
        other => panic!("nothing is purged: {other:?}"),
    }
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
        assert_eq!(purge(&mut store, upto), upto);
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
    assert_eq!(purge(&mut store, 100), 9);
    drop(store);

    // Positions go on though no change is left to tell where they were.
    let mut store = open(directory.path());
    assert_eq!(submit(&mut store, submission("video")).changed, Position(10));
}

fn rows(store: &EmbeddedStore, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    store.ledger.connection().query_row(&sql, [], |row| row.get(0)).unwrap()
}

fn erase(store: &mut EmbeddedStore, number: u64) {
    assert!(matches!(one(store, Command::Purge { number }), Ok(Answer::Erased(_))));
}

/// A job with something in every table, that ends at once; kept for a second.
fn full_life(store: &mut EmbeddedStore, key: &str) -> u64 {
    let brief = Submission { result_retention: Some(Duration::ZERO), tags: vec!["t".into()], ..submission("video") };
    let number = submit(store, brief).id.number();
    let keyed = submit(store, submission("video").keyed(key.into()));
    let token = lease(store, number);
    let beat = |checkpoint: &str| Command::Heartbeat {
        lease: token,
        ttl: None,
        progress: None,
        checkpoint: Some(checkpoint.into()),
    };
    one(store, beat("1")).unwrap();
    one(store, beat("2")).unwrap();
    let error = Failure { problem: "no".into() };
    let retry_after = Some(Duration::ZERO);
    one(store, Command::Fail { lease: token, error, retryable: true, retry_after, cancelled: false }).unwrap();
    fail(store, number, "again");
    let token = lease(store, number);
    one(store, Command::Complete { lease: token, result: Some(json("1")) }).unwrap();
    one(store, Command::Cancel { id: keyed.id }).unwrap();
    one(store, Command::Delete { id: keyed.id }).unwrap();
    number
}

#[test]
fn nothing_is_left_of_jobs_and_changes_that_are_gone() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let number = full_life(&mut store, "k");
    assert_eq!(store.reader.outlived(NOW, 10).unwrap().numbers, [number]);
    erase(&mut store, number);
    for table in ["job", "key", "result", "failure", "checkpoint", "leaving", "expiry", "delivery", "count"] {
        assert_eq!(rows(&store, table), 0, "{table}");
    }
    let payloads: i64 = store
        .ledger
        .connection()
        .query_row("SELECT count(*) FROM submission WHERE typeof(body) = 'blob'", [], |row| row.get(0))
        .unwrap();
    assert_eq!((payloads, rows(&store, "submission"), rows(&store, "erased")), (0, 2, 2));
    let head = store.reader.head().unwrap().0;
    purge(&mut store, head);
    for table in ["submission", "erased", "change"] {
        assert_eq!(rows(&store, table), 0, "{table}");
    }
    // What is erased once its changes are gone leaves nothing either.
    let number = full_life(&mut store, "k");
    let head = store.reader.head().unwrap().0;
    purge(&mut store, head);
    erase(&mut store, number);
    for table in ["job", "submission", "erased", "change", "leaving", "failure", "checkpoint", "result"] {
        assert_eq!(rows(&store, table), 0, "{table}");
    }
}

#[test]
fn what_is_left_of_an_erased_job_is_checked_when_it_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let number = full_life(&mut store, "k");
    erase(&mut store, number);
    assert!(store.reader.changes(Position::START, 100).is_ok());
    let damage = "UPDATE submission SET body = body - 1 WHERE id = ?1";
    store.ledger.connection().execute(damage, [number.cast_signed()]).unwrap();
    let read = store.reader.changes(Position::START, 100);
    assert!(matches!(read, Err(FeedError::Read(ReadError::Damaged(_)))), "{read:?}");
}

#[test]
fn large_jobs_go_few_at_a_time_and_one_at_least() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    for megabytes in [20, 9, 9, 1] {
        let mut large = Submission { result_retention: Some(Duration::ZERO), ..submission("video") };
        large.payload.bytes = vec![b'x'; megabytes << 20].into();
        let id = submit(&mut store, large).id;
        one(&mut store, Command::Cancel { id }).unwrap();
    }
    let mut parts = Vec::new();
    loop {
        let found = store.reader.outlived(NOW, 10).unwrap();
        parts.push(found.numbers.len());
        found.numbers.into_iter().for_each(|number| erase(&mut store, number));
        if !found.more {
            break;
        }
    }
    assert_eq!(parts, [1, 1, 2]);
}

#[test]
fn the_ends_that_were_seen_are_not_looked_at_again_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let week = NOW.after(limits::DEFAULT_RETENTION);
    let end = |store: &mut EmbeddedStore| {
        let id = submit(store, submission("video")).id;
        one(store, Command::Cancel { id }).unwrap();
        id.number()
    };
    let purge_due = |store: &mut EmbeddedStore| {
        let due = store.reader.outlived(week, 10).unwrap().numbers;
        let commands = due.iter().map(|number| Command::Purge { number: *number }).collect();
        store.ledger.apply(commands, week, &mut Idle).unwrap();
        due
    };
    let first = end(&mut store);
    let second = end(&mut store);
    assert_eq!(purge_due(&mut store), [first, second]);
    let third = end(&mut store);
    assert_eq!(purge_due(&mut store), [third]);
    drop(store);
    let store = open(directory.path());
    assert!(store.reader.shared.ends_seen.load(std::sync::atomic::Ordering::Relaxed) >= 4);
    assert!(store.reader.outlived(week, 10).unwrap().numbers.is_empty());
}

/// The search for what may go comes to every job that stays again, and no farther.
#[test]
fn a_job_whose_file_is_damaged_goes_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let file = NewFile { id: FileId::new(7), content_type: "video/mp4".into(), size: 1, sum: 7, digest: 7 };
    let file = Some(Box::new(PayloadFile::New(file)));
    let id = submit(&mut store, Submission { payload_file: file, ..submission("video") }).id;
    one(&mut store, Command::Cancel { id }).unwrap();
    drop(store);
    let shell = rusqlite::Connection::open(directory.path().join("ackd.db")).unwrap();
    assert_eq!(shell.execute("UPDATE file SET size = 2", []).unwrap(), 1);
    drop(shell);
    let mut store = open(directory.path());
    let due = store.reader.outlived(NOW.after(limits::DEFAULT_RETENTION), 10).unwrap().numbers;
    assert_eq!(due, [id.number()]);
    let purge = vec![Command::Purge { number: id.number() }];
    let applied = store.ledger.apply(purge, NOW.after(limits::DEFAULT_RETENTION), &mut Idle).unwrap();
    assert_eq!(applied.answers, [Ok(Answer::Erased(id))]);
    assert_eq!(store.reader.job(id), Ok(None));
}

/// As one whose row is damaged: it is found with each look, and what stands behind it all the same.
#[test]
fn one_that_cannot_be_ended_keeps_nobody_behind_it_from_expiring() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    // More than are looked at once, of which the first is stuck, all between have ended, and the last is due.
    let first = submit(&mut store, submission("video")).id.number();
    let ahead = NOW.after(Duration::from_hours(24 * 365));
    let dated_later = store.ledger.apply(vec![Command::Submit(vec![submission("video")])], ahead, &mut Idle).unwrap();
    assert!(dated_later.answers[0].is_ok());
    for _ in 0..21 {
        let batch = Command::Submit(vec![submission("video"); 500]);
        let Ok(Answer::Accepted(accepted)) = one(&mut store, batch) else { panic!("they are not accepted") };
        let cancel = accepted.iter().map(|it| Command::Cancel { id: it.job.id }).collect();
        try_apply(&mut store, cancel).unwrap();
    }
    let last = submit(&mut store, submission("video")).id.number();
    let now = NOW.after(limits::DEFAULT_EXPIRY);
    let looks: Vec<Vec<u64>> = (0..4).map(|_| store.reader.expired(now, 10).unwrap()).collect();
    assert_eq!(looks, [vec![first], vec![last], vec![first], vec![last]]);
}

/// A dead-letter queue gets a copy of each payload, in the commit that ends the job.
#[test]
fn large_jobs_expire_few_at_a_time_and_one_at_least() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let large = |mebibytes: usize, expires_in: Option<Duration>| {
        let mut large = Submission { expires_in, ..submission("video") };
        large.payload.bytes = vec![b'7'; mebibytes << 20].into();
        large
    };
    for expires_in in [Some(Duration::from_secs(1)), None] {
        let now = NOW.after(expires_in.unwrap_or(limits::DEFAULT_EXPIRY));
        let numbers: Vec<u64> =
            [20, 6, 10, 1].map(|size| submit(&mut store, large(size, expires_in)).id.number()).into();
        let mut ended = Vec::new();
        for part in [&numbers[..1], &numbers[1..3], &numbers[3..]] {
            let expired = store.reader.expired(now, 10).unwrap();
            assert_eq!(expired, part, "{expires_in:?}");
            let expire = expired.iter().map(|number| Command::Expire { number: *number }).collect();
            let applied = store.ledger.apply(expire, now, &mut Idle).unwrap();
            assert!(applied.answers.iter().all(Result::is_ok));
            ended.extend(expired);
        }
        assert_eq!((ended, store.reader.expired(now, 10).unwrap()), (numbers, vec![]));
    }
}
