//! What a job waits for, and for how long.

use ackd_domain::{After, Rate};

use super::*;
use crate::{Limit, Waiting};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

fn configure(patch: QueuePatch) -> Command {
    Command::Configure { queue: name("video"), patch: Box::new(patch) }
}

fn why(world: &World, job: &Job) -> Option<Waiting> {
    world.core.queues.why(&world.job(job.id), world.now(), world.tick())
}

fn fail(assigned: &Assigned, retry_after: Duration) -> Command {
    Command::Fail {
        lease: token(&assigned.job).unwrap(),
        error: Failure { problem: r#"{"title":"not now"}"#.into() },
        retryable: true,
        retry_after: Some(retry_after),
        cancelled: false,
    }
}

#[test]
fn what_is_given_back_is_scheduled_and_no_retry_of_what_failed_before() {
    let mut world = World::new(WindowLimits::default());
    let job = world.submit(submission());
    let failed = world.lease(ask(1));
    world.run(fail(&failed[0], HOUR)).unwrap();
    assert!(matches!(why(&world, &job), Some(Waiting::Retrying(..))));
    world.pass(HOUR);
    let released = world.lease(ask(1));
    let lease = token(&released[0].job).unwrap();
    world.run(Command::Release { lease, delay: Some(HOUR), checkpoint: None }).unwrap();
    assert!(world.job(job.id).error.is_some(), "it shows the error still");
    assert_eq!(why(&world, &job), Some(Waiting::Scheduled(world.now().after(HOUR))));
    world.pass(HOUR);
    let failed = world.lease(ask(1));
    world.run(fail(&failed[0], HOUR)).unwrap();
    assert!(matches!(why(&world, &job), Some(Waiting::Retrying(..))));
}

/// Each reason, and that the first that holds is told.
#[test]
fn every_waiting_job_says_why() {
    let mut world = World::new(WindowLimits::default());
    let first = world.submit(submission());
    let blocked = world.submit(Submission { after: vec![After::Job(first.id)], ..submission() });
    assert_eq!(why(&world, &blocked), Some(Waiting::Blocked(vec![first.id])));
    world.run(configure(QueuePatch::pause(true))).unwrap();
    assert_eq!(why(&world, &first), Some(Waiting::Paused));
    assert_eq!(why(&world, &blocked), Some(Waiting::Blocked(vec![first.id])));
    world.run(configure(QueuePatch::pause(false))).unwrap();

    let scheduled = world.submit(Submission { start: Start::After(HOUR), ..submission() });
    assert_eq!(why(&world, &scheduled), Some(Waiting::Scheduled(scheduled.run_at)));
    let leased = world.lease(ask(1));
    assert_eq!((leased[0].job.id, why(&world, &first)), (first.id, None));
    world.run(fail(&leased[0], HOUR)).unwrap();
    let Some(Waiting::Retrying(at, Some(error))) = why(&world, &first) else { panic!("{:?}", why(&world, &first)) };
    assert_eq!((at, &*error.problem), (world.now().after(HOUR), r#"{"title":"not now"}"#));

    let queued = world.submit(submission());
    assert_eq!(why(&world, &queued), Some(Waiting::Queued));
    world.pass(59 * SECOND);
    assert_eq!(why(&world, &queued), Some(Waiting::Queued));
    world.pass(SECOND);
    assert_eq!(why(&world, &queued), Some(Waiting::NoWorker));
    let running = world.lease(ask(1));
    let another = world.submit(submission());
    assert_eq!(why(&world, &another), Some(Waiting::Queued), "somebody has asked");
    world.run(concurrency(Some(1))).unwrap();
    assert!(world.lease(ask(1)).is_empty());
    assert_eq!(why(&world, &another), Some(Waiting::Limited(Limit::Concurrency)));
    world.run(concurrency(None)).unwrap();
    let rate = Some(Rate { limit: 1, per: HOUR });
    world.run(configure(QueuePatch { rate: Some(rate), ..QueuePatch::default() })).unwrap();
    world.run(complete(&running[0])).unwrap();
    let leased = world.lease(ask(1));
    world.run(complete(&leased[0])).unwrap();
    let last = world.submit(submission());
    assert!(world.lease(ask(1)).is_empty());
    assert_eq!(why(&world, &last), Some(Waiting::Limited(Limit::Rate)));
    assert_eq!(why(&world, &another), None, "it has ended");
}

#[test]
fn a_delay_longer_than_a_lease_duplicates_nothing() {
    let mut world = World::new(WindowLimits::default());
    let job = world.submit(Submission { start: Start::After(24 * HOUR), ..submission() });
    let (_, mut waiter) = world.park(ask(9));
    for _ in 0..24 * 60 - 1 {
        world.pass(60 * SECOND);
        assert!(waiter.try_recv().is_err(), "before its time");
    }
    world.pass(60 * SECOND);
    let leased = waiter.try_recv().unwrap().unwrap();
    assert_eq!(leased.iter().map(|it| it.job.id).collect::<Vec<_>>(), [job.id]);
    assert!(world.lease(ask(9)).is_empty());
    world.run(complete(&leased[0])).unwrap();
    assert_eq!((world.job(job.id).status, world.job(job.id).attempt), (Status::Done, 1));
}

#[test]
fn a_run_longer_than_a_lease_duplicates_nothing() {
    let mut world = World::new(WindowLimits::default());
    let job = world.submit(submission());
    let leased = world.lease(ask(1));
    let lease = token(&leased[0].job).unwrap();
    let (_, mut waiter) = world.park(ask(9));
    // The usual lease is of 30 s, and the run of two days.
    for _ in 0..2 * 24 * 60 * 3 {
        world.pass(20 * SECOND);
        world.run(Command::Heartbeat { lease, ttl: None, progress: None, checkpoint: None }).unwrap();
        assert!(waiter.try_recv().is_err(), "to a second worker");
    }
    world.run(complete(&leased[0])).unwrap();
    assert_eq!((world.job(job.id).status, world.job(job.id).attempt), (Status::Done, 1));
}
