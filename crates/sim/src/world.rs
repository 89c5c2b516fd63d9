use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ackd_checker::{Checker, Event, Record, Report};
use ackd_domain::{Backoff, Command, Name, QueuePatch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::actors::{Client, QUEUES, Subscriber, Target, Worker};
use crate::chance::Chance;
use crate::clock::SimClock;
use crate::history::History;
use crate::network::{Network, Weather};
use crate::planted::Bug;
use crate::server::{Server, ServerParts};
use crate::store::Machine;

/// How long everything may take to end once nothing fails any more: retries wait for half a second at most, and nobody waits
/// for a wall clock that was ahead, which would be up to three minutes.
const BOUND: Duration = Duration::from_secs(60);

/// How long webhooks may: the third attempt is made five minutes after the second.
const TOLD_WITHIN: Duration = Duration::from_mins(50);

/// By how much the wall clock is wrong at most, ahead or behind, in milliseconds.
const WRONG: u64 = 90_000;

/// What came of a seed.
#[derive(Debug)]
pub struct Outcome {
    /// What the clients saw.
    pub history: Vec<Record<u64>>,
    /// What the checker says of it.
    pub report: Report,
}

/// Simulates `seed`, with a bug where one is planted.
///
/// # Panics
/// If what was simulated is no history, or the system gives no runtime: a mistake of the simulation.
#[must_use]
pub fn run(seed: u64, bug: Option<Bug>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let history = runtime.expect("a runtime can be made").block_on(World::live(seed, bug));
    let mut checker = Checker::new();
    for record in &history {
        checker.take(record).expect("the simulation writes a history");
    }
    Outcome { report: checker.finish(), history }
}

/// Everything, under one seed.
struct World {
    chance: Chance,
    clock: SimClock,
    machine: Arc<Machine>,
    history: History,
    server: Server,
    /// How many posts of webhooks fail.
    failing: Arc<AtomicU64>,
    calm: Arc<AtomicBool>,
    weather: Weather,
    seed: u64,
}

impl World {
    async fn live(seed: u64, bug: Option<Bug>) -> Vec<Record<u64>> {
        let mut world = World::new(seed, bug);
        world.configure().await;
        world.history.add(Event::FaultsBegin);
        let subscribers: Vec<_> = (0..2).map(|number| tokio::spawn(world.subscriber(number).run())).collect();
        let workers: Vec<_> = (0..3).map(|number| tokio::spawn(world.worker(number).run())).collect();
        let (steps, pause) = (4 + world.chance.below(10), 500 + world.chance.below(2_500));
        let clients: Vec<_> = (0..2).map(|number| tokio::spawn(world.client(number).run(steps, pause))).collect();
        world.disturb(&clients).await;
        for client in clients {
            client.await.expect("no client panics");
        }
        world.calm().await;
        world.drain().await;
        world.tell().await;
        (0..2).for_each(|number| Subscriber::caught_up(number, &world.history));
        world.history.add(Event::End);
        subscribers.iter().chain(&workers).for_each(JoinHandle::abort);
        world.history.take()
    }

    fn new(seed: u64, bug: Option<Bug>) -> World {
        let mut chance = Chance::of(seed, 0);
        let clock = SimClock::start();
        let history = History::new(clock.clone());
        let machine = Arc::new(Machine::default());
        let failing = Arc::new(AtomicU64::new(chance.below(300)));
        let target = Target {
            history: history.clone(),
            chance: Arc::new(Mutex::new(Chance::of(seed, 3))),
            failing: Arc::clone(&failing),
        };
        let server = Server::start(ServerParts {
            seed,
            clock: clock.clone(),
            machine: Arc::clone(&machine),
            history: history.clone(),
            outbound: Arc::new(target),
            bug,
        });
        // Each kind of fault is left out of some worlds, so that the others are seen by themselves.
        let mut now_and_then = |most: u64| if chance.permille(600) { chance.below(most + 1) } else { 0 };
        let weather = Weather { delay: 1 + now_and_then(100), loss: now_and_then(150), repeats: now_and_then(200) };
        for (fault, most) in [(&machine.cuts, 20), (&machine.full, 60), (&machine.unsynced, 20)] {
            fault.store(now_and_then(most), Ordering::Relaxed);
        }
        World { chance, clock, machine, history, server, failing, calm: Arc::default(), weather, seed }
    }

    /// Sets the queues up before anything fails.
    async fn configure(&mut self) {
        let faults = [&self.machine.cuts, &self.machine.full, &self.machine.unsynced];
        let kept = faults.map(|fault| fault.swap(0, Ordering::Relaxed));
        let up = self.up().await;
        let limit = self.chance.permille(200).then_some(Some(2));
        for name in QUEUES {
            let backoff = Backoff::new(Duration::from_millis(100), 2.0, Duration::from_millis(500), 0.5).ok();
            let patch = QueuePatch { backoff: Some(backoff), concurrency: limit, ..QueuePatch::default() };
            let queue = Name::new(name).expect("it is a name");
            // Nothing fails yet.
            drop(up.engine.run(vec![Command::Configure { queue, patch: Box::new(patch) }]).await);
        }
        for (fault, kept) in faults.iter().zip(kept) {
            fault.store(kept, Ordering::Relaxed);
        }
    }

    async fn up(&self) -> crate::server::Up {
        loop {
            if let Some(up) = self.server.up() {
                return up;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    fn network(&self, part: u64) -> Network {
        Network::new(self.server.clone(), self.weather, Chance::of(self.seed, part))
    }

    fn client(&self, number: u64) -> Client {
        Client { number, network: self.network(100 + number), history: self.history.clone(), jobs: Vec::new() }
    }

    fn worker(&self, number: u64) -> Worker {
        Worker {
            number: 10 + number,
            network: self.network(200 + number),
            history: self.history.clone(),
            careless: 150,
            calm: Arc::clone(&self.calm),
        }
    }

    fn subscriber(&self, number: u64) -> Subscriber {
        Subscriber {
            number,
            network: self.network(300 + number),
            history: self.history.clone(),
            calm: Arc::clone(&self.calm),
        }
    }

    /// Kills the server and sets the clock, now and then, as long as there are clients.
    async fn disturb(&mut self, clients: &[JoinHandle<()>]) {
        let kills = if self.chance.permille(500) { 1 + self.chance.below(200) } else { 0 };
        let jumps = if self.chance.permille(300) { 200 } else { 0 };
        while clients.iter().any(|client| !client.is_finished()) {
            sleep(self.chance.millis(1_000)).await;
            if self.chance.permille(kills) {
                self.server.kill();
            }
            if self.chance.permille(jumps) {
                let wrong = i64::try_from(self.chance.below(2 * WRONG)).unwrap_or(0);
                self.clock.set_wrong(wrong - WRONG.cast_signed());
            }
        }
    }

    /// Nothing fails any more.
    async fn calm(&mut self) {
        self.machine.heal();
        self.failing.store(0, Ordering::Relaxed);
        self.clock.set_wrong(0);
        self.calm.store(true, Ordering::Relaxed);
        self.weather = Weather { delay: 1, ..Weather::default() };
        self.up().await;
        let bound = u64::try_from(BOUND.as_micros()).unwrap_or(u64::MAX);
        self.history.add(Event::FaultsStop { bound });
    }

    /// Looks for each job until it has ended, or the bound is over.
    async fn drain(&mut self) {
        let mut reader = self.client(9);
        let until = self.history.now() + u64::try_from(BOUND.as_micros()).unwrap_or(0);
        // What was held up on its way arrives, and may make further jobs.
        sleep(Duration::from_secs(7)).await;
        loop {
            let open: Vec<_> = self.history.jobs().into_iter().filter(|(_, ended)| !ended).collect();
            if open.is_empty() || self.history.now() > until {
                break;
            }
            for (id, _) in open {
                reader.read(id).await;
            }
            // Whoever waits until another is done waits for somebody to try that one again.
            for (id, undone) in self.history.awaited() {
                if undone {
                    reader.retry(id).await;
                }
                reader.read(id).await;
            }
            sleep(Duration::from_secs(1)).await;
        }
        for (id, _) in self.history.jobs() {
            reader.read(id).await;
        }
        // So long may a change be on its way to those who follow.
        sleep(Duration::from_secs(6)).await;
    }

    /// Waits until the webhooks of all jobs were told.
    async fn tell(&mut self) {
        let mut waited = Duration::ZERO;
        while waited < TOLD_WITHIN && !self.history.is_told() {
            let step = Duration::from_secs(5);
            sleep(step).await;
            waited += step;
        }
    }
}
