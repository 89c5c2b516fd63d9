use std::sync::Arc;

use ackd_domain::{
    Answer, Change, ChangeKind, Command, JobId, LeaseState, Position, QueuePatch, Refusal, Status, Submission,
};

use ackd_ports::{ChangeFeed, LedgerReader, Reactor};

use super::Case;
use super::samples::{HOUR, json, name, submission};
use super::world::World;

pub(super) const CASES: &[Case] = &[
    ("an empty batch is nothing", an_empty_batch),
    ("a command sees the writes of the one before it", a_command_sees_the_one_before),
    ("a refused command leaves the others alone", a_refused_command_leaves_the_others),
    ("a reactor's lease is in the commit that accepts the job", a_reactor_grants_in_the_same_commit),
    ("a reactor is asked until it has nothing to add", a_reactor_is_asked_until_done),
    ("readers see nothing of a batch before it is committed", readers_see_nothing_early),
];

fn an_empty_batch(world: &mut World) {
    let applied = world.apply(vec![]);
    assert!(applied.answers.is_empty() && applied.changes.is_empty(), "an empty batch came to something");
}

fn a_command_sees_the_one_before(world: &mut World) {
    let id = world.submit(submission("video")).id;
    let lease = Command::Lease { number: id.number(), worker: None, ttl: None };
    let applied = world.apply(vec![
        Command::Cancel { id },
        lease.clone(),
        Command::Retry { id },
        Command::Retry { id },
        lease.clone(),
        lease,
        Command::Cancel { id },
        Command::Cancel { id },
    ]);
    let outcome = |answer: &Result<Answer, Refusal>| match answer {
        Ok(Answer::Job(job)) => Ok((job.status, job.version)),
        Ok(other) => panic!("an answer without a job: {other:?}"),
        Err(refusal) => Err(refusal.clone()),
    };
    let outcomes: Vec<_> = applied.answers.iter().map(outcome).collect();
    let expected = [
        Ok((Status::Cancelled, 2)),
        Err(Refusal::NotWaiting),
        Ok((Status::Init, 3)),
        Err(Refusal::NotFinished(Status::Init)),
        Ok((Status::Processing, 4)),
        Err(Refusal::NotWaiting),
        Ok((Status::Processing, 5)),
        Ok((Status::Processing, 5)),
    ];
    assert_eq!(outcomes, expected);
    assert_eq!(applied.changes.len(), 4);

    // So it is with a queue's settings.
    let attempts = |attempts| {
        let patch = QueuePatch { max_attempts: Some(Some(attempts)), ..QueuePatch::default() };
        Command::Configure { queue: name("audio"), patch: Box::new(patch) }
    };
    let submit = || Command::Submit(vec![submission("video"), submission("audio")]);
    world.apply(vec![submit(), attempts(3), submit(), attempts(4), submit()]);
    let audio = world.jobs.values().filter(|job| job.spec.queue == name("audio"));
    let found: Vec<u32> = audio.map(|job| job.spec.max_attempts).collect();
    assert_eq!(found, [20, 3, 4], "a command does not see the settings that the one before it made");
    let of = |queue| Command::Submit(vec![submission(queue)]);
    let applied = world.apply(vec![of("audio"), of("video")]);
    let found: Vec<u32> = applied.changes.iter().map(|change| change.job.spec.max_attempts).collect();
    assert_eq!(found, [4, 20], "a command sees the queue of the one before it as its own");
}

fn a_refused_command_leaves_the_others(world: &mut World) {
    let held = world.submit(submission("video").keyed("held".into()));
    let other = Submission { payload: json("2"), ..submission("video") }.keyed("held".into());
    let applied = world.apply(vec![
        Command::Submit(vec![submission("video")]),
        Command::Submit(vec![submission("video"), other]),
        Command::Cancel { id: JobId::new(world.now, held.id.number() + 1000, 0) },
        Command::Submit(vec![submission("video"), submission("video")]),
    ]);
    let accepted: Vec<bool> = applied.answers.iter().map(Result::is_ok).collect();
    assert_eq!(accepted, [true, false, false, true]);
    assert_eq!((applied.changes.len(), world.jobs.len()), (3, 4), "a refused command has written");
}

/// Leases every job that is accepted, and completes every job that is leased.
struct Busy;

impl Reactor for Busy {
    fn react(&mut self, _: &[Result<Answer, Refusal>], changes: &[Change]) -> Vec<Command> {
        let follow = |change: &Change| {
            let number = change.job.id.number();
            match change.kind {
                ChangeKind::Submitted => Some(Command::Lease { number, worker: Some("busy".into()), ttl: Some(HOUR) }),
                ChangeKind::Leased => {
                    let lease = change.job.lease.as_ref().map(|lease| lease.token(number))?;
                    Some(Command::Complete { lease, result: Some(json("true")) })
                }
                _ => None,
            }
        };
        changes.iter().filter_map(follow).collect()
    }
}

/// Leases the first job it hears of, once.
struct Parked(bool);

impl Reactor for Parked {
    fn react(&mut self, _: &[Result<Answer, Refusal>], changes: &[Change]) -> Vec<Command> {
        let Some(first) = changes.first().filter(|_| self.0) else { return vec![] };
        self.0 = false;
        vec![Command::Lease { number: first.job.id.number(), worker: None, ttl: None }]
    }
}

fn a_reactor_grants_in_the_same_commit(world: &mut World) {
    let batch = vec![Command::Submit(vec![submission("video"); 2]), Command::Submit(vec![submission("video")])];
    let applied = world.apply_with(batch, &mut Parked(true));
    assert_eq!(applied.answers.len(), 3);
    let Ok(Answer::Job(leased)) = &applied.answers[2] else { panic!("no lease: {:?}", applied.answers[2]) };
    assert_eq!(leased.status, Status::Processing);
    assert_eq!(leased.lease.as_ref().map(|lease| lease.state), Some(LeaseState::Live));
    assert_eq!(world.reader().leased(), Ok(vec![Arc::clone(leased)]));
    let (number, fence) = (leased.id.number(), leased.changed);
    assert_eq!(
        applied.changes.last().map(|change| change.position),
        Some(fence),
        "a lease is not fenced by its change"
    );
    world.reopen();
    let lease = leased.lease.as_ref().map(|lease| lease.token(number)).expect("a leased job has a lease");
    world.job(Command::Complete { lease, result: None });
}

fn a_reactor_is_asked_until_done(world: &mut World) {
    let applied = world.apply_with(vec![Command::Submit(vec![submission("video"); 3])], &mut Busy);
    let kinds: Vec<ChangeKind> = applied.changes.iter().map(|change| change.kind).collect();
    let (submitted, leased, completed) = (ChangeKind::Submitted, ChangeKind::Leased, ChangeKind::Completed);
    let expected = [submitted, submitted, submitted, leased, leased, leased, completed, completed, completed];
    assert_eq!(kinds, expected);
    assert_eq!(applied.answers.len(), 1 + 3 + 3);
    assert!(world.jobs.values().all(|job| job.status == Status::Done));
}

/// Looks, from within a batch, at what others can see.
struct Onlooker {
    reader: Arc<dyn LedgerReader>,
    feed: Arc<dyn ChangeFeed>,
    head: Position,
    asked: u32,
}

impl Reactor for Onlooker {
    fn react(&mut self, _: &[Result<Answer, Refusal>], changes: &[Change]) -> Vec<Command> {
        self.asked += 1;
        assert_eq!(self.feed.head(), Ok(self.head), "the feed runs ahead of the commit");
        for change in changes {
            assert_eq!(self.reader.job(change.job.id), Ok(None), "a job is seen before it is committed");
        }
        vec![]
    }
}

fn readers_see_nothing_early(world: &mut World) {
    world.submit(submission("video"));
    let (reader, feed) = (Arc::clone(world.fixture.reader()), Arc::clone(world.fixture.feed()));
    let mut onlooker = Onlooker { reader, feed, head: world.head(), asked: 0 };
    world.apply_with(vec![Command::Submit(vec![submission("video"); 10])], &mut onlooker);
    assert!(onlooker.asked > 0, "the reactor was not asked");
}
