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

/// What waits for a time is due at once where the clock has come there.
#[test]
fn ahead_what_waits_is_due_earlier() {
    let mut world = world();
    world.submit(Submission { start: Start::After(2 * HOUR), ..submission() });
    let expires_in = Some(HOUR);
    let expiring = world.submit(Submission { expires_in, kind: Some("other".into()), ..submission() });
    world.ahead += HOUR;
    world.pass(HOUR - SECOND);
    assert!(world.lease(Ask { kinds: vec!["none".into()], ..ask(1) }).is_empty());
    assert_eq!(status(&world, &expiring), Status::Expired);
    assert!(world.lease(ask(1)).is_empty());
    world.pass(SECOND);
    assert_eq!(world.lease(ask(1)).len(), 1);
}

/// The server's time goes on from where it was, slower by a hundredth.
#[test]
fn back_what_waits_is_due_in_its_time() {
    let mut world = world();
    let before = world.submit(Submission { start: Start::After(10 * SECOND), ..submission() });
    world.ahead -= HOUR;
    let delayed = world.submit(Submission { start: Start::After(20 * SECOND), ..submission() });
    // A time that a client names is one of the wall clock.
    let at = Start::At(world.moment().wall.after(30 * SECOND));
    let then = vec![Submission { start: at, ..submission() }];
    let timed = world.submit(Submission { start: at, then, ..submission() });
    assert_eq!(world.moment().ahead(), HOUR);
    for job in [before, delayed, timed] {
        world.pass(10 * SECOND);
        assert!(world.lease(ask(9)).is_empty(), "not before its time");
        world.pass(10 * SECOND / 99 + Duration::from_millis(1));
        let leased = world.lease(ask(9));
        assert_eq!(leased.iter().map(|it| it.job.id).collect::<Vec<_>>(), [job.id]);
        world.run(complete(&leased[0])).unwrap();
    }
    assert_eq!(world.lease(ask(9)).len(), 1, "what comes after it has waited for the same time");
}

#[test]
fn back_what_is_due_is_worked_on_at_once_and_in_order() {
    let mut world = world();
    let mut jobs: Vec<_> = (0..9).map(|_| world.submit(submission()).id).collect();
    world.ahead -= HOUR;
    jobs.push(world.submit(submission()).id);
    let leased = world.lease(ask(20));
    assert_eq!(leased.iter().map(|it| it.job.id).collect::<Vec<_>>(), jobs);
    // So is what is to be tried again.
    world.run(Command::Release { lease: token(&leased[0].job).unwrap(), delay: None, checkpoint: None }).unwrap();
    assert_eq!(world.lease(ask(20)).len(), 1);
}

/// A server that is started anew goes on from the last change; if that is far ahead, by the wall clock.
#[test]
fn back_while_the_server_is_down_what_is_due_is_worked_on_at_once() {
    for (ahead, expected) in [(2 * HOUR, 3), (25 * HOUR, 0)] {
        let ledger = Arc::new(Mutex::new(MemoryLedger::new(SeededEntropy::new(7))));
        let mut world = World::on(&ledger, WindowLimits::default());
        world.ahead = ahead;
        (0..3).for_each(|_| drop(world.submit(submission())));
        let mut world = World::on(&ledger, WindowLimits::default());
        assert_eq!(world.lease(ask(20)).len(), expected);
        world.submit(submission());
        assert_eq!(world.lease(ask(20)).len(), 1, "what is submitted since is not held up");
        world.ahead = ahead;
        assert_eq!(world.lease(ask(20)).len(), 3 - expected);
    }
}

/// A clock that was wrong by more than a day is believed no longer.
#[test]
fn back_by_more_than_a_day_what_is_submitted_since_is_not_held_up() {
    let mut world = world();
    world.ahead = 366 * DAY;
    let before = world.submit(submission());
    world.ahead = Duration::ZERO;
    let since = world.submit(submission());
    assert_eq!(world.lease(ask(9)).iter().map(|it| it.job.id).collect::<Vec<_>>(), [since.id]);
    assert_eq!(world.submit(submission()).created_at(), START);
    world.ahead = 366 * DAY;
    assert!(world.lease(ask(9)).iter().any(|it| it.job.id == before.id));
}

#[test]
fn back_by_more_than_a_day_a_rate_holds_nobody_up_for_longer_than_a_period() {
    let mut world = world();
    world.ahead = Duration::ZERO;
    (0..2).for_each(|_| drop(world.submit(submission())));
    world.ahead = 3 * DAY;
    let rate = Some(Rate { limit: 1, per: 10 * SECOND });
    let patch = Box::new(QueuePatch { rate: Some(rate), ..QueuePatch::default() });
    world.run(Command::Configure { queue: name("video"), patch }).unwrap();
    assert_eq!(world.lease(ask(1)).len(), 1);
    let (_, mut waiter) = world.park(ask(1));
    world.ahead = Duration::ZERO;
    for _ in 0..11 {
        world.pass(SECOND);
    }
    assert_eq!(waiter.try_recv().unwrap().unwrap().len(), 1);
}

/// The same request is the same request, though the time at which the job is due is another by the server's clock now.
#[test]
fn back_a_request_that_names_a_time_is_known_again() {
    let mut world = world();
    let request = || {
        let start = Start::At(START.after(10 * HOUR));
        Submission { start, ..submission() }.keyed("once".into())
    };
    let first = world.submit(request());
    world.ahead -= HOUR;
    let again = world.submit(request());
    assert_eq!((again.id, again.run_at), (first.id, START.after(10 * HOUR)));
}

/// Whoever waits for a period to be over waits for no longer than one, whatever the clock does.
#[test]
fn a_rate_holds_nobody_up_for_longer_than_a_period() {
    for (which, jump) in JUMPS {
        let mut world = world();
        let rate = Some(Rate { limit: 1, per: 10 * SECOND });
        let patch = Box::new(QueuePatch { rate: Some(rate), ..QueuePatch::default() });
        world.run(Command::Configure { queue: name("video"), patch }).unwrap();
        (0..2).for_each(|_| drop(world.submit(submission())));
        assert_eq!(world.lease(ask(1)).len(), 1);
        let (_, mut waiter) = world.park(ask(1));
        jump(&mut world);
        for _ in 0..11 {
            world.pass(SECOND);
        }
        assert_eq!(waiter.try_recv().unwrap().unwrap().len(), 1, "{which}");
    }
}
