//! The core over the in-memory ledger, driven turn by turn on a clock that the test sets.

use ackd_domain::{
    Body, Failure, JSON, JobId, Name, Progress, QueuePatch, QueueSettings, Start, Status, Submission, Timestamp,
};
use ackd_memory::{Faults, MemoryLedger, MemoryReader};
use ackd_ports::{LedgerError, Reactor, SeededEntropy};
use std::cell::Cell;
use std::sync::Mutex;

use bytes::Bytes;

use super::*;
use crate::clock::{Course, last_written};

mod clock;
mod groups;
mod leases;
mod limits;
mod model;
mod retention;
mod schedules;
mod store;
mod unique;
mod waiting;

/// A core whose reads are answered at once, and everything a test asks it.
struct World {
    core: Core,
    reader: Arc<MemoryReader>,
    faults: Faults,
    millis: u64,
    /// By how much the wall clock is ahead of what has passed.
    ahead: Duration,
    /// How far the server's own time has come.
    course: Cell<Course>,
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

/// What the clock shows when a world begins.
const START: Timestamp = Timestamp::from_millis(1_000);

const DAY: Duration = Duration::from_hours(24);

const SMALL: WindowLimits = WindowLimits { jobs: 6, page: 3, payload: 64, payloads: 1024, held: 64, total: 12 };

impl World {
    fn new(window: WindowLimits) -> World {
        World::over(MemoryLedger::new(SeededEntropy::new(7)), window)
    }

    fn over(ledger: MemoryLedger, window: WindowLimits) -> World {
        World::on(&Arc::new(Mutex::new(ledger)), window)
    }

    fn on(ledger: &Arc<Mutex<MemoryLedger>>, window: WindowLimits) -> World {
        World::at(0, ledger, window)
    }

    /// One that begins so many milliseconds after the first.
    fn at(millis: u64, ledger: &Arc<Mutex<MemoryLedger>>, window: WindowLimits) -> World {
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
        let tick = Duration::from_millis(millis);
        let mut course = Course::start(last_written(&*reader), tick);
        let core = Core::start(parts, shared, course.at(START.after(tick), tick)).unwrap();
        World { core, reader, faults, millis, ahead: Duration::ZERO, course: Cell::new(course), asks: 0 }
    }

    fn now(&self) -> Timestamp {
        self.moment().now
    }

    fn moment(&self) -> Moment {
        let mut course = self.course.get();
        let moment = course.at(START.after(self.tick() + self.ahead), self.tick());
        self.course.set(course);
        moment
    }

    fn tick(&self) -> Duration {
        Duration::from_millis(self.millis)
    }

    /// One turn, and as many more as it takes until nothing is left to read or to do at this moment.
    fn turn(&mut self, inputs: Vec<Input>) {
        self.core.turn(inputs, self.moment());
        loop {
            let mut pages = Vec::new();
            for request in self.core.take_reads() {
                let read = crate::pager::read(&*self.reader, &request);
                pages.push(Input::Read(request, read));
            }
            if pages.is_empty() && self.core.own.is_empty() && self.core.dispatch_outputs.is_empty() {
                return;
            }
            self.core.turn(pages, self.moment());
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
fn the_server_s_own_askers_are_not_counted_as_waiting_workers() {
    let mut world = World::new(WindowLimits::default());
    let _waiters = ["ackd.push", "ackd.webhooks", "w"].map(|worker| {
        let (_, waiter) = world.park(Ask { worker: Some(worker.into()), ..ask(1) });
        waiter
    });
    let waiting = |world: &World| world.core.stats.parked_asks.load(Ordering::Relaxed);
    assert_eq!((world.core.dispatcher.parked(), waiting(&world)), (3, 1));
    // Who asked first gets a job first.
    world.submit(submission());
    assert_eq!((world.core.dispatcher.parked(), waiting(&world)), (2, 1));
    world.submit(submission());
    world.submit(submission());
    assert_eq!((world.core.dispatcher.parked(), waiting(&world)), (0, 0));
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
    assert!(world.core.patience(world.moment()) <= Duration::from_millis(1));
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
    assert!(world.core.patience(world.moment()) > Duration::from_millis(900));
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
fn one_that_does_not_wait_is_not_told_that_there_is_nothing_while_the_backlog_is_read() {
    let ledger = Arc::new(Mutex::new(MemoryLedger::new(SeededEntropy::new(1))));
    let job = World::on(&ledger, SMALL).submit(submission());
    let mut world = World::on(&ledger, SMALL);
    let (reply, mut answer) = oneshot::channel();
    let inputs = vec![Input::Ask(AskId(1), ask(1), reply), Input::Forget(AskId(1))];
    world.core.turn(inputs, world.moment());
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
