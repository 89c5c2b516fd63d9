//! At most one unfinished job of a queue carries a unique key.

use std::collections::BTreeSet;
use std::sync::Arc;

use ackd_domain::{
    Acceptance, Answer, ChangeKind, Command, Job, Refusal, Start, Status, Submission, Unique, UniquePolicy,
};

use ackd_ports::LedgerError;

use super::Case;
use super::samples::{HOUR, SECOND, failure, json, submission};
use super::world::World;

pub(super) const CASES: &[Case] = &[
    ("a unique key is carried by one unfinished job", one_carries_it),
    ("a unique key is found after many others, and after its jobs ended", found_among_many),
    ("a waiting job takes payload and time of another submission", replaced),
    ("a waiting job takes the usual expiry of another submission", expires_as_usual),
    ("a waiting job takes the usual expiry when time has gone back", expires_as_usual_again),
    ("a retried job carries its unique key again", carried_again),
    ("a batch sees the unique keys of its own jobs", within_a_batch),
    ("a unique key goes with its job", erased),
];

fn keyed(key: &str, policy: UniquePolicy) -> Submission {
    Submission { unique: Some(Unique { key: key.into(), policy }), ..submission("video") }
}

fn unique(key: &str) -> Submission {
    keyed(key, UniquePolicy::Keep)
}

/// Whether a submission with this key makes a job, which is ended then, and else which job it is answered with.
fn holder(world: &mut World, key: &str) -> Option<Arc<Job>> {
    let accepted = world.submit_all(vec![unique(key)]).remove(0);
    match accepted.how {
        Acceptance::Made => {
            world.job(Command::Cancel { id: accepted.job.id });
            None
        }
        Acceptance::Kept => Some(accepted.job),
        how => panic!("a further submission is {how:?}"),
    }
}

fn end(world: &mut World, job: &Job) {
    let (_, lease) = world.lease(&world.known(job));
    world.apply(vec![Command::Complete { lease, result: None }]);
}

fn one_carries_it(world: &mut World) {
    let first = world.submit(unique("a"));
    assert_eq!(holder(world, "a"), Some(Arc::clone(&first)));
    assert_eq!(holder(world, "b"), None, "another key");
    let elsewhere = Submission { queue: super::samples::name("audio"), ..unique("a") };
    assert_eq!(world.submit_all(vec![elsewhere])[0].how, Acceptance::Made, "another queue");
    world.reopen();
    assert_eq!(holder(world, "a").map(|job| job.id), Some(first.id), "a key is forgotten");
    let (leased, lease) = world.lease(&first);
    assert_eq!(holder(world, "a"), Some(leased));
    if world.fixture.fail_next(LedgerError::Full("no room".into())) {
        let failed = world.try_apply(
            vec![Command::Complete { lease, result: None }, Command::Submit(vec![unique("a")])],
            &mut ackd_ports::Idle,
        );
        assert!(matches!(failed, Err(LedgerError::Full(_))), "{failed:?}");
        assert_eq!(holder(world, "a").map(|job| job.id), Some(first.id), "a failed batch frees a key");
    }
    world.apply(vec![Command::Complete { lease, result: None }]);
    assert_eq!(holder(world, "a"), None, "a key is held after the end");
    world.reopen();
    assert_eq!(holder(world, "a"), None);
    let next = world.submit(unique("a"));
    assert_eq!(holder(world, "a"), Some(next));
}

fn found_among_many(world: &mut World) {
    let held = world.submit(unique("held"));
    for round in 0..30 {
        let lines = (0..40).map(|n| unique(&format!("{round}-{n}"))).chain([unique("hot")]).collect();
        let made = world.submit_all(lines);
        assert!(made.iter().all(|accepted| accepted.how == Acceptance::Made), "round {round}");
        let hot = &made[40].job;
        assert_eq!(holder(world, "hot").as_ref(), Some(hot), "round {round}");
        end(world, hot);
        if round % 10 == 9 {
            world.reopen();
        }
    }
    assert_eq!(holder(world, "hot"), None);
    for key in ["0-0", "15-39", "29-7", "held"] {
        assert!(holder(world, key).is_some(), "{key}");
    }
    assert_eq!(holder(world, "held"), Some(held));
}

fn replaced(world: &mut World) {
    let delayed = |policy, text: &str, delay| Submission {
        payload: json(text),
        start: Start::After(delay),
        ..keyed("a", policy)
    };
    let first = world.submit(delayed(UniquePolicy::Keep, r#""one""#, HOUR));
    let made = world.submit_all(vec![delayed(UniquePolicy::Replace, r#""replaced""#, SECOND)]).remove(0);
    assert_eq!((made.how, made.job.id, made.job.version), (Acceptance::Replaced, first.id, 2));
    let payload =
        |world: &World| world.reader().payloads(&[first.id.number()]).expect("a payload can be read").remove(0);
    assert_eq!(payload(world), Some(json(r#""replaced""#)));
    world.audit();
    world.reopen();
    assert_eq!(payload(world), Some(json(r#""replaced""#)));
    let read = world.reader().job(first.id).expect("a job can be read").expect("it is there");
    assert_eq!((read.run_at, read.spec.payload.size), (world.now.after(SECOND), 10));
    let lane = ackd_ports::Lane::of(&read);
    let eligible = world.reader().eligible(&lane, None, 10).expect("the backlog can be read");
    let due: Vec<_> = eligible.iter().map(|ready| (ready.job.run_at, ready.payload.clone())).collect();
    assert!(due == [(read.run_at, Some(json(r#""replaced""#)))] || due == [(read.run_at, None)], "{due:?}");
    let body = super::samples::body("text/plain", "a text");
    let text = Submission { payload: body.clone(), expires_in: Some(SECOND), ..keyed("a", UniquePolicy::Debounce) };
    world.submit(text);
    assert_eq!(payload(world), Some(body));
    let changes: Vec<ChangeKind> = world.changes.iter().map(|change| change.kind).collect();
    assert_eq!(changes, [ChangeKind::Submitted, ChangeKind::Replaced, ChangeKind::Replaced]);
    world.pass(SECOND);
    let expired = world.reader().expired(world.now, 10).expect("the expired can be read");
    assert_eq!(expired, [first.id.number()], "it expires by the submission that it took");
    world.job(Command::Expire { number: first.id.number() });
    assert_eq!(holder(world, "a"), None);
}

/// What is put off expires later than what is not: the job loses the time of its own again, wherever it is written down.
fn expires_as_usual(world: &mut World) {
    let delayed = Submission { start: Start::After(HOUR), ..unique("a") };
    let first = world.submit(delayed);
    let made = world.submit_all(vec![keyed("a", UniquePolicy::Replace)]).remove(0);
    assert_eq!((made.how, made.job.id), (Acceptance::Replaced, first.id));
    assert_eq!(made.job.expires_at, first.expires_at.before(HOUR));
    world.audit();
    world.reopen();
    let read = world.reader().job(first.id).expect("a job can be read").expect("it is there");
    assert_eq!(read.expires_at, made.job.expires_at);
    world.pass(read.expires_at.since(world.now));
    let expired = |world: &World| world.reader().expired(world.now, 10).expect("the expired can be read");
    assert_eq!(expired(world), [first.id.number()]);
    world.pass(HOUR);
    assert_eq!(expired(world), [first.id.number()], "it stands in one place only");
}

/// Whoever looked for expired jobs ahead of time has passed the job, and must come back to it.
fn expires_as_usual_again(world: &mut World) {
    let first = world.submit(Submission { start: Start::After(HOUR), ..unique("a") });
    let others = world.submit_all(vec![submission("video"), submission("video")]);
    let expired = |world: &World, at| world.reader().expired(at, 10).expect("the expired can be read");
    let all = [first.id.number(), others[0].job.id.number(), others[1].job.id.number()];
    for ahead in [first.expires_at.before(SECOND), first.expires_at, first.expires_at.after(HOUR)] {
        let found: BTreeSet<u64> = expired(world, ahead).into_iter().collect();
        assert_eq!(found, all[usize::from(ahead < first.expires_at)..].iter().copied().collect(), "at {ahead:?}");
    }
    assert_eq!(expired(world, world.now), Vec::<u64>::new());
    let replaced = world.submit_all(vec![keyed("a", UniquePolicy::Replace)]).remove(0);
    assert_eq!((replaced.how, replaced.job.id), (Acceptance::Replaced, first.id));
    assert_eq!(expired(world, replaced.job.expires_at), all, "a job that was passed is not found again");
}

fn carried_again(world: &mut World) {
    let (job, lease) = world.leased(unique("a"));
    let fails = Command::Fail { lease, error: failure("no"), retryable: false, retry_after: None, cancelled: false };
    world.apply(vec![fails]);
    let next = world.submit(unique("a"));
    world.refused(Command::Retry { id: job.id }, &Refusal::NotUnique(next.id));
    end(world, &next);
    let retried = world.job(Command::Retry { id: job.id });
    assert_eq!(holder(world, "a").as_ref(), Some(&retried), "a retried job does not carry its key");
    world.reopen();
    assert_eq!(holder(world, "a").map(|job| job.id), Some(job.id));
    end(world, &retried);
    assert_eq!(holder(world, "a"), None);
    world.reopen();
    assert_eq!(holder(world, "a"), None);
}

fn within_a_batch(world: &mut World) {
    let submit = || Command::Submit(vec![unique("a")]);
    let applied = world.apply(vec![submit(), submit()]);
    let how = |answer: &Result<Answer, Refusal>| match answer {
        Ok(Answer::Accepted(accepted)) => (accepted[0].how, accepted[0].job.id),
        other => panic!("not accepted: {other:?}"),
    };
    let (first, second) = (how(&applied.answers[0]), how(&applied.answers[1]));
    assert_eq!((first.0, second), (Acceptance::Made, (Acceptance::Kept, first.1)));
    let applied =
        world.apply(vec![Command::Cancel { id: first.1 }, submit(), submit(), Command::Retry { id: first.1 }]);
    let (third, fourth) = (how(&applied.answers[1]), how(&applied.answers[2]));
    assert_eq!((third.0, fourth), (Acceptance::Made, (Acceptance::Kept, third.1)));
    assert_eq!(applied.answers[3], Err(Refusal::NotUnique(third.1)));
    let replace = Command::Submit(vec![keyed("b", UniquePolicy::Replace)]);
    let other = Submission { payload: json("2"), ..keyed("b", UniquePolicy::Replace) };
    let applied = world.apply(vec![replace, Command::Submit(vec![other])]);
    assert_eq!(how(&applied.answers[1]).0, Acceptance::Replaced);
}

fn erased(world: &mut World) {
    let (job, lease) = world.leased(Submission { result_retention: Some(SECOND), ..unique("a") }.keyed("k".into()));
    world.apply(vec![Command::Complete { lease, result: None }]);
    assert_eq!(world.known(&job).status, Status::Done);
    world.pass(SECOND);
    world.one(Command::Delete { id: job.id }).expect("an ended job can be deleted");
    world.audit();
    assert_eq!(holder(world, "a"), None);
    world.reopen();
    assert_eq!(holder(world, "a"), None);
}
