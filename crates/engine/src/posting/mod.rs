//! Working a queue off from inside the server, where the work is a post: jobs are leased as any worker would, a bounded
//! number is attempted at a time, and what came of each is written down, many at once.

mod logged;
mod settle;
mod slots;

use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{Command, LeaseToken, Name, limits};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};

use crate::engine::{Engine, Unavailable};
use crate::work::{Granted, WorkRequest};

pub(crate) use logged::Logged;
pub(crate) use settle::{Settled, settle};
use slots::{Slot, Slots};

/// The longest that a `Retry-After` is obeyed, as long as the longest pause between deliveries.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// The most jobs that are leased at once.
const LEASES: usize = 256;

/// How long a poster waits for a job before it asks again.
const WAIT: Duration = Duration::from_secs(20);

/// How long posts may go on once the server is to stop.
const GRACE: Duration = Duration::from_secs(3);

/// How long is waited when the engine takes nothing up.
const REST: Duration = Duration::from_millis(200);

/// What is done with the jobs of a queue.
pub(crate) trait Work: Clone + Send + Sync + 'static {
    /// How they are leased.
    fn terms(&self) -> Terms;

    /// Makes one attempt. Gives the commands that write down what came of it; none where the lease is lost.
    fn attempt(self, engine: Engine, granted: Granted) -> impl Future<Output = Vec<Command>> + Send;
}

/// How jobs are leased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The name under which they are.
    pub(crate) worker: Arc<str>,
    /// The most that are under way, or wait for their outcome to be durable.
    pub(crate) most: usize,
    /// How long a lease lasts.
    pub(crate) ttl: Duration,
}

/// Why a poster leases no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// There is nothing to do with the queue's jobs any more.
    Idle,
    /// The server stops, or its store has failed.
    Stopped,
}

/// Works one queue off.
pub(crate) struct Poster {
    engine: Engine,
    queue: Name,
    slots: Arc<Slots>,
    posts: JoinSet<()>,
    settled: mpsc::UnboundedSender<Settled>,
}

impl Poster {
    /// One that has nothing under way yet; what comes of its attempts goes to `settled`.
    pub(crate) fn new(engine: Engine, queue: Name, settled: mpsc::UnboundedSender<Settled>) -> Poster {
        Poster { engine, queue, slots: Arc::default(), posts: JoinSet::new(), settled }
    }

    /// Leases jobs and attempts them as `work` says, as long as it says something. What it says of later holds for what
    /// is leased later. May be dropped at any time; what is under way goes on.
    pub(crate) async fn run<W: Work>(&mut self, work: &mut watch::Receiver<Option<W>>) -> Ended {
        loop {
            while let Some(ended) = self.posts.try_join_next() {
                report(ended);
            }
            let Some(now) = work.borrow_and_update().clone() else { return Ended::Idle };
            let terms = now.terms();
            let free = terms.most.saturating_sub(self.slots.taken());
            if free == 0 {
                // Somebody works on the queue, although nobody asks.
                self.engine.note_asked(&self.queue);
                tokio::select! {
                    () = self.slots.freed() => {}
                    () = tokio::time::sleep(WAIT) => {}
                    changed = work.changed() => if changed.is_err() { return Ended::Idle },
                }
                continue;
            }
            let request = WorkRequest {
                queues: vec![self.queue.clone()],
                kinds: Vec::new(),
                max: free.min(LEASES),
                wait: WAIT,
                worker: Some(terms.worker),
                ttl: Some(terms.ttl),
                inline: limits::BODY_BYTES as u64,
            };
            let leased = tokio::select! {
                biased;
                changed = work.changed() => {
                    if changed.is_err() {
                        return Ended::Idle;
                    }
                    continue;
                }
                leased = self.engine.lease(request) => leased,
            };
            let mut grants = match leased {
                Ok(grants) => grants,
                Err(Unavailable::Overloaded | Unavailable::Full) => {
                    tokio::time::sleep(REST).await;
                    continue;
                }
                Err(Unavailable::Stopping | Unavailable::Failed(_)) => return Ended::Stopped,
            };
            if grants.leases().is_empty() && self.engine.is_stopping() {
                return Ended::Stopped;
            }
            for granted in grants.leases().iter().cloned() {
                self.begin(&now, granted);
            }
            grants.delivered();
        }
    }

    fn begin<W: Work>(&mut self, work: &W, granted: Granted) {
        let under_way = UnderWay { lease: granted.token, slot: Some(self.slots.take()), settled: self.settled.clone() };
        let attempt = work.clone().attempt(self.engine.clone(), granted);
        self.posts.spawn(async move { under_way.end(attempt.await) });
    }

    /// Waits until nothing is under way.
    pub(crate) async fn ended(&mut self) {
        while let Some(ended) = self.posts.join_next().await {
            report(ended);
        }
    }

    /// Lets what is under way go on for a moment, then gives it up: it is released, and has not counted.
    pub(crate) async fn stop(mut self) {
        if tokio::time::timeout(GRACE, self.ended()).await.is_err() {
            self.posts.shutdown().await;
        }
    }
}

/// An attempt that is under way.
struct UnderWay {
    lease: LeaseToken,
    slot: Option<Slot>,
    settled: mpsc::UnboundedSender<Settled>,
}

impl UnderWay {
    fn end(mut self, commands: Vec<Command>) {
        self.settle(commands);
    }

    fn settle(&mut self, commands: Vec<Command>) {
        if let Some(slot) = self.slot.take() {
            // Where nobody takes it any more, the lease lapses.
            drop(self.settled.send(Settled { commands, slot }));
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        // Given up. One that ended by a panic counts, and is made again once its lease lapses.
        if !std::thread::panicking() {
            self.settle(vec![Command::Release { lease: self.lease, delay: None, checkpoint: None }]);
        }
    }
}

/// Releases what the worker of this name had under way before a crash: it is nobody's now.
///
/// # Errors
/// Where it is `stopped`, the engine stops, or its store has failed.
pub(crate) async fn take_over(
    engine: &Engine,
    worker: Arc<str>,
    stopped: &mut watch::Receiver<bool>,
) -> Result<(), Unavailable> {
    insist(|| engine.release_worker(Arc::clone(&worker)), stopped).await.map(drop)
}

/// Asks again while the engine takes nothing up: clients come back with the server, and more may wait than it takes; or its
/// disk is full.
///
/// # Errors
/// Where it is `stopped`, the engine stops, or its store has failed.
pub(crate) async fn insist<T, Asked: Future<Output = Result<T, Unavailable>>>(
    ask: impl Fn() -> Asked,
    stopped: &mut watch::Receiver<bool>,
) -> Result<T, Unavailable> {
    loop {
        match ask().await {
            Err(Unavailable::Overloaded | Unavailable::Full) => {}
            answer => return answer,
        }
        tokio::select! {
            biased;
            // Whoever would say so is gone: that means the same.
            _ = stopped.wait_for(|stopped| *stopped) => return Err(Unavailable::Stopping),
            () = tokio::time::sleep(REST) => {}
        }
    }
}

/// Says so where a task ended by a panic.
pub(crate) fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "an attempt ended by a panic; it is made again once its lease lapses");
    }
}
