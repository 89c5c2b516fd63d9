//! What was kept long enough goes, a part at a time, while others work.

use ackd_domain::{Advance, After, OnFailure, Position, limits};
use ackd_ports::{ChangeFeed, FeedError};

use super::*;

const PART: usize = 500;

/// Takes so many jobs, accepted together, to their end.
fn done(world: &mut World, jobs: usize, retention: Option<Duration>) {
    let submission = Submission { result_retention: retention, ..submission() };
    world.run(Command::Submit(vec![submission; jobs])).unwrap();
    let leased = world.lease(ask(jobs));
    assert_eq!(leased.len(), jobs);
    for assigned in &leased {
        world.run(complete(assigned)).unwrap();
    }
}

fn jobs(world: &World) -> usize {
    let counts = world.reader.counts().unwrap();
    usize::try_from(counts.iter().map(|counts| counts.by_status.iter().sum::<u64>()).sum::<u64>()).unwrap()
}

fn kept_from(world: &World) -> u64 {
    world.reader.earliest().unwrap().0
}

#[test]
fn a_job_goes_when_it_was_kept_long_enough_and_not_before() {
    let mut world = World::new(WindowLimits::default());
    done(&mut world, 1, Some(Duration::from_secs(10)));
    done(&mut world, 1, None);
    world.submit(submission());
    world.pass(Duration::from_millis(9_999));
    assert_eq!(jobs(&world), 3);
    world.pass(Duration::from_secs(1));
    assert_eq!(jobs(&world), 2);
    world.pass(limits::DEFAULT_RETENTION - Duration::from_secs(12));
    assert_eq!(jobs(&world), 2);
    world.pass(Duration::from_secs(2));
    assert_eq!(jobs(&world), 1, "one that waits has not ended");
}

/// Who waits for a job's retry keeps it, and for no longer than until it expires itself.
#[test]
fn a_failed_job_that_another_waits_for_goes_once_that_one_has_expired() {
    let mut world = World::new(WindowLimits::default());
    let brief = Submission { result_retention: Some(Duration::from_secs(10)), ..submission() };
    let failed = world.submit(brief);
    let waits = Submission {
        after: vec![After::Job(failed.id)],
        on_failure: OnFailure::Wait,
        expires_in: Some(Duration::from_hours(1)),
        ..submission()
    };
    let waits = world.submit(waits);
    let lease = token(&world.lease(ask(1))[0].job).unwrap();
    let error = Failure { problem: "{}".into() };
    world.run(Command::Fail { lease, error, retryable: false, retry_after: None, cancelled: false }).unwrap();
    world.pass(Duration::from_mins(59));
    assert_eq!((world.job(failed.id).status, world.job(waits.id).status), (Status::Failed, Status::Init));
    world.pass(Duration::from_mins(2));
    assert_eq!(world.job(waits.id).status, Status::Expired);
    // It is found by its end in the feed at the latest, once that is old.
    world.pass(2 * DAY);
    for _ in 0..10 {
        world.pass(Duration::from_secs(1));
    }
    assert_eq!(world.reader.job(failed.id).unwrap(), None);
}

#[test]
fn a_clock_that_jumps_ahead_takes_a_part_at_a_time_and_others_work_between() {
    let mut world = World::new(WindowLimits::default());
    done(&mut world, 3 * PART + 1, Some(Duration::from_hours(1)));
    // Time itself goes on as it does; only the clock says otherwise.
    world.ahead = 366 * DAY;
    let mut left = 3 * PART + 1;
    let mut turns = 0;
    while left > 0 {
        world.pass(Duration::from_millis(25));
        // Somebody submits and works meanwhile.
        let job = world.submit(submission());
        let leased = world.lease(ask(1));
        assert_eq!(leased[0].job.id, job.id);
        world.run(complete(&leased[0])).unwrap();
        turns += 1;
        assert!(turns < 200, "it never ends: {left} are left");
        let now = jobs(&world) - turns;
        assert!(left - now <= PART, "{} jobs went in one commit", left - now);
        left = now;
    }
    assert!(turns >= 4, "{turns}");
}

#[test]
fn a_clock_that_jumps_back_keeps_nothing_for_longer_or_shorter() {
    let mut world = World::new(WindowLimits::default());
    world.ahead = Duration::from_hours(1);
    done(&mut world, 3, Some(Duration::from_secs(10)));
    world.ahead = Duration::ZERO;
    world.pass(Duration::from_secs(5));
    assert_eq!(jobs(&world), 3);
    done(&mut world, 3, Some(Duration::from_secs(10)));
    world.pass(Duration::from_secs(7));
    assert_eq!(jobs(&world), 3, "what ended since is kept");
    world.pass(Duration::from_secs(7));
    assert_eq!(jobs(&world), 0);
}

#[test]
fn a_clock_that_was_a_year_ahead_deletes_nothing_and_stops_nothing() {
    let mut world = World::new(WindowLimits::default());
    world.ahead = 366 * DAY;
    done(&mut world, 3, Some(Duration::from_secs(1)));
    world.ahead = Duration::ZERO;
    world.pass(Duration::from_secs(5));
    assert_eq!(jobs(&world), 3);
    done(&mut world, 3, Some(Duration::from_secs(1)));
    world.pass(Duration::from_secs(3));
    assert_eq!(jobs(&world), 3, "what ended since goes, and what ended in that year stays until it is over");
    world.ahead = 366 * DAY;
    world.pass(Duration::from_secs(5));
    assert_eq!(jobs(&world), 0);
}

#[test]
fn old_changes_go_a_part_at_a_time() {
    let mut world = World::new(WindowLimits::default());
    done(&mut world, 2 * PART, None);
    let head = world.reader.head().unwrap().0;
    let mut from = 0;
    world.pass(DAY - Duration::from_secs(1));
    assert_eq!(kept_from(&world), 0);
    while from < head {
        world.pass(Duration::from_secs(2));
        let now = kept_from(&world);
        assert!(now > from && now - from <= 2_000, "{} changes went in one commit", now - from);
        from = now;
    }
    assert!(matches!(world.reader.changes(Position(head - 1), 1), Err(FeedError::Purged(_))));
    assert_eq!(jobs(&world), 2 * PART, "the jobs stay");
    world.pass(limits::DEFAULT_RETENTION);
    world.pass(Duration::from_secs(2));
    world.pass(Duration::from_secs(2));
    assert_eq!(jobs(&world), 0, "a job goes though its changes went before");
}

#[test]
fn changes_wait_for_a_consumer_for_twice_their_time_and_nobody_is_busy_with_it() {
    let mut world = World::new(WindowLimits::default());
    world.submit(submission());
    let seen = world.reader.head().unwrap();
    let advance = Some(Advance { consumer: name("slow"), from: None, to: seen });
    world.run(Command::Deliver { advance, deliveries: Vec::new() }).unwrap();
    world.run(Command::Submit(vec![submission(); 3_000])).unwrap();
    world.pass(DAY);
    world.pass(Duration::from_secs(1));
    assert_eq!(kept_from(&world), seen.0);
    world.pass(Duration::from_secs(1));
    assert!(world.core.patience(world.moment()) > Duration::from_millis(900));
    world.pass(DAY);
    world.pass(Duration::from_secs(2));
    assert!(kept_from(&world) > seen.0, "a consumer that never comes again keeps changes for ever");
}

#[test]
fn what_finds_no_room_to_go_goes_later() {
    let mut world = World::new(WindowLimits::default());
    done(&mut world, 2, Some(Duration::from_secs(1)));
    world.millis += 2_000;
    world.core.turn(Vec::new(), world.moment());
    let reads = world.core.take_reads().into_iter().map(|request| {
        let read = crate::pager::read(&*world.reader, &request);
        Input::Read(request, read)
    });
    let reads: Vec<Input> = reads.collect();
    world.faults.fail_next(LedgerError::Full("no room".into()));
    world.core.turn(reads, world.moment());
    assert_eq!(jobs(&world), 2);
    world.pass(Duration::from_secs(2));
    assert_eq!(jobs(&world), 0);
}
