use ackd_domain::{Command, JobId, LapseReason, Position, QueuePatch, Refusal, Submission};

use super::Case;
use super::samples::{HOUR, SECOND, failure, json, name, submission};
use super::world::World;

pub(super) const CASES: &[Case] = &[
    ("an empty ledger is opened again", |world| world.reopen()),
    ("everything is there when it is opened again", everything_is_there),
    ("numbers and positions go on when it is opened again", numbers_and_positions_go_on),
    ("leases outlive it", leases_outlive_it),
];

fn everything_is_there(world: &mut World) {
    for round in 0..3u8 {
        world.pass(SECOND);
        let key = |n: u8| format!("{round}-{n}").into();
        let brief = Submission { expires_in: Some(HOUR), priority: Some(round), ..submission("brief") };
        world.submit_all(vec![
            submission("video").keyed(key(0)),
            brief.clone(),
            submission("audio").keyed(key(1)),
            brief,
        ]);
        let (_, done) = world.leased(submission("video"));
        let (_, failed) = world.leased(submission("video"));
        let (_, lapsed) = world.leased(submission("video"));
        let (asked, _) = world.leased(submission("video"));
        let patch = QueuePatch { lease_ttl: Some(Some(u32::from(round + 1) * SECOND)), ..QueuePatch::default() };
        world.apply(vec![
            Command::Complete { lease: done, result: Some(json("1")) },
            Command::Fail { lease: failed, error: failure("no"), retryable: true, retry_after: None, cancelled: false },
            Command::Lapse { lease: lapsed, reason: LapseReason::Timeout },
            Command::Cancel { id: asked.id },
            Command::Configure { queue: name("video"), patch: Box::new(patch) },
        ]);
        world.audit();
        world.reopen();
        world.reopen();
    }
}

fn numbers_and_positions_go_on(world: &mut World) {
    let mut ids: Vec<JobId> = vec![];
    let mut head = Position::START;
    for _ in 0..4 {
        let job = world.submit(submission("video"));
        assert!(ids.iter().all(|id| id.number() < job.id.number()), "a number is given out again: {ids:?}, {job:?}");
        assert!(job.changed > head, "a position is given out again: {:?} after {head:?}", job.changed);
        ids.push(job.id);
        head = world.head();
        world.reopen();
        // With nothing new in between, too.
        world.reopen();
        world.pass(SECOND);
    }
}

fn leases_outlive_it(world: &mut World) {
    let (job, lease) = world.leased(submission("video"));
    let (_, other) = world.leased(submission("video"));
    world.reopen();
    let checkpoint = Some("{}".into());
    world.one(Command::Heartbeat { lease, ttl: None, progress: None, checkpoint }).expect("the worker goes on");
    let done = world.job(Command::Complete { lease, result: Some(json("1")) });
    assert_eq!((done.attempt, done.started_at), (job.attempt, job.started_at));
    let released = world.job(Command::Release { lease: other, delay: None, checkpoint: None });
    world.reopen();
    assert_eq!(world.job(Command::Complete { lease, result: None }), done);
    world.lease(&released);
    world.reopen();
    world.refused(Command::Release { lease: other, delay: None, checkpoint: None }, &Refusal::LeaseLost);
}
