use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{Answer, Backoff, Command, Push, Queue, QueuePatch, QueueSettings, Rate, Refusal, Started, limits};

use super::Case;
use super::samples::{HOUR, SECOND, name, submission, sure_backoff};
use super::world::World;

pub(super) const CASES: &[Case] = &[
    ("a queue keeps every setting", a_queue_keeps_every_setting),
    ("settings go into the jobs that come after", settings_go_into_jobs),
    ("a queue that is drained takes no new jobs", a_drained_queue_takes_no_new_jobs),
    ("no more attempts begin in a period than a queue allows", a_rate_is_kept),
    ("a paused queue grants no lease", a_paused_queue_grants_no_lease),
];

pub(super) fn configure(world: &mut World, queue: &str, patch: QueuePatch) -> Arc<Queue> {
    match world.one(Command::Configure { queue: name(queue), patch: Box::new(patch) }) {
        Ok(Answer::Queue(queue)) => queue,
        other => panic!("a queue is not configured: {other:?}"),
    }
}

/// Settings with every field set, at the limits of what may be asked for.
fn extreme() -> QueueSettings {
    QueueSettings {
        lease_ttl: Some(limits::LEASE_TTL_MAX),
        max_attempts: Some(limits::ATTEMPTS),
        backoff: Backoff::new(Duration::from_millis(1), 1.1, Backoff::LONGEST, 1.0 / 3.0).ok(),
        timeout: Some(limits::DURATION),
        concurrency: Some(limits::CONCURRENCY),
        group_concurrency: Some(limits::GROUP_CONCURRENCY),
        rate: Some(Rate { limit: limits::RATE, per: limits::DURATION }),
        expires_in: Some(limits::DURATION),
        result_retention: Some(limits::DURATION),
        dead_letter: Some(name(&"d".repeat(128))),
        push: Some(Arc::new(Push {
            url: format!("https://example.com/{}", "a".repeat(limits::URL_BYTES - 20)).into(),
            concurrency: Some(limits::PUSH_CONCURRENCY),
            timeout: Some(limits::PUSH_TIMEOUT_MAX),
            is_async: true,
            fail_on: Some((400..600).collect()),
        })),
    }
}

/// A push that leaves to the server's defaults what it can.
fn plain_push() -> Arc<Push> {
    Arc::new(Push { url: "http://x".into(), concurrency: None, timeout: None, is_async: false, fail_on: None })
}

fn a_queue_keeps_every_setting(world: &mut World) {
    let head = world.head();
    let full = configure(world, "full", QueuePatch::replace(&extreme()));
    assert_eq!((full.settings.clone(), full.paused), (extreme(), false));
    configure(world, "plain", QueuePatch::default());
    configure(world, "ackd.own", QueuePatch::pause(true));
    let paused = configure(world, "full", QueuePatch::pause(true));
    assert_eq!((paused.settings.clone(), paused.paused), (extreme(), true), "a pause changes settings");
    let patch = QueuePatch { timeout: Some(None), lease_ttl: Some(Some(SECOND)), ..QueuePatch::default() };
    let patched = configure(world, "full", patch);
    let expected = QueueSettings { timeout: None, lease_ttl: Some(SECOND), ..extreme() };
    assert_eq!((&patched.settings, patched.paused), (&expected, true));
    let plain = QueueSettings { push: Some(plain_push()), ..QueueSettings::default() };
    configure(world, "pushed", QueuePatch::replace(&plain));
    let nothing = Push { fail_on: Some(Arc::default()), ..Push::clone(&plain_push()) };
    let nothing = QueueSettings { push: Some(nothing.into()), ..QueueSettings::default() };
    configure(world, "pushed.on", QueuePatch::replace(&nothing));
    world.audit();
    world.reopen();
    for (queue, kept) in [("full", &expected), ("pushed", &plain), ("pushed.on", &nothing)] {
        let read = configure(world, queue, QueuePatch::default());
        assert_eq!(read.settings, *kept, "the settings of {queue} are others when they are read again");
    }
    let cleared = configure(world, "full", QueuePatch::replace(&QueueSettings::default()));
    assert_eq!((cleared.settings.clone(), cleared.paused), (QueueSettings::default(), true));
    assert_eq!(world.head(), head, "settings are no change of a job");
    assert_eq!(world.reader().counts(), Ok(vec![]), "a queue that has had no job is counted");
}

fn settings_go_into_jobs(world: &mut World) {
    let before = world.submit(submission("video"));
    configure(world, "video", QueuePatch::replace(&extreme()));
    let after = world.submit(submission("video"));
    let other = world.submit(submission("audio"));
    assert_eq!(world.latest(&before), before, "settings reach back");
    assert_eq!(after.spec.max_attempts, limits::ATTEMPTS);
    assert_eq!(after.spec.result_retention, Some(limits::DURATION));
    assert_eq!(after.expires_at, world.now.after(limits::DURATION));
    assert_eq!(other.spec.max_attempts, limits::DEFAULT_ATTEMPTS);
    // What is taken at the lease and at the failure is the queue's of that time.
    let patch = QueuePatch { backoff: Some(Some(sure_backoff(HOUR))), ..QueuePatch::default() };
    configure(world, "video", patch);
    let (_, lease) = world.lease(&before);
    let error = super::samples::failure("no");
    let job = world.job(Command::Fail { lease, error, retryable: true, retry_after: None, cancelled: false });
    assert_eq!(job.run_at, world.now.after(HOUR));
}

fn a_paused_queue_grants_no_lease(world: &mut World) {
    let (_, held) = world.leased(submission("video"));
    let job = world.submit(submission("video"));
    let lease = || Command::Lease { number: job.id.number(), worker: None, ttl: None };
    configure(world, "video", QueuePatch::pause(true));
    world.refused(lease(), &Refusal::HeldBack);
    world.reopen();
    world.refused(lease(), &Refusal::HeldBack);
    // What runs goes on, and what comes in is accepted.
    world.job(Command::Complete { lease: held, result: None });
    world.submit(submission("video"));
    let resume = Command::Configure { queue: name("video"), patch: Box::new(QueuePatch::pause(false)) };
    let applied = world.apply(vec![lease(), resume, lease()]);
    let granted: Vec<bool> = applied.answers.iter().map(Result::is_ok).collect();
    assert_eq!(granted, [false, true, true]);
}

fn a_drained_queue_takes_no_new_jobs(world: &mut World) {
    let keyed = || submission("video").keyed("key".into());
    let (known, lease) = world.leased(keyed());
    let drained = configure(world, "video", QueuePatch::drain());
    assert_eq!((drained.draining, drained.paused), (true, false));
    let refusal = Refusal::Draining(name("video"));
    world.refused(Command::Submit(vec![submission("audio"), submission("video")]), &refusal);
    world.reopen();
    world.refused(Command::Submit(vec![submission("video")]), &refusal);
    assert_eq!(world.submit_all(vec![keyed()])[0].job.id, known.id, "what was accepted before is refused");
    world.job(Command::Complete { lease, result: None });
    let both = configure(world, "video", QueuePatch::pause(true));
    assert_eq!((both.draining, both.paused), (true, true));
    world.reopen();
    world.refused(Command::Submit(vec![submission("video")]), &refusal);
    let resumed = configure(world, "video", QueuePatch::resume());
    assert_eq!((resumed.draining, resumed.paused), (false, false));
    world.submit(submission("video"));
}

fn a_rate_is_kept(world: &mut World) {
    let rate = Rate { limit: 2, per: HOUR };
    configure(world, "video", QueuePatch { rate: Some(Some(rate)), ..QueuePatch::default() });
    let jobs: Vec<_> = (0..5).map(|_| world.submit(submission("video"))).collect();
    let lease = |n: usize| Command::Lease { number: jobs[n].id.number(), worker: None, ttl: None };
    world.job(lease(0));
    world.pass(SECOND);
    // Whether in one batch or in several.
    let answers = world.apply(vec![lease(1), lease(2)]).answers;
    assert!(answers[0].is_ok() && answers[1] == Err(Refusal::HeldBack), "{answers:?}");
    let began = vec![(name("video"), Started::of(vec![(world.now.before(SECOND), 1), (world.now, 1)]))];
    assert_eq!(world.reader().started(), Ok(began.clone()));
    world.reopen();
    assert_eq!(world.reader().started(), Ok(began));
    world.refused(lease(2), &Refusal::HeldBack);
    world.pass(HOUR - SECOND);
    world.job(lease(2));
    world.refused(lease(3), &Refusal::HeldBack);
    configure(world, "video", QueuePatch { rate: Some(None), ..QueuePatch::default() });
    world.job(lease(3));
    assert!(!world.reader().started().expect("it can be read").is_empty(), "nothing is lost by lifting the limit");
}
