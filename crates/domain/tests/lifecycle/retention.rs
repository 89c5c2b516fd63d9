use ackd_domain::{Advance, Answer, Command, Job, Name, Position, QueuePatch, Refusal, Submission, Timestamp, limits};

use crate::book::Book;
use crate::samples::{HOUR, SECOND, complete, submission};

/// A job that was done an hour after it was accepted.
fn done(book: &mut Book, submission: Submission) -> Job {
    let lease = book.leased(submission);
    book.pass(HOUR);
    Job::clone(&book.job(complete(lease)))
}

#[test]
fn a_job_is_kept_by_its_own_time_else_the_queues_else_the_usual() {
    let mut book = Book::new();
    let usual = done(&mut book, submission());
    assert_eq!(usual.kept_until(), Some(book.now.after(limits::DEFAULT_RETENTION)));
    book.configure(QueuePatch { result_retention: Some(Some(2 * HOUR)), ..QueuePatch::default() });
    let queues = done(&mut book, submission());
    assert_eq!(queues.kept_until(), Some(book.now.after(2 * HOUR)));
    let own = done(&mut book, Submission { result_retention: Some(SECOND), ..submission() });
    assert_eq!(own.kept_until(), Some(book.now.after(SECOND)));
    let none = done(&mut book, Submission { result_retention: Some(std::time::Duration::ZERO), ..submission() });
    assert_eq!(none.kept_until(), Some(book.now));
}

#[test]
fn a_key_says_the_same_job_for_a_day_at_least() {
    let mut book = Book::new();
    let brief = || Submission { result_retention: Some(SECOND), ..submission() };
    let job = done(&mut book, brief().keyed("k".into()));
    let until = job.created_at().after(limits::KEY_KEPT);
    assert_eq!(job.kept_until(), Some(until));
    book.now = Timestamp::from_millis(until.millis() - 1);
    assert_eq!(book.apply(Command::Purge { number: 1 }), Err(Refusal::Kept));
    assert_eq!(book.submit(brief().keyed("k".into())).id, job.id, "the key is forgotten before its time");
    book.now = until;
    assert_eq!(book.apply(Command::Purge { number: 1 }), Ok(Answer::Erased(job.id)));
    assert_ne!(book.submit(brief().keyed("k".into())).id, job.id, "the key outlives its job");
    // Who erases a job frees its key at once.
    let job = done(&mut book, brief().keyed("k2".into()));
    assert_eq!(book.apply(Command::Delete { id: job.id }), Ok(Answer::Erased(job.id)));
    assert_ne!(book.submit(brief().keyed("k2".into())).id, job.id);
}

#[test]
fn a_job_that_a_clock_says_ended_in_the_future_is_kept_until_then() {
    let mut book = Book::new();
    let start = book.now;
    book.pass(1000 * HOUR);
    let job = done(&mut book, Submission { result_retention: Some(HOUR), ..submission() });
    book.now = start;
    assert_eq!(book.apply(Command::Purge { number: 1 }), Err(Refusal::Kept));
    book.now = job.kept_until().unwrap();
    assert_eq!(book.apply(Command::Purge { number: 1 }), Ok(Answer::Erased(job.id)));
}

/// Old and ancient; the positions of the consumers; what goes, and what the slowest has missed from.
type Row = ((u64, u64), &'static [u64], (u64, Option<u64>));

#[test]
fn changes_wait_for_the_slowest_consumer_but_not_for_ever() {
    let table: [Row; 8] = [
        ((9, 0), &[], (9, None)),
        ((9, 9), &[], (9, None)),
        ((9, 0), &[9, 30], (9, None)),
        ((9, 0), &[8, 30], (8, None)),
        ((9, 0), &[0], (0, None)),
        ((9, 5), &[7, 8], (7, None)),
        ((9, 5), &[3, 8], (5, Some(3))),
        ((9, 9), &[8], (9, Some(8))),
    ];
    for ((old, ancient), consumers, (through, missed_from)) in table {
        let mut book = Book::new();
        for (nth, to) in consumers.iter().enumerate() {
            let consumer = Name::new(&format!("consumer-{nth}")).unwrap();
            let advance = Some(Advance { consumer, from: None, to: Position(*to) });
            book.apply(Command::Deliver { advance, deliveries: Vec::new() }).unwrap();
        }
        let purge = Command::PurgeChanges { old: Position(old), ancient: Position(ancient) };
        let decision = book.decide(purge).unwrap();
        let expected = Answer::Forgotten { through: Position(through), missed_from: missed_from.map(Position) };
        assert_eq!(decision.answer, expected, "{old} {ancient} {consumers:?}");
        assert_eq!(decision.writes.len(), usize::from(through > 0));
        assert!(decision.changes.is_empty());
    }
}
