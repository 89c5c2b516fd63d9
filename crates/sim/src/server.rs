use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ackd_checker::Event;
use ackd_domain::{Body, JSON};
use ackd_engine::dispatch::WindowLimits;
use ackd_engine::{Deliverer, Engine, MailboxLimits, Parts, Renderer, Stepped, Told};
use ackd_memory::MemoryDisk;
use ackd_ports::{Ledger, Outbound};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::chance::Chance;
use crate::clock::SimClock;
use crate::history::{History, snapshot};
use crate::planted::{Bug, Later, PlantedFeed, Secrets};
use crate::store::{Machine, Store, StoreParts};

/// How long the feed is kept: longer than any simulation takes.
const FEED_RETENTION: Duration = Duration::from_hours(24);

/// So little is held in memory that most is read from the ledger.
const WINDOW: WindowLimits = WindowLimits { jobs: 4, page: 2, payload: 64, payloads: 1024, held: 64, total: 8 };

/// A server that runs.
#[derive(Debug, Clone)]
pub(crate) struct Up {
    pub(crate) engine: Engine,
    /// Its power is cut, or it was killed: whatever it says from here on nobody hears.
    dead: Arc<AtomicBool>,
    died: watch::Receiver<bool>,
}

impl Up {
    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// Waits until it has died.
    pub(crate) async fn died(&self) {
        // That the sender is gone means the same.
        let _ = self.died.clone().wait_for(|died| *died).await;
    }
}

/// The server of a simulation, whichever process it is at the moment. A clone is the same.
#[derive(Clone)]
pub(crate) struct Server {
    up: Arc<Mutex<Option<Up>>>,
    kill: watch::Sender<bool>,
}

/// What a server is made of, and what outlives it.
pub(crate) struct ServerParts {
    pub(crate) seed: u64,
    pub(crate) clock: SimClock,
    pub(crate) machine: Arc<Machine>,
    pub(crate) history: History,
    pub(crate) outbound: Arc<dyn Outbound>,
    pub(crate) bug: Option<Bug>,
}

impl Server {
    /// A server that is started again each time that it dies.
    pub(crate) fn start(parts: ServerParts) -> Server {
        let server = Server { up: Arc::default(), kill: watch::Sender::new(false) };
        tokio::spawn(server.clone().run(parts));
        server
    }

    /// The process that runs now, if one does.
    pub(crate) fn up(&self) -> Option<Up> {
        self.lock().clone().filter(|up| !up.is_dead())
    }

    /// Kills the process that runs now.
    pub(crate) fn kill(&self) {
        self.kill.send_replace(true);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Up>> {
        self.up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(self, parts: ServerParts) {
        let disk = MemoryDisk::new();
        let mut chance = Chance::of(parts.seed, 1);
        let store_chance = Arc::new(Mutex::new(Chance::of(parts.seed, 2)));
        for process in 0.. {
            let (dead, later) = (Arc::new(AtomicBool::new(false)), Later::default());
            let ledger = disk.open(Secrets::new(parts.bug, Chance::of(parts.seed, 1000 + process)));
            let reader = ledger.reader();
            let store = StoreParts {
                disk: disk.clone(),
                machine: Arc::clone(&parts.machine),
                cut: Arc::clone(&dead),
                chance: Arc::clone(&store_chance),
                bug: parts.bug,
                later: Arc::clone(&later),
            };
            let started = Stepped::start(Parts {
                ledger: Box::new(Store::new(ledger, store)) as Box<dyn Ledger>,
                reader: reader.clone(),
                feed: Arc::new(PlantedFeed { feed: reader, bug: parts.bug }),
                clock: Arc::new(parts.clock.clone()),
                mailbox: MailboxLimits { commands: 40, batch_commands: 8, ..MailboxLimits::default() },
                window: WINDOW,
                feed_retention: FEED_RETENTION,
            });
            // The ledger in memory can always be read.
            let Ok((engine, stepped)) = started else { return };
            let (dies, died) = watch::channel(false);
            if process > 0 {
                parts.history.add(Event::Restarted);
            }
            *self.lock() = Some(Up { engine: engine.clone(), dead: Arc::clone(&dead), died });
            let deliverer = Deliverer::start(engine.clone(), Arc::clone(&parts.outbound), Arc::new(Numbers));
            self.live(&engine, stepped, &dead, &later, &mut chance).await;
            dead.store(true, Ordering::Relaxed);
            *self.lock() = None;
            parts.history.add(Event::Crashed);
            // Its tasks find the engine gone, and end.
            drop((deliverer, engine));
            dies.send_replace(true);
            let lucky = chance.below(disk.unsynced() as u64 + 1);
            disk.cut(usize::try_from(lucky).unwrap_or(0));
            sleep(chance.millis(3_000)).await;
            self.kill.send_replace(false);
        }
    }

    /// Lets core, pager and tail have their turns until something kills them.
    async fn live(&self, engine: &Engine, mut stepped: Stepped, dead: &AtomicBool, later: &Later, chance: &mut Chance) {
        enum Turn {
            Core,
            Pager,
            Tail,
            Killed,
        }
        let mut killed = self.kill.subscribe();
        let (mut read_at, mut tell_at): (Option<Instant>, Option<Instant>) = (None, None);
        let at = |at: Option<Instant>| async move {
            match at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        loop {
            let turn = tokio::select! {
                biased;
                _ = killed.wait_for(|killed| *killed) => Turn::Killed,
                () = at(read_at) => Turn::Pager,
                () = at(tell_at) => Turn::Tail,
                () = stepped.ready() => Turn::Core,
            };
            match turn {
                Turn::Killed => return,
                Turn::Pager => {
                    stepped.read();
                    read_at = None;
                }
                Turn::Tail => {
                    stepped.tell();
                    tell_at = None;
                }
                Turn::Core => {
                    stepped.turn();
                    tell_at.get_or_insert_with(|| Instant::now() + chance.millis(3));
                }
            }
            if dead.load(Ordering::Relaxed) {
                return;
            }
            if !engine.health().is_ready() {
                // It says that it can do no more; somebody starts it again.
                sleep(chance.millis(2_000)).await;
                return;
            }
            if stepped.has_reads() {
                read_at.get_or_insert_with(|| Instant::now() + chance.millis(5));
            }
            let commands = std::mem::take(&mut *later.lock().unwrap_or_else(PoisonError::into_inner));
            if !commands.is_empty() {
                let (engine, delay) = (engine.clone(), chance.millis(200));
                tokio::spawn(async move {
                    sleep(delay).await;
                    // A server that was killed meanwhile does not come to it.
                    drop(engine.run(commands).await);
                });
            }
        }
    }
}

/// Webhooks tell a job in numbers.
struct Numbers;

impl Renderer for Numbers {
    fn render(&self, told: &Told<'_>) -> Body {
        let job = snapshot(&told.change.job, None, None);
        let status = told.change.job.status as u8;
        let text = format!("{} {status} {} {} {}", job.job, job.version, job.run, job.attempt);
        Body { content_type: JSON.into(), bytes: text.into() }
    }
}
