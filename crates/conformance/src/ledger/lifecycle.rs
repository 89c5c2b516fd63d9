use std::time::Duration;

use ackd_domain::{
    Answer, Command, LapseReason, LeaseState, LeaseToken, Progress, QueuePatch, Refusal, Start, Status, Submission,
    Timestamp, Verb, limits,
};

use super::Case;
use super::samples::{FOREIGN, HOUR, SECOND, failure, json, name, submission, sure_backoff};
use super::world::World;

pub(super) const CASES: &[Case] = &[
    ("a lease is granted once, and only on what waits and is due", a_lease_is_granted_once),
    ("a lease takes its times from worker, job and queue", a_lease_takes_its_times),
    ("a heartbeat keeps what it tells", a_heartbeat_keeps_what_it_tells),
    ("complete ends the job, with a result or without", complete_ends_the_job),
    ("fail starts another attempt until they are used up", fail_starts_another_attempt),
    ("fail for good, or as cancelled", fail_for_good),
    ("release does not count the attempt", release_does_not_count),
    ("a lapse counts the attempt", a_lapse_counts),
    ("the same verb again gets the same answer, another is too late", the_same_verb_again),
    ("a lease that is none settles nothing", a_lease_that_is_none),
    ("cancel stops what waits and asks who works", cancel_stops_and_asks),
    ("a job expires while it waits and while it is worked on", a_job_expires),
    ("retry opens the next run", retry_opens_the_next_run),
    ("what is not there is not found", what_is_not_there),
];

/// A command of the one that holds this lease.
type Settle = fn(LeaseToken) -> Command;

fn fail(lease: LeaseToken) -> Command {
    Command::Fail { lease, error: failure("no"), retryable: true, retry_after: Some(SECOND), cancelled: false }
}

fn beat(lease: LeaseToken) -> Command {
    Command::Heartbeat { lease, ttl: None, progress: None, checkpoint: None }
}

fn release(lease: LeaseToken) -> Command {
    Command::Release { lease, delay: None, checkpoint: None }
}

fn a_lease_is_granted_once(world: &mut World) {
    let later = world.submit(Submission { start: Start::After(SECOND), ..submission("video") });
    let lease = |number| Command::Lease { number, worker: None, ttl: None };
    world.refused(lease(later.id.number()), &Refusal::HeldBack);
    world.pass(SECOND);
    let leased = world.job(lease(later.id.number()));
    assert_eq!((leased.status, leased.attempt, leased.version), (Status::Processing, 1, 2));
    assert_eq!(leased.lease.as_ref().map(|lease| (lease.fence, lease.state)), Some((leased.changed, LeaseState::Live)));
    assert_eq!((leased.started_at, &leased.worker), (Some(world.now), &None));
    world.refused(lease(later.id.number()), &Refusal::NotWaiting);
    let (other, _) = world.leased(submission("video"));
    let secrets = [&leased, &other].map(|job| job.lease.as_ref().map(|lease| lease.secret));
    assert_ne!(secrets[0], secrets[1], "two leases share a secret");
}

fn a_lease_takes_its_times(world: &mut World) {
    let times = |world: &mut World, submission: Submission, ttl: Option<Duration>| {
        let number = world.submit(submission).id.number();
        let job = world.job(Command::Lease { number, worker: Some("w".into()), ttl });
        let lease = job.lease.clone().expect("a leased job has a lease");
        (lease.ttl, lease.timeout)
    };
    let own = || Submission { timeout: Some(HOUR), ..submission("video") };
    assert_eq!(times(world, submission("video"), None), (limits::DEFAULT_LEASE_TTL, None));
    assert_eq!(times(world, own(), Some(SECOND)), (SECOND, Some(HOUR)));
    let patch = QueuePatch {
        lease_ttl: Some(Some(limits::LEASE_TTL_MAX)),
        timeout: Some(Some(2 * SECOND)),
        ..QueuePatch::default()
    };
    world.one(Command::Configure { queue: name("video"), patch: Box::new(patch) }).expect("a queue can be configured");
    assert_eq!(times(world, submission("video"), None), (limits::LEASE_TTL_MAX, Some(2 * SECOND)));
    assert_eq!(times(world, own(), Some(SECOND)), (SECOND, Some(HOUR)));
}

fn a_heartbeat_keeps_what_it_tells(world: &mut World) {
    let (leased, lease) = world.leased(submission("video"));
    let ttl = limits::DEFAULT_LEASE_TTL;
    let head = world.head();
    assert_eq!(world.one(beat(lease)), Ok(Answer::Beat { ttl, cancel_requested: false }));
    let longer = Command::Heartbeat { lease, ttl: Some(HOUR), progress: None, checkpoint: None };
    assert_eq!(world.one(longer), Ok(Answer::Beat { ttl: HOUR, cancel_requested: false }));
    assert_eq!(world.head(), head, "a heartbeat that tells nothing made a change");
    // The new time to live stands in the row, also for who opens the ledger next.
    world.audit();
    world.reopen();
    assert_eq!(world.one(beat(lease)), Ok(Answer::Beat { ttl: HOUR, cancel_requested: false }));
    world.pass(SECOND);
    for (percent, message) in
        [(Some(42.5), Some("720p")), (Some(0.1 + 0.2), None), (None, Some("at last")), (None, None)]
    {
        let told = Progress { percent, message: message.map(Into::into), at: Timestamp::MAX };
        let command = Command::Heartbeat { lease, ttl: None, progress: Some(told.clone()), checkpoint: None };
        world.one(command).expect("progress is taken");
        let job = world.latest(&leased);
        assert_eq!(job.progress, Some(Progress { at: world.now, ..told }));
        world.audit();
    }
    let progress = Progress { percent: Some(100.0), message: None, at: Timestamp::MAX };
    for progress in [None, Some(progress)] {
        let checkpoint = Some(r#"{"at":17}"#.into());
        world
            .one(Command::Heartbeat { lease, ttl: Some(SECOND), progress, checkpoint })
            .expect("a checkpoint is taken");
    }
    let job = world.latest(&leased);
    assert_eq!((job.version, job.checkpoint.as_deref()), (2 + 6, Some(r#"{"at":17}"#)));
}

fn complete_ends_the_job(world: &mut World) {
    for result in [None, Some(json(r#"{"ok":true}"#))] {
        let (_, lease) = world.leased(submission("video"));
        world.pass(SECOND);
        let job = world.job(Command::Complete { lease, result: result.clone() });
        assert_eq!((job.status, job.version, job.attempt), (Status::Done, 3, 1));
        assert_eq!(job.finished_at, Some(world.now));
        assert_eq!(job.result, result.as_ref().map(ackd_domain::Body::info));
        assert_eq!(world.reader().result(job.id.number()), Ok(result));
    }
}

fn fail_starts_another_attempt(world: &mut World) {
    let submission =
        Submission { max_attempts: Some(3), backoff: Some(sure_backoff(10 * SECOND)), ..submission("video") };
    let (mut job, mut lease) = world.leased(submission);
    for (attempt, wait) in [(1, 10), (2, 20)] {
        world.pass(SECOND);
        let error = failure("disk full");
        let command = Command::Fail { lease, error, retryable: true, retry_after: None, cancelled: false };
        job = world.job(command);
        assert_eq!((job.status, job.attempt), (Status::Init, attempt));
        assert_eq!(job.run_at, world.now.after(wait * SECOND));
        assert_eq!(job.error, Some(failure("disk full")));
        world.audit();
        world.pass(wait * SECOND);
        (job, lease) = world.lease(&job);
    }
    assert_eq!(job.error, Some(failure("disk full")), "why the attempt before failed is forgotten");
    let last = world.job(fail(lease));
    assert_eq!((last.status, last.attempt, last.finished_at), (Status::Failed, 3, Some(world.now)));
    assert_eq!(last.error, Some(failure("no")));
}

fn fail_for_good(world: &mut World) {
    for (retryable, cancelled, status) in [(false, false, Status::Failed), (true, true, Status::Cancelled)] {
        let (_, lease) = world.leased(submission("video"));
        let command = Command::Fail { lease, error: failure("no"), retryable, retry_after: None, cancelled };
        let job = world.job(command);
        assert_eq!((job.status, job.attempt, job.finished_at), (status, 1, Some(world.now)));
    }
}

fn release_does_not_count(world: &mut World) {
    let (_, lease) = world.leased(Submission { max_attempts: Some(1), ..submission("video") });
    let job = world.job(Command::Release { lease, delay: Some(HOUR), checkpoint: Some("[1]".into()) });
    assert_eq!((job.status, job.attempt, job.run_at), (Status::Init, 0, world.now.after(HOUR)));
    world.audit();
    world.pass(HOUR);
    let (job, lease) = world.lease(&job);
    assert_eq!((job.attempt, job.checkpoint.as_deref()), (1, Some("[1]")));
    let job = world.job(release(lease));
    assert_eq!((job.run_at, job.checkpoint.as_deref()), (world.now, Some("[1]")));
}

fn a_lapse_counts(world: &mut World) {
    let (_, lease) = world.leased(Submission { max_attempts: Some(2), ..submission("video") });
    world.pass(HOUR);
    let job = world.job(Command::Lapse { lease, reason: LapseReason::Silence });
    assert_eq!((job.status, job.attempt, job.run_at), (Status::Init, 1, world.now));
    assert!(job.error.is_some(), "a lapse gives no reason");
    world.refused(Command::Lapse { lease, reason: LapseReason::Silence }, &Refusal::LeaseLost);
    let (_, lease) = world.lease(&job);
    let job = world.job(Command::Lapse { lease, reason: LapseReason::Timeout });
    assert_eq!((job.status, job.attempt), (Status::Failed, 2));
}

fn the_same_verb_again(world: &mut World) {
    let verbs: [(Verb, Settle); 3] = [
        (Verb::Complete, |lease| Command::Complete { lease, result: Some(json("1")) }),
        (Verb::Fail, fail),
        (Verb::Release, release),
    ];
    for (verb, settle) in verbs {
        let (_, lease) = world.leased(submission("video"));
        let settled = world.job(settle(lease));
        world.pass(SECOND);
        world.reopen();
        let head = world.head();
        assert_eq!(world.job(settle(lease)), settled, "{verb:?} again has another answer");
        if verb == Verb::Complete {
            let other = Command::Complete { lease, result: Some(json("2")) };
            assert_eq!(world.job(other), settled, "the first result is not kept");
        }
        assert_eq!(world.head(), head, "{verb:?} again made a change");
        for (_, another) in verbs.into_iter().filter(|(another, _)| *another != verb) {
            world.refused(another(lease), &Refusal::LeaseLost);
        }
        world.refused(beat(lease), &Refusal::LeaseLost);
        world.refused(Command::Lapse { lease, reason: LapseReason::Silence }, &Refusal::LeaseLost);
        if settled.status == Status::Init {
            world.lease(&settled);
            world.refused(settle(lease), &Refusal::LeaseLost);
        }
    }
}

fn a_lease_that_is_none(world: &mut World) {
    let (_, lease) = world.leased(submission("video"));
    let (_, other) = world.leased(submission("video"));
    let near = [
        FOREIGN,
        LeaseToken { secret: lease.secret ^ 1, ..lease },
        LeaseToken { secret: lease.secret ^ 1 << 127, ..lease },
        LeaseToken { fence: other.fence, ..lease },
        LeaseToken { number: other.number, ..lease },
        LeaseToken { number: other.number + 1000, ..lease },
        LeaseToken { number: u64::MAX, ..lease },
    ];
    for token in near {
        let complete = Command::Complete { lease: token, result: Some(json("1")) };
        for command in [beat(token), complete, fail(token), release(token)] {
            world.refused(command, &Refusal::LeaseLost);
        }
        world.refused(Command::Lapse { lease: token, reason: LapseReason::Timeout }, &Refusal::LeaseLost);
    }
    world.job(release(lease));
}

fn cancel_stops_and_asks(world: &mut World) {
    let id = world.submit(submission("video")).id;
    let cancelled = world.job(Command::Cancel { id });
    assert_eq!((cancelled.status, cancelled.finished_at), (Status::Cancelled, Some(world.now)));
    assert_eq!(world.job(Command::Cancel { id }), cancelled, "a second cancel changed something");

    let settles: [(Settle, Status); 4] = [
        (|lease| Command::Complete { lease, result: None }, Status::Done),
        (fail, Status::Cancelled),
        (release, Status::Cancelled),
        (|lease| Command::Lapse { lease, reason: LapseReason::Silence }, Status::Cancelled),
    ];
    for (settle, status) in settles {
        let (job, lease) = world.leased(submission("video"));
        world.pass(SECOND);
        let asked = world.job(Command::Cancel { id: job.id });
        assert_eq!((asked.status, asked.cancel_requested_at), (Status::Processing, Some(world.now)));
        world.pass(SECOND);
        assert_eq!(world.job(Command::Cancel { id: job.id }), asked, "a second cancel changed something");
        let beat = world.one(beat(lease));
        assert!(matches!(beat, Ok(Answer::Beat { cancel_requested: true, .. })), "the worker is not asked: {beat:?}");
        assert_eq!(world.job(settle(lease)).status, status);
    }
}

fn a_job_expires(world: &mut World) {
    let brief = || Submission { expires_in: Some(HOUR), ..submission("video") };
    let waiting = world.submit(brief());
    let (working, lease) = world.leased(brief());
    let lasting = world.submit(submission("video"));
    world.pass(HOUR - Duration::from_millis(1));
    world.refused(Command::Expire { number: waiting.id.number() }, &Refusal::NotExpired);
    world.pass(Duration::from_millis(1));
    assert_eq!(world.reader().expired(world.now, 10).map(|numbers| numbers.len()), Ok(2));
    let lease_late = Command::Lease { number: waiting.id.number(), worker: None, ttl: None };
    world.refused(lease_late, &Refusal::HeldBack);
    for job in [&waiting, &working] {
        let number = job.id.number();
        let expired = world.job(Command::Expire { number });
        assert_eq!((expired.status, expired.finished_at), (Status::Expired, Some(world.now)));
        world.refused(Command::Expire { number }, &Refusal::AlreadyFinished(Status::Expired));
    }
    world.refused(Command::Complete { lease, result: None }, &Refusal::LeaseLost);
    world.pass(limits::DEFAULT_EXPIRY);
    let number = lasting.id.number();
    assert_eq!(world.reader().expired(world.now, 10), Ok(vec![number]), "the default expiry is not found");
    world.job(Command::Expire { number });
}

fn retry_opens_the_next_run(world: &mut World) {
    let brief = || Submission { expires_in: Some(HOUR), max_attempts: Some(1), ..submission("video") };
    let (_, lease) = world.leased(brief());
    let checkpoint = Some("{}".into());
    world.one(Command::Heartbeat { lease, ttl: None, progress: None, checkpoint }).expect("a checkpoint is taken");
    let failed = world.job(fail(lease));
    let waiting = world.submit(brief());
    world.refused(Command::Retry { id: waiting.id }, &Refusal::NotFinished(Status::Init));
    let cancelled = world.job(Command::Cancel { id: waiting.id });
    let expiring = world.submit(brief());
    world.pass(HOUR);
    let expired = world.job(Command::Expire { number: expiring.id.number() });
    for ended in [failed, cancelled, expired] {
        let job = world.job(Command::Retry { id: ended.id });
        assert_eq!((job.status, job.run, job.attempt), (Status::Init, 2, 0));
        assert_eq!((job.run_at, job.expires_at), (world.now, world.now.after(HOUR)));
        assert_eq!((job.finished_at, &job.error, &job.checkpoint), (None, &None, &ended.checkpoint));
    }
    world.audit();
    let (done, lease) = world.leased(submission("video"));
    world.refused(Command::Retry { id: done.id }, &Refusal::NotFinished(Status::Processing));
    world.job(Command::Complete { lease, result: None });
    world.refused(Command::Retry { id: done.id }, &Refusal::AlreadyFinished(Status::Done));
}

fn what_is_not_there(world: &mut World) {
    let job = world.submit(submission("video"));
    let number = job.id.number() + 1000;
    let unknown = ackd_domain::JobId::new(world.now, number, 1);
    let guessed = ackd_domain::JobId::new(world.now, job.id.number(), job.id.salt() ^ 1);
    for id in [unknown, guessed] {
        world.refused(Command::Cancel { id }, &Refusal::NotFound);
        world.refused(Command::Retry { id }, &Refusal::NotFound);
    }
    for number in [0, number, u64::MAX] {
        world.refused(Command::Lease { number, worker: None, ttl: None }, &Refusal::NotFound);
        world.refused(Command::Expire { number }, &Refusal::NotFound);
    }
}
