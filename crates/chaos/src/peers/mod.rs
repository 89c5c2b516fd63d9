//! The same power cut on other systems: how many writes that were acknowledged are not there afterwards.

mod nats;
mod postgres;
mod redis;
mod server;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::ValueEnum;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::chance::Chance;
use crate::disk::Disk;
use crate::error::Done;
use crate::plan::Plan;
use server::Server;

/// The bytes of the disk.
const SIZE: u64 = 2 << 30;

/// How many write at once, each one thing after the other.
const WRITERS: u64 = 16;

/// Another system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    /// NATS JetStream
    Nats,
    /// Redis
    Redis,
    /// PostgreSQL
    Postgres,
}

/// A peer with its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    peer: Peer,
    title: &'static str,
    /// The settings that are not as they are installed.
    settings: &'static [&'static str],
}

/// What a system has lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Loss {
    /// The writes that it acknowledged.
    pub acknowledged: u64,
    /// Of these, those that were gone after a cut.
    pub lost: u64,
    /// The most that one cut took.
    pub worst: u64,
    /// How often the power was cut.
    pub cuts: u64,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} | {} | {} | {}", self.acknowledged, self.lost, self.worst, self.cuts)
    }
}

impl Peer {
    /// It as it is installed, first, and with other settings.
    #[must_use]
    pub fn cases(self) -> &'static [Case] {
        const fn case(peer: Peer, title: &'static str, settings: &'static [&'static str]) -> Case {
            Case { peer, title, settings }
        }
        match self {
            Peer::Nats => const { &[case(Peer::Nats, "NATS JetStream, as it is installed", &[])] },
            Peer::Redis => {
                const {
                    &[
                        case(Peer::Redis, "Redis, as it is installed: snapshots", &[]),
                        case(Peer::Redis, "Redis, append-only file, synced every second", &["--appendonly", "yes"]),
                        case(
                            Peer::Redis,
                            "Redis, append-only file, always synced",
                            &["--appendonly", "yes", "--appendfsync", "always"],
                        ),
                    ]
                }
            }
            Peer::Postgres => {
                const {
                    &[
                        case(Peer::Postgres, "PostgreSQL, as it is installed", &[]),
                        case(Peer::Postgres, "PostgreSQL, synchronous_commit=off", &["-c", "synchronous_commit=off"]),
                    ]
                }
            }
        }
    }
}

/// What was acknowledged before the power went.
#[derive(Debug, Default)]
struct Written {
    /// The power is gone: nothing is acknowledged any more, whatever a process still says.
    cut: AtomicBool,
    next: AtomicU64,
    acknowledged: Mutex<BTreeSet<u64>>,
}

impl Written {
    /// A number that nobody wrote before.
    fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn acknowledged(&self, number: u64) {
        let mut acknowledged = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, which who cuts the power takes too.
        if !self.cut.load(Ordering::Relaxed) {
            acknowledged.insert(number);
        }
    }

    fn set_cut(&self, cut: bool) {
        let _held = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        self.cut.store(cut, Ordering::Relaxed);
    }

    fn all(&self) -> BTreeSet<u64> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on those that are gone are not missed again.
    fn keep(&self, present: BTreeSet<u64>) {
        *self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner) = present;
    }
}

impl Case {
    /// What it is called.
    #[must_use]
    pub fn title(&self) -> &'static str {
        self.title
    }

    /// Cuts the power of its disk so many times while it is written to.
    ///
    /// # Errors
    /// Where the machine does not allow it, or the system does not come back.
    pub async fn power_cut(&self, plan: &Plan, cuts: u64) -> Done<Loss> {
        let disk = Disk::image(&plan.dir, SIZE)?;
        let mut chance = Chance::of(plan.seed, 0);
        let written = Arc::<Written>::default();
        let mut server = Server::start(self, &disk, true).await?;
        self.prepare(&server).await?;
        // What a system makes at its start stands on the disk for long when power goes, also where it syncs seldom.
        disk.sync()?;
        let mut loss = Loss { cuts, ..Loss::default() };
        for _ in 0..cuts {
            let before = written.all().len();
            let mut writers = JoinSet::new();
            for _ in 0..WRITERS {
                let (peer, at, written) = (self.peer, server.at, Arc::clone(&written));
                writers.spawn(async move {
                    // It ends with the server.
                    let _ = match peer {
                        Peer::Nats => nats::write(at, &written).await,
                        Peer::Redis => redis::write(at, &written).await,
                        Peer::Postgres => postgres::write(at, &written).await,
                    };
                });
            }
            sleep(Duration::from_millis(500) + chance.millis(1_500)).await;
            written.set_cut(true);
            disk.cut()?;
            server.kill().await?;
            writers.shutdown().await;
            disk.restore()?;
            server = Server::start(self, &disk, false).await?;
            self.prepare(&server).await?;
            let all = written.all();
            let present: BTreeSet<u64> = self.present(&server, &all).await?.intersection(&all).copied().collect();
            let gone = (all.len() - present.len()) as u64;
            loss.acknowledged += (all.len() - before) as u64;
            loss.lost += gone;
            loss.worst = loss.worst.max(gone);
            written.keep(present);
            written.set_cut(false);
            disk.sync()?;
        }
        Ok(loss)
    }

    /// Makes what is written into, where it is not there, and waits until it can be.
    async fn prepare(&self, server: &Server) -> Done {
        match self.peer {
            Peer::Nats => nats::prepare(server.at).await,
            Peer::Redis => redis::prepare(server.at).await,
            Peer::Postgres => postgres::prepare(server.at).await,
        }
    }

    /// Which of the numbers are there.
    async fn present(&self, server: &Server, of: &BTreeSet<u64>) -> Done<BTreeSet<u64>> {
        match self.peer {
            Peer::Nats => nats::present(server.at).await,
            Peer::Redis => redis::present(server.at, of).await,
            Peer::Postgres => postgres::present(server.at).await,
        }
    }
}
