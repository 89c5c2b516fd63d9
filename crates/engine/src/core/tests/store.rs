//! A store that is full, or fails.

use super::*;

#[test]
fn a_full_store_that_takes_no_submission_still_lets_work_be_settled() {
    let mut world = World::new(SMALL);
    let job = world.submit(submission());
    let leased = world.lease(ask(1));
    let full = LedgerError::Full("no room".into());
    world.faults.fail_next(full.clone());
    assert_eq!(world.try_run(Command::Submit(vec![submission()])), Err(Unavailable::Full));
    // From now on submissions go apart: the first commit of the turn is the others'.
    let (settle, mut settled) = oneshot::channel();
    let (submit, mut submitted) = oneshot::channel();
    world.turn(vec![
        Input::Run(vec![Command::Submit(vec![submission()])], submit),
        Input::Run(vec![complete(&leased[0])], settle),
    ]);
    assert!(settled.try_recv().unwrap().unwrap()[0].is_ok());
    assert!(submitted.try_recv().unwrap().is_ok());
    assert_eq!(world.job(job.id).status, Status::Done);
    assert!(!world.core.full);
}

#[test]
fn a_core_whose_store_has_failed_sleeps() {
    let mut world = World::new(SMALL);
    world.submit(submission());
    world.lease(ask(1));
    world.faults.fail_next(LedgerError::Failed("fsync".into()));
    drop(world.try_run(Command::Submit(vec![submission()])));
    world.millis += 100_000;
    world.core.turn(Vec::new(), world.moment());
    assert!(world.core.patience(world.moment()) > Duration::from_secs(60));
}

#[test]
fn a_full_store_refuses_and_goes_on_once_there_is_room() {
    let mut world = World::new(SMALL);
    let (_, mut waiter) = world.park(ask(1));
    world.faults.fail_next(LedgerError::Full("no room".into()));
    assert_eq!(world.try_run(Command::Submit(vec![submission()])), Err(Unavailable::Full));
    assert!(waiter.try_recv().is_err());
    let job = world.submit(submission());
    world.pass(REST);
    assert_eq!(waiter.try_recv().unwrap().unwrap()[0].job.id, job.id);
}

#[test]
fn what_nobody_waits_for_is_settled_once_there_is_room() {
    let mut world = World::new(SMALL);
    let [given_back, given_up] = [0; 2].map(|_| world.submit(submission()).id);
    let leased = world.lease(ask(2));
    let [release, fail] = [&leased[0], &leased[1]].map(|it| token(&it.job).unwrap());
    world.faults.fail_next(LedgerError::Full("no room".into()));
    let error = Failure { problem: r#"{"title":"damaged"}"#.into() };
    world.turn(vec![Input::Unasked(vec![
        Command::Release { lease: release, delay: None, checkpoint: None },
        Command::Fail { lease: fail, error, retryable: false, retry_after: None, cancelled: false },
    ])]);
    assert_eq!(world.job(given_back).status, Status::Processing);
    world.pass(REST);
    assert_eq!((world.job(given_back).status, world.job(given_back).attempt), (Status::Init, 0));
    assert_eq!(world.job(given_up).status, Status::Failed);
}

#[test]
fn a_failed_store_accepts_nothing_any_more_and_says_so() {
    let mut world = World::new(SMALL);
    let (_, mut waiter) = world.park(ask(1));
    world.faults.fail_next(LedgerError::Failed("fsync".into()));
    let failed = Unavailable::Failed("fsync".into());
    assert_eq!(world.try_run(Command::Submit(vec![submission()])), Err(failed.clone()));
    assert_eq!(waiter.try_recv().unwrap().unwrap_err(), failed);
    assert_eq!(world.try_run(Command::Submit(vec![submission()])), Err(failed));
    assert_eq!(world.core.failed(), Some("fsync"));
}

#[test]
fn what_was_assigned_when_the_ledger_failed_before_it_told_anything_is_assigned_again() {
    let mut world = World::new(WindowLimits::default());
    world.run(limit(Some(1))).unwrap();
    let job = world.submit(of_group("a"));
    world.faults.fail_next(LedgerError::Full("no room".into()));
    let (_, mut waiter) = world.park(ask(1));
    assert!(waiter.try_recv().is_err());
    world.pass(REST);
    assert_eq!(waiter.try_recv().unwrap().unwrap()[0].job.id, job.id);
}
