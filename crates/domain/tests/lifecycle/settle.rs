use ackd_domain::{
    Backoff, Body, ChangeKind, Command, Decision, Failure, Job, Lease, LeaseState, Refusal, Status, Submission, Verb,
    Write,
};

use crate::book::Book;
use crate::samples::{
    HOUR, SECOND, backoff, complete, fail, fail_cancelled, fail_for_good, failure, json, lapse, release, submission,
};

/// A book with a leased job, a second ago.
fn leased(submission: Submission) -> (Book, ackd_domain::LeaseToken, Job) {
    let mut book = Book::new();
    let lease = book.leased(submission);
    book.pass(SECOND);
    let job = Job::clone(&book.jobs[&1]);
    (book, lease, job)
}

/// The job's lease, now in `state`.
fn ended(job: &Job, state: LeaseState) -> Option<Lease> {
    job.lease.clone().map(|lease| Lease { state, ..lease })
}

#[test]
fn complete_keeps_the_result_and_ends_the_run() {
    for result in [None, Some(json("{}"))] {
        let (mut book, lease, before) = leased(submission());
        let Decision { writes, changes, .. } =
            book.decide(Command::Complete { lease, result: result.clone() }).unwrap();
        let after = &changes[0].job;
        let expected = Job {
            status: Status::Done,
            version: 3,
            finished_at: Some(book.now),
            lease: ended(&before, LeaseState::Settled(Verb::Complete)),
            result: result.as_ref().map(Body::info),
            changed: after.changed,
            ..before
        };
        assert_eq!(**after, expected);
        assert_eq!((changes[0].kind, &changes[0].body), (ChangeKind::Completed, &result));
        let write = result.map_or_else(|| Write::Update(after.clone()), |body| Write::Finish(after.clone(), body));
        assert_eq!(writes, [write]);
    }
}

#[test]
fn the_first_result_is_kept() {
    let (mut book, lease, _) = leased(submission());
    let done = book.job(complete(lease));
    book.pass(HOUR);
    for result in [Some(json("another")), None] {
        assert_eq!(book.job(Command::Complete { lease, result }), done);
    }
}

#[test]
fn a_success_takes_the_error_of_the_attempt_before_it_back() {
    let (mut book, lease, _) = leased(Submission { backoff: Some(backoff(SECOND)), ..submission() });
    book.job(fail(lease));
    book.pass(SECOND);
    let lease = book.lease(1);
    assert!(book.jobs[&1].error.is_some());
    assert_eq!(book.job(complete(lease)).error, None);
}

#[test]
fn a_failed_attempt_waits_its_back_off() {
    let (mut book, lease, before) = leased(Submission { backoff: Some(backoff(4 * SECOND)), ..submission() });
    let after = book.job(fail(lease));
    let expected = Job {
        status: Status::Init,
        version: 3,
        run_at: book.now.after(4 * SECOND),
        error: Some(failure()),
        lease: ended(&before, LeaseState::Settled(Verb::Fail)),
        changed: after.changed,
        ..before
    };
    assert_eq!(*after, expected);
}

#[test]
fn a_worker_may_say_when_to_try_again() {
    let (mut book, lease, _) = leased(Submission { backoff: Some(backoff(4 * SECOND)), ..submission() });
    let error = failure();
    let retry_after = Some(HOUR);
    let after = book.job(Command::Fail { lease, error, retryable: true, retry_after, cancelled: false });
    assert_eq!(after.run_at, book.now.after(HOUR));
}

#[test]
fn chance_shortens_the_back_off() {
    let (mut book, lease, _) = leased(submission());
    let jitter = Backoff::default();
    let mut drawn = book.drawn.clone();
    let wait = jitter.wait(1, ackd_domain::Draws::random(&mut drawn));
    assert!(wait < jitter.base());
    assert_eq!(book.job(fail(lease)).run_at, book.now.after(wait));
}

#[test]
fn an_error_that_is_final_ends_the_run() {
    let (mut book, lease, before) = leased(submission());
    for (settle, status) in
        [(fail_for_good as fn(_) -> Command, Status::Failed), (fail_cancelled as fn(_) -> Command, Status::Cancelled)]
    {
        let Decision { changes, .. } = book.decide(settle(lease)).unwrap();
        let after = &changes[0].job;
        let expected = Job {
            status,
            version: 3,
            finished_at: Some(book.now),
            error: Some(failure()),
            lease: ended(&before, LeaseState::Settled(Verb::Fail)),
            changed: after.changed,
            ..before.clone()
        };
        assert_eq!(**after, expected);
    }
}

#[test]
fn the_first_error_is_kept() {
    let (mut book, lease, _) = leased(submission());
    let failed = book.job(fail_for_good(lease));
    let error = Failure { problem: r#"{"title":"another"}"#.into() };
    let again = Command::Fail { lease, error, retryable: true, retry_after: None, cancelled: true };
    assert_eq!(book.job(again), failed);
}

#[test]
fn a_released_attempt_does_not_count() {
    let (mut book, lease, before) = leased(submission());
    let after = book.job(Command::Release { lease, delay: Some(HOUR), checkpoint: Some("17".into()) });
    let expected = Job {
        status: Status::Init,
        version: 3,
        attempt: 0,
        run_at: book.now.after(HOUR),
        checkpoint: Some("17".into()),
        lease: ended(&before, LeaseState::Settled(Verb::Release)),
        changed: after.changed,
        ..before
    };
    assert_eq!(*after, expected);
    book.pass(HOUR);
    let lease = book.lease(1);
    let after = book.job(release(lease));
    assert_eq!((after.run_at, after.checkpoint.as_deref()), (book.now, Some("17")), "a release takes the checkpoint");
}

#[test]
fn a_lapsed_attempt_counts_and_the_next_may_start_at_once() {
    let (mut book, lease, before) = leased(submission());
    let after = book.job(lapse(lease));
    let expected = Job {
        status: Status::Init,
        version: 3,
        run_at: book.now,
        error: after.error.clone(),
        lease: ended(&before, LeaseState::Lapsed),
        changed: after.changed,
        ..before
    };
    assert_eq!(*after, expected);
    assert!(after.error.is_some(), "a lapse gives no reason");
}

/// API.md: "the same verb again on the same lease: 200, the first result is kept, until the next lease
/// is granted".
#[test]
fn the_same_verb_again_holds_until_the_next_lease() {
    for settle in [fail, release] {
        let (mut book, lease, _) = leased(Submission { backoff: Some(backoff(SECOND)), ..submission() });
        let settled = book.job(settle(lease));
        assert_eq!(book.job(settle(lease)), settled);
        book.pass(SECOND);
        assert_eq!(book.job(settle(lease)), settled);
        // What happens to the job in between changes nothing of that.
        let cancelled = book.job(Command::Cancel { id: settled.id });
        assert_eq!(book.job(settle(lease)), cancelled);
        book.job(Command::Retry { id: settled.id });
        book.now = book.jobs[&1].expires_at;
        let expired = book.job(Command::Expire { number: 1 });
        assert_eq!(book.job(settle(lease)), expired);
        let retried = book.job(Command::Retry { id: settled.id });
        assert_eq!(book.job(settle(lease)), retried);
        book.lease(1);
        assert_eq!(book.apply(settle(lease)), Err(Refusal::LeaseLost));
    }
}
