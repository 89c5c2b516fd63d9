use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{
    After, Change, Command, Failure, FileId, Job, JobId, LeaseToken, Name, NewFile, Position, Refusal, Submission,
    Timestamp,
};
use ackd_ports::{ChangeFeed, FeedError, Filter, Lane, LedgerReader, ReadError};
use rusqlite::Connection;

use super::sample::{json, lease, lease_command, one, open, small, submission, submit, try_open};
use crate::scrub::{Walk, Walked};
use crate::{EmbeddedReader, EmbeddedStore};

/// What a store answered before it was damaged.
struct Truth {
    jobs: Vec<Arc<Job>>,
    changes: Vec<Change>,
}

/// Jobs in every state there is, with everything a job can have, in a closed store.
fn sample(directory: &Path) -> Truth {
    let mut store = open(directory);
    let rich = Submission {
        kind: Some("clip".into()),
        priority: Some(9),
        group: Some("tenant-1".into()),
        expires_in: Some(Duration::from_hours(1)),
        tags: vec!["a".into(), "b".into()],
        ..submission("video")
    };
    let mut ids = vec![submit(&mut store, submission("video")).id, submit(&mut store, rich.keyed("k-1".into())).id];
    for n in 0..4 {
        ids.push(submit(&mut store, submission("audio")).id);
        let lease = lease(&mut store, ids[ids.len() - 1].number());
        let checkpoint = Some(r#"{"at":17}"#.into());
        one(&mut store, Command::Heartbeat { lease, ttl: None, progress: None, checkpoint }).unwrap();
        let error = Failure { problem: r#"{"title":"no luck"}"#.into() };
        let last = match n {
            0 => Command::Complete { lease, result: Some(json(r#"{"result":42}"#)) },
            1 => Command::Fail { lease, error, retryable: false, retry_after: None, cancelled: false },
            2 => Command::Release { lease, delay: None, checkpoint: None },
            _ => continue,
        };
        one(&mut store, last).unwrap();
    }
    let reader = &store.reader;
    Truth {
        jobs: ids.iter().map(|id| reader.job(*id).unwrap().unwrap()).collect(),
        changes: reader.changes(Position::START, 100).unwrap(),
    }
}

fn copy(from: &Path, to: &Path) {
    fs::copy(from.join("ackd.db"), to.join("ackd.db")).unwrap();
}

/// Opens a copy of the sample in which `sql` was run behind ackd's back.
fn tampered(sql: &str) -> (tempfile::TempDir, EmbeddedStore) {
    let [original, copied] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    sample(original.path());
    copy(original.path(), copied.path());
    let shell = Connection::open(copied.path().join("ackd.db")).unwrap();
    assert_eq!(shell.execute(sql, []).unwrap(), 1, "{sql}");
    drop(shell);
    let store = open(copied.path());
    (copied, store)
}

fn id_of(store: &EmbeddedStore, number: i64) -> JobId {
    let row = "SELECT created_at, salt FROM submission WHERE id = ?1";
    let (at, salt): (i64, u32) = store.ledger.connection().query_row(row, [number], |row| row.try_into()).unwrap();
    JobId::new(Timestamp::from_millis(at), number.cast_unsigned(), salt)
}

#[test]
fn a_changed_job_is_neither_served_nor_decided_on() {
    for sql in [
        "UPDATE job SET attempt = 3 WHERE id = 2",
        "UPDATE job SET status = 0.5 WHERE id = 2",
        "UPDATE job SET run_at = run_at + 1 WHERE id = 2",
        "UPDATE job SET worker = 'eve' WHERE id = 2",
        "UPDATE job SET lane = 1 WHERE id = 2",
        "UPDATE job SET expires_at = NULL WHERE id = 2",
        "UPDATE job SET crc = crc + 1 WHERE id = 2",
        "UPDATE job SET lease = zeroblob(length(lease) - 1) WHERE id = 2",
        "UPDATE submission SET more = replace(more, 'b', 'c') WHERE id = 2",
        "UPDATE submission SET keyed = NULL WHERE id = 2",
        "UPDATE submission SET lane = 1 WHERE id = 2",
        "UPDATE key SET text = 'k-2' WHERE id = 2",
        "DELETE FROM submission WHERE id = 2",
        "DELETE FROM key WHERE id = 2",
    ] {
        let (_directory, mut store) = tampered(sql);
        let found = store.reader.list(&Filter::default(), None, 10);
        assert_eq!(found, Err(ReadError::Damaged("job 2".into())), "{sql}");
        let refused = one(&mut store, lease_command(2));
        assert_eq!(refused, Err(Refusal::Damaged("job 2".into())), "{sql}");
        let trouble = store.reader.trouble();
        assert!(trouble.iter().any(|line| line.contains("job 2 is damaged")), "{sql}: {trouble:?}");
        // The others go on.
        let first = id_of(&store, 1);
        let lane = Lane::of(&store.reader.job(first).unwrap().unwrap());
        assert_eq!(store.reader.eligible(&lane, None, 10).unwrap().len(), 1, "{sql}");
        one(&mut store, lease_command(1)).unwrap();
    }
}

/// Turns a bit of the number of a job where that stands in its page, so that a search for it, and perhaps for others, goes
/// astray.
fn misnumber(database: &Path, number: u8, bit: u8) {
    let shell = Connection::open(database).unwrap();
    let root: usize = shell
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'job'", [], |row| row.get::<_, u32>(0))
        .map(|root| root as usize)
        .unwrap();
    // The last one to close it leaves no log behind.
    drop(shell);
    let mut file = fs::read(database).unwrap();
    let page = &mut file[(root - 1) * 4096..][..4096];
    let two = |page: &[u8], at: usize| usize::from(u16::from_be_bytes([page[at], page[at + 1]]));
    assert_eq!(page[0], 13, "a leaf of a table");
    let found = (0..two(page, 3)).map(|cell| two(page, 8 + 2 * cell)).find_map(|at| {
        // Behind the length of the row, which is a byte or two.
        let at = at + if page[at] < 128 { 1 } else { 2 };
        (page[at] == number).then_some(at)
    });
    page[found.unwrap()] ^= bit;
    fs::write(database, file).unwrap();
}

#[test]
fn a_job_that_a_search_misses_is_damaged_and_not_unknown() {
    let original = tempfile::tempdir().unwrap();
    sample(original.path());
    for (number, bit) in [(2, 64), (2, 4), (3, 2), (4, 32), (3, 1)] {
        let copied = tempfile::tempdir().unwrap();
        copy(original.path(), copied.path());
        let ids: Vec<JobId> = {
            let store = open(copied.path());
            (1..=4).map(|number| id_of(&store, number)).collect()
        };
        misnumber(&copied.path().join("ackd.db"), number, bit);
        let mut store = open(copied.path());
        for id in &ids {
            let read = store.reader.job(*id);
            assert!(matches!(read, Ok(Some(_)) | Err(ReadError::Damaged(_))), "{id:?} is {read:?}");
        }
        let missed = ids[usize::from(number) - 1];
        assert!(store.reader.job(missed).is_err(), "{number} ^ {bit}");
        assert!(!store.reader.trouble().is_empty());
        let refused = one(&mut store, lease_command(u64::from(number)));
        assert!(matches!(refused, Err(Refusal::Damaged(_))), "{refused:?}");
    }
    // Numbers that nobody was given are just that.
    let store = open(original.path());
    assert_eq!(store.reader.job(JobId::new(Timestamp::from_millis(1), 1_000_000, 0)), Ok(None));
    assert!(store.reader.trouble().is_empty());
}

#[test]
fn a_timeline_that_breaks_off_is_not_taken_for_a_purged_one() {
    for sql in ["UPDATE change SET seq = 1000 WHERE seq = 4", "DELETE FROM change WHERE seq = 4"] {
        let (_directory, store) = tampered(sql);
        let id = id_of(&store, 3);
        assert_eq!(store.reader.timeline(id).map(drop), Err(ReadError::Damaged("change 4".into())), "{sql}");
        assert!(store.reader.trouble().iter().any(|line| line.contains("change 4 is damaged")), "{sql}");
    }
}

#[test]
fn a_page_of_damaged_jobs_does_not_hide_those_behind_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let jobs: Vec<_> = (0..20).map(|_| submit(&mut store, submission("video"))).collect();
    store.ledger.connection().execute("UPDATE job SET attempt = 3 WHERE id <= 19", []).unwrap();
    let lane = Lane::of(&jobs[0]);
    for limit in [1, 2, 19, 20] {
        let page = store.reader.eligible(&lane, None, limit).unwrap();
        assert!(page.iter().map(|ready| ready.job.id).eq([jobs[19].id]), "{limit}: {page:?}");
    }
}

#[test]
fn changed_bodies_texts_lanes_and_changes_are_not_served() {
    let flipped = "unhex(replace(hex(body), '7B', '7C'))";
    let (_directory, store) = tampered(&format!("UPDATE submission SET body = {flipped} WHERE id = 3"));
    assert_eq!(store.reader.payloads(&[1]).map(|bodies| bodies.len()), Ok(1));
    assert_eq!(store.reader.payloads(&[3]), Err(ReadError::Damaged("the payload of job 3".into())));
    assert!(store.reader.job(id_of(&store, 3)).is_ok(), "the job is not its payload");

    for sql in [
        format!("UPDATE result SET body = {flipped}"),
        "UPDATE result SET content_type = 'text/html'".into(),
        "UPDATE result SET id = 7".into(),
    ] {
        let (_directory, store) = tampered(&sql);
        assert_eq!(store.reader.result(3), Err(ReadError::Damaged("the result of job 3".into())));
    }
    let (_directory, store) = tampered("UPDATE failure SET problem = replace(problem, 'luck', 'idea')");
    assert_eq!(store.reader.job(id_of(&store, 4)), Err(ReadError::Damaged("job 4".into())));
    let (_directory, store) = tampered("UPDATE checkpoint SET state = '{\"at\":18}' WHERE job = 5");
    assert_eq!(store.reader.job(id_of(&store, 5)), Err(ReadError::Damaged("job 5".into())));
    let (_directory, store) = tampered("UPDATE lane SET priority = 1 WHERE id = 1");
    assert_eq!(store.reader.job(id_of(&store, 1)), Err(ReadError::Damaged("lane 1".into())));
    let (_directory, store) = tampered("UPDATE lane SET \"group\" = 'tenant-2' WHERE id = 2");
    assert_eq!(store.reader.job(id_of(&store, 2)), Err(ReadError::Damaged("lane 2".into())));
    for sql in [
        "UPDATE change SET at = at + 1 WHERE seq = 4",
        "UPDATE change SET kind = 99 WHERE seq = 4",
        "UPDATE change SET previous = 1 WHERE seq = 4",
        "UPDATE change SET seq = 1000 WHERE seq = 4",
    ] {
        let (_directory, store) = tampered(sql);
        let damaged = store.reader.changes(Position(3), 100);
        assert!(matches!(damaged, Err(FeedError::Read(ReadError::Damaged(_)))), "{sql}: {damaged:?}");
        assert_eq!(store.reader.trouble().len(), 1);
    }
    let (directory, store) = tampered("UPDATE key SET text = 'k-2'");
    drop(store);
    // Whether the key is taken cannot be known, so nothing is accepted under it.
    fs::remove_dir_all(directory.path().join("keys")).unwrap();
    let store = open(directory.path());
    assert!(store.reader.trouble().iter().any(|line| line.contains("the keys of job 2")));
}

#[test]
fn the_walk_finds_what_nobody_has_asked_for() {
    let (directory, store) = tampered("UPDATE result SET body = x'00'");
    let mut walk = Walk::new(&directory.path().join("ackd.db"), &store.reader.shared).unwrap();
    let mut steps = 0;
    while walk.step() != Walked::ToTheEnd {
        steps += 1;
    }
    assert_eq!(steps, 5, "each of the three parts has a step with rows and one without");
    assert_eq!(store.reader.trouble(), ["what is stored of the result of job 3 is damaged"]);
}

/// Everything that is still served after one bit of the file was turned is what it was before.
#[test]
fn a_turned_bit_is_never_served() {
    let [original, copied] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let truth = sample(original.path());
    let bytes = fs::read(original.path().join("ackd.db")).unwrap();
    let path = copied.path().join("ackd.db");
    // A fixed walk over the file: the same bits each time, in every page.
    let mut noticed = 0;
    for turn in 0..600usize {
        let at = turn * 7919 % bytes.len();
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (turn % 8);
        fs::write(&path, damaged).unwrap();
        let Ok(store) = try_open(copied.path(), &small()) else {
            noticed += 1;
            continue;
        };
        compare(&store.reader, &truth, at);
        noticed += usize::from(!store.reader.trouble().is_empty());
        drop(store);
        for end in ["-wal", "-shm"] {
            let _ = fs::remove_file(copied.path().join(format!("ackd.db{end}")));
        }
        fs::remove_dir_all(copied.path().join("keys")).unwrap();
    }
    assert!(noticed > 20, "of 600 bits, {noticed} were noticed");
}

fn compare(reader: &EmbeddedReader, truth: &Truth, at: usize) {
    let changes: BTreeSet<Position> = truth.changes.iter().map(|change| change.position).collect();
    for job in &truth.jobs {
        if let Ok(Some(found)) = reader.job(job.id) {
            assert_eq!(found, *job, "byte {at}");
        }
        if let Ok(found) = reader.payloads(&[job.id.number()]) {
            assert!(found[0].as_ref().is_none_or(|body| *body == json(r#"{"n":1}"#)), "byte {at}");
        }
        if let Ok(Some(result)) = reader.result(job.id.number()) {
            assert_eq!(result, json(r#"{"result":42}"#), "byte {at}");
        }
    }
    if let Ok(found) = reader.changes(Position::START, 100) {
        for change in found {
            assert!(changes.contains(&change.position), "byte {at}");
            let was = truth.changes.iter().find(|was| was.position == change.position).unwrap();
            assert_eq!((&change.job.spec, change.kind, change.previous), (&was.job.spec, was.kind, was.previous));
        }
    }
    for lane in reader.lanes().unwrap_or_default() {
        for ready in reader.eligible(&lane, None, 10).unwrap_or_default() {
            assert!(truth.jobs.contains(&ready.job), "byte {at}");
        }
    }
}

#[test]
fn the_dead_letter_of_a_damaged_payload_is_made_and_its_payload_never_served() {
    for sql in
        ["UPDATE submission SET body = 'other' WHERE id = 1", r#"UPDATE submission SET body = x'7b226e223a327d'"#]
    {
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(directory.path());
        let dead_letter = Some(Some(Name::new("graveyard").unwrap()));
        let patch = ackd_domain::QueuePatch { dead_letter, ..Default::default() };
        let queue = Name::new("video").unwrap();
        one(&mut store, Command::Configure { queue, patch: Box::new(patch) }).unwrap();
        submit(&mut store, submission("video"));
        let lease = lease(&mut store, 1);
        let shell = Connection::open(directory.path().join("ackd.db")).unwrap();
        assert_eq!(shell.execute(sql, []).unwrap(), 1);
        let error = Failure { problem: r#"{"title":"no luck"}"#.into() };
        one(&mut store, Command::Fail { lease, error, retryable: false, retry_after: None, cancelled: false }).unwrap();
        assert_eq!(store.reader.payloads(&[2]), Err(ReadError::Damaged("the payload of job 2".into())), "{sql}");
        let made = store.reader.job(id_of(&store, 2)).unwrap().unwrap();
        assert_eq!((made.spec.dead_letter_of.map(|it| it.of.number()), made.spec.payload.size), (Some(1), 7));
        submit(&mut store, submission("video"));
    }
}

/// A store with `submissions` in it, the first of them leased and the second damaged.
fn damaged_second(submissions: Vec<Submission>) -> (tempfile::TempDir, EmbeddedStore, LeaseToken) {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    for submission in submissions {
        submit(&mut store, submission);
    }
    drop(store);
    let shell = Connection::open(directory.path().join("ackd.db")).unwrap();
    assert_eq!(shell.execute("UPDATE job SET attempt = 3 WHERE id = 2", []).unwrap(), 1);
    drop(shell);
    let mut store = open(directory.path());
    assert!(store.reader.job(id_of(&store, 2)).is_err());
    let lease = lease(&mut store, 1);
    (directory, store, lease)
}

#[test]
fn a_damaged_next_in_line_does_not_keep_the_head_from_ending() {
    let ordered = Submission { ordering_key: Some("k".into()), ..submission("video") };
    let (_directory, mut store, head) = damaged_second(vec![ordered.clone(); 4]);
    one(&mut store, Command::Complete { lease: head, result: None }).unwrap();
    // It never runs, and those behind it do, one by one.
    assert_eq!(one(&mut store, lease_command(4)), Err(Refusal::HeldBack));
    let third = lease(&mut store, 3);
    one(&mut store, Command::Complete { lease: third, result: None }).unwrap();
    let fourth = lease(&mut store, 4);
    one(&mut store, Command::Complete { lease: fourth, result: None }).unwrap();
    // With only the damaged one left, who comes next is first.
    let fifth = submit(&mut store, ordered).id.number();
    lease(&mut store, fifth);
}

#[test]
fn a_damaged_file_does_not_keep_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let put = |id: u128| {
        let file = NewFile { id: FileId::new(id), content_type: "text/plain".into(), size: 1, sum: 1, digest: 1 };
        let name = Name::new(&format!("f{id}")).unwrap();
        Command::PutFile { name, file, expires_in: Duration::from_millis(1), replace: false }
    };
    for id in 1..=3 {
        one(&mut store, put(id)).unwrap();
    }
    drop(store);
    let shell = Connection::open(directory.path().join("ackd.db")).unwrap();
    assert_eq!(shell.execute("UPDATE file SET size = 2 WHERE name <> 'f3'", []).unwrap(), 2);
    drop(shell);
    let store = open(directory.path());
    let late = Timestamp::from_millis(i64::MAX);
    let unused = store.reader.unused_files(late, None, 1).unwrap();
    assert_eq!(unused.iter().map(|file| file.id.bits()).collect::<Vec<_>>(), [3], "they take the room of others");
    let damaged = |id: u128| format!("what is stored of file {} is damaged", FileId::new(id));
    assert_eq!(store.reader.trouble(), [damaged(1), damaged(2)]);
    assert!(store.reader.file(FileId::new(1)).is_err());
}

#[test]
fn a_damaged_follower_does_not_keep_the_others_waiting() {
    let first = submission("video");
    let after = Submission { after: vec![After::Line(0)], ..submission("video") };
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let mut batch = vec![first];
    batch.extend(vec![after; 3]);
    one(&mut store, Command::Submit(batch)).unwrap();
    let ids: Vec<JobId> = (1..=4).map(|number| id_of(&store, number)).collect();
    drop(store);
    let shell = Connection::open(directory.path().join("ackd.db")).unwrap();
    assert_eq!(shell.execute("UPDATE job SET attempt = 3 WHERE id = 2", []).unwrap(), 1);
    drop(shell);
    let mut store = open(directory.path());
    let first = lease(&mut store, 1);
    one(&mut store, Command::Complete { lease: first, result: None }).unwrap();
    assert!(store.reader.job(ids[1]).is_err());
    assert_eq!(store.reader.unresolved(), Ok(vec![]), "it is not told of it again and again");
    for number in [3, 4] {
        lease(&mut store, number);
    }
}
