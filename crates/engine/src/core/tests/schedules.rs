//! Schedules over a ledger: what is fired is committed with what it makes, once.

use ackd_domain::{Missed, Schedule, ScheduleRequest};

use super::*;

const HOUR: Duration = Duration::from_hours(1);

/// The time of the first hour after the world's start, which is a second after 1970 began.
fn hour(n: u32) -> Timestamp {
    Timestamp::default().after(HOUR * n)
}

fn put_of(schedule: &str, request: ScheduleRequest) -> Command {
    Command::PutSchedule { name: name(schedule), request: Box::new(request), next: Some(hour(1)) }
}

fn request() -> ScheduleRequest {
    ScheduleRequest {
        cron: "0 * * * *".into(),
        timezone: "UTC".into(),
        missed: Missed::One,
        paused: false,
        job: submission(),
    }
}

fn put(world: &mut World, schedule: &str) -> Arc<Schedule> {
    match world.run(put_of(schedule, request())) {
        Ok(Answer::Schedule { schedule, .. }) => schedule,
        other => panic!("no schedule: {other:?}"),
    }
}

/// The wall clock shows this time.
fn until(world: &mut World, time: Timestamp) {
    let left = time.since(world.moment().wall);
    world.pass(left);
}

fn made(world: &World) -> u64 {
    world.reader.counts().unwrap().iter().map(|counts| counts.by_status.iter().sum::<u64>()).sum()
}

fn stored(world: &World) -> Arc<Schedule> {
    Arc::clone(&world.reader.schedules().unwrap()[0])
}

#[test]
fn a_parked_worker_gets_the_job_in_the_commit_that_makes_it() {
    let mut world = World::new(WindowLimits::default());
    put(&mut world, "a");
    let (_, mut waiter) = world.park(ask(1));
    let commits = |world: &World| world.core.stats.commits.counts().iter().sum::<u64>();
    let before = commits(&world);
    until(&mut world, Timestamp::from_millis(hour(1).millis() - 1));
    assert!(waiter.try_recv().is_err() && commits(&world) == before, "it is not due");
    assert!(world.core.patience(world.moment()) <= Duration::from_millis(1));
    until(&mut world, hour(1));
    let leased = waiter.try_recv().unwrap().unwrap();
    assert_eq!((leased.len(), commits(&world)), (1, before + 1));
    let schedule = stored(&world);
    assert_eq!(schedule.last_job, Some(leased[0].job.id));
    assert_eq!((schedule.last_run_at, schedule.next_run_at), (Some(hour(1)), Some(hour(2))));
    assert_eq!(*world.core.schedules_seen.of(&schedule.name).unwrap(), *schedule);
}

#[test]
fn a_restart_makes_nothing_twice_and_forgets_nothing() {
    let ledger = Arc::new(Mutex::new(MemoryLedger::new(SeededEntropy::new(7))));
    let mut world = World::on(&ledger, SMALL);
    put(&mut world, "a");
    until(&mut world, hour(3));
    assert_eq!(made(&world), 1, "one for all that were missed");
    for _ in 0..3 {
        // A new core begins at the start of the world: its clock has gone back by three hours.
        world = World::on(&ledger, SMALL);
        world.pass(Duration::ZERO);
        until(&mut world, hour(3));
        assert_eq!(made(&world), 1);
    }
    until(&mut world, hour(4));
    assert_eq!(made(&world), 2);
    // One that comes while no server runs.
    drop(world);
    let mut world = World::on(&ledger, SMALL);
    until(&mut world, hour(9));
    assert_eq!((made(&world), stored(&world).last_run_at), (3, Some(hour(9))));
}

#[test]
fn a_commit_that_fails_makes_nothing_and_is_made_again() {
    let mut world = World::new(WindowLimits::default());
    put(&mut world, "a");
    let full = || LedgerError::Full("no room".into());
    world.faults.fail_next(full());
    until(&mut world, hour(1));
    for _ in 0..3 {
        assert_eq!((made(&world), stored(&world).next_run_at), (0, Some(hour(1))));
        // It rests, rather than to try in every turn.
        world.pass(REST - Duration::from_millis(1));
        world.faults.fail_next(full());
        world.pass(Duration::from_millis(1));
        assert!(world.core.patience(world.moment()) > Duration::from_millis(900));
    }
    assert_eq!(world.core.stats.failed_commits.load(Ordering::Relaxed), 4);
    world.pass(REST);
    assert_eq!((made(&world), stored(&world).last_run_at), (1, Some(hour(1))));
    let job = world.lease(ask(1)).pop().unwrap();
    assert!(world.run(complete(&job)).is_ok());
    until(&mut world, hour(2));
    assert_eq!(made(&world), 2);
}

#[test]
fn one_that_is_put_anew_or_deleted_in_the_very_turn_fires_as_it_is() {
    let mut world = World::new(WindowLimits::default());
    put(&mut world, "a");
    put(&mut world, "b");
    world.millis = u64::try_from(hour(1).millis()).unwrap() - 1_000;
    let (reply, mut answers) = oneshot::channel();
    let job = Submission { priority: Some(9), ..submission() };
    let anew = put_of("a", ScheduleRequest { job, ..request() });
    world.turn(vec![Input::Run(vec![anew, Command::DeleteSchedule { name: name("b") }], reply)]);
    assert!(answers.try_recv().unwrap().unwrap().iter().all(Result::is_ok));
    world.pass(REST);
    let leased = world.lease(ask(9));
    assert_eq!(leased.iter().map(|it| it.job.spec.priority).collect::<Vec<_>>(), [9], "it is made once, as it is now");
    assert_eq!(stored(&world).next_run_at, Some(hour(2)));
}

#[test]
fn a_thousand_schedules_cost_nothing_between() {
    let mut world = World::new(WindowLimits::default());
    for n in 0..ackd_domain::limits::SCHEDULES {
        put(&mut world, &format!("s{n}"));
    }
    let commits = |world: &World| world.core.stats.commits.counts().iter().sum::<u64>();
    let before = commits(&world);
    for _ in 0..50 {
        world.pass(Duration::from_secs(60));
    }
    assert_eq!((commits(&world), made(&world)), (before, 0));
    until(&mut world, hour(1));
    assert_eq!((commits(&world), made(&world)), (before + 1, 1000));
}
