use std::sync::Arc;

use ackd_domain::{
    Acceptance, Accepted, Answer, Callback, CallbackRequest, Command, Refusal, Secret, Start, Status, Submission,
    Timestamp, WebhookEvent, WebhookEvents, WebhookFormat, limits,
};

use super::Case;
use super::samples::{HOUR, SECOND, START, filled, json, name, submission, sure_backoff};
use super::world::World;

pub(super) const CASES: &[Case] = &[
    ("an empty ledger has nothing", |_| {}),
    ("a submitted job waits", a_submitted_job_waits),
    ("a submission keeps every field", a_submission_keeps_every_field),
    ("jobs are accepted in the order of their lines", jobs_are_accepted_in_order),
    ("a job is due when it says", a_job_is_due_when_it_says),
    ("a key again gets the same job as it is now", a_key_again_gets_the_same_job),
    ("a key within one submission counts once", a_key_within_one_submission_counts_once),
    ("a key that belongs to another request refuses all", a_mismatch_refuses_all),
    ("keys are told apart byte for byte", keys_are_told_apart),
];

fn a_submitted_job_waits(world: &mut World) {
    let job = world.submit(submission("video"));
    assert!(job.id.number() >= 1, "numbers start at 1");
    assert_eq!(
        (job.status, job.version, job.run, job.attempt, job.run_at),
        (Status::Init, 1, 1, 0, START),
        "a new job is not as it must be"
    );
    assert_eq!(job.created_at(), START);
    assert_eq!(job.expires_at, START.after(limits::DEFAULT_EXPIRY));
    assert_eq!(job.spec.priority, limits::DEFAULT_PRIORITY);
    assert_eq!(job.spec.max_attempts, limits::DEFAULT_ATTEMPTS);
    assert_eq!(world.submit_all(vec![]), vec![], "no submission is accepted as anything");
}

fn callback() -> CallbackRequest {
    CallbackRequest {
        url: filled("https://example.com/größe?", limits::URL_BYTES),
        events: WebhookEvents::of([WebhookEvent::Failed, WebhookEvent::Expired]),
        format: WebhookFormat::CloudEvents,
        secret: Some(Secret::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")),
    }
}

fn a_submission_keeps_every_field(world: &mut World) {
    let full = Submission {
        kind: Some("clip".into()),
        payload: json(r#"{"file":"cat.mp4"}"#),
        start: Start::After(90 * SECOND),
        expires_in: Some(3 * HOUR),
        priority: Some(0),
        group: Some(filled("größe", limits::GROUP_BYTES)),
        max_attempts: Some(3),
        timeout: Some(7 * SECOND),
        backoff: Some(sure_backoff(2 * SECOND)),
        result_retention: Some(48 * HOUR),
        tags: vec!["demo".into(), "demo".into(), "".into(), "später".into()],
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        callback: Some(Box::new(callback())),
        ..submission("video")
    };
    let plain = world.submit(full.clone());
    let keyed = world.submit(full.clone().keyed("k".into()));
    for (job, submission) in [(plain, full.clone()), (keyed, full.keyed("k".into()))] {
        let spec = &job.spec;
        assert_eq!(spec.kind, submission.kind);
        assert_eq!(spec.key, submission.key);
        assert_eq!(spec.tags, submission.tags);
        assert_eq!(spec.group, submission.group);
        assert_eq!(spec.backoff, submission.backoff);
        assert_eq!(spec.timeout, submission.timeout);
        assert_eq!(spec.result_retention, submission.result_retention);
        assert_eq!(spec.traceparent, submission.traceparent);
        let Some(Callback { url, events, format, secret }) = spec.callback.as_deref().cloned() else {
            panic!("a callback is lost")
        };
        assert_eq!(CallbackRequest { url, events, format, secret: Some(secret) }, callback());
        assert_eq!(spec.payload, submission.payload.info());
        assert_eq!((spec.priority, spec.max_attempts), (0, 3));
        assert_eq!(job.run_at, START.after(90 * SECOND));
        assert_eq!(job.expires_at, START.after(3 * HOUR));
    }
}

fn jobs_are_accepted_in_order(world: &mut World) {
    let first = world.submit_all((0..100).map(|n| submission(if n % 2 == 0 { "even" } else { "odd" })).collect());
    world.pass(SECOND);
    let second = world.submit_all(vec![submission("even"); 3]);
    let ids: Vec<_> = first.iter().chain(&second).map(|accepted| accepted.job.id).collect();
    assert_eq!(ids.len(), 103);
    assert!(ids.is_sorted_by(|a, b| a < b && a.number() < b.number()), "ids do not grow: {ids:?}");
    let queues: Vec<_> = first.iter().map(|accepted| accepted.job.spec.queue.as_str()).take(3).collect();
    assert_eq!(queues, ["even", "odd", "even"], "answers do not stand in the order of the lines");
}

fn a_job_is_due_when_it_says(world: &mut World) {
    let starts = [
        (Start::Now, START),
        (Start::After(SECOND), START.after(SECOND)),
        (Start::At(START.after(HOUR)), START.after(HOUR)),
        (Start::At(Timestamp::from_millis(0)), START),
        (Start::At(Timestamp::MAX), Timestamp::MAX),
        (Start::After(limits::DURATION), START.after(limits::DURATION)),
    ];
    for (start, run_at) in starts {
        let job = world.submit(Submission { start, ..submission("video") });
        assert_eq!(job.run_at, run_at, "{start:?}");
    }
}

fn a_key_again_gets_the_same_job(world: &mut World) {
    let keyed = || submission("video").keyed("order-17".into());
    let job = world.submit(keyed());
    let replayed = |world: &mut World| {
        let head = world.head();
        let accepted = world.submit_all(vec![keyed()]);
        assert_eq!(world.head(), head, "a replayed submission made a change");
        let [Accepted { job, how: Acceptance::Replayed }] = &accepted[..] else { panic!("not replayed: {accepted:?}") };
        Arc::clone(job)
    };
    assert_eq!(replayed(world), job);
    let (leased, lease) = world.lease(&job);
    assert_eq!(replayed(world), leased, "a replayed submission answers with an old state");
    let done = world.job(Command::Complete { lease, result: Some(json("1")) });
    world.pass(HOUR);
    assert_eq!(replayed(world), done, "a replayed submission answers with an old state");
    // A trace is of the request, not of the job.
    let traced = Submission { traceparent: Some("00-…".into()), ..keyed() };
    assert_eq!(world.submit(traced), done);
    world.reopen();
    assert_eq!(replayed(world), done, "a key is forgotten");
}

fn a_key_within_one_submission_counts_once(world: &mut World) {
    let (a, b) = (submission("video").keyed("a".into()), submission("video").keyed("b".into()));
    let accepted = world.submit_all(vec![a.clone(), b.clone(), a.clone(), submission("video")]);
    let replayed: Vec<bool> = accepted.iter().map(|accepted| accepted.is_replayed()).collect();
    assert_eq!(replayed, [false, false, true, false]);
    assert_eq!(accepted[2].job, accepted[0].job);
    assert_eq!(world.jobs.len(), 3, "a key made two jobs");

    // So it is between two submissions of one batch, and it is after it.
    let c = submission("video").keyed("c".into());
    let applied = world.apply(vec![Command::Submit(vec![c.clone()]), Command::Submit(vec![b, c.clone()])]);
    let Ok(Answer::Accepted(again)) = &applied.answers[1] else { panic!("{:?}", applied.answers[1]) };
    assert!(again[0].is_replayed() && again[1].is_replayed(), "a command does not see the keys of the one before it");
    assert!(world.submit_all(vec![c])[0].is_replayed());
    assert_eq!(world.jobs.len(), 4, "a key made two jobs");
}

fn a_mismatch_refuses_all(world: &mut World) {
    let held = world.submit(submission("video").keyed("held".into()));
    let other = |key: &str| Submission { payload: json("2"), ..submission("video") }.keyed(key.into());
    let lines = vec![submission("video").keyed("new".into()), submission("video"), other("held"), other("new")];
    let why = Refusal::KeyMismatch(vec![(2, Some(held.id)), (3, None)]);
    world.refused(Command::Submit(lines), &why);
    assert_eq!(world.jobs.len(), 1);
    // A key whose submission was refused is still free.
    assert!(!world.submit_all(vec![other("new")])[0].is_replayed(), "a refused submission holds a key");
    // The queue is part of the request, and the key stands above queues.
    let elsewhere = Submission { queue: name("audio"), ..submission("video") }.keyed("held".into());
    world.refused(Command::Submit(vec![elsewhere]), &Refusal::KeyMismatch(vec![(0, Some(held.id))]));
}

fn keys_are_told_apart(world: &mut World) {
    let long = |last: char| "k".repeat(limits::KEY_BYTES - 1) + &String::from(last);
    let keys = ["a", "A", "a ", " a", "ab", "a\0", "a\0b", "ä", "a\u{308}", "𝄞", "1", "01", "1.0", "NULL"];
    let keys: Vec<String> = keys.iter().map(|key| String::from(*key)).chain([long('1'), long('2')]).collect();
    let keyed = |key: &String| submission("video").keyed(key.as_str().into());
    let jobs: Vec<_> = keys.iter().map(|key| world.submit(keyed(key))).collect();
    assert_eq!(world.jobs.len(), keys.len(), "two keys are taken for one");
    for (key, job) in keys.iter().zip(jobs) {
        assert_eq!(world.submit_all(vec![keyed(key)]), vec![Accepted { job, how: Acceptance::Replayed }], "{key:?}");
    }
}
