use std::sync::Arc;

use ackd_domain::{
    Answer, ChangeKind, Command, DeadLetter, FileId, Job, NewFile, PayloadFile, Queue, QueuePatch, Refusal, Status,
    Submission, limits,
};

use crate::book::Book;
use crate::samples::{HOUR, SECOND, complete, fail, fail_cancelled, fail_for_good, json, lapse, name, submission};

/// Has the dead letters of `queue` go to `dead_letter`.
fn lead(book: &mut Book, queue: &str, dead_letter: &str) -> Result<Arc<Queue>, Refusal> {
    let patch = QueuePatch { dead_letter: Some(Some(name(dead_letter))), ..QueuePatch::default() };
    match book.apply(Command::Configure { queue: name(queue), patch: Box::new(patch) })? {
        Answer::Queue(queue) => Ok(queue),
        other => panic!("no queue: {other:?}"),
    }
}

/// The job that was made last.
fn last(book: &Book) -> Job {
    Job::clone(book.jobs.values().next_back().unwrap())
}

#[test]
fn what_fails_for_good_is_made_anew_in_the_dead_letter_queue() {
    let mut book = Book::new();
    lead(&mut book, "video", "graveyard").unwrap();
    let patch = QueuePatch { max_attempts: Some(Some(3)), expires_in: Some(Some(HOUR)), ..QueuePatch::default() };
    book.apply(Command::Configure { queue: name("graveyard"), patch: Box::new(patch) }).unwrap();
    let asked = Submission {
        kind: Some("clip".into()),
        priority: Some(9),
        group: Some("a".into()),
        tags: vec!["demo".into()],
        ordering_key: Some("k".into()),
        max_attempts: Some(1),
        result_retention: Some(SECOND),
        ..submission().keyed("key".into())
    };
    let lease = book.leased(asked);
    let dead = book.job(fail(lease));
    assert_eq!((dead.status, dead.error.is_some(), &dead.spec.queue), (Status::Failed, true, &name("video")));
    let made = last(&book);
    assert_eq!((made.status, made.version, made.attempt, made.held.is_free()), (Status::Init, 1, 0, true));
    let spec = &made.spec;
    assert_eq!(spec.dead_letter_of, Some(DeadLetter { of: dead.id, hops: 1 }));
    assert_eq!((&spec.queue, spec.kind.as_deref(), spec.priority), (&name("graveyard"), Some("clip"), 9));
    assert_eq!((spec.group.as_deref(), &spec.tags, &spec.payload), (Some("a"), &dead.spec.tags, &dead.spec.payload));
    assert_eq!((&spec.key, &spec.ordering_key, spec.result_retention), (&None, &None, None));
    assert_eq!((spec.max_attempts, made.expires_at), (3, book.now.after(HOUR)));
    let told = book.changes.last().unwrap();
    assert_eq!((told.kind, &told.body, told.job.id), (ChangeKind::Submitted, &None, made.id));
}

#[test]
fn of_what_ends_otherwise_nothing_is_made() {
    let mut book = Book::new();
    let plain = book.leased(submission());
    book.job(fail_for_good(plain));
    lead(&mut book, "video", "graveyard").unwrap();
    let done = book.leased(submission());
    book.job(complete(done));
    let stopped = book.leased(submission());
    let id = book.jobs[&stopped.number].id;
    book.job(Command::Cancel { id });
    book.job(fail_cancelled(stopped));
    let id = book.submit(submission()).id;
    book.job(Command::Cancel { id });
    let again = book.leased(submission());
    book.job(fail(again));
    assert_eq!(book.jobs.len(), 5, "a job was made of one that was done, cancelled or is tried again");
}

#[test]
fn what_expires_or_loses_its_last_lease_is_made_anew() {
    let mut book = Book::new();
    lead(&mut book, "video", "graveyard").unwrap();
    let lapsed = book.leased(Submission { max_attempts: Some(1), ..submission() });
    book.job(lapse(lapsed));
    assert_eq!(last(&book).spec.dead_letter_of.map(|it| it.of.number()), Some(lapsed.number));
    let number = book.submit(Submission { expires_in: Some(SECOND), ..submission() }).id.number();
    book.pass(SECOND);
    book.job(Command::Expire { number });
    assert_eq!(last(&book).spec.dead_letter_of.map(|it| it.of.number()), Some(number));
    // Also where it failed once more after a retry.
    let id = book.jobs[&number].id;
    book.job(Command::Retry { id });
    let lease = book.lease(number);
    book.job(fail_for_good(lease));
    assert_eq!(book.jobs.values().filter(|job| job.spec.dead_letter_of.is_some()).count(), 3);
}

#[test]
fn the_servers_own_jobs_have_no_dead_letters() {
    let mut book = Book::new();
    lead(&mut book, "ackd.bulk", "graveyard").unwrap();
    let lease = book.leased(Submission::new(name("ackd.bulk"), json("1")));
    book.job(fail_for_good(lease));
    assert_eq!(book.jobs.len(), 1);
}

#[test]
fn a_file_is_referred_to_once_more() {
    let mut book = Book::new();
    lead(&mut book, "video", "graveyard").unwrap();
    let id = FileId::new(7);
    let file = NewFile { id, content_type: "video/mp4".into(), size: 5, sum: 6, digest: 7 };
    let payload_file = Some(Box::new(PayloadFile::New(file)));
    let lease = book.leased(Submission { payload_file, ..submission() });
    let dead = book.job(fail_for_good(lease));
    let made = last(&book);
    assert_eq!((made.spec.payload_file, made.spec.payload.size), (Some(id), 5));
    assert_eq!(book.files[&id].references, 2);
    book.apply(Command::Delete { id: dead.id }).unwrap();
    assert_eq!(book.files[&id].references, 1);
}

#[test]
fn dead_letters_never_come_back() {
    let mut book = Book::new();
    let ring = |way: &[&str]| Err(Refusal::DeadLetterRing(way.iter().map(|queue| name(queue)).collect()));
    assert_eq!(lead(&mut book, "a", "a"), ring(&["a", "a"]));
    lead(&mut book, "a", "b").unwrap();
    lead(&mut book, "b", "c").unwrap();
    assert_eq!(lead(&mut book, "b", "a"), ring(&["b", "a", "b"]));
    assert_eq!(lead(&mut book, "c", "a"), ring(&["c", "a", "b", "c"]));
    assert_eq!(book.queues.get(&name("c")), None, "what is refused is written");
    let patch = QueuePatch { dead_letter: Some(None), ..QueuePatch::default() };
    book.apply(Command::Configure { queue: name("b"), patch: Box::new(patch) }).unwrap();
    assert!(lead(&mut book, "c", "a").is_ok());
}

/// Each queue's dead letters go to the next.
fn chain(book: &mut Book, queues: u8) {
    for queue in (0..queues).rev() {
        lead(book, &format!("q{queue}"), &format!("q{}", queue + 1)).unwrap();
    }
}

#[test]
fn dead_letters_go_through_so_many_queues() {
    let mut book = Book::new();
    chain(&mut book, limits::DEAD_LETTER_HOPS);
    assert_eq!(lead(&mut book, "more", "q0"), Err(Refusal::DeadLettersTooFar));
    // Built from the other end it is not seen, and ends all the same.
    let after = format!("q{}", limits::DEAD_LETTER_HOPS);
    lead(&mut book, &after, "beyond").unwrap();
    let mut lease = book.leased(Submission::new(name("q0"), json("1")));
    for hops in 1..=limits::DEAD_LETTER_HOPS {
        book.job(fail_for_good(lease));
        let made = last(&book);
        assert_eq!(made.spec.dead_letter_of.map(|it| (it.of.number(), it.hops)), Some((lease.number, hops)));
        lease = book.lease(made.id.number());
    }
    let many = book.jobs.len();
    book.job(fail_for_good(lease));
    assert_eq!(book.jobs.len(), many, "a dead letter goes on for ever");
}
