//! A wall clock that jumps by an hour, while time itself goes on as it does.

use ackd_domain::Rate;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

/// Lets the clock jump, ahead or back.
type Jump = fn(&mut World);

const JUMPS: [(&str, Jump); 2] = [("ahead", |world| world.ahead += HOUR), ("back", |world| world.ahead -= HOUR)];

/// A world whose clock may be set back by two hours.
fn world() -> World {
    let mut world = World::new(WindowLimits::default());
    world.ahead = 2 * HOUR;
    world
}

fn status(world: &World, job: &Job) -> Status {
    world.job(job.id).status
}

#[test]
fn a_lease_lapses_neither_earlier_nor_later() {
    for (which, jump) in JUMPS {
        let mut world = world();
        let job = world.submit(submission());
        let leased = world.lease(Ask { ttl: Some(30 * SECOND), ..ask(1) });
        assert_eq!(leased.len(), 1);
        jump(&mut world);
        world.pass(29 * SECOND);
        assert_eq!(status(&world, &job), Status::Processing, "{which}");
        world.pass(2 * SECOND);
        assert_eq!(status(&world, &job), Status::Init, "{which}");
        // Whoever waited for a lease to lapse waited enough.
        assert_eq!(world.lease(ask(1)).len(), 1, "{which}");
    }
}

#[test]
fn an_attempt_times_out_neither_earlier_nor_later() {
    for (which, jump) in JUMPS {
        let mut world = world();
        let job = world.submit(Submission { timeout: Some(60 * SECOND), ..submission() });
        let lease = token(&world.lease(ask(1))[0].job).unwrap();
        jump(&mut world);
        for second in 1..=60 {
            world.pass(SECOND);
            let beat = Command::Heartbeat { lease, ttl: None, progress: None, checkpoint: None };
            assert_eq!(world.run(beat).is_ok(), second < 60, "{which}, after {second} s");
        }
        assert_eq!(status(&world, &job), Status::Init, "{which}");
    }
}

/// Nobody knows how long a server was down but by its clock, which has gone back meanwhile.
#[test]
fn after_a_restart_a_timeout_ends_in_its_time_at_the_latest() {
    let ledger = Arc::new(Mutex::new(MemoryLedger::new(SeededEntropy::new(7))));
    let mut world = World::on(&ledger, WindowLimits::default());
    world.ahead = 2 * HOUR;
    let jobs = [None, Some(600 * SECOND)].map(|timeout| world.submit(Submission { timeout, ..submission() }));
    let leased = world.lease(ask(2));
    assert_eq!(leased.len(), 2);
    let mut world = World::on(&ledger, WindowLimits::default());
    for part in 0..30 {
        assert_eq!(status(&world, &jobs[1]), Status::Processing, "after {} s", 20 * part);
        for assigned in &leased {
            let lease = token(&assigned.job).unwrap();
            world.run(Command::Heartbeat { lease, ttl: None, progress: None, checkpoint: None }).unwrap();
        }
        world.pass(20 * SECOND);
    }
    assert_eq!((status(&world, &jobs[0]), status(&world, &jobs[1])), (Status::Processing, Status::Init));
}

/// `run_at` is a time by the server's clock, and so is `expires_at`: what waits for them goes by what it shows.
#[test]
fn what_waits_for_a_time_goes_by_what_the_clock_shows() {
    let start = |start| Submission { start, ..submission() };
    let mut ahead = world();
    ahead.submit(start(Start::After(2 * HOUR)));
    let expiring = ahead.submit(Submission { expires_in: Some(HOUR), kind: Some("other".into()), ..submission() });
    ahead.ahead += HOUR;
    ahead.pass(HOUR - SECOND);
    assert!(ahead.lease(Ask { kinds: vec!["none".into()], ..ask(1) }).is_empty());
    assert_eq!(status(&ahead, &expiring), Status::Expired);
    assert!(ahead.lease(ask(1)).is_empty());
    ahead.pass(SECOND);
    assert_eq!(ahead.lease(ask(1)).len(), 1);

    let mut back = world();
    let delayed = back.submit(start(Start::After(10 * SECOND)));
    back.ahead -= HOUR;
    // What is submitted from now on is not held up by what was before.
    let fresh = back.submit(submission());
    let leased = back.lease(ask(9));
    assert_eq!(leased.iter().map(|it| it.job.id).collect::<Vec<_>>(), [fresh.id]);
    back.run(complete(&leased[0])).unwrap();
    back.pass(HOUR);
    assert!(back.lease(ask(1)).is_empty());
    back.pass(10 * SECOND);
    assert_eq!(back.lease(ask(1))[0].job.id, delayed.id);
}

/// What was due already waits until the clock has come there again: later by as much as it went back, and once.
#[test]
fn what_waits_while_the_clock_goes_back_is_neither_lost_nor_twice() {
    let mut world = world();
    let jobs: Vec<_> = (0..9).map(|_| world.submit(submission()).id).collect();
    world.ahead -= HOUR;
    let (_, mut waiter) = world.park(ask(20));
    world.pass(HOUR + SECOND);
    let leased = waiter.try_recv().unwrap().unwrap();
    assert_eq!(leased.iter().map(|it| it.job.id).collect::<Vec<_>>(), jobs);
    assert!(world.lease(ask(20)).is_empty());
}

/// Whoever waits for a period to be over waits for no longer than one, whatever the clock does.
#[test]
fn a_rate_holds_nobody_up_for_longer_than_a_period() {
    for (which, jump) in JUMPS {
        let mut world = world();
        let rate = Some(Rate { limit: 1, per: 10 * SECOND });
        let patch = Box::new(QueuePatch { rate: Some(rate), ..QueuePatch::default() });
        world.run(Command::Configure { queue: name("video"), patch }).unwrap();
        world.submit(submission());
        assert_eq!(world.lease(ask(1)).len(), 1);
        let (_, mut waiter) = world.park(ask(1));
        jump(&mut world);
        world.submit(submission());
        for _ in 0..11 {
            world.pass(SECOND);
        }
        assert_eq!(waiter.try_recv().unwrap().unwrap().len(), 1, "{which}");
    }
}
