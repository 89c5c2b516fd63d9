use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{
    Advance, After, Answer, Command, Delivery, Job, Name, NewDelivery, OnFailure, Position, QueuePatch, Refusal,
    Submission, Target, Timestamp, WebhookEvent, limits,
};

use ackd_ports::{Filter, LedgerError};

use super::Case;
use super::samples::{HOUR, SECOND, failure, json, name, submission};
use super::world::World;

pub(super) const CASES: &[Case] = &[
    ("an erased job is gone with everything of it", an_erased_job_is_gone),
    ("a job is purged when it was kept long enough", purged_when_kept_long_enough),
    ("a job that runs again is not purged by its former end", a_job_that_runs_again),
    ("the key of an erased job is free", the_key_is_free),
    ("numbers and positions go on when the newest are erased", numbers_go_on),
    ("a list goes on while jobs are erased", a_list_goes_on),
    ("erasing that fails erases nothing", erasing_that_fails),
    ("old changes go and take what is left of erased jobs along", old_changes_go),
    ("jobs whose end the feed forgets are purged all the same", ends_that_are_forgotten),
    ("changes wait for the slowest consumer", changes_wait),
    ("a clock that was wrong keeps nothing for ever", a_clock_that_was_wrong),
    ("a job that others wait for stays until they do not", a_job_that_others_wait_for),
    ("a job that others waited for is found when they do not any more", awaited_and_found_again),
    ("a flow is listed whose first job is gone", a_flow_whose_first_job_is_gone),
    ("a delivery is erased without its source, and a source without its deliveries", deliveries),
];

/// A job of this submission that is done.
fn done(world: &mut World, submission: Submission) -> Arc<Job> {
    let (_, lease) = world.leased(submission);
    world.job(Command::Complete { lease, result: Some(json("1")) })
}

fn brief(queue: &str) -> Submission {
    Submission { result_retention: Some(HOUR), ..submission(queue) }
}

fn delete(world: &mut World, job: &Job) {
    assert_eq!(world.one(Command::Delete { id: job.id }), Ok(Answer::Erased(job.id)));
}

/// Purges what may go, as often as there is more; gives how many jobs.
fn purge(world: &mut World, at_once: usize) -> usize {
    let mut purged = 0;
    loop {
        let outlived = world.reader().outlived(world.now, at_once).expect("what may go can be read");
        let commands: Vec<Command> = outlived.numbers.iter().map(|number| Command::Purge { number: *number }).collect();
        let applied = world.apply(commands);
        assert!(applied.answers.iter().all(Result::is_ok), "what may go stays: {applied:?}");
        purged += applied.answers.iter().filter(|answer| matches!(answer, Ok(Answer::Erased(_)))).count();
        if !outlived.more {
            return purged;
        }
    }
}

/// The search for what may go gets on while others wait for a job, and comes back to it.
fn awaited_and_found_again(world: &mut World) {
    let [first, other] = [0; 2].map(|_| world.submit(submission("video")));
    let wait = Submission {
        after: vec![After::Job(first.id)],
        on_failure: OnFailure::Wait,
        expires_in: Some(limits::DEFAULT_RETENTION + HOUR),
        ..submission("video")
    };
    let waits = world.submit(wait);
    for id in [first.id, other.id] {
        world.job(Command::Cancel { id });
    }
    world.pass(limits::DEFAULT_RETENTION);
    purge(world, 10);
    assert_eq!(world.jobs.keys().copied().collect::<Vec<_>>(), [first.id.number(), waits.id.number()]);
    for _ in 0..2 {
        assert_eq!(world.reader().outlived(world.now, 10).expect("what may go can be read").numbers, Vec::<u64>::new());
        world.audit();
        world.reopen();
    }
    world.pass(HOUR);
    world.job(Command::Expire { number: waits.id.number() });
    assert_eq!(purge(world, 10), 1, "nobody waits for it any more");
    assert_eq!(world.jobs.keys().copied().collect::<Vec<_>>(), [waits.id.number()]);
    // One that runs again meanwhile does not go when its first run was to.
    let first = world.submit(submission("video"));
    let waits = world.submit(Submission {
        after: vec![After::Job(first.id)],
        on_failure: OnFailure::Wait,
        ..submission("video")
    });
    world.job(Command::Cancel { id: first.id });
    world.pass(limits::DEFAULT_RETENTION);
    purge(world, 10);
    world.job(Command::Retry { id: first.id });
    world.job(Command::Cancel { id: waits.id });
    purge(world, 10);
    world.audit();
    world.job(Command::Cancel { id: first.id });
    purge(world, 10);
    assert!(world.jobs.contains_key(&first.id.number()));
    world.pass(limits::DEFAULT_RETENTION);
    purge(world, 10);
    assert_eq!(world.jobs.len(), 0);
}

fn an_erased_job_is_gone(world: &mut World) {
    let other = done(world, submission("video").keyed("other".into()));
    let job = submission("video").keyed("k".into());
    let job = Submission { tags: vec!["t".into()], traceparent: Some("00-a-b-00".into()), ..job };
    let (job, lease) = world.leased(job);
    world.refused(Command::Delete { id: job.id }, &Refusal::NotFinished(ackd_domain::Status::Processing));
    let beat = Command::Heartbeat { lease, ttl: None, progress: None, checkpoint: Some("17".into()) };
    world.one(beat).expect("a checkpoint");
    let again = Some(Duration::ZERO);
    for problem in ["one", "two"] {
        let lease = world.latest(&job).lease.as_ref().expect("it is leased").token(job.id.number());
        world.job(Command::Fail {
            lease,
            error: failure(problem),
            retryable: true,
            retry_after: again,
            cancelled: false,
        });
        world.lease(&job);
    }
    world.job(Command::Cancel { id: job.id });
    let lease = world.latest(&job).lease.as_ref().expect("it is leased").token(job.id.number());
    world.job(Command::Fail { lease, error: failure("x"), retryable: true, retry_after: None, cancelled: false });
    let alone = done(world, submission("alone"));
    world.audit();
    for job in [&job, &alone] {
        delete(world, job);
        world.audit();
        world.refused(Command::Delete { id: job.id }, &Refusal::NotFound);
        world.refused(Command::Retry { id: job.id }, &Refusal::NotFound);
        world.refused(Command::Purge { number: job.id.number() }, &Refusal::NotFound);
        world.refused(Command::Complete { lease, result: None }, &Refusal::LeaseLost);
        world.reopen();
    }
    assert_eq!(world.reader().job(other.id), Ok(Some(other)));
    // In the very batch that makes it, too.
    let keyed = Command::Submit(vec![submission("video").keyed("new".into())]);
    let applied = world.apply(vec![keyed.clone()]);
    let Ok(Answer::Accepted(accepted)) = &applied.answers[0] else { panic!("not accepted: {applied:?}") };
    let id = accepted[0].job.id;
    let applied = world.apply(vec![Command::Cancel { id }, Command::Delete { id }, Command::Delete { id }, keyed]);
    assert_eq!(applied.answers[2], Err(Refusal::NotFound));
    assert_eq!(applied.changes.len(), 2, "the key still says the erased job: {applied:?}");
    world.audit();
}

fn purged_when_kept_long_enough(world: &mut World) {
    let patch = QueuePatch { result_retention: Some(Some(2 * HOUR)), ..QueuePatch::default() };
    world.one(Command::Configure { queue: name("audio"), patch: Box::new(patch) }).expect("a queue is configured");
    for _ in 0..4 {
        done(world, submission("video"));
        done(world, brief("video"));
        done(world, submission("audio"));
        done(world, Submission { result_retention: Some(limits::DURATION), ..submission("video") });
        world.submit(submission("video"));
        world.leased(submission("video"));
        world.pass(SECOND);
    }
    world.audit();
    assert_eq!(purge(world, 100), 0);
    world.pass(HOUR - 5 * SECOND);
    assert_eq!(purge(world, 100), 0);
    world.pass(3 * SECOND);
    assert_eq!(purge(world, 100), 3);
    world.reopen();
    world.pass(HOUR + SECOND);
    assert_eq!(purge(world, 1), 1 + 4);
    world.pass(limits::DEFAULT_RETENTION - 2 * HOUR - 2 * SECOND);
    let first = world.reader().outlived(world.now, 1).expect("what may go can be read");
    assert_eq!(first.numbers.len(), 1);
    world.reopen();
    assert_eq!(purge(world, 1), 2);
    world.pass(3 * SECOND);
    world.audit();
    assert_eq!(purge(world, 2), 2);
    world.reopen();
    assert_eq!(purge(world, 2), 0);
    world.pass(limits::DURATION);
    assert_eq!(purge(world, 3), 4);
    assert_eq!(world.jobs.len(), 8, "jobs are gone that have not ended");
    world.reopen();
}

fn a_job_that_runs_again(world: &mut World) {
    for retention in [None, Some(HOUR)] {
        let kept = retention.unwrap_or(limits::DEFAULT_RETENTION);
        let job = world.submit(Submission { result_retention: retention, ..submission("video") });
        world.job(Command::Cancel { id: job.id });
        world.pass(kept);
        let number = job.id.number();
        assert_eq!(world.reader().outlived(world.now, 9).expect("it can be read").numbers, [number]);
        world.job(Command::Retry { id: job.id });
        world.refused(Command::Purge { number }, &Refusal::NotFinished(ackd_domain::Status::Init));
        assert_eq!(purge(world, 9), 0);
        world.reopen();
        world.pass(SECOND);
        world.job(Command::Cancel { id: job.id });
        world.pass(kept - SECOND);
        world.refused(Command::Purge { number }, &Refusal::Kept);
        world.audit();
        world.pass(SECOND);
        assert_eq!(purge(world, 9), 1);
        world.audit();
    }
}

fn the_key_is_free(world: &mut World) {
    let keyed = |key: &str| brief("video").keyed(key.into());
    let [a, b] = ["a", "b"].map(|key| done(world, keyed(key)));
    delete(world, &a);
    assert!(!world.submit_all(vec![keyed("a")])[0].is_replayed(), "the key of an erased job says it");
    world.pass(limits::KEY_KEPT - SECOND);
    assert_eq!(purge(world, 9), 0, "the key is forgotten before its time");
    assert_eq!(world.submit(keyed("b")).id, b.id);
    world.pass(SECOND);
    assert_eq!(purge(world, 9), 1);
    world.reopen();
    let accepted = world.submit_all(vec![keyed("b"), keyed("b")]);
    assert_eq!(accepted.iter().map(|accepted| accepted.is_replayed()).collect::<Vec<_>>(), [false, true]);
    assert!(accepted[0].job.id != b.id);
    world.audit();
    world.reopen();
    assert!(world.submit_all(vec![keyed("b")])[0].is_replayed());
}

fn numbers_go_on(world: &mut World) {
    for _ in 0..3 {
        let [first, second] = [done(world, submission("video")), done(world, submission("video"))];
        delete(world, &second);
        world.reopen();
        let third = done(world, submission("video"));
        world.apply(vec![Command::Delete { id: third.id }, Command::Delete { id: first.id }]);
        let head = world.head();
        world.purge(head);
        world.audit();
        world.reopen();
        world.reopen();
    }
    assert_eq!(world.jobs.len(), 0);
    world.submit(submission("video"));
}

fn a_list_goes_on(world: &mut World) {
    let jobs: Vec<Arc<Job>> = (0..30).map(|_| done(world, submission("video"))).collect();
    let page = world.reader().list(&Filter::default(), None, 10).expect("a list can be read");
    let next = page.next.expect("there is another page");
    // Some that were listed, the one where the page ended, and some that follow.
    for nth in [0, 3, 18, 19, 20, 21, 29] {
        delete(world, &jobs[nth]);
    }
    let rest = world.reader().list(&Filter::default(), Some(next), 100).expect("a list can be read");
    let expected: Vec<&Arc<Job>> = world.jobs.values().rev().filter(|job| job.id < jobs[20].id).collect();
    assert!(rest.jobs.iter().eq(expected), "a list skips or repeats jobs while others are erased");
    world.audit();
    let ids: Vec<_> = world.jobs.values().map(|job| job.id).collect();
    world.apply(ids.into_iter().map(|id| Command::Delete { id }).collect());
    let none = world.reader().list(&Filter::default(), Some(next), 100).expect("a list can be read");
    assert!(none.jobs.is_empty(), "{none:?}");
}

fn erasing_that_fails(world: &mut World) {
    let keyed = || brief("video").keyed("k".into());
    let job = done(world, keyed());
    done(world, brief("audio"));
    world.pass(limits::KEY_KEPT);
    for error in [LedgerError::Full("no room".into()), LedgerError::Failed("an fsync failed".into())] {
        let head = world.head();
        if !world.fixture.fail_next(error.clone()) {
            return;
        }
        let numbers = world.reader().outlived(world.now, 9).expect("what may go can be read").numbers;
        let mut batch: Vec<Command> = numbers.into_iter().map(|number| Command::Purge { number }).collect();
        assert_eq!(batch.len(), 2);
        batch.push(Command::PurgeChanges { old: head, ancient: head });
        batch.push(Command::Submit(vec![keyed()]));
        assert!(world.try_apply(batch, &mut ackd_ports::Idle).is_err());
        world.failed = matches!(error, LedgerError::Failed(_));
        world.audit();
        if !world.failed {
            assert_eq!(world.submit(keyed()).id, job.id);
        }
    }
    world.reopen();
    if !world.failed {
        assert_eq!(purge(world, 9), 2);
        world.audit();
    }
}

fn old_changes_go(world: &mut World) {
    let jobs: Vec<Arc<Job>> = (0..6).map(|_| done(world, submission("video"))).collect();
    for job in &jobs[..3] {
        delete(world, job);
    }
    for at in 0..=world.changes.len() {
        let position = world.changes.get(at).map_or(world.head(), |change| change.position);
        world.purge(position);
        world.audit();
        if at == 4 {
            // One of which some changes are gone, one of which none is.
            delete(world, &jobs[3]);
            delete(world, &jobs[5]);
            world.reopen();
        }
    }
    delete(world, &jobs[4]);
    world.audit();
    let times = |world: &World, old, ancient, limit| {
        let found = world.reader().changes_before(old, ancient, limit).expect("the age of changes can be read");
        (found.old, found.ancient, found.more)
    };
    let nothing = (Position::START, Position::START, false);
    assert_eq!(times(world, Timestamp::MAX, Timestamp::MAX, 10), nothing);
    let before = world.head();
    let mut ends = vec![];
    for _ in 0..5 {
        world.submit(submission("video"));
        ends.push((world.now, world.head()));
        world.pass(SECOND);
    }
    assert_eq!(times(world, ends[0].0, ends[0].0, 10), nothing);
    assert_eq!(times(world, ends[3].0, ends[1].0, 10), (ends[2].1, ends[0].1, false));
    assert_eq!(times(world, world.now, ends[0].0, 10), (ends[4].1, Position::START, false));
    assert_eq!(times(world, world.now, world.now, 2), (ends[1].1, ends[1].1, true));
    assert!(before < ends[0].1);
}

fn ends_that_are_forgotten(world: &mut World) {
    done(world, submission("video"));
    done(world, brief("video"));
    let job = world.submit(submission("video"));
    world.job(Command::Cancel { id: job.id });
    let retried = world.submit(submission("video"));
    world.job(Command::Cancel { id: retried.id });
    let head = world.head();
    world.purge(head);
    world.audit();
    world.reopen();
    world.job(Command::Retry { id: retried.id });
    world.pass(SECOND);
    world.job(Command::Cancel { id: retried.id });
    let head = world.head();
    world.purge(head);
    delete(world, &job);
    world.audit();
    world.reopen();
    world.pass(limits::DEFAULT_RETENTION - SECOND);
    assert_eq!(purge(world, 9), 2);
    world.pass(SECOND);
    assert_eq!(purge(world, 9), 1);
    world.audit();
}

fn changes_wait(world: &mut World) {
    for _ in 0..9 {
        world.submit(submission("video"));
    }
    let at = |nth: usize, world: &World| world.changes[nth].position;
    for (consumer, nth) in [("a", 3), ("b", 6)] {
        let advance = Some(Advance { consumer: name(consumer), from: None, to: at(nth, world) });
        world.one(Command::Deliver { advance, deliveries: vec![] }).expect("a consumer begins");
    }
    world.reopen();
    let (old, third) = (at(7, world), at(3, world));
    let purge = |old, ancient| Command::PurgeChanges { old, ancient };
    assert_eq!(
        world.one(purge(old, Position::START)),
        Ok(Answer::Forgotten { through: third, missed_from: None }),
        "a change goes that a consumer has not seen"
    );
    world.audit();
    let fifth = at(5, world);
    let advance = |from, to| Some(Advance { consumer: name("a"), from: Some(from), to });
    let ahead = Command::Deliver { advance: advance(third, old), deliveries: vec![] };
    let applied = world.apply(vec![ahead, purge(old, fifth)]);
    let sixth = at(6, world);
    assert_eq!(applied.answers[1], Ok(Answer::Forgotten { through: sixth, missed_from: None }));
    world.audit();
    assert_eq!(
        world.one(purge(old, old)),
        Ok(Answer::Forgotten { through: old, missed_from: Some(sixth) }),
        "a consumer that is not seen again keeps changes for ever"
    );
    world.audit();
    world.reopen();
}

fn a_clock_that_was_wrong(world: &mut World) {
    let start = world.now;
    done(world, submission("video"));
    // A year ahead for a while.
    world.pass(365 * 24 * HOUR);
    let ahead = done(world, brief("video"));
    done(world, submission("video"));
    world.now = start.after(SECOND);
    done(world, submission("video"));
    let right = world.head();
    done(world, brief("video"));
    world.refused(Command::Purge { number: ahead.id.number() }, &Refusal::Kept);
    assert_eq!(purge(world, 9), 0);
    world.pass(limits::DEFAULT_RETENTION);
    // What ended in the future is kept until then; it keeps nothing else.
    assert_eq!(purge(world, 9), 3);
    // Its changes are as old as those that follow.
    let found = world.reader().changes_before(world.now, start, 100).expect("the age of changes can be read");
    assert!(found.old >= right && found.ancient == Position::START, "{found:?}");
    world.purge(right);
    world.reopen();
    // The clock goes back behind everything: nothing is due, and nothing is lost.
    world.now = Timestamp::from_millis(0);
    assert_eq!(purge(world, 9), 0);
    let found = world.reader().changes_before(world.now, world.now, 100).expect("the age of changes can be read");
    assert_eq!((found.old, found.ancient), (Position::START, Position::START));
    world.now = start.after(3 * 365 * 24 * HOUR);
    let head = world.head();
    world.purge(head);
    assert_eq!(purge(world, 9), 2);
    assert_eq!(world.jobs.len(), 0);
}

fn a_job_that_others_wait_for(world: &mut World) {
    for retention in [None, Some(HOUR)] {
        let failed = world.submit(Submission { result_retention: retention, ..submission("video") });
        let other = world.submit(submission("video"));
        let after = vec![After::Job(failed.id), After::Job(other.id)];
        let follower = Submission { after, on_failure: OnFailure::Wait, ..submission("video") };
        let follower = Submission { expires_in: Some(limits::DURATION), ..follower };
        let waiting = [follower.clone(), follower].map(|follower| world.submit(follower));
        world.job(Command::Cancel { id: failed.id });
        world.refused(Command::Delete { id: failed.id }, &Refusal::Followed);
        world.pass(limits::DEFAULT_RETENTION);
        let number = failed.id.number();
        assert!(matches!(world.one(Command::Purge { number }), Ok(Answer::Job(_))));
        assert_eq!(purge(world, 9), 0);
        // Nor does it get lost when the feed forgets its end.
        let head = world.head();
        world.purge(head);
        world.reopen();
        assert_eq!(purge(world, 9), 0);
        world.job(Command::Cancel { id: waiting[0].id });
        world.refused(Command::Delete { id: failed.id }, &Refusal::Followed);
        world.job(Command::Cancel { id: waiting[1].id });
        delete(world, &waiting[1]);
        world.audit();
        assert_eq!(purge(world, 9), 1);
        assert_eq!(world.reader().job(failed.id), Ok(None));
        world.audit();
        // What comes after a job that is gone is told so.
        let late = Submission { after: vec![After::Job(failed.id)], ..submission("video") };
        assert!(world.one(Command::Submit(vec![late])).is_err());
        world.job(Command::Cancel { id: other.id });
        delete(world, &other);
        delete(world, &waiting[0]);
    }
}

fn a_flow_whose_first_job_is_gone(world: &mut World) {
    let part = |key: &str| Submission { flow_key: Some(key.into()), ..submission("video") };
    let jobs = world.submit_all(vec![part("a"), part("b"), part("c")]);
    let jobs: Vec<Arc<Job>> = jobs.into_iter().map(|accepted| accepted.job).collect();
    world.submit(submission("video"));
    world.job(Command::Cancel { id: jobs[0].id });
    delete(world, &jobs[0]);
    let filter = Filter { flow: Some(jobs[0].id), ..Filter::default() };
    for size in [1, 10] {
        world.check_list(&filter, size);
    }
    let page = world.reader().list(&filter, None, 10).expect("a flow can be listed");
    assert_eq!(page.jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [jobs[2].id, jobs[1].id]);
    world.reopen();
}

fn deliveries(world: &mut World) {
    let source = done(world, submission("video"));
    let target = Target::Endpoint(name("e"));
    let webhook_id = Delivery::webhook_id(source.id, source.version, &target);
    let delivery = Delivery { source: source.id, webhook_id, event: WebhookEvent::Done, target };
    let made = NewDelivery { delivery, body: json("{}") };
    let answer = world.one(Command::Deliver { advance: None, deliveries: vec![made.clone(), made.clone(), made] });
    let Ok(Answer::Accepted(accepted)) = answer else { panic!("no delivery was made: {answer:?}") };
    let jobs: Vec<Arc<Job>> = accepted.into_iter().map(|accepted| accepted.job).collect();
    assert_eq!(&jobs[0].spec.queue, Name::webhooks());
    let (_, lease) = world.lease(&jobs[1]);
    let first = world.job(Command::Complete { lease, result: None });
    delete(world, &first);
    world.audit();
    delete(world, &source);
    world.audit();
    world.reopen();
    // Who was to be told of the job still is.
    let (_, lease) = world.lease(&jobs[0]);
    let second = world.job(Command::Complete { lease, result: None });
    delete(world, &second);
    world.audit();
}
