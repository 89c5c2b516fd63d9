//! How long leases live, what is told under them, and who gives them back.

use super::*;

#[test]
fn progress_does_not_go_back_behind_a_checkpoint() {
    let mut world = World::new(WindowLimits::default());
    let job = world.submit(submission());
    let lease = token(&world.lease(ask(1))[0].job).unwrap();
    for (percent, checkpoint) in [(1.0, None), (2.0, None), (3.0, Some("{}".into()))] {
        let progress = Progress { percent: Some(percent), message: None, at: Timestamp::default() };
        world.run(Command::Heartbeat { lease, ttl: None, progress: Some(progress), checkpoint }).unwrap();
        world.pass(Duration::from_millis(100));
    }
    world.pass(Duration::from_secs(1));
    assert_eq!(world.job(job.id).progress.as_ref().unwrap().percent, Some(3.0));
}

#[test]
fn a_lease_lapses_without_a_heartbeat_and_lives_with_one() {
    let mut world = World::new(WindowLimits::default());
    let job = world.submit(submission());
    let leased = world.lease(Ask { ttl: Some(Duration::from_secs(10)), ..ask(1) });
    let lease = token(&leased[0].job).unwrap();
    world.pass(Duration::from_secs(9));
    world.run(Command::Heartbeat { lease, ttl: None, progress: None, checkpoint: None }).unwrap();
    world.pass(Duration::from_millis(9_999));
    assert_eq!(world.job(job.id).status, Status::Processing);
    world.pass(Duration::from_millis(1));
    let lapsed = world.job(job.id);
    assert_eq!((lapsed.status, lapsed.attempt), (Status::Init, 1));
    assert_eq!(world.run(complete(&leased[0])), Err(Refusal::LeaseLost));
    assert_eq!(world.lease(ask(1))[0].job.attempt, 2);
}

#[test]
fn an_attempt_that_takes_too_long_lapses_in_spite_of_heartbeats() {
    let mut world = World::new(WindowLimits::default());
    let job = world.submit(Submission { timeout: Some(Duration::from_secs(15)), ..submission() });
    let lease = token(&world.lease(ask(1))[0].job).unwrap();
    world.pass(Duration::from_millis(14_999));
    world.run(Command::Heartbeat { lease, ttl: None, progress: None, checkpoint: None }).unwrap();
    world.pass(Duration::from_millis(1));
    assert_eq!(world.job(job.id).status, Status::Init);
    assert!(world.job(job.id).error.as_ref().unwrap().problem.contains("timeout"));
}

#[test]
fn a_heartbeat_is_answered_with_no_more_than_is_left_of_the_attempt() {
    let mut world = World::new(WindowLimits::default());
    let (ttl, timeout) = (Duration::from_secs(10), Duration::from_secs(15));
    world.submit(Submission { timeout: Some(timeout), ..submission() });
    let lease = token(&world.lease(Ask { ttl: Some(ttl), ..ask(1) })[0].job).unwrap();
    let beat = Command::Heartbeat { lease, ttl: None, progress: None, checkpoint: None };
    let answer = |left| Ok(Answer::Beat { ttl: Duration::from_secs(left), cancel_requested: false });
    for (passes, left) in [(0, 10), (5, 10), (1, 9), (6, 3)] {
        world.pass(Duration::from_secs(passes));
        assert_eq!(world.run(beat.clone()), answer(left), "{passes}");
    }
    let shorter = Command::Heartbeat { lease, ttl: Some(Duration::from_secs(2)), progress: None, checkpoint: None };
    assert_eq!(world.run(shorter), answer(2));
}

#[test]
fn a_lease_outlives_a_restart_and_its_job_is_not_started_again() {
    let ledger = Arc::new(Mutex::new(MemoryLedger::new(SeededEntropy::new(1))));
    let mut world = World::on(&ledger, WindowLimits::default());
    let job = world.submit(submission());
    let leased = world.lease(ask(1));

    let mut world = World::on(&ledger, WindowLimits::default());
    assert!(world.lease(ask(1)).is_empty());
    world.pass(Duration::from_millis(29_999));
    assert_eq!(world.job(job.id).status, Status::Processing);
    world.run(complete(&leased[0])).unwrap();
    assert_eq!(world.job(job.id).status, Status::Done);
}

#[test]
fn progress_is_coalesced_and_the_last_of_it_is_recorded() {
    let mut world = World::new(WindowLimits::default());
    let job = world.submit(submission());
    let lease = token(&world.lease(ask(1))[0].job).unwrap();
    let version = world.job(job.id).version;
    for percent in 0..50 {
        let progress = Progress { percent: Some(f64::from(percent)), message: None, at: Timestamp::default() };
        world.run(Command::Heartbeat { lease, ttl: None, progress: Some(progress), checkpoint: None }).unwrap();
    }
    assert_eq!(world.job(job.id).version, version + 1);
    world.pass(crate::leases::PROGRESS_INTERVAL);
    let job = world.job(job.id);
    assert_eq!(job.version, version + 2);
    assert_eq!(job.progress.as_ref().unwrap().percent, Some(49.0));
}

#[test]
fn a_workers_leases_are_released_together_and_uncounted() {
    let mut world = World::new(WindowLimits::default());
    (0..3).for_each(|_| drop(world.submit(submission())));
    let mine = world.lease(ask(2));
    let other = world.lease(Ask { worker: Some("other".into()), ..ask(1) });
    let (reply, mut released) = oneshot::channel();
    world.turn(vec![Input::ReleaseWorker("w".into(), reply)]);
    assert_eq!(released.try_recv().unwrap(), Ok(2));
    assert!(mine.iter().all(|it| world.job(it.job.id).attempt == 0));
    assert_eq!(world.job(other[0].job.id).status, Status::Processing);
}
