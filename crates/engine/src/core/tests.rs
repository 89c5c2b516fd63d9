//! The core over the in-memory ledger, driven turn by turn on a clock that the test sets.

use ackd_domain::{
    Body, Failure, JSON, JobId, Name, Progress, QueuePatch, QueueSettings, Start, Status, Submission, Timestamp,
};
use ackd_ports::{Faults, MemoryLedger, MemoryReader, Reactor, SeededEntropy};
use std::sync::Mutex;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

mod clock;
mod limits;
mod retention;
mod schedules;
mod unique;
mod waiting;

/// A core whose reads are answered at once, and everything a test asks it.
struct World {
    core: Core,
    reader: Arc<MemoryReader>,
    faults: Faults,
    millis: u64,
    /// By how much the clock is ahead of what has passed.
    ahead: Duration,
    asks: u64,
}

/// A ledger that outlives the core on top of it.
struct Outliving(Arc<Mutex<MemoryLedger>>);

impl Ledger for Outliving {
    fn apply(
        &mut self,
        commands: Vec<Command>,
        now: Timestamp,
        reactor: &mut dyn Reactor,
    ) -> Result<ackd_ports::Applied, LedgerError> {
        self.0.lock().unwrap().apply(commands, now, reactor)
    }
}

type Waiter = oneshot::Receiver<Result<Vec<Assigned>, Unavailable>>;

const DAY: Duration = Duration::from_hours(24);

const SMALL: WindowLimits = WindowLimits { jobs: 6, page: 3, payload: 64, payloads: 1024, total: 12 };

impl World {
    fn new(window: WindowLimits) -> World {
        World::over(MemoryLedger::new(SeededEntropy::new(7)), window)
    }

    fn over(ledger: MemoryLedger, window: WindowLimits) -> World {
        World::on(&Arc::new(Mutex::new(ledger)), window)
    }

    fn on(ledger: &Arc<Mutex<MemoryLedger>>, window: WindowLimits) -> World {
        let reader = ledger.lock().unwrap().reader();
        let faults = ledger.lock().unwrap().faults();
        let parts = CoreParts {
            ledger: Box::new(Outliving(Arc::clone(ledger))),
            reader: reader.clone(),
            window,
            feed_retention: DAY,
        };
        let shared = Shared {
            hub: Arc::default(),
            tail: Arc::default(),
            endpoints: Arc::default(),
            pushes: Arc::default(),
            schedules: Arc::new(Seen::new(reader.schedules().unwrap())),
            queues: Arc::new(QueuesSeen::new(Duration::ZERO)),
            stats: Arc::default(),
        };
        let core = Core::start(parts, shared, Timestamp::from_millis(1_000), Duration::ZERO).unwrap();
        World { core, reader, faults, millis: 0, ahead: Duration::ZERO, asks: 0 }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_000 + i64::try_from(self.millis).unwrap()).after(self.ahead)
    }

    fn tick(&self) -> Duration {
        Duration::from_millis(self.millis)
    }

    /// One turn, and as many more as it takes until nothing is left to read or to do at this moment.
    fn turn(&mut self, inputs: Vec<Input>) {
        self.core.turn(inputs, self.now(), self.tick());
        loop {
            let mut pages = Vec::new();
            for request in self.core.take_reads() {
                let read = crate::pager::read(&*self.reader, &request);
                pages.push(Input::Read(request, read));
            }
            if pages.is_empty() && self.core.own.is_empty() && self.core.dispatch_outputs.is_empty() {
                return;
            }
            self.core.turn(pages, self.now(), self.tick());
        }
    }

    fn pass(&mut self, time: Duration) {
        self.millis += u64::try_from(time.as_millis()).unwrap();
        self.turn(Vec::new());
    }

    fn run(&mut self, command: Command) -> Result<Answer, Refusal> {
        self.try_run(command).unwrap()
    }

    fn try_run(&mut self, command: Command) -> Result<Result<Answer, Refusal>, Unavailable> {
        let (reply, mut answer) = oneshot::channel();
        self.turn(vec![Input::Run(vec![command], reply)]);
        answer.try_recv().unwrap().map(|mut answers| answers.pop().unwrap())
    }

    fn submit(&mut self, submission: Submission) -> Arc<Job> {
        match self.run(Command::Submit(vec![submission])) {
            Ok(Answer::Accepted(mut accepted)) => accepted.pop().unwrap().job,
            other => panic!("not accepted: {other:?}"),
        }
    }

    fn park(&mut self, ask: Ask) -> (AskId, Waiter) {
        self.asks += 1;
        let (reply, answer) = oneshot::channel();
        let id = AskId(self.asks);
        self.turn(vec![Input::Ask(id, ask, reply)]);
        (id, answer)
    }

    /// What is ready for `ask`, without waiting.
    fn lease(&mut self, ask: Ask) -> Vec<Assigned> {
        let (id, mut answer) = self.park(ask);
        self.turn(vec![Input::Forget(id)]);
        answer.try_recv().unwrap().unwrap()
    }

    fn job(&self, id: JobId) -> Arc<Job> {
        self.reader.job(id).unwrap().unwrap()
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn submission() -> Submission {
    Submission::new(name("video"), Body { content_type: JSON.into(), bytes: Bytes::from_static(b"{}") })
}

fn ask(max: usize) -> Ask {
    Ask { queues: vec![name("video")], kinds: Vec::new(), max, worker: Some("w".into()), ttl: None }
}

fn complete(assigned: &Assigned) -> Command {
    Command::Complete { lease: token(&assigned.job).unwrap(), result: None }
}

#[test]
fn a_parked_worker_gets_its_lease_in_the_commit_that_accepts_the_job() {
    let mut world = World::new(WindowLimits::default());
    let (_, mut waiter) = world.park(ask(1));
    let job = world.submit(submission());
    let commits: u64 = world.core.stats.commits.counts().iter().sum();
    let leased = waiter.try_recv().unwrap().unwrap();
    assert_eq!(leased[0].job.id, job.id);
    assert_eq!(leased[0].payload.as_ref().unwrap().bytes, "{}");
    assert_eq!(world.job(job.id).status, Status::Processing);
    // The ask itself needed none, nor did looking for expired jobs.
    assert_eq!(commits, 1);
}

#[test]
fn one_that_does_not_wait_gets_what_is_ready() {
    let mut world = World::new(WindowLimits::default());
    let job = world.submit(submission());
    let (reply, mut answer) = oneshot::channel();
    world.turn(vec![Input::Ask(AskId(1), ask(2), reply), Input::Forget(AskId(1))]);
    let leased = answer.try_recv().unwrap().unwrap();
    assert_eq!(leased.iter().map(|it| it.job.id).collect::<Vec<_>>(), [job.id]);
    let (reply, mut answer) = oneshot::channel();
    world.turn(vec![Input::Ask(AskId(2), ask(2), reply), Input::Forget(AskId(2))]);
    assert!(answer.try_recv().unwrap().unwrap().is_empty());
    assert_eq!(world.core.dispatcher.parked(), 0);
}

#[test]
fn one_that_went_away_while_parked_gets_nothing_and_costs_no_attempt() {
    let mut world = World::new(WindowLimits::default());
    let (_, waiter) = world.park(ask(1));
    drop(waiter);
    let job = world.submit(submission());
    let job = world.job(job.id);
    assert_eq!((job.status, job.attempt), (Status::Init, 0));
    assert_eq!(world.lease(ask(1)).len(), 1);
}

#[test]
fn priority_goes_first_and_the_oldest_every_sixteenth_time() {
    let mut world = World::new(WindowLimits::default());
    let low = world.submit(Submission { priority: Some(0), ..submission() });
    world.pass(Duration::from_millis(5));
    (0..40).for_each(|_| drop(world.submit(Submission { priority: Some(9), ..submission() })));
    let order: Vec<u8> = world.lease(ask(41)).iter().map(|it| it.job.spec.priority).collect();
    assert_eq!(order.iter().position(|it| *it == 0), Some(15));
    assert_eq!(world.job(low.id).status, Status::Processing);
}

#[test]
fn a_delayed_job_is_leased_when_it_is_due_and_not_before() {
    let mut world = World::new(WindowLimits::default());
    let delayed = world.submit(Submission { start: Start::After(Duration::from_secs(5)), ..submission() });
    let (_, mut waiter) = world.park(ask(1));
    world.pass(Duration::from_millis(4_999));
    assert!(waiter.try_recv().is_err());
    assert_eq!(world.core.dispatcher.next_due(), Some(delayed.run_at));
    assert!(world.core.patience(world.now(), world.tick()) <= Duration::from_millis(1));
    world.pass(Duration::from_millis(1));
    assert_eq!(waiter.try_recv().unwrap().unwrap()[0].job.id, delayed.id);
}

#[test]
fn a_worker_that_asks_for_types_gets_those_only() {
    let mut world = World::new(WindowLimits::default());
    world.submit(submission());
    world.submit(Submission { kind: Some("a".into()), ..submission() });
    let b = world.submit(Submission { kind: Some("b".into()), ..submission() });
    let leased = world.lease(Ask { kinds: vec!["b".into(), "c".into()], ..ask(10) });
    assert_eq!(leased.iter().map(|it| it.job.id).collect::<Vec<_>>(), [b.id]);
    assert_eq!(world.lease(ask(10)).len(), 2);
}

#[test]
fn a_core_with_a_due_job_that_nobody_takes_sleeps() {
    let mut world = World::new(WindowLimits::default());
    let (_, mut waiter) = world.park(Ask { kinds: vec!["b".into()], ..ask(1) });
    world.submit(Submission { kind: Some("a".into()), ..submission() });
    assert!(waiter.try_recv().is_err());
    assert!(world.core.patience(world.now(), world.tick()) > Duration::from_millis(900));
}

#[test]
fn a_paused_queue_holds_its_jobs_back_until_it_is_resumed() {
    let mut world = World::new(WindowLimits::default());
    let pause = |paused| Command::Configure { queue: name("video"), patch: Box::new(QueuePatch::pause(paused)) };
    world.run(pause(true)).unwrap();
    let job = world.submit(submission());
    assert_eq!(world.core.queues.why(&job, world.now(), world.tick()), Some(crate::Waiting::Paused));
    let (_, mut waiter) = world.park(ask(1));
    assert!(waiter.try_recv().is_err());
    world.run(pause(false)).unwrap();
    assert_eq!(waiter.try_recv().unwrap().unwrap().len(), 1);
}

#[test]
fn jobs_that_were_taken_up_just_as_their_queue_was_paused_are_worked_on_once_it_is_resumed() {
    let mut world = World::new(SMALL);
    (0..10).for_each(|_| drop(world.submit(submission())));
    let configure = |paused| Command::Configure { queue: name("video"), patch: Box::new(QueuePatch::pause(paused)) };
    let (reply, mut paused) = oneshot::channel();
    let (asker, mut waiter) = oneshot::channel();
    world.turn(vec![Input::Run(vec![configure(true)], reply), Input::Ask(AskId(99), ask(20), asker)]);
    assert!(paused.try_recv().is_ok());
    assert!(waiter.try_recv().is_err());
    world.run(configure(false)).unwrap();
    let mut leased = waiter.try_recv().unwrap().unwrap().len();
    leased += world.lease(ask(20)).len() + world.lease(ask(20)).len();
    assert_eq!(leased, 10);
}

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
fn a_queue_that_nobody_asks_any_more_is_forgotten() {
    let mut world = World::new(SMALL);
    for at in 0..1000 {
        let one = Ask { queues: vec![name(&format!("a{at}")), name(&format!("b{at}"))], ..ask(1) };
        let (id, _waiter) = world.park(one);
        world.turn(vec![Input::Forget(id)]);
    }
    // A few are kept, so that one which is asked again and again is not made anew each time.
    assert!(world.core.dispatcher.queues_known() <= 64);
}

#[test]
fn a_core_whose_store_has_failed_sleeps() {
    let mut world = World::new(SMALL);
    world.submit(submission());
    world.lease(ask(1));
    world.faults.fail_next(LedgerError::Failed("fsync".into()));
    drop(world.try_run(Command::Submit(vec![submission()])));
    world.millis += 100_000;
    world.core.turn(Vec::new(), world.now(), world.tick());
    assert!(world.core.patience(world.now(), world.tick()) > Duration::from_secs(60));
}

#[test]
fn progress_does_not_go_back_behind_a_checkpoint() {
    let mut world = World::new(WindowLimits::default());
    let job = world.submit(submission());
    let lease = token(&world.lease(ask(1))[0].job).unwrap();
    for (percent, checkpoint) in [(1.0, None), (2.0, None), (3.0, Some("{}".into()))] {
        let progress = Progress { percent: Some(percent), message: None, at: Timestamp::default() };
        world.run(Command::Heartbeat { lease, ttl: None, progress: Some(progress), checkpoint }).unwrap();
        world.pass(Duration::from_millis(100));
    }
    world.pass(Duration::from_secs(1));
    assert_eq!(world.job(job.id).progress.as_ref().unwrap().percent, Some(3.0));
}

#[test]
fn a_lease_lapses_without_a_heartbeat_and_lives_with_one() {
    let mut world = World::new(WindowLimits::default());
    let job = world.submit(submission());
    let leased = world.lease(Ask { ttl: Some(Duration::from_secs(10)), ..ask(1) });
    let lease = token(&leased[0].job).unwrap();
    world.pass(Duration::from_secs(9));
    world.run(Command::Heartbeat { lease, ttl: None, progress: None, checkpoint: None }).unwrap();
    world.pass(Duration::from_millis(9_999));
    assert_eq!(world.job(job.id).status, Status::Processing);
    world.pass(Duration::from_millis(1));
    let lapsed = world.job(job.id);
    assert_eq!((lapsed.status, lapsed.attempt), (Status::Init, 1));
    assert_eq!(world.run(complete(&leased[0])), Err(Refusal::LeaseLost));
    assert_eq!(world.lease(ask(1))[0].job.attempt, 2);
}

#[test]
fn an_attempt_that_takes_too_long_lapses_in_spite_of_heartbeats() {
    let mut world = World::new(WindowLimits::default());
    let job = world.submit(Submission { timeout: Some(Duration::from_secs(15)), ..submission() });
    let lease = token(&world.lease(ask(1))[0].job).unwrap();
    world.pass(Duration::from_millis(14_999));
    world.run(Command::Heartbeat { lease, ttl: None, progress: None, checkpoint: None }).unwrap();
    world.pass(Duration::from_millis(1));
    assert_eq!(world.job(job.id).status, Status::Init);
    assert!(world.job(job.id).error.as_ref().unwrap().problem.contains("timeout"));
}

#[test]
fn a_lease_outlives_a_restart_and_its_job_is_not_started_again() {
    let ledger = Arc::new(Mutex::new(MemoryLedger::new(SeededEntropy::new(1))));
    let mut world = World::on(&ledger, WindowLimits::default());
    let job = world.submit(submission());
    let leased = world.lease(ask(1));

    let mut world = World::on(&ledger, WindowLimits::default());
    assert!(world.lease(ask(1)).is_empty());
    world.pass(Duration::from_millis(29_999));
    assert_eq!(world.job(job.id).status, Status::Processing);
    world.run(complete(&leased[0])).unwrap();
    assert_eq!(world.job(job.id).status, Status::Done);
}

#[test]
fn one_that_does_not_wait_is_not_told_that_there_is_nothing_while_the_backlog_is_read() {
    let ledger = Arc::new(Mutex::new(MemoryLedger::new(SeededEntropy::new(1))));
    let job = World::on(&ledger, SMALL).submit(submission());
    let mut world = World::on(&ledger, SMALL);
    let (reply, mut answer) = oneshot::channel();
    let inputs = vec![Input::Ask(AskId(1), ask(1), reply), Input::Forget(AskId(1))];
    world.core.turn(inputs, world.now(), world.tick());
    assert!(answer.try_recv().is_err());
    world.turn(Vec::new());
    assert_eq!(answer.try_recv().unwrap().unwrap()[0].job.id, job.id);
}

#[test]
fn an_expired_job_is_ended_and_never_leased() {
    let mut world = World::new(WindowLimits::default());
    let job = world.submit(Submission { expires_in: Some(Duration::from_millis(500)), ..submission() });
    world.millis += 500;
    assert!(world.lease(ask(1)).is_empty());
    assert_eq!(world.job(job.id).status, Status::Expired);

    let unasked = world.submit(Submission { expires_in: Some(Duration::from_secs(3)), ..submission() });
    world.pass(Duration::from_secs(4));
    assert_eq!(world.job(unasked.id).status, Status::Expired);
}

#[test]
fn progress_is_coalesced_and_the_last_of_it_is_recorded() {
    let mut world = World::new(WindowLimits::default());
    let job = world.submit(submission());
    let lease = token(&world.lease(ask(1))[0].job).unwrap();
    let version = world.job(job.id).version;
    for percent in 0..50 {
        let progress = Progress { percent: Some(f64::from(percent)), message: None, at: Timestamp::default() };
        world.run(Command::Heartbeat { lease, ttl: None, progress: Some(progress), checkpoint: None }).unwrap();
    }
    assert_eq!(world.job(job.id).version, version + 1);
    world.pass(leases::PROGRESS_INTERVAL);
    let job = world.job(job.id);
    assert_eq!(job.version, version + 2);
    assert_eq!(job.progress.as_ref().unwrap().percent, Some(49.0));
}

#[test]
fn a_workers_leases_are_released_together_and_uncounted() {
    let mut world = World::new(WindowLimits::default());
    (0..3).for_each(|_| drop(world.submit(submission())));
    let mine = world.lease(ask(2));
    let other = world.lease(Ask { worker: Some("other".into()), ..ask(1) });
    let (reply, mut released) = oneshot::channel();
    world.turn(vec![Input::ReleaseWorker("w".into(), reply)]);
    assert_eq!(released.try_recv().unwrap(), Ok(2));
    assert!(mine.iter().all(|it| world.job(it.job.id).attempt == 0));
    assert_eq!(world.job(other[0].job.id).status, Status::Processing);
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
fn who_waits_is_let_go_when_the_server_is_about_to_stop() {
    let mut world = World::new(SMALL);
    let (_, mut waiter) = world.park(ask(1));
    world.turn(vec![Input::Drain]);
    assert!(waiter.try_recv().unwrap().unwrap().is_empty());
    assert!(world.park(ask(1)).1.try_recv().unwrap().unwrap().is_empty());
    world.submit(submission());
}

fn of_group(group: &str) -> Submission {
    Submission { group: Some(group.into()), ..submission() }
}

fn concurrency(most: Option<u32>) -> Command {
    let patch = QueuePatch { concurrency: Some(most), ..QueuePatch::default() };
    Command::Configure { queue: name("video"), patch: Box::new(patch) }
}

fn limit(most: Option<u32>) -> Command {
    let patch = QueuePatch { group_concurrency: Some(most), ..QueuePatch::default() };
    Command::Configure { queue: name("video"), patch: Box::new(patch) }
}

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

#[test]
fn a_queue_with_a_backlog_nobody_asks_for_leaves_room_to_another() {
    let mut world = World::new(SMALL);
    for priority in 0..8 {
        (0..6).for_each(|_| drop(world.submit(Submission { priority: Some(priority), ..submission() })));
    }
    assert!(world.core.dispatcher.in_memory() <= SMALL.total);
    let audio = || Ask { queues: vec![name("audio")], ..ask(3) };
    for _ in 0..3 {
        (0..3).for_each(|_| drop(world.submit(Submission { queue: name("audio"), ..submission() })));
        assert_eq!(world.lease(audio()).len(), 3);
    }
    let mut left = 0;
    while !world.lease(ask(1)).is_empty() {
        left += 1;
    }
    assert_eq!(left, 48);
}

/// What a random history does next.
#[derive(Debug, Clone)]
enum Act {
    Submit {
        priority: u8,
        group: usize,
        kind: usize,
        delay: u64,
        many: usize,
    },
    Lease {
        kind: usize,
        max: usize,
    },
    Settle {
        which: usize,
        how: u8,
    },
    Cancel {
        which: usize,
    },
    Limit(Option<u32>),
    Concurrency(Option<u32>),
    Pause,
    Pass {
        millis: u64,
    },
    Fail,
    /// The server ends, and another begins on what is committed.
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..3u8, 0..5usize, 0..3usize, prop_oneof![3 => Just(0), 1 => 0..200u64], 1..12usize)
            .prop_map(|(priority, group, kind, delay, many)| Act::Submit { priority, group, kind, delay, many }),
        5 => (prop_oneof![3 => Just(0), 1 => 1..3usize], 1..9usize).prop_map(|(kind, max)| Act::Lease { kind, max }),
        4 => (any::<usize>(), 0..4u8).prop_map(|(which, how)| Act::Settle { which, how }),
        1 => any::<usize>().prop_map(|which| Act::Cancel { which }),
        1 => prop::option::of(1..4u32).prop_map(Act::Limit),
        1 => prop::option::of(1..6u32).prop_map(Act::Concurrency),
        1 => Just(Act::Pause),
        2 => (1..400u64).prop_map(|millis| Act::Pass { millis }),
        1 => Just(Act::Fail),
        1 => Just(Act::Restart),
    ]
}

/// The jobs of each group, and of none, that run, as a scan of the ledger has them.
fn running(world: &World) -> BTreeMap<Option<Arc<str>>, usize> {
    let mut running = BTreeMap::new();
    for job in world.reader.leased().unwrap() {
        *running.entry(job.spec.group.clone()).or_default() += 1;
    }
    running
}

/// Whether a scan of the ledger finds a job for `ask`.
fn finds(world: &World, ask: &Ask, rules: QueueRules) -> bool {
    let running = running(world);
    let mut lanes = world.reader.lanes().unwrap().into_iter().filter(|lane| {
        let is_free = |(most, group): (u32, &Arc<str>)| {
            running.get(&Some(Arc::clone(group))).is_none_or(|jobs| *jobs < most as usize)
        };
        (ask.kinds.is_empty() || lane.kind.as_ref().is_some_and(|kind| ask.kinds.contains(kind)))
            && rules.group_concurrency.zip(lane.group.as_ref()).is_none_or(is_free)
    });
    let due = |lane: Lane| world.reader.eligible(&lane, None, 1).unwrap().iter().any(|it| it.job.run_at <= world.now());
    let has_room = rules.concurrency.is_none_or(|most| running.values().sum::<usize>() < most as usize);
    !rules.paused && has_room && lanes.any(due)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// However small the part of the backlog in memory: every waiting job is leased in the end, each once
    /// an attempt, those of one lane in order; and memory holds no more than its limit a lane.
    #[test]
    fn every_waiting_job_reaches_a_worker(acts in prop::collection::vec(act(), 1..60)) {
        let ledger = Arc::new(Mutex::new(MemoryLedger::new(SeededEntropy::new(7))));
        let mut world = World::on(&ledger, SMALL);
        let settings = QueueSettings { backoff: Some(ackd_domain::Backoff::default()), ..QueueSettings::default() };
        world.run(Command::Configure { queue: name("video"), patch: Box::new(QueuePatch::replace(&settings)) }).unwrap();
        let mut jobs: Vec<JobId> = Vec::new();
        let mut held: Vec<Assigned> = Vec::new();
        for act in acts {
            match act {
                Act::Submit { priority, group, kind, delay, many } => {
                    let start = Start::After(Duration::from_millis(delay));
                    let group = [None, Some("a".into()), Some("b".into()), Some("c".into()), Some("d".into())][group].clone();
                    let kind = [None, Some("x".into()), Some("y".into())][kind].clone();
                    let one = Submission { priority: Some(priority), group, kind, start, ..submission() };
                    let command = Command::Submit(vec![one; many]);
                    if let Ok(Ok(Answer::Accepted(accepted))) = world.try_run(command) {
                        jobs.extend(accepted.iter().map(|it| it.job.id));
                    }
                }
                Act::Lease { kind, max } => {
                    let kinds = [vec![], vec!["x".into()], vec!["x".into(), "y".into()]][kind].clone();
                    let ask = Ask { kinds, ..ask(max) };
                    let rules = world.core.queues.rules(&name("video"));
                    // While it rests after a failed commit it knows of no job.
                    let rests = world.core.resting_until.is_some();
                    let finds = finds(&world, &ask, rules);
                    let leased = world.lease(ask);
                    if !rests && world.core.resting_until.is_none() {
                        prop_assert_eq!(!leased.is_empty(), finds);
                    }
                    let running = running(&world);
                    for it in &leased {
                        if let Some((most, group)) = rules.group_concurrency.zip(it.job.spec.group.as_ref()) {
                            let running = running[&Some(Arc::clone(group))];
                            prop_assert!(running <= most as usize, "{} of {}", running, most);
                        }
                    }
                    if let (Some(most), false) = (rules.concurrency, leased.is_empty()) {
                        prop_assert!(running.values().sum::<usize>() <= most as usize, "{:?} of {}", running, most);
                    }
                    for (at, it) in leased.iter().enumerate() {
                        let key = |it: &Assigned| (it.job.run_at, it.job.id.number());
                        let lane = Lane::of(&it.job);
                        prop_assert!(leased[..at].iter().filter(|before| Lane::of(&before.job) == lane).all(|before| key(before) < key(it)));
                    }
                    held.extend(leased);
                }
                Act::Settle { which, how } if !held.is_empty() => {
                    let assigned = held.swap_remove(which % held.len());
                    let lease = token(&assigned.job).unwrap();
                    let error = Failure { problem: "{}".into() };
                    let command = match how {
                        0 | 1 => complete(&assigned),
                        2 => Command::Release { lease, delay: Some(Duration::from_millis(50)), checkpoint: None },
                        _ => Command::Fail { lease, error, retryable: true, retry_after: None, cancelled: false },
                    };
                    if world.try_run(command).is_err() {
                        held.push(assigned);
                    }
                }
                Act::Cancel { which } if !jobs.is_empty() => {
                    drop(world.try_run(Command::Cancel { id: jobs[which % jobs.len()] }));
                }
                Act::Limit(most) => drop(world.try_run(limit(most))),
                Act::Concurrency(most) => drop(world.try_run(concurrency(most))),
                Act::Pause => {
                    let paused = !world.core.queues.rules(&name("video")).paused;
                    let patch = Box::new(QueuePatch::pause(paused));
                    drop(world.try_run(Command::Configure { queue: name("video"), patch }));
                }
                Act::Restart => {
                    let (millis, asks) = (world.millis, world.asks);
                    world = World::on(&ledger, SMALL);
                    world.asks = asks;
                    world.pass(Duration::from_millis(millis));
                }
                Act::Pass { millis } => world.pass(Duration::from_millis(millis)),
                Act::Fail => world.faults.fail_next(LedgerError::Full("no room".into())),
                _ => {}
            }
            prop_assert!(world.core.dispatcher.in_memory() <= SMALL.total + SMALL.page);
            let running: usize = running(&world).into_values().sum();
            prop_assert_eq!(world.core.dispatcher.running(), running);
            prop_assert_eq!(world.core.leases.running().len(), running);
        }
        drop(world.try_run(limit(None)));
        drop(world.try_run(limit(Some(2))));
        drop(world.try_run(concurrency(Some(7))));
        drop(world.try_run(concurrency(Some(7))));
        let resume = || Command::Configure { queue: name("video"), patch: Box::new(QueuePatch::pause(false)) };
        drop(world.try_run(resume()));
        drop(world.try_run(resume()));
        for assigned in held.drain(..) {
            drop(world.try_run(complete(&assigned)));
        }
        // An hour is beyond every delay, back-off and lease: all that waits is due by then.
        for _ in 0..400 {
            world.pass(Duration::from_secs(10));
            let leased = world.lease(ask(100));
            for assigned in leased {
                drop(world.try_run(complete(&assigned)));
            }
        }
        for id in jobs {
            let job = world.job(id);
            prop_assert!(job.status.is_terminal(), "{job:?}");
        }
    }
}
