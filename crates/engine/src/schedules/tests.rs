use ackd_domain::{Body, JSON, Missed, Submission, limits};
use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// 2026-11-20T00:00:00Z.
const START: Timestamp = Timestamp::from_millis(1_795_132_800_000);

/// Schedules, what a ledger holds of them, and the clocks.
struct World {
    schedules: Schedules,
    stored: BTreeMap<Name, Arc<Schedule>>,
    now: Timestamp,
    tick: Duration,
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn schedule(text: &str, cron: &str, missed: Missed) -> Schedule {
    let payload = Body { content_type: JSON.into(), bytes: Bytes::from_static(b"{}") };
    Schedule {
        name: name(text),
        cron: cron.into(),
        timezone: "UTC".into(),
        missed,
        paused: false,
        job: Submission::new(name("video"), payload),
        revision: 1,
        created_at: START,
        next_run_at: Calendar::new(cron, "UTC").ok().and_then(|calendar| calendar.next(START)),
        last_run_at: None,
        last_job: None,
    }
}

impl World {
    fn new(schedules: impl IntoIterator<Item = Schedule>) -> World {
        let stored = schedules.into_iter().map(|it| (it.name.clone(), Arc::new(it))).collect();
        let mut world = World { schedules: Schedules::default(), stored, now: START, tick: Duration::ZERO };
        world.restart();
        world
    }

    /// A server that is started anew knows what the ledger holds.
    fn restart(&mut self) {
        self.schedules = Schedules::default();
        let stored: Vec<_> = self.stored.values().cloned().collect();
        stored.iter().for_each(|schedule| assert_eq!(self.tell(Input::Put(schedule)), []));
    }

    fn tell(&mut self, input: Input<'_>) -> Vec<Firing> {
        let mut firings = Vec::new();
        self.schedules.step(input, self.tick, &mut firings);
        firings
    }

    fn put(&mut self, schedule: Schedule) {
        let schedule = Arc::new(schedule);
        self.stored.insert(schedule.name.clone(), Arc::clone(&schedule));
        assert_eq!(self.tell(Input::Put(&schedule)), []);
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
        self.tick += time;
    }

    /// Only the wall clock does.
    fn jump_back(&mut self, time: Duration) {
        self.now = Timestamp::from_millis(self.now.millis() - i64::try_from(time.as_millis()).unwrap());
    }

    /// The firings of now, which the ledger commits if it agrees, as it decides that.
    fn fire(&mut self) -> Vec<Firing> {
        let firings = self.tell(Input::Tick(self.now));
        for firing in &firings {
            let known = &self.stored[&firing.name];
            assert_eq!((known.revision, known.next_run_at), (firing.revision, Some(firing.at)), "it has moved on");
            let latest = firing.latest.or(known.last_run_at);
            self.put(Schedule { next_run_at: firing.next, last_run_at: latest, ..(**known).clone() });
        }
        firings
    }

    /// How many jobs are made now, and the latest time for which one is.
    fn made(&mut self) -> (usize, Option<Timestamp>) {
        let firings = self.fire();
        (firings.iter().map(|it| it.jobs.len()).sum(), firings.iter().filter_map(|it| it.latest).max())
    }

    fn patience(&self) -> Option<Duration> {
        self.schedules.patience(self.now, self.tick)
    }
}

fn after(time: Duration) -> Timestamp {
    START.after(time)
}

#[test]
fn each_fires_at_its_time_and_costs_nothing_between() {
    let mut world = World::new([schedule("a", "*/5 * * * *", Missed::One), schedule("b", "7 * * * *", Missed::One)]);
    for (wait, fired, at) in [(5, "a", 5), (2, "b", 7), (3, "a", 10), (5, "a", 15)] {
        assert_eq!(world.patience(), Some(wait * MINUTE), "nobody looks at it before");
        world.pass(wait * MINUTE - Duration::from_millis(1));
        assert_eq!(world.fire(), []);
        world.pass(Duration::from_millis(1));
        let firings = world.fire();
        let [firing] = &firings[..] else { panic!("{firings:?}") };
        assert_eq!((firing.name.as_str(), firing.at, firing.jobs.len()), (fired, after(at * MINUTE), 1));
        assert_eq!(world.fire(), []);
    }
    assert_eq!(World::new([]).patience(), None);
}

#[test]
fn what_was_missed_follows_the_policy() {
    let (second, just) = (Duration::from_secs(1), Duration::from_millis(1));
    for (missed, cron, down, jobs, latest) in [
        // On time, or a moment late.
        (Missed::Skip, "0 * * * *", HOUR, 1, Some(HOUR)),
        (Missed::One, "0 * * * *", HOUR, 1, Some(HOUR)),
        (Missed::All, "0 * * * *", HOUR, 1, Some(HOUR)),
        (Missed::Skip, "0 * * * *", HOUR + ON_TIME, 1, Some(HOUR)),
        // Too late for the only one, and for the last of many.
        (Missed::Skip, "0 * * * *", HOUR + ON_TIME + just, 0, None),
        (Missed::Skip, "0 * * * *", 5 * HOUR + 2 * MINUTE, 0, None),
        (Missed::Skip, "0 * * * *", 5 * HOUR + second, 1, Some(5 * HOUR)),
        (Missed::One, "0 * * * *", 5 * HOUR + 2 * MINUTE, 1, Some(5 * HOUR)),
        (Missed::All, "0 * * * *", 5 * HOUR + 2 * MINUTE, 5, Some(5 * HOUR)),
        (Missed::All, "0 * * * *", 100 * HOUR, limits::MISSED_RUNS, Some(100 * HOUR)),
        (Missed::All, "0 * * * *", 101 * HOUR, limits::MISSED_RUNS, Some(101 * HOUR)),
        // A clock that jumps ahead by a year, or a server that was down as long.
        (Missed::Skip, "* * * * *", 365 * DAY, 1, Some(365 * DAY)),
        (Missed::Skip, "30 * * * *", 365 * DAY, 0, None),
        (Missed::One, "* * * * *", 365 * DAY + second, 1, Some(365 * DAY)),
        (Missed::All, "* * * * *", 365 * DAY + second, limits::MISSED_RUNS, Some(365 * DAY)),
        (Missed::All, "0 0 1 * *", 365 * DAY, 12, Some(346 * DAY)),
    ] {
        for restarted in [false, true] {
            let mut world = World::new([schedule("a", cron, missed)]);
            world.pass(down);
            if restarted {
                world.restart();
            }
            let case = format!("{missed:?} {cron} after {down:?}, restarted: {restarted}");
            assert_eq!(world.made(), (jobs, latest.map(after)), "{case}");
            let next = world.stored[&name("a")].next_run_at.unwrap();
            assert!(next > world.now, "{case}");
            assert_eq!(world.made(), (0, None), "{case}");
            world.now = next;
            assert_eq!(world.made(), (1, Some(next)), "{case}");
        }
    }
}

#[test]
fn a_clock_that_goes_back_fires_nothing_twice_and_forgets_nothing() {
    for back in [HOUR, 365 * DAY] {
        for missed in [Missed::Skip, Missed::One, Missed::All] {
            let mut world = World::new([schedule("a", "0,30 * * * *", missed)]);
            world.pass(3 * HOUR);
            assert!(world.made().0 > 0);
            world.jump_back(back);
            world.restart();
            assert_eq!(world.patience(), Some(back + HOUR / 2), "{missed:?}");
            world.pass(back);
            assert_eq!(world.made(), (0, None), "{missed:?}");
            world.pass(HOUR / 2);
            assert_eq!(world.made(), (1, Some(after(3 * HOUR + HOUR / 2))), "{missed:?}");
        }
    }
}

#[test]
fn what_could_not_be_fired_is_tried_again_after_a_rest() {
    let mut world = World::new([schedule("a", "0 * * * *", Missed::One)]);
    world.pass(HOUR);
    for _ in 0..3 {
        let firings = world.tell(Input::Tick(world.now));
        assert_eq!(firings.len(), 1);
        assert_eq!(world.tell(Input::NotFired(&firings[0].name)), []);
        assert_eq!(world.patience(), Some(REST));
        // However the wall clock jumps.
        world.jump_back(HOUR / 2);
        world.tick += REST - Duration::from_millis(1);
        assert_eq!(world.fire(), []);
        world.now = world.now.after(HOUR / 2);
        world.tick += Duration::from_millis(1);
    }
    assert_eq!(world.made(), (1, Some(after(HOUR))));
    // One that was put anew or deleted meanwhile is not tried as what it was.
    world.pass(HOUR);
    assert_eq!(world.tell(Input::Tick(world.now)).len(), 1);
    let paused = Schedule { paused: true, next_run_at: None, revision: 2, ..(*world.stored[&name("a")]).clone() };
    world.put(paused);
    assert_eq!(world.tell(Input::NotFired(&name("a"))), []);
    assert_eq!(world.tell(Input::NotFired(&name("gone"))), []);
    world.pass(REST);
    assert_eq!(world.fire(), []);
    assert_eq!(world.patience(), None);
}

#[test]
fn what_is_put_anew_or_deleted_fires_as_it_is() {
    let mut world = World::new([schedule("a", "0 * * * *", Missed::One), schedule("b", "0 * * * *", Missed::One)]);
    let daily = Schedule { revision: 2, ..schedule("a", "@daily", Missed::One) };
    world.put(daily.clone());
    world.tell(Input::Deleted(&name("b")));
    world.tell(Input::Deleted(&name("never")));
    assert_eq!(world.patience(), Some(DAY));
    world.pass(DAY);
    let firings = world.fire();
    assert_eq!(firings.len(), 1);
    assert_eq!((firings[0].revision, firings[0].at, firings[0].next), (2, after(DAY), Some(after(2 * DAY))));
    // One that nobody can read any more makes nothing, and keeps its time.
    world.put(Schedule { timezone: "Mars/Olympus".into(), next_run_at: Some(after(2 * DAY)), ..daily });
    world.pass(2 * DAY);
    assert_eq!((world.fire(), world.patience()), (vec![], None));
}

#[test]
fn a_tick_makes_only_so_much() {
    let many = limits::SCHEDULES;
    let all = |missed, payload: usize| {
        let payload = Body { content_type: JSON.into(), bytes: vec![b' '; payload].into() };
        let one = move |n: usize| {
            let schedule = schedule(&format!("s{n}"), "0 * * * *", missed);
            Schedule { job: Submission { payload: payload.clone(), ..schedule.job.clone() }, ..schedule }
        };
        (0..many).map(one)
    };
    let mut world = World::new(all(Missed::One, 2));
    world.pass(HOUR);
    assert_eq!(world.made().0, many);
    let mut world = World::new(all(Missed::All, 2));
    world.pass(10 * HOUR);
    let (mut ticks, mut sum) = (0, 0);
    while world.patience() == Some(Duration::ZERO) {
        let (made, _) = world.made();
        assert!(made <= JOBS_AT_ONCE, "{made}");
        (ticks, sum) = (ticks + 1, sum + made);
    }
    assert_eq!((ticks, sum), (10, 10 * many));
    let mut world = World::new(all(Missed::One, limits::SCHEDULE_PAYLOAD_BYTES));
    world.pass(HOUR);
    assert_eq!(world.made().0, BYTES_AT_ONCE / limits::SCHEDULE_PAYLOAD_BYTES);
}

#[derive(Debug, Clone)]
enum Act {
    Pass(Duration),
    JumpBack(Duration),
    Restart,
    /// The commit of what is fired now fails.
    Fail,
}

fn act() -> impl Strategy<Value = Act> {
    let time = |most: u64| (0..most).prop_map(Duration::from_secs);
    prop_oneof![
        4 => time(8000).prop_map(Act::Pass),
        2 => time(8000).prop_map(Act::JumpBack),
        1 => Just(Act::Restart),
        1 => Just(Act::Fail),
    ]
}

proptest! {
    /// Whatever happens, every time has its job in the end, and none has two.
    #[test]
    fn no_time_is_used_twice_and_none_is_forgotten(acts in proptest::collection::vec(act(), 0..60)) {
        let mut world = World::new([schedule("a", "*/10 * * * *", Missed::All)]);
        let calendar = Calendar::new("*/10 * * * *", "UTC").unwrap();
        let (mut jobs, mut latest, mut furthest) = (0, START, START);
        for act in acts {
            match act {
                Act::Pass(time) => world.pass(time),
                Act::JumpBack(time) => world.jump_back(time),
                Act::Restart => world.restart(),
                Act::Fail => {
                    for firing in world.tell(Input::Tick(world.now)) {
                        world.tell(Input::NotFired(&firing.name));
                    }
                    world.pass(REST);
                }
            }
            furthest = furthest.max(world.now);
            for firing in world.fire() {
                prop_assert!(firing.at > latest, "{firing:?} after {latest:?}");
                jobs += firing.jobs.len();
                latest = firing.latest.unwrap();
            }
        }
        let came = std::iter::successors(calendar.next(START), |last| calendar.next(*last));
        prop_assert_eq!(jobs, came.take_while(|time| *time <= furthest).count());
    }
}
