use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{
    Answer, ChangeKind, Command, Decision, Job, Lease, LeaseState, Progress, QueuePatch, Refusal, Status, Submission,
    Timestamp, Write, limits,
};

use crate::book::Book;
use crate::samples::{HOUR, SECOND, START, beat, lapse, release, submission, tell};

#[test]
fn a_lease_is_the_next_attempt() {
    let mut book = Book::new();
    let before = book.submit(submission());
    book.pass(SECOND);
    let lease = Command::Lease { number: 1, worker: Some("worker-1".into()), ttl: None };
    let after = book.job(lease);
    let granted = after.lease.clone().unwrap();
    assert_eq!(granted.fence, after.changed, "a lease is fenced by the position of its own change");
    let expected = Job {
        status: Status::Processing,
        version: 2,
        attempt: 1,
        started_at: Some(book.now),
        worker: Some("worker-1".into()),
        lease: Some(Lease {
            fence: after.changed,
            secret: granted.secret,
            ttl: limits::DEFAULT_LEASE_TTL,
            timeout: None,
            granted_at: book.now,
            state: LeaseState::Live,
        }),
        changed: after.changed,
        ..Job::clone(&before)
    };
    assert_eq!(*after, expected);
    assert!(granted.secret >> 64 != 0 && granted.secret << 64 != 0, "half a secret is not drawn");
}

#[test]
fn no_two_leases_share_fence_or_secret() {
    let mut book = Book::new();
    let mut tokens = vec![book.leased(submission()), book.leased(submission())];
    for _ in 0..3 {
        book.apply(release(tokens[tokens.len() - 1])).unwrap();
        tokens.push(book.lease(2));
    }
    for (n, token) in tokens.iter().enumerate() {
        assert!(tokens[..n].iter().all(|other| other.fence != token.fence && other.secret != token.secret));
    }
}

#[test]
fn the_times_of_a_lease_are_the_workers_the_jobs_or_the_queues() {
    let times = |book: &mut Book, submission: Submission, ttl| {
        let number = book.submit(submission).id.number();
        let job = book.job(Command::Lease { number, worker: None, ttl });
        job.lease.as_ref().map(|lease| (lease.ttl, lease.timeout)).unwrap()
    };
    let own = || Submission { timeout: Some(HOUR), ..submission() };
    let mut book = Book::new();
    assert_eq!(times(&mut book, submission(), None), (limits::DEFAULT_LEASE_TTL, None));
    assert_eq!(times(&mut book, own(), Some(SECOND)), (SECOND, Some(HOUR)));
    book.configure(QueuePatch {
        lease_ttl: Some(Some(7 * SECOND)),
        timeout: Some(Some(9 * SECOND)),
        ..QueuePatch::default()
    });
    assert_eq!(times(&mut book, submission(), None), (7 * SECOND, Some(9 * SECOND)));
    assert_eq!(times(&mut book, own(), Some(SECOND)), (SECOND, Some(HOUR)));
}

#[test]
fn a_paused_queue_holds_back_what_waits_and_nothing_else() {
    let mut book = Book::new();
    let held = book.leased(submission());
    let number = book.submit(submission()).id.number();
    let lease = || Command::Lease { number, worker: None, ttl: None };
    book.configure(QueuePatch::pause(true));
    assert_eq!(book.apply(lease()), Err(Refusal::HeldBack));
    book.apply(tell(held)).unwrap();
    book.apply(release(held)).unwrap();
    book.configure(QueuePatch::pause(false));
    book.job(lease());
}

#[test]
fn a_job_is_leased_when_it_is_due_and_not_before() {
    let mut book = Book::new();
    book.submit(Submission { start: ackd_domain::Start::After(SECOND), ..submission() });
    let lease = || Command::Lease { number: 1, worker: None, ttl: None };
    book.pass(SECOND - Duration::from_millis(1));
    assert_eq!(book.decide(lease()), Err(Refusal::HeldBack));
    book.pass(Duration::from_millis(1));
    book.job(lease());
}

#[test]
fn a_job_that_has_expired_is_not_leased() {
    let mut book = Book::new();
    book.submit(Submission { expires_in: Some(SECOND), ..submission() });
    let lease = || Command::Lease { number: 1, worker: None, ttl: None };
    book.pass(SECOND - Duration::from_millis(1));
    assert!(book.decide(lease()).is_ok());
    book.pass(Duration::from_millis(1));
    assert_eq!(book.decide(lease()), Err(Refusal::HeldBack));
}

#[test]
fn a_new_time_to_live_is_written_and_told_to_nobody() {
    let mut book = Book::new();
    let lease = book.leased(submission());
    let longer = Command::Heartbeat { lease, ttl: Some(HOUR), progress: None, checkpoint: None };
    let Decision { writes, changes, answer, .. } = book.decide(longer.clone()).unwrap();
    let before = &book.jobs[&1];
    let held = Lease { ttl: HOUR, ..before.lease.clone().unwrap() };
    let after = Job { lease: Some(held), ..Job::clone(before) };
    assert_eq!((writes, changes), (vec![Write::Update(Arc::new(after))], vec![]));
    assert_eq!(answer, Answer::Beat { ttl: HOUR, cancel_requested: false });
    book.apply(longer.clone()).unwrap();
    // It lasts, until another is named.
    assert_eq!(
        book.decide(beat(lease)).unwrap(),
        Decision::answer(Answer::Beat { ttl: HOUR, cancel_requested: false })
    );
    assert!(book.decide(longer).unwrap().writes.is_empty(), "the same time to live is written again");
}

#[test]
fn a_heartbeat_records_what_it_tells_in_one_change() {
    let mut book = Book::new();
    let lease = book.leased(submission());
    book.pass(SECOND);
    let progress = Progress { percent: Some(42.5), message: Some("720p".into()), at: Timestamp::MAX };
    let told =
        Command::Heartbeat { lease, ttl: Some(HOUR), progress: Some(progress.clone()), checkpoint: Some("17".into()) };
    book.apply(told).unwrap();
    let job = &book.jobs[&1];
    assert_eq!(job.progress, Some(Progress { at: START.after(SECOND), ..progress }), "the ledger says when");
    assert_eq!((job.version, job.checkpoint.as_deref()), (3, Some("17")));
    assert_eq!(job.lease.as_ref().map(|lease| lease.ttl), Some(HOUR));
    assert_eq!(book.changes.last().map(|change| change.kind), Some(ChangeKind::Progressed));
    book.apply(tell(lease)).unwrap();
    let job = &book.jobs[&1];
    assert_eq!(job.checkpoint.as_deref(), Some("{}"));
    assert!(job.progress.is_some(), "a checkpoint takes progress back");
    assert_eq!(book.changes.last().map(|change| change.kind), Some(ChangeKind::Checkpointed));
    let progress = Some(Progress { percent: None, message: None, at: book.now });
    book.apply(Command::Heartbeat { lease, ttl: None, progress, checkpoint: None }).unwrap();
    assert_eq!(book.jobs[&1].checkpoint.as_deref(), Some("{}"), "progress takes a checkpoint back");
}

#[test]
fn the_next_attempt_gets_the_checkpoint_and_not_the_progress() {
    for settle in [release, lapse] {
        let mut book = Book::new();
        let lease = book.leased(submission());
        let progress = Some(Progress { percent: Some(42.5), message: None, at: book.now });
        let checkpoint = Some("17".into());
        book.apply(Command::Heartbeat { lease, ttl: None, progress, checkpoint }).unwrap();
        let waiting = book.job(settle(lease));
        assert_eq!((&waiting.progress, waiting.checkpoint.as_deref()), (&None, Some("17")));
        book.lease(1);
        assert_eq!((&book.jobs[&1].progress, book.jobs[&1].checkpoint.as_deref()), (&None, Some("17")));
    }
}
