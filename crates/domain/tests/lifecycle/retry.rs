use ackd_domain::{Command, Job, Status, Submission};

use crate::book::Book;
use crate::samples::{HOUR, SECOND, fail_for_good, submission};

#[test]
fn a_retried_job_starts_afresh_but_for_its_checkpoint() {
    let mut book = Book::new();
    let lease = book.leased(Submission { expires_in: Some(HOUR), ..submission() });
    book.apply(Command::Heartbeat { lease, ttl: None, progress: None, checkpoint: Some("17".into()) }).unwrap();
    let failed = book.job(fail_for_good(lease));
    book.pass(2 * HOUR);
    let after = book.job(Command::Retry { id: failed.id });
    let expected = Job {
        status: Status::Init,
        version: failed.version + 1,
        run: 2,
        attempt: 0,
        run_at: book.now,
        expires_at: book.now.after(HOUR),
        started_at: None,
        finished_at: None,
        worker: None,
        error: None,
        changed: after.changed,
        ..Job::clone(&failed)
    };
    assert_eq!(*after, expected);
    assert_eq!(after.checkpoint.as_deref(), Some("17"));
    book.lease(1);
    assert_eq!((book.jobs[&1].run, book.jobs[&1].attempt), (2, 1));
}

/// An expired job whose worker was asked to stop: nothing of that reaches into the next run.
#[test]
fn the_next_run_knows_nothing_of_a_cancel() {
    let mut book = Book::new();
    let lease = book.leased(Submission { expires_in: Some(HOUR), max_attempts: Some(1), ..submission() });
    let id = book.jobs[&1].id;
    book.job(Command::Cancel { id });
    book.pass(HOUR);
    book.job(Command::Expire { number: 1 });
    let retried = book.job(Command::Retry { id });
    assert_eq!((retried.status, retried.cancel_requested_at), (Status::Init, None));
    let again = book.lease(1);
    assert_ne!(again, lease);
    book.pass(SECOND);
    assert_eq!(book.job(fail_for_good(again)).status, Status::Failed);
}
