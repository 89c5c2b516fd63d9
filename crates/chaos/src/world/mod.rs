//! A server over a disk, its clients, what they saw, and what comes of that.

mod ending;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use ackd_checker::Event;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::address::{Address, Signpost};
use crate::chance::Chance;
use crate::disk::Disk;
use crate::error::{Done, broken};
use crate::figures::Figures;
use crate::history::History;
use crate::http::Http;
use crate::plan::Plan;
use crate::server::{Launch, Server, Started};
use crate::workload::{Face, Follower, Phase, Poller, QUEUE, Receiver, Shape, Submitter, Worker};

/// How long everything may take to end once nothing fails any more.
pub(crate) const BOUND: Duration = Duration::from_secs(120);

/// How many read at once when all is read at the end.
const READERS: usize = 8;

/// See the module. Everything in it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct World {
    /// It goes before the disk that it writes to.
    server: Option<Server>,
    pub(crate) chance: Chance,
    pub(crate) history: History,
    pub(crate) disk: Disk,
    pub(crate) launch: Launch,
    pub(crate) figures: Figures,
    pub(crate) receiver: Receiver,
    name: String,
    seed: u64,
    started: Instant,
    signpost: Signpost,
    phase: watch::Sender<Phase>,
    /// Those who end when it is calm.
    clients: JoinSet<()>,
    /// Those who do not.
    others: JoinSet<()>,
    reading: watch::Sender<bool>,
    followers: Vec<watch::Receiver<String>>,
    /// How many actors there are.
    actors: u64,
}

/// How many of whom there are.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) submitters: u64,
    pub(crate) workers: u64,
    pub(crate) pollers: u64,
    pub(crate) followers: u64,
    pub(crate) shape: Shape,
    /// How many jobs of a thousand workers are careless with.
    pub(crate) careless: u64,
}

impl Default for Load {
    fn default() -> Load {
        Load { submitters: 4, workers: 4, pollers: 2, followers: 2, shape: Shape::default(), careless: 30 }
    }
}

impl World {
    /// A world without a server, over `disk`.
    pub(crate) async fn new(plan: &Plan, name: impl Into<String>, disk: Disk) -> Done<World> {
        let history = History::new();
        let receiver = Receiver::start(history.clone()).await?;
        Ok(World {
            chance: Chance::of(plan.seed, 0),
            receiver,
            history,
            disk,
            launch: plan.launch.clone(),
            figures: Figures::default(),
            name: name.into(),
            seed: plan.seed,
            started: Instant::now(),
            signpost: Signpost::new(),
            server: None,
            phase: watch::Sender::new(Phase::Storm),
            clients: JoinSet::new(),
            others: JoinSet::new(),
            reading: watch::Sender::new(true),
            followers: Vec::new(),
            actors: 0,
        })
    }

    /// Starts the server, which must come up.
    pub(crate) async fn start(&mut self) -> Done {
        let launch = self.launch.clone();
        match self.try_start(&launch).await? {
            None => Ok(()),
            Some(said) => broken(format!("the server does not start: {said}")),
        }
    }

    /// Starts the server as `launch` says. What it said where it does not come up.
    pub(crate) async fn try_start(&mut self, launch: &Launch) -> Done<Option<String>> {
        match Server::start(launch, &self.disk.data(), &self.log()).await? {
            Started::Up(server) => {
                self.history.add(Event::Restarted);
                self.signpost.point(Some(server.at));
                self.server = Some(server);
                Ok(None)
            }
            Started::Ended(status, said) => Ok(Some(format!("{status}: {}", said.trim()))),
        }
    }

    /// Has the queue set up so that what fails is tried again soon.
    pub(crate) async fn configure(&mut self) -> Done {
        let settings = json!({"backoff": {"base": "50ms", "factor": 1.5, "max": "500ms", "jitter": 0.5}});
        let answer = self
            .http()
            .ask("PATCH", &format!("/v1/queues/{QUEUE}"), "application/merge-patch+json", &settings.to_string())
            .await;
        match answer {
            Ok(answer) if answer.status == 200 => Ok(()),
            other => broken(format!("the queue cannot be set up: {other:?}")),
        }
    }

    /// SIGKILL.
    pub(crate) async fn kill(&mut self) -> Done {
        if let Some(server) = self.server.take() {
            server.kill().await?;
            self.history.add(Event::Crashed);
        }
        self.signpost.point(None);
        Ok(())
    }

    /// Cuts the power of the disk, the network and the server. Nobody hears an answer from then on: ext4 lets an fsync succeed
    /// that the cut overtook, and only a machine whose power is gone cannot tell of it.
    pub(crate) async fn cut(&mut self) -> Done {
        self.signpost.cut();
        self.disk.cut()?;
        self.kill().await
    }

    /// Waits until the server ends of itself, and says how.
    pub(crate) async fn ended(&mut self) -> Done<String> {
        let Some(server) = &mut self.server else { return broken("there is no server that could end") };
        let status = server.ended().await?;
        self.signpost.point(None);
        self.server = None;
        self.history.add(Event::Crashed);
        Ok(status.to_string())
    }

    /// SIGTERM.
    pub(crate) async fn stop(&mut self) -> Done {
        self.signpost.point(None);
        match self.server.take() {
            Some(server) => server.stop().await,
            None => Ok(()),
        }
    }

    /// The most memory that the server ever had, in bytes.
    pub(crate) fn peak(&self) -> Done<u64> {
        self.server.as_ref().map_or_else(|| broken("there is no server"), Server::peak)
    }

    pub(crate) fn address(&self) -> Address {
        self.signpost.address()
    }

    pub(crate) fn http(&self) -> Http {
        Http::new(self.address())
    }

    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Has the followers read, or not.
    pub(crate) fn set_reading(&self, reads: bool) {
        self.reading.send_replace(reads);
    }

    fn next_actor(&mut self) -> (u64, Chance) {
        self.actors += 1;
        (self.actors, Chance::of(self.seed, self.actors))
    }

    pub(crate) fn submitter(&mut self, shape: &Shape) -> Submitter {
        let (number, chance) = self.next_actor();
        let (http, history) = (self.http(), self.history.clone());
        Submitter { number, http, history, chance, shape: shape.clone(), open: Vec::new(), last: None }
    }

    /// A worker who reaches the server by `address`.
    pub(crate) fn worker(&mut self, careless: u64, address: Address) -> Worker {
        let (number, chance) = self.next_actor();
        let (http, history) = (Http::new(address), self.history.clone());
        let ttl = Duration::from_millis(1_500);
        Worker { number, http, history, chance, careless, ttl, most: 8, takes: 20 }
    }

    pub(crate) fn poller(&mut self) -> Poller {
        let (number, chance) = self.next_actor();
        Poller { number, http: self.http(), history: self.history.clone(), chance, pause: 20 }
    }

    /// Starts one who follows.
    pub(crate) fn follow(&mut self, face: Face) {
        let (number, _) = self.next_actor();
        let (last, told) = watch::channel(String::new());
        let (address, history, reads) = (self.address(), self.history.clone(), self.reading.subscribe());
        self.others.spawn(Follower { number, face, address, history, reads, last }.run());
        self.followers.push(told);
    }

    /// Starts one who works.
    pub(crate) fn work(&mut self, worker: Worker) {
        self.others.spawn(worker.run(self.phase()));
    }

    /// Starts clients.
    pub(crate) fn load(&mut self, load: &Load) {
        for _ in 0..load.submitters {
            let submitter = self.submitter(&load.shape);
            self.clients.spawn(submitter.run(self.phase()));
        }
        for _ in 0..load.pollers {
            let poller = self.poller();
            self.clients.spawn(poller.run(self.phase()));
        }
        for _ in 0..load.workers {
            let worker = self.worker(load.careless, self.address());
            self.work(worker);
        }
        for _ in 0..load.followers {
            self.follow(Face::Events);
        }
    }

    /// Waits until clients have written down about so many further records, or so long where they cannot.
    pub(crate) async fn pass(&mut self, records: u64, at_most: Duration) {
        let records = usize::try_from(1 + self.chance.below(records)).unwrap_or(1);
        // That nothing is written down is for the checker to judge.
        let _ = timeout(at_most, self.history.grow(records)).await;
        // Somewhere between two commits as well as in the middle of one.
        sleep(Duration::from_micros(self.chance.below(3_000))).await;
    }

    /// Where the server's own words are.
    fn log(&self) -> PathBuf {
        self.disk.beside("log")
    }
}
