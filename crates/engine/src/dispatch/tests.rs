//! The dispatcher against a model that scans all jobs for every decision.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use ackd_domain::{Backoff, BodyInfo, Job, JobId, Position, Rate, Spec};
use proptest::prelude::*;

use super::*;

/// What a random history does next.
#[derive(Debug, Clone)]
enum Act {
    Submit {
        kind: usize,
        priority: u8,
        group: usize,
        delay: u64,
        expires_in: u64,
        many: usize,
    },
    /// A worker asks. It waits if it finds nothing, or else goes.
    Ask {
        kinds: usize,
        max: usize,
        stays: bool,
    },
    Settle {
        which: usize,
        end: End,
    },
    Cancel {
        which: usize,
    },
    Rules {
        paused: bool,
        most: Option<u32>,
        concurrency: Option<u32>,
        /// How many may begin in [`PERIOD`].
        rate: Option<u32>,
    },
    Pass {
        millis: u64,
    },
}

const PERIOD: Duration = Duration::from_millis(8);

/// How the lease of a job ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Complete,
    Release { delay: u64 },
    Lapse,
    Expire,
}

/// What the ledger does with what is to be leased next.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Granted,
    /// It is refused: some jobs were cancelled in the same batch, the others are held back.
    Refused,
}

fn act() -> impl Strategy<Value = (Act, Fate)> {
    let end = prop_oneof![
        3 => Just(End::Complete),
        1 => (0..3u64).prop_map(|delay| End::Release { delay }),
        1 => Just(End::Lapse),
        1 => Just(End::Expire),
    ];
    let submit = (0..3usize, 3..6u8, 0..4usize, prop_oneof![3 => Just(0), 1 => 0..4u64], 1..40u64, 1..5usize);
    let act = prop_oneof![
        6 => submit.prop_map(|(kind, priority, group, delay, expires_in, many)| Act::Submit {
            kind, priority, group, delay, expires_in, many,
        }),
        6 => (0..KINDS.len(), 1..6usize, any::<bool>()).prop_map(|(kinds, max, stays)| Act::Ask { kinds, max, stays }),
        5 => (any::<usize>(), end).prop_map(|(which, end)| Act::Settle { which, end }),
        1 => any::<usize>().prop_map(|which| Act::Cancel { which }),
        1 => (
            prop_oneof![4 => Just(false), 1 => Just(true)],
            prop::option::of(1..4u32),
            prop::option::weighted(0.3, 1..6u32),
            prop::option::weighted(0.3, 1..6u32),
        )
            .prop_map(|(paused, most, concurrency, rate)| Act::Rules { paused, most, concurrency, rate }),
        2 => (1..5u64).prop_map(|millis| Act::Pass { millis }),
    ];
    (act, prop_oneof![9 => Just(Fate::Granted), 1 => Just(Fate::Refused)])
}

const KINDS: [&[&str]; 5] = [&[], &["a"], &["a", "b"], &["b"], &["nobody submits this"]];

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Waiting,
    /// Assigned or leased.
    Running,
    Ended,
}

/// All jobs there have ever been, whose turn it is, and who waits.
struct Model {
    now: Timestamp,
    rules: QueueRules,
    jobs: Vec<(Job, State)>,
    /// When each group was given its place at each priority.
    turns: BTreeMap<(Option<Arc<str>>, u8), u64>,
    clock: u64,
    leased: u64,
    parked: Vec<(AskId, Vec<Arc<str>>, usize)>,
    /// When attempts began while there was a rate.
    begun: Vec<Timestamp>,
    /// How many are assigned and not leased.
    assigned: usize,
}

impl Model {
    /// Whether the limits of the queue itself let another job begin.
    fn has_room(&self) -> bool {
        let running = self.jobs.iter().filter(|(_, state)| *state == State::Running).count();
        let begun = |rate: Rate| self.begun.iter().filter(|at| at.after(rate.per) > self.now).count() + self.assigned;
        self.rules.concurrency.is_none_or(|most| running < most as usize)
            && self.rules.rate.is_none_or(|rate| begun(rate) < rate.limit as usize)
    }

    fn waits(&mut self, at: usize, run_at: Timestamp) {
        let spec = Arc::clone(&self.jobs[at].0.spec);
        let same = |job: &Job| job.spec.group == spec.group && job.spec.priority == spec.priority;
        if !self.jobs.iter().any(|(job, state)| *state == State::Waiting && same(job)) {
            self.clock += 1;
            self.turns.insert((spec.group.clone(), spec.priority), self.clock);
        }
        self.jobs[at].0.run_at = run_at;
        self.jobs[at].1 = State::Waiting;
    }

    fn choose(&self, kinds: &[Arc<str>]) -> Option<usize> {
        let running = |group: &Arc<str>| {
            self.jobs
                .iter()
                .filter(|(job, state)| *state == State::Running && job.spec.group.as_ref() == Some(group))
                .count()
        };
        let may_go = |(job, state): &(Job, State)| {
            let spec = &job.spec;
            *state == State::Waiting
                && job.run_at <= self.now
                && (kinds.is_empty() || spec.kind.as_ref().is_some_and(|kind| kinds.contains(kind)))
                && self
                    .rules
                    .group_concurrency
                    .zip(spec.group.as_ref())
                    .is_none_or(|(most, group)| running(group) < most as usize)
        };
        let rank = |job: &Job| {
            let turn = self.turns[&(job.spec.group.clone(), job.spec.priority)];
            let by_turn = (Reverse(job.spec.priority), turn);
            (if self.leased % 16 == 15 { (Reverse(0), 0) } else { by_turn }, (job.run_at, job.id.number()))
        };
        let going = self.jobs.iter().enumerate().filter(|(_, it)| may_go(it));
        going.min_by_key(|(_, (job, _))| rank(job)).map(|(at, _)| at)
    }

    /// An attempt began.
    fn began(&mut self) {
        if self.rules.rate.is_some() {
            self.begun.push(self.now);
        }
    }

    /// What the dispatcher is to want done, now that something has happened.
    fn serve(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        if self.rules.paused {
            return outputs;
        }
        let mut unserved = Vec::new();
        for (ask, kinds, max) in std::mem::take(&mut self.parked) {
            let mut taken = 0;
            while taken < max
                && self.has_room()
                && let Some(at) = self.choose(&kinds)
            {
                self.leased += 1;
                self.clock += 1;
                let (job, state) = &mut self.jobs[at];
                self.turns.insert((job.spec.group.clone(), job.spec.priority), self.clock);
                let number = job.id.number();
                if job.expires_at <= self.now {
                    *state = State::Ended;
                    outputs.push(Output::Expire { number });
                } else {
                    *state = State::Running;
                    self.assigned += 1;
                    taken += 1;
                    outputs.push(Output::Lease { ask, number, payload: None, version: job.version });
                }
            }
            if taken == 0 {
                unserved.push((ask, kinds, max));
            }
        }
        self.parked = unserved;
        outputs
    }
}

/// The dispatcher and the model, told the same.
struct Pair {
    dispatcher: Dispatcher,
    model: Model,
    asks: u64,
    position: u64,
}

fn queue() -> Name {
    Name::new("q").unwrap()
}

impl Pair {
    fn new() -> Pair {
        let model = Model {
            now: Timestamp::from_millis(1_000),
            rules: QueueRules::default(),
            jobs: Vec::new(),
            turns: BTreeMap::new(),
            clock: 0,
            leased: 0,
            parked: Vec::new(),
            begun: Vec::new(),
            assigned: 0,
        };
        Pair { dispatcher: Dispatcher::new(WindowLimits::default()), model, asks: 0, position: 0 }
    }

    /// Tells the dispatcher, compares what it wants done with the model, and does it.
    fn step(&mut self, input: Input<'_>, fate: Fate) {
        let mut outputs = Vec::new();
        self.dispatcher.step(input, self.model.now, &mut outputs);
        assert_eq!(outputs, self.model.serve());
        let mut asks = Vec::new();
        for output in outputs {
            match output {
                Output::Lease { ask, number, .. } => {
                    let at = self.at(number);
                    asks.push(ask);
                    self.model.assigned -= 1;
                    match fate {
                        Fate::Granted => {
                            self.model.began();
                            self.step(Input::Granted(ask), fate);
                            self.change(at, ChangeKind::Leased, Status::Processing, fate);
                        }
                        Fate::Refused => {
                            self.model.jobs[at].1 = State::Ended;
                            if number % 2 == 0 {
                                self.change(at, ChangeKind::Cancelled, Status::Cancelled, fate);
                            }
                            self.refuse(ask, number);
                        }
                    }
                }
                Output::Expire { number } => {
                    let at = self.at(number);
                    self.change(at, ChangeKind::Expired, Status::Expired, fate);
                }
                Output::Read(request) => panic!("nothing is left to be read: {request:?}"),
            }
        }
        if !asks.is_empty() {
            self.step(Input::Answered, Fate::Granted);
        }
    }

    /// The ask is parked again once all that was assigned to it is refused; then, as all is refused here, it goes.
    fn refuse(&mut self, ask: AskId, number: u64) {
        let mut outputs = Vec::new();
        self.dispatcher.step(Input::Forget(ask), self.model.now, &mut outputs);
        self.dispatcher.step(Input::Refused(ask, number), self.model.now, &mut outputs);
        assert_eq!(outputs, self.model.serve());
        for output in outputs {
            if let Output::Lease { ask, number, .. } = output {
                let at = self.at(number);
                self.model.assigned -= 1;
                self.model.began();
                self.step(Input::Granted(ask), Fate::Granted);
                self.change(at, ChangeKind::Leased, Status::Processing, Fate::Granted);
            }
        }
    }

    fn at(&self, number: u64) -> usize {
        usize::try_from(number).unwrap() - 1
    }

    fn change(&mut self, at: usize, kind: ChangeKind, status: Status, fate: Fate) {
        self.position += 1;
        let position = Position(self.position);
        let job = Arc::new(Job { status, ..self.model.jobs[at].0.clone() });
        let change =
            Change { position, previous: Position::START, at: self.model.now, kind, job, body: None, was_due: None };
        self.step(Input::Changes(&[change]), fate);
    }

    fn act(&mut self, act: Act, fate: Fate) {
        let now = self.model.now;
        match act {
            Act::Submit { kind, priority, group, delay, expires_in, many } => {
                for _ in 0..many {
                    let at = self.model.jobs.len();
                    let job = job(at as u64 + 1, kind, priority, group);
                    let expires_at = now.after(Duration::from_millis(expires_in));
                    self.model.jobs.push((Job { expires_at, ..job }, State::Ended));
                    self.model.waits(at, now.after(Duration::from_millis(delay)));
                    self.change(at, ChangeKind::Submitted, Status::Init, fate);
                }
            }
            Act::Ask { kinds, max, stays } => {
                self.asks += 1;
                let id = AskId(self.asks);
                let kinds: Vec<Arc<str>> = KINDS[kinds].iter().map(|kind| Arc::from(*kind)).collect();
                self.model.parked.push((id, kinds.clone(), max));
                self.step(Input::Ask(id, Ask { queues: vec![queue()], kinds, max, worker: None, ttl: None }), fate);
                if !stays {
                    self.model.parked.retain(|(parked, ..)| *parked != id);
                    self.step(Input::Forget(id), fate);
                }
            }
            Act::Settle { which, end } => {
                let running: Vec<usize> =
                    (0..self.model.jobs.len()).filter(|at| self.model.jobs[*at].1 == State::Running).collect();
                if let Some(at) = running.get(which % running.len().max(1)).copied() {
                    self.model.jobs[at].1 = State::Ended;
                    match end {
                        End::Complete => self.change(at, ChangeKind::Completed, Status::Done, fate),
                        End::Expire => self.change(at, ChangeKind::Expired, Status::Expired, fate),
                        End::Release { delay } => {
                            self.model.waits(at, now.after(Duration::from_millis(delay)));
                            self.change(at, ChangeKind::Released, Status::Init, fate);
                        }
                        End::Lapse => {
                            self.model.waits(at, now);
                            self.change(at, ChangeKind::Lapsed, Status::Init, fate);
                        }
                    }
                }
            }
            Act::Cancel { which } => {
                let waiting: Vec<usize> =
                    (0..self.model.jobs.len()).filter(|at| self.model.jobs[*at].1 == State::Waiting).collect();
                if let Some(at) = waiting.get(which % waiting.len().max(1)).copied() {
                    self.model.jobs[at].1 = State::Ended;
                    self.change(at, ChangeKind::Cancelled, Status::Cancelled, fate);
                }
            }
            Act::Rules { paused, most, concurrency, rate } => {
                let rate = rate.map(|limit| Rate { limit, per: PERIOD });
                let rules = QueueRules { paused, group_concurrency: most, concurrency, rate };
                self.model.rules = rules;
                self.step(Input::Configured(&queue(), rules), fate);
            }
            Act::Pass { millis } => {
                self.model.now = now.after(Duration::from_millis(millis));
                self.step(Input::Tick, fate);
            }
        }
    }
}

fn job(number: u64, kind: usize, priority: u8, group: usize) -> Job {
    let spec = Spec {
        queue: queue(),
        kind: [None, Some("a".into()), Some("b".into())][kind].clone(),
        priority,
        group: [None, Some("x".into()), Some("y".into()), Some("z".into())][group].clone(),
        max_attempts: 20,
        timeout: None,
        backoff: None::<Backoff>,
        expires_in: Duration::ZERO,
        result_retention: None,
        key: None,
        tags: Vec::new(),
        traceparent: None,
        callback: None,
        ordering_key: None,
        unique: None,
        after: Vec::new(),
        on_failure: ackd_domain::OnFailure::Cancel,
        flow: None,
        delivery: None,
        dead_letter_of: None,
        payload_file: None,
        payload: BodyInfo { content_type: "".into(), size: 0 },
    };
    Job {
        id: JobId::new(Timestamp::default(), number, 0),
        spec: Arc::new(spec),
        status: Status::Init,
        version: 1,
        run: 1,
        attempt: 0,
        run_at: Timestamp::default(),
        held: ackd_domain::Held::default(),
        expires_at: Timestamp::MAX,
        started_at: None,
        finished_at: None,
        cancel_requested_at: None,
        worker: None,
        lease: None,
        progress: None,
        error: None,
        checkpoint: None,
        result: None,
        result_file: None,
        changed: Position::START,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever happens, the dispatcher wants done what a scan of all jobs says is next: the order of priority,
    /// turns and time, the oldest first now and then, and no group beyond its limit.
    #[test]
    fn groups_take_turns_within_their_limit_as_the_model_says(acts in prop::collection::vec(act(), 1..80)) {
        let mut pair = Pair::new();
        for (act, fate) in acts {
            pair.act(act, fate);
        }
        let running = pair.model.jobs.iter().filter(|(_, state)| *state == State::Running);
        prop_assert_eq!(pair.dispatcher.running(), running.count());
    }
}

#[test]
fn groups_with_a_job_each_are_forgotten_once_nothing_of_them_is_left() {
    let mut pair = Pair::new();
    for number in 1..=1000 {
        let mut job = job(number, 0, 5, 1);
        Arc::make_mut(&mut job.spec).group = Some(number.to_string().into());
        pair.model.jobs.push((job, State::Ended));
        pair.model.waits(pair.at(number), pair.model.now);
        pair.change(pair.at(number), ChangeKind::Submitted, Status::Init, Fate::Granted);
    }
    assert_eq!(pair.dispatcher.queues[&queue()].lanes.groups.numbers().count(), 1000);
    pair.act(Act::Ask { kinds: 0, max: 1000, stays: false }, Fate::Granted);
    for which in 0..1000 {
        pair.act(Act::Settle { which, end: End::Complete }, Fate::Granted);
    }
    assert_eq!(pair.dispatcher.running(), 0);
    let lanes = &pair.dispatcher.queues[&queue()].lanes;
    assert!(
        lanes.groups.numbers().count() <= 16 && lanes.all.len() <= 16,
        "{} groups, {} lanes",
        lanes.groups.numbers().count(),
        lanes.all.len()
    );
}

#[test]
fn the_room_of_many_groups_is_given_back_once_they_are_done() {
    const GROUPS: u64 = 3_000;
    let now = Timestamp::from_millis(1_000);
    let mut dispatcher = Dispatcher::new(WindowLimits::default());
    let mut outputs = Vec::new();
    let change_of = |number: u64, kind, status| {
        let mut change = Change { kind, ..submitted(number, &queue(), now) };
        let job = Arc::make_mut(&mut change.job);
        job.status = status;
        Arc::make_mut(&mut job.spec).group = Some(number.to_string().into());
        change
    };
    let rounds = [(ChangeKind::Submitted, Status::Init), (ChangeKind::Cancelled, Status::Cancelled)];
    for (kind, status) in rounds {
        for number in 1..=GROUPS {
            dispatcher.step(Input::Changes(&[change_of(number, kind, status)]), now, &mut outputs);
        }
    }
    let ask = Ask { queues: vec![queue()], kinds: Vec::new(), max: 1, worker: None, ttl: None };
    dispatcher.step(Input::Ask(AskId(1), ask), now, &mut outputs);
    assert_eq!(dispatcher.queues[&queue()].lanes.all.capacity(), 0);
    assert!(outputs.is_empty(), "{outputs:?}");
    dispatcher.step(Input::Changes(&[change_of(9_999, ChangeKind::Submitted, Status::Init)]), now, &mut outputs);
    assert!(matches!(outputs[..], [Output::Lease { number: 9_999, .. }]), "{outputs:?}");
}

/// However many groups wait, memory holds a bounded part of their jobs, and what finds no room there is read.
#[test]
fn more_groups_than_memory_has_room_for_all_have_their_turn() {
    const GROUPS: u64 = 20_000;
    let limits = WindowLimits::default();
    let now = Timestamp::from_millis(1_000);
    let mut dispatcher = Dispatcher::new(limits);
    let mut waiting = BTreeMap::new();
    let mut outputs = Vec::new();
    for number in 1..=GROUPS {
        let mut job = Job { run_at: now, ..job(number, 0, 5, 1) };
        Arc::make_mut(&mut job.spec).group = Some(number.to_string().into());
        let job = Arc::new(job);
        waiting.insert(Lane::of(&job), Arc::clone(&job));
        let (kind, position) = (ChangeKind::Submitted, Position(number));
        let change = Change { position, previous: Position::START, at: now, kind, job, body: None, was_due: None };
        dispatcher.step(Input::Changes(&[change]), now, &mut outputs);
        assert!(dispatcher.in_memory() <= limits.total);
    }
    let mut reads = 0;
    for asked in 0.. {
        if waiting.is_empty() {
            break;
        }
        assert!(asked < GROUPS, "{} jobs are never given out", waiting.len());
        let ask = Ask { queues: vec![queue()], kinds: Vec::new(), max: 100, worker: None, ttl: None };
        dispatcher.step(Input::Ask(AskId(asked), ask), now, &mut outputs);
        while let Some(output) = outputs.pop() {
            match output {
                Output::Lease { number, ask, .. } => {
                    let mut lane = Lane::of(&job(number, 0, 5, 1));
                    lane.group = Some(number.to_string().into());
                    assert!(waiting.remove(&lane).is_some(), "job {number} is given out twice");
                    dispatcher.step(Input::Granted(ask), now, &mut outputs);
                }
                Output::Read(request) => {
                    reads += 1;
                    let found =
                        waiting.get(&request.lane).filter(|job| request.after < Some((job.run_at, job.id.number())));
                    let page = found.map(|job| Ready { job: Arc::clone(job), payload: None });
                    dispatcher.step(Input::Page(request, page.into_iter().collect()), now, &mut outputs);
                    assert!(dispatcher.in_memory() <= limits.total + limits.page);
                }
                Output::Expire { number } => panic!("job {number} does not expire"),
            }
        }
        dispatcher.step(Input::Answered, now, &mut outputs);
    }
    // Each of those that found no room is read once, and once more to know that it was the last.
    let unread = GROUPS - limits.total as u64;
    assert!((unread..=2 * unread).contains(&reads), "{reads} reads");
}

/// A job that is leased and given back in the same millisecond waits where it waited before; a page that was asked for
/// in between, from that very place on, is no reason to take it out.
#[test]
fn a_job_that_is_back_before_a_page_comes_is_not_taken_for_leased() {
    let now = Timestamp::from_millis(1_000);
    let mut dispatcher = Dispatcher::new(WindowLimits::default());
    let waiting = Job { run_at: now, ..job(1, 0, 5, 0) };
    let lane = Lane::of(&waiting);
    let step = |dispatcher: &mut Dispatcher, input: Input<'_>| {
        let mut outputs = Vec::new();
        dispatcher.step(input, now, &mut outputs);
        outputs
    };
    let ask = || Ask { queues: vec![queue()], kinds: Vec::new(), max: 1, worker: None, ttl: None };
    let Some(Output::Read(first)) = step(&mut dispatcher, Input::Lanes(vec![lane])).pop() else { panic!("no read") };
    let page = vec![Ready { job: Arc::new(waiting.clone()), payload: None }];
    let Some(Output::Read(second)) = step(&mut dispatcher, Input::Page(first, page)).pop() else { panic!("no read") };
    assert_eq!(second.after, Some((now, 1)));

    let leased = |outputs: Vec<Output>| matches!(outputs[..], [Output::Lease { number: 1, .. }]);
    assert!(leased(step(&mut dispatcher, Input::Ask(AskId(1), ask()))));
    let change = |position, kind, status| {
        let job = Arc::new(Job { status, ..waiting.clone() });
        let (position, previous) = (Position(position), Position::START);
        Change { position, previous, at: now, kind, job, body: None, was_due: None }
    };
    step(&mut dispatcher, Input::Granted(AskId(1)));
    step(&mut dispatcher, Input::Changes(&[change(2, ChangeKind::Leased, Status::Processing)]));
    step(&mut dispatcher, Input::Answered);
    step(&mut dispatcher, Input::Changes(&[change(3, ChangeKind::Released, Status::Init)]));
    step(&mut dispatcher, Input::Page(second, Vec::new()));
    assert!(leased(step(&mut dispatcher, Input::Ask(AskId(2), ask()))));
}

/// The payload of a job that is held back is at hand when it is let go: the one that it was replaced by, and none of one that
/// has run before.
#[test]
fn a_job_that_is_let_go_has_its_payload_at_hand() {
    let now = Timestamp::from_millis(1_000);
    let mut dispatcher = Dispatcher::new(WindowLimits::default());
    let held = ackd_domain::Held { after: true, ..ackd_domain::Held::default() };
    let body = |text: &'static str| Some(Body { content_type: "".into(), bytes: text.into() });
    let mut position = 0;
    let mut tell = |dispatcher: &mut Dispatcher, number, kind, held, body| {
        position += 1;
        let job = Arc::new(Job { held, ..job(number, 0, 5, 0) });
        let (position, previous) = (Position(position), Position::START);
        let change = Change { position, previous, at: now, kind, job, body, was_due: None };
        dispatcher.step(Input::Changes(&[change]), now, &mut Vec::new());
    };
    let free = ackd_domain::Held::default();
    tell(&mut dispatcher, 1, ChangeKind::Submitted, held, body("one"));
    tell(&mut dispatcher, 2, ChangeKind::Submitted, held, body("two"));
    tell(&mut dispatcher, 2, ChangeKind::Replaced, held, body("another"));
    tell(&mut dispatcher, 3, ChangeKind::Retried, held, None);
    for number in 1..=3 {
        tell(&mut dispatcher, number, ChangeKind::Unblocked, free, None);
    }
    let mut outputs = Vec::new();
    let ask = Ask { queues: vec![queue()], kinds: Vec::new(), max: 3, worker: None, ttl: None };
    dispatcher.step(Input::Ask(AskId(1), ask), now, &mut outputs);
    let payloads: Vec<Option<Body>> = outputs
        .into_iter()
        .filter_map(|output| match output {
            Output::Lease { payload, .. } => Some(payload),
            _ => None,
        })
        .collect();
    assert_eq!(payloads, [body("one"), body("another"), None]);
}

fn submitted(number: u64, queue: &Name, now: Timestamp) -> Change {
    let mut job = Job { run_at: now, ..job(number, 0, 5, 0) };
    Arc::make_mut(&mut job.spec).queue = queue.clone();
    let (kind, job, position) = (ChangeKind::Submitted, Arc::new(job), Position(number));
    Change { position, previous: Position::START, at: now, kind, job, body: None, was_due: None }
}

/// None of them is starved by those that are named before it, and one ask may have jobs of each.
#[test]
fn who_asks_several_queues_is_given_jobs_of_each() {
    let now = Timestamp::from_millis(1_000);
    let queues: [Name; 3] = ["a", "b", "c"].map(|name| Name::new(name).unwrap());
    for (every, max) in [(1, 1), (2, 1), (3, 1), (4, 2)] {
        let mut dispatcher = Dispatcher::new(WindowLimits::default());
        let mut outputs = Vec::new();
        for number in 0..900 {
            let change = submitted(number + 1, &queues[usize::try_from(number % 3).unwrap()], now);
            dispatcher.step(Input::Changes(&[change]), now, &mut outputs);
        }
        let mut given = [0_usize; 3];
        for asked in 0..90 {
            let ask = Ask { queues: queues.to_vec(), kinds: Vec::new(), max, worker: None, ttl: None };
            dispatcher.step(Input::Ask(AskId(asked * every), ask), now, &mut outputs);
            for output in outputs.drain(..) {
                let Output::Lease { number, .. } = output else { panic!("{output:?}") };
                given[usize::try_from((number - 1) % 3).unwrap()] += 1;
            }
        }
        let fair = 30 * max;
        assert!(given.iter().all(|given| given.abs_diff(fair) <= fair / 5), "{given:?} of every {every}");
    }
    let mut dispatcher = Dispatcher::new(WindowLimits::default());
    let mut outputs = Vec::new();
    for number in 1..=6 {
        let change = submitted(number, &queues[usize::try_from(number % 2).unwrap()], now);
        dispatcher.step(Input::Changes(&[change]), now, &mut outputs);
    }
    let ask = |max| Ask { queues: queues.to_vec(), kinds: Vec::new(), max, worker: None, ttl: None };
    let mut asked = |id, max| {
        dispatcher.step(Input::Ask(AskId(id), ask(max)), now, &mut outputs);
        let given = outputs.drain(..).filter(|it| matches!(it, Output::Lease { ask: AskId(ask), .. } if *ask == id));
        given.count()
    };
    assert_eq!((asked(1, 4), asked(2, 10), asked(3, 10)), (4, 2, 0));
}

/// Who asks several queues stands in each; one of which nothing may begin does not keep those that have long gone.
#[test]
fn asks_that_come_and_go_at_a_queue_that_gives_nothing_are_forgotten() {
    let now = Timestamp::from_millis(1_000);
    let (open, shut) = (queue(), Name::new("shut").unwrap());
    let full = QueueRules { concurrency: Some(1), ..QueueRules::default() };
    for rules in [QueueRules { paused: true, ..QueueRules::default() }, full] {
        let mut dispatcher = Dispatcher::new(WindowLimits::default());
        let mut outputs = Vec::new();
        dispatcher.step(Input::Configured(&shut, rules), now, &mut outputs);
        dispatcher.step(
            Input::Leased(&[Running { number: 1_000_000, queue: shut.clone(), group: None }]),
            now,
            &mut outputs,
        );
        let ask = |queues: &[&Name]| Ask {
            queues: queues.iter().copied().cloned().collect(),
            kinds: Vec::new(),
            max: 1,
            worker: None,
            ttl: None,
        };
        // Two stay all the while.
        dispatcher.step(Input::Ask(AskId(1), ask(&[&shut])), now, &mut outputs);
        dispatcher.step(Input::Ask(AskId(2), ask(&[&shut])), now, &mut outputs);
        for number in 1..=1_000 {
            let id = AskId(number + 2);
            dispatcher.step(Input::Ask(id, ask(&[&open, &shut])), now, &mut outputs);
            if number % 2 == 0 {
                dispatcher.step(Input::Forget(id), now, &mut outputs);
                continue;
            }
            dispatcher.step(Input::Changes(&[submitted(number, &open, now)]), now, &mut outputs);
            assert!(matches!(outputs.pop(), Some(Output::Lease { ask, .. }) if ask == id));
            dispatcher.step(Input::Granted(id), now, &mut outputs);
            dispatcher.step(Input::Answered, now, &mut outputs);
        }
        let waiters = dispatcher.queues[&shut].waiters.len();
        assert!(waiters <= 80, "{waiters} stand in line, of whom 2 ask");
        dispatcher.step(Input::Configured(&shut, QueueRules::default()), now, &mut outputs);
        outputs.clear();
        for number in 2_001..=2_002 {
            dispatcher.step(Input::Changes(&[submitted(number, &shut, now)]), now, &mut outputs);
        }
        let served: Vec<AskId> = outputs
            .iter()
            .filter_map(|output| if let Output::Lease { ask, .. } = output { Some(*ask) } else { None })
            .collect();
        assert_eq!(served, [AskId(1), AskId(2)], "in the order of asking");
    }
}
