//! Groups take turns, and no more of one run than may.

use super::*;

fn groups(leased: &[Assigned]) -> Vec<&str> {
    leased.iter().map(|it| it.job.spec.group.as_deref().unwrap_or_default()).collect()
}

#[test]
fn a_groups_many_jobs_do_not_hold_up_anothers_few() {
    let mut world = World::new(SMALL);
    (0..40).for_each(|_| drop(world.submit(of_group("many"))));
    world.pass(Duration::from_millis(1));
    (0..3).for_each(|_| drop(world.submit(of_group("few"))));
    let mut leased = Vec::new();
    while leased.len() < 43 {
        let more = world.lease(ask(1));
        assert!(!more.is_empty(), "{} of 43 were leased", leased.len());
        leased.extend(more);
    }
    assert_eq!(groups(&leased[..6]).iter().filter(|group| **group == "few").count(), 3, "{:?}", groups(&leased));
}

#[test]
fn a_group_at_its_limit_is_set_aside_until_one_of_its_leases_ends() {
    let mut world = World::new(WindowLimits::default());
    world.run(limit(Some(2))).unwrap();
    (0..5).for_each(|_| drop(world.submit(of_group("a"))));
    let last = world.submit(of_group("a"));
    let plain = [world.submit(submission()), world.submit(submission()), world.submit(submission())];
    let leased = world.lease(ask(20));
    assert_eq!(groups(&leased).iter().filter(|group| **group == "a").count(), 2);
    assert_eq!(leased.len(), 2 + plain.len(), "who has no group is not limited");
    let why = |world: &World, job: &Job| world.core.queues.why(job, world.now(), world.tick());
    assert_eq!(why(&world, &last), Some(crate::Waiting::Limited(crate::Limit::GroupConcurrency)));

    // However a lease ends, the next job begins, also for a worker that waits.
    let held: Vec<&Assigned> = leased.iter().filter(|it| it.job.spec.group.is_some()).collect();
    let (_, mut waiter) = world.park(ask(1));
    assert!(waiter.try_recv().is_err());
    world.run(complete(held[0])).unwrap();
    assert_eq!(groups(&waiter.try_recv().unwrap().unwrap()), ["a"]);
    let (_, mut waiter) = world.park(ask(1));
    world.pass(Duration::from_secs(31));
    assert_eq!(groups(&waiter.try_recv().unwrap().unwrap()), ["a"], "the leases have lapsed");
    assert_ne!(why(&world, &last), None);
}

#[test]
fn a_changed_limit_holds_at_once() {
    let mut world = World::new(WindowLimits::default());
    (0..10).for_each(|_| drop(world.submit(of_group("a"))));
    let leased = world.lease(ask(4));
    assert_eq!(leased.len(), 4);
    world.run(limit(Some(2))).unwrap();
    assert!(world.lease(ask(4)).is_empty());
    for assigned in &leased[..2] {
        world.run(complete(assigned)).unwrap();
        assert!(world.lease(ask(4)).is_empty());
    }
    world.run(complete(&leased[2])).unwrap();
    assert_eq!(world.lease(ask(4)).len(), 1);
    let (_, mut waiter) = world.park(ask(4));
    world.run(limit(Some(4))).unwrap();
    assert_eq!(waiter.try_recv().unwrap().unwrap().len(), 2);
    world.run(limit(None)).unwrap();
    assert_eq!(world.lease(ask(20)).len(), 3);
}

#[test]
fn why_a_job_of_a_group_waits_is_known_of_what_began_before_the_limit_was_set() {
    let mut world = World::new(WindowLimits::default());
    (0..4).for_each(|_| drop(world.submit(of_group("a"))));
    let last = world.submit(of_group("a"));
    let why = |world: &World| world.core.queues.why(&last, world.now(), world.tick());
    let limited = Some(crate::Waiting::Limited(crate::Limit::GroupConcurrency));
    let leased = world.lease(ask(3));
    assert_eq!(why(&world), Some(crate::Waiting::Queued));
    world.run(limit(Some(3))).unwrap();
    assert_eq!(why(&world), limited);
    world.run(complete(&leased[0])).unwrap();
    assert_eq!(why(&world), Some(crate::Waiting::Queued));
    world.run(limit(Some(2))).unwrap();
    assert_eq!(why(&world), limited);
    // Who ends while there is no limit does not count when there is one again, nor does anybody count twice.
    world.run(limit(None)).unwrap();
    world.run(complete(&leased[1])).unwrap();
    world.run(limit(Some(2))).unwrap();
    assert_eq!(why(&world), Some(crate::Waiting::Queued));
    world.run(limit(Some(1))).unwrap();
    assert_eq!(why(&world), limited);
}

#[test]
fn a_restart_forgets_no_running_job_of_a_group() {
    let ledger = Arc::new(Mutex::new(MemoryLedger::new(SeededEntropy::new(1))));
    let mut world = World::on(&ledger, WindowLimits::default());
    world.run(limit(Some(2))).unwrap();
    let jobs: Vec<_> = (0..4).map(|_| world.submit(of_group("a"))).collect();
    let leased = world.lease(ask(4));

    let mut world = World::on(&ledger, WindowLimits::default());
    assert!(world.lease(ask(4)).is_empty());
    assert_eq!(
        world.core.queues.why(&jobs[3], world.now(), world.tick()),
        Some(crate::Waiting::Limited(crate::Limit::GroupConcurrency))
    );
    world.run(complete(&leased[0])).unwrap();
    assert_eq!(world.lease(ask(4)).len(), 1);
}
