use ackd_domain::{Answer, Command, Failure, Job, Lease, LeaseState, Refusal, Status, Submission};

use crate::book::Book;
use crate::samples::{HOUR, SECOND, beat, complete, fail, fail_cancelled, lapse, release, submission};

#[test]
fn a_waiting_job_is_cancelled_at_once() {
    let mut book = Book::new();
    let before = book.submit(submission());
    book.pass(SECOND);
    let after = book.job(Command::Cancel { id: before.id });
    let expected = Job {
        status: Status::Cancelled,
        version: 2,
        finished_at: Some(book.now),
        changed: after.changed,
        ..Job::clone(&before)
    };
    assert_eq!(*after, expected);
}

#[test]
fn a_worker_is_asked_to_stop_and_has_the_last_word() {
    let ends = [
        (complete as fn(_) -> Command, Status::Done),
        (fail, Status::Cancelled),
        (fail_cancelled, Status::Cancelled),
        (release, Status::Cancelled),
        (lapse, Status::Cancelled),
    ];
    for (settle, status) in ends {
        let mut book = Book::new();
        let lease = book.leased(submission());
        let before = Job::clone(&book.jobs[&1]);
        book.pass(SECOND);
        let id = before.id;
        let asked = book.job(Command::Cancel { id });
        let expected = Job { version: 3, cancel_requested_at: Some(book.now), changed: asked.changed, ..before };
        assert_eq!(*asked, expected);
        book.pass(SECOND);
        assert_eq!(book.job(Command::Cancel { id }), asked, "a second cancel is no change");
        assert!(matches!(book.apply(beat(lease)), Ok(Answer::Beat { cancel_requested: true, .. })));
        let ended = book.job(settle(lease));
        assert_eq!((ended.status, ended.finished_at), (status, Some(book.now)));
        // 200 if it was cancelled before, 409 if it ended otherwise.
        let again = book.apply(Command::Cancel { id });
        match status {
            Status::Cancelled => assert_eq!(again, Ok(Answer::Job(ended))),
            _ => assert_eq!(again, Err(Refusal::AlreadyFinished(status))),
        }
    }
}

/// The error of a job that expired after its latest attempt failed of this.
fn expired(last: Option<&str>) -> Failure {
    let last = last.map(|last| format!(r#","last_error":{last}"#)).unwrap_or_default();
    let problem = format!(r#"{{"type":"/problems/expired","title":"The job was not done in time"{last}}}"#);
    Failure { problem: problem.into() }
}

#[test]
fn a_job_that_expires_says_of_what_it_failed_before() {
    let mut book = Book::new();
    let lease = book.leased(Submission { expires_in: Some(HOUR), ..submission() });
    let last = book.job(fail(lease)).error.clone().unwrap();
    book.pass(HOUR);
    let job = book.job(Command::Expire { number: 1 });
    assert_eq!(job.error, Some(expired(Some(&last.problem))));
    let again = book.job(Command::Retry { id: job.id });
    assert_eq!(again.error, None);
}

#[test]
fn a_job_expires_whether_it_waits_or_is_worked_on() {
    for worked_on in [false, true] {
        let mut book = Book::new();
        book.submit(Submission { expires_in: Some(HOUR), ..submission() });
        let lease = worked_on.then(|| book.lease(1));
        let before = Job::clone(&book.jobs[&1]);
        book.pass(HOUR);
        let after = book.job(Command::Expire { number: 1 });
        let expected = Job {
            status: Status::Expired,
            version: before.version + 1,
            finished_at: Some(book.now),
            lease: before.lease.clone().map(|lease| Lease { state: LeaseState::Lapsed, ..lease }),
            error: Some(expired(None)),
            changed: after.changed,
            ..before
        };
        assert_eq!(*after, expected);
        if let Some(lease) = lease {
            assert_eq!(book.apply(complete(lease)), Err(Refusal::LeaseLost), "the worker learns it by a lost lease");
        }
    }
}
