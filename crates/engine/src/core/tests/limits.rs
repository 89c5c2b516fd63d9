//! How many of a queue's jobs run at once, and begin in a period.

use ackd_domain::Rate;

use super::*;
use crate::{Limit, Waiting};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

fn rate(limit: u32) -> Command {
    configure_rate(Some(Rate { limit, per: 10 * SECOND }))
}

fn configure_rate(rate: Option<Rate>) -> Command {
    let patch = QueuePatch { rate: Some(rate), ..QueuePatch::default() };
    Command::Configure { queue: name("video"), patch: Box::new(patch) }
}

fn why(world: &World, job: &Job) -> Option<Waiting> {
    world.core.queues.why(&world.job(job.id), world.now(), world.tick())
}

fn refused(world: &World) -> u64 {
    world.core.stats.refusals.load(Ordering::Relaxed)
}

#[test]
fn no_more_run_than_the_queue_allows_and_the_next_goes_as_soon_as_one_ends() {
    let mut world = World::new(SMALL);
    world.run(concurrency(Some(2))).unwrap();
    let jobs: Vec<_> = (0..30).map(|_| world.submit(submission())).collect();
    let first = world.lease(ask(9));
    assert_eq!(first.len(), 2);
    assert_eq!(why(&world, &jobs[5]), Some(Waiting::Limited(Limit::Concurrency)));
    let (_, mut waiter) = world.park(ask(9));
    world.run(complete(&first[0])).unwrap();
    assert_eq!(waiter.try_recv().unwrap().unwrap().len(), 1);
    // A lower limit lets what runs go on, and nothing begin; none lets all go.
    world.run(concurrency(Some(1))).unwrap();
    world.run(complete(&first[1])).unwrap();
    assert!(world.lease(ask(9)).is_empty());
    world.run(concurrency(None)).unwrap();
    assert_eq!(why(&world, &jobs[20]), Some(Waiting::Queued));
    assert_eq!(world.lease(ask(9)).len(), 6, "what stands in memory");
}

#[test]
fn the_limit_counts_what_ran_before_it_was_set_and_before_a_restart() {
    let ledger = Arc::new(Mutex::new(MemoryLedger::new(SeededEntropy::new(7))));
    let mut world = World::on(&ledger, SMALL);
    (0..9).for_each(|_| drop(world.submit(submission())));
    let leased = world.lease(ask(3));
    world.run(concurrency(Some(3))).unwrap();
    assert!(world.lease(ask(9)).is_empty());
    let mut world = World::on(&ledger, SMALL);
    assert!(world.lease(ask(9)).is_empty());
    world.run(complete(&leased[0])).unwrap();
    assert_eq!(world.lease(ask(9)).len(), 1);
}

#[test]
fn no_more_begin_in_a_period_than_the_queue_allows() {
    let mut world = World::new(SMALL);
    world.run(rate(2)).unwrap();
    let jobs: Vec<_> = (0..9).map(|_| world.submit(submission())).collect();
    let (_, mut waiter) = world.park(ask(1));
    assert_eq!(waiter.try_recv().unwrap().unwrap().len(), 1);
    world.pass(4 * SECOND);
    let second = world.lease(ask(9));
    assert_eq!(second.len(), 1);
    assert_eq!(why(&world, &jobs[8]), Some(Waiting::Limited(Limit::Rate)));
    // That one ends is no reason for another to begin.
    world.run(complete(&second[0])).unwrap();
    let (_, mut waiter) = world.park(ask(9));
    world.pass(5999 * Duration::from_millis(1));
    assert!(waiter.try_recv().is_err());
    assert!(world.core.patience(world.moment()) <= Duration::from_millis(1), "it wakes when it may");
    world.pass(Duration::from_millis(1));
    assert_eq!(waiter.try_recv().unwrap().unwrap().len(), 1);
    world.pass(4 * SECOND);
    assert_eq!(why(&world, &jobs[8]), Some(Waiting::Queued));
}

#[test]
fn what_is_released_or_refused_counts_as_it_is_written_and_a_restart_forgets_nothing() {
    let ledger = Arc::new(Mutex::new(MemoryLedger::new(SeededEntropy::new(7))));
    let mut world = World::on(&ledger, SMALL);
    world.run(rate(3)).unwrap();
    let jobs: Vec<_> = (0..9).map(|_| world.submit(submission())).collect();
    // One is cancelled in the very batch that was to lease it, and did not begin.
    let (reply, mut cancelled) = oneshot::channel();
    let (asker, mut waiter) = oneshot::channel();
    let cancel = Input::Run(vec![Command::Cancel { id: jobs[0].id }], reply);
    world.turn(vec![cancel, Input::Ask(AskId(99), ask(2), asker)]);
    assert!(cancelled.try_recv().unwrap().is_ok());
    let began = waiter.try_recv().unwrap().unwrap().len();
    let rest = world.lease(ask(9)).len();
    assert_eq!(began + rest, 3);
    // A commit that fails takes back what had begun in it.
    world.pass(10 * SECOND);
    world.faults.fail_next(LedgerError::Full("no room".into()));
    assert!(matches!(world.try_run(complete_none()), Err(Unavailable::Full)));
    world.pass(2 * SECOND);
    assert_eq!(world.lease(ask(9)).len(), 3);
    let mut world = World::at(world.millis, &ledger, SMALL);
    assert!(world.lease(ask(9)).is_empty(), "a restart lets more begin");
    world.pass(10 * SECOND);
    assert_eq!(world.lease(ask(9)).len(), 2);
}

/// Nothing is written of a queue in which nothing has begun yet.
#[test]
fn what_was_to_begin_first_in_a_commit_that_failed_does_not_count() {
    let mut world = World::new(SMALL);
    world.run(rate(1)).unwrap();
    let job = world.submit(submission());
    world.faults.fail_next(LedgerError::Full("no room".into()));
    let (_, mut waiter) = world.park(ask(1));
    assert!(waiter.try_recv().is_err());
    world.pass(REST);
    assert_eq!(waiter.try_recv().unwrap().unwrap()[0].job.id, job.id);
    drop(world.submit(submission()));
    assert!(world.lease(ask(1)).is_empty());
}

/// Whoever gives out jobs that may not begin is refused each of them, and reads them all again.
#[test]
fn a_rate_that_is_changed_is_the_dispatchers_as_it_is_the_ledgers() {
    let mut world = World::new(SMALL);
    let (short, long) = (Rate { limit: 5, per: SECOND }, Rate { limit: 5, per: HOUR });
    world.run(configure_rate(Some(short))).unwrap();
    let jobs: Vec<_> = (0..30).map(|_| world.submit(submission())).collect();
    assert_eq!(world.lease(ask(9)).len(), 5);
    world.pass(2 * SECOND);
    world.run(configure_rate(Some(long))).unwrap();
    let (_, mut waiter) = world.park(ask(9));
    world.pass(10 * SECOND);
    assert!(waiter.try_recv().is_err());
    assert_eq!((why(&world, &jobs[29]), refused(&world)), (Some(Waiting::Limited(Limit::Rate)), 0));
}

#[test]
fn what_began_counts_again_when_a_queue_that_was_out_of_use_gets_a_rate_again() {
    let mut world = World::new(SMALL);
    let rate = Rate { limit: 1, per: HOUR };
    world.run(configure_rate(Some(rate))).unwrap();
    let work_one_off = |world: &mut World, queue: &Name| {
        world.submit(Submission { queue: queue.clone(), ..submission() });
        let leased = world.lease(Ask { queues: vec![queue.clone()], ..ask(1) });
        world.run(complete(&leased[0])).unwrap();
    };
    work_one_off(&mut world, &name("video"));
    world.run(configure_rate(None)).unwrap();
    (0..200).for_each(|at| work_one_off(&mut world, &name(&format!("other-{at}"))));
    world.run(configure_rate(Some(rate))).unwrap();
    let job = world.submit(submission());
    assert!(world.lease(ask(1)).is_empty());
    assert_eq!((why(&world, &job), refused(&world)), (Some(Waiting::Limited(Limit::Rate)), 0));
}

/// A submission, for a commit that fails.
fn complete_none() -> Command {
    Command::Submit(vec![submission()])
}
