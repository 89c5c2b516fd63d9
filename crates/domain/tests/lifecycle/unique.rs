//! At most one unfinished job of a queue carries a unique key.

use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{
    Acceptance, Accepted, After, Answer, Body, ChangeKind, Command, JSON, Job, Name, Refusal, Start, Status,
    Submission, Unique, UniquePolicy, limits,
};
use bytes::Bytes;

use crate::book::Book;
use crate::samples::{HOUR, SECOND, complete, fail, fail_for_good, submission};

const POLICIES: [UniquePolicy; 3] = [UniquePolicy::Keep, UniquePolicy::Replace, UniquePolicy::Debounce];

fn unique(policy: UniquePolicy) -> Submission {
    Submission { unique: Some(Unique { key: "report".into(), policy }), ..submission() }
}

/// One with another payload, due later.
fn further(policy: UniquePolicy, delay: Duration) -> Submission {
    let payload = Body { content_type: Arc::from(JSON), bytes: Bytes::from_static(b"\"other\"") };
    Submission { payload, start: Start::After(delay), ..unique(policy) }
}

fn all(book: &mut Book, submissions: Vec<Submission>) -> Vec<Accepted> {
    match book.apply(Command::Submit(submissions)) {
        Ok(Answer::Accepted(accepted)) => accepted,
        other => panic!("not accepted: {other:?}"),
    }
}

fn one(book: &mut Book, submission: Submission) -> Accepted {
    all(book, vec![submission]).remove(0)
}

#[test]
fn what_waits_is_kept_replaced_or_put_off() {
    for policy in POLICIES {
        let mut book = Book::new();
        let first = book.submit(Submission { start: Start::After(60 * SECOND), ..unique(policy) });
        book.pass(10 * SECOND);
        let Accepted { job, how } = one(&mut book, further(policy, SECOND));
        assert_eq!((job.id, book.jobs.len()), (first.id, 1), "{policy:?}");
        if policy == UniquePolicy::Keep {
            assert_eq!((how, &job, book.changes.len()), (Acceptance::Kept, &first, 1));
            continue;
        }
        assert_eq!((how, job.version, job.status), (Acceptance::Replaced, 2, Status::Init));
        let due = if policy == UniquePolicy::Replace { book.now.after(SECOND) } else { first.run_at };
        assert_eq!((job.run_at, job.spec.payload.size), (due, 7), "{policy:?}");
        assert_eq!(job.expires_at, due.after(limits::DEFAULT_EXPIRY), "its expiry begins anew");
        let change = book.changes.last().unwrap();
        assert_eq!((change.kind, change.was_due), (ChangeKind::Replaced, Some(first.run_at)));
        assert_eq!(change.body.as_ref().unwrap().bytes, "\"other\"");
        let spec = ackd_domain::Spec { payload: first.spec.payload.clone(), ..(*job.spec).clone() };
        assert_eq!(spec, *first.spec, "{policy:?} changes more than the payload");
        let later = one(&mut book, further(policy, 90 * SECOND)).job;
        assert_eq!(later.run_at, book.now.after(90 * SECOND), "{policy:?}");
    }
}

#[test]
fn what_runs_is_kept_by_every_policy() {
    for policy in POLICIES {
        let mut book = Book::new();
        book.leased(unique(policy));
        let running = Arc::clone(&book.jobs[&1]);
        let accepted = one(&mut book, further(policy, SECOND));
        assert_eq!(accepted, Accepted { job: running, how: Acceptance::Kept }, "{policy:?}");
        assert_eq!((book.jobs.len(), book.changes.len()), (1, 2));
    }
}

#[test]
fn what_waits_to_be_tried_again_waits_and_starts_without_its_checkpoint() {
    let mut book = Book::new();
    let lease = book.leased(unique(UniquePolicy::Keep));
    book.apply(Command::Heartbeat { lease, ttl: None, progress: None, checkpoint: Some("17".into()) }).unwrap();
    book.job(fail(lease));
    let kept = one(&mut book, further(UniquePolicy::Keep, SECOND)).job;
    assert_eq!((kept.attempt, kept.checkpoint.as_deref()), (1, Some("17")));
    let replaced = one(&mut book, further(UniquePolicy::Replace, HOUR)).job;
    assert_eq!((replaced.attempt, &replaced.checkpoint, replaced.error.is_some()), (1, &None, true));
    assert_eq!(replaced.run_at, book.now.after(HOUR));
}

#[test]
fn a_key_is_free_once_its_job_has_ended() {
    let ends: [fn(&mut Book) -> Arc<Job>; 4] = [
        |book| {
            let lease = book.lease(1);
            book.job(complete(lease))
        },
        |book| {
            let lease = book.lease(1);
            book.job(fail_for_good(lease))
        },
        |book| {
            let id = book.jobs[&1].id;
            book.job(Command::Cancel { id })
        },
        |book| {
            book.pass(2 * HOUR);
            book.job(Command::Expire { number: 1 })
        },
    ];
    for end in ends {
        let mut book = Book::new();
        book.submit(Submission { expires_in: Some(HOUR), ..unique(UniquePolicy::Keep) });
        let ended = end(&mut book);
        assert!(ended.status.is_terminal());
        let next = one(&mut book, unique(UniquePolicy::Keep));
        assert_eq!((next.how, book.jobs.len()), (Acceptance::Made, 2), "after {}", ended.status);
        // A further run would be a second one.
        let again = book.apply(Command::Retry { id: ended.id });
        let why = if ended.status == Status::Done {
            Refusal::AlreadyFinished(Status::Done)
        } else {
            Refusal::NotUnique(next.job.id)
        };
        assert_eq!(again, Err(why), "after {}", ended.status);
    }
}

#[test]
fn a_retried_job_carries_its_key_again() {
    let mut book = Book::new();
    let lease = book.leased(unique(UniquePolicy::Keep));
    let failed = book.job(fail_for_good(lease));
    let retried = book.job(Command::Retry { id: failed.id });
    let kept = one(&mut book, unique(UniquePolicy::Keep));
    assert_eq!(kept, Accepted { job: retried, how: Acceptance::Kept });
}

#[test]
fn keys_are_of_their_queue() {
    let mut book = Book::new();
    let other = Submission { queue: Name::new("audio").unwrap(), ..unique(UniquePolicy::Keep) };
    let accepted = all(&mut book, vec![unique(UniquePolicy::Keep), other]);
    assert!(accepted.iter().all(|it| it.how == Acceptance::Made));
}

#[test]
fn the_lines_of_one_command_see_each_other() {
    let mut book = Book::new();
    let lines = vec![
        unique(UniquePolicy::Keep),
        further(UniquePolicy::Replace, SECOND),
        further(UniquePolicy::Debounce, HOUR),
        unique(UniquePolicy::Keep).keyed("k".into()),
        unique(UniquePolicy::Keep).keyed("k".into()),
    ];
    let accepted = all(&mut book, lines);
    let how: Vec<Acceptance> = accepted.iter().map(|it| it.how).collect();
    use Acceptance::{Kept, Made, Replaced};
    // Nothing of one that is kept stays, its idempotency key neither.
    assert_eq!(how, [Made, Replaced, Replaced, Kept, Kept]);
    assert!(accepted.iter().all(|it| it.job.id == accepted[0].job.id));
    assert_eq!((accepted[4].job.version, accepted[4].job.run_at), (3, book.now.after(HOUR)));
    assert_eq!(book.jobs.len(), 1);
}

/// A job that ends with its own acceptance has no key to carry.
#[test]
fn one_that_is_cancelled_at_once_carries_no_key() {
    let mut book = Book::new();
    let lease = book.leased(submission());
    let failed = book.job(fail_for_good(lease));
    let stillborn = Submission { after: vec![After::Job(failed.id)], ..unique(UniquePolicy::Keep) };
    let accepted = all(&mut book, vec![stillborn, unique(UniquePolicy::Keep)]);
    assert_eq!((accepted[0].job.status, accepted[1].job.status), (Status::Cancelled, Status::Init));
    assert_eq!(accepted[1].how, Acceptance::Made);
}
