//! Taking the jobs of some queues to a URL, where a queue's settings say so.
//!
//! One manager follows the settings and has a [`Poster`] work each such queue off, as any worker would, so that leases,
//! retries, groups, order and limits are those of every job. What a post comes to is decided by [`outcome`] alone.

mod attempt;
mod outcome;
mod payload;
mod pushes;
mod standing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{Command, LeaseToken, Name, Push};
use ackd_ports::Outbound;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use crate::engine::Engine;
use crate::files::Files;
use crate::posting::{Ended, Poster, Settled, Terms, Work, settle, take_over};
use crate::work::Granted;
use attempt::attempt;

pub(crate) use pushes::Pushes;

/// How long a lease lasts without a heartbeat while its job is posted, however long that takes. After a crash one that the
/// target might settle later is posted again after so long.
const LEASE: Duration = Duration::from_mins(1);

/// The name under which jobs are leased whose post answers at once; no client's worker can have it.
const WORKER: &str = "ackd.push";

/// The name where the target may settle the lease later: such leases outlive the server.
const ASYNC_WORKER: &str = "ackd.push.async";

/// How the answers of targets are taken, and what they are told.
#[derive(Debug, Clone, Copy)]
pub struct PushOptions {
    /// Writes a lease as the target may show it.
    pub lease: fn(&LeaseToken) -> String,
    /// The largest result in bytes.
    pub result: usize,
}

/// Posts the jobs of queues that are pushed, until it is stopped.
#[derive(Debug)]
pub struct Pusher {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Pusher {
    /// Begins, on the runtime of the caller. Payloads that are files are read from `files`.
    #[must_use]
    pub fn start(engine: Engine, files: Files, outbound: Arc<dyn Outbound>, options: PushOptions) -> Pusher {
        let (stop, stopped) = watch::channel(false);
        let manager =
            Manager { engine, files, outbound, options, stopped, lines: BTreeMap::new(), tasks: JoinSet::new() };
        Pusher { stop, task: tokio::spawn(manager.run()) }
    }

    /// Stops posting. Posts that are under way may end for a moment; those that do not are made again by the next
    /// pusher, and have not counted.
    pub async fn stop(self) {
        // A task that has ended by itself need not be told.
        let _ = self.stop.send(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the pusher ended by a panic");
        }
    }
}

/// What is done with a job of a queue that is pushed.
#[derive(Clone)]
struct PushWork {
    push: Arc<Push>,
    files: Files,
    outbound: Arc<dyn Outbound>,
    options: PushOptions,
}

impl Work for PushWork {
    fn terms(&self) -> Terms {
        let worker = if self.push.is_async { ASYNC_WORKER } else { WORKER };
        Terms { worker: worker.into(), most: self.push.concurrency() as usize, ttl: LEASE }
    }

    async fn attempt(self, engine: Engine, granted: Granted) -> Vec<Command> {
        attempt(&self, &engine, granted).await
    }
}

/// Has a poster for each queue that is pushed.
struct Manager {
    engine: Engine,
    files: Files,
    outbound: Arc<dyn Outbound>,
    options: PushOptions,
    stopped: watch::Receiver<bool>,
    lines: BTreeMap<Name, Line>,
    tasks: JoinSet<Ended>,
}

/// The poster of a queue.
struct Line {
    work: watch::Sender<Option<PushWork>>,
    task: AbortHandle,
}

impl Manager {
    async fn run(mut self) {
        // What was posted before a crash has lost its answer. A target that settles later may do so still.
        if let Err(error) = take_over(&self.engine, WORKER.into(), &mut self.stopped).await {
            return tracing::warn!(%error, "no jobs are pushed");
        }
        let (settled, outcomes) = mpsc::unbounded_channel();
        // A lease that the target settled meanwhile, or that lapsed, is nobody's fault.
        let settler = tokio::spawn(settle(self.engine.clone(), outcomes, |_| ()));
        let mut pushes = self.engine.pushes().follow();
        loop {
            let now = pushes.borrow_and_update().clone();
            self.follow(&now, &settled);
            tokio::select! {
                biased;
                // The sender of the signal lives as long as the pusher: that it is gone means the same.
                _ = self.stopped.wait_for(|stopped| *stopped) => break,
                changed = pushes.changed() => if changed.is_err() { break },
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(Ended::Stopped) => break,
                    // A queue that is pushed again meanwhile gets another.
                    Ok(Ended::Idle) => self.lines.retain(|_, line| !line.task.is_finished()),
                    Err(error) => {
                        tracing::error!(%error, "a queue's pushing ended by a panic; it begins anew");
                        self.lines.retain(|_, line| !line.task.is_finished());
                    }
                },
            }
        }
        drop((self.lines, settled));
        while self.tasks.join_next().await.is_some() {}
        if let Err(error) = settler.await {
            tracing::error!(%error, "what came of pushed jobs is not written down any more");
        }
    }

    /// Begins, changes and ends what is pushed.
    fn follow(&mut self, pushes: &BTreeMap<Name, Arc<Push>>, settled: &mpsc::UnboundedSender<Settled>) {
        for (name, push) in pushes {
            let work = || PushWork {
                push: Arc::clone(push),
                files: self.files.clone(),
                outbound: Arc::clone(&self.outbound),
                options: self.options,
            };
            if let Some(line) = self.lines.get(name) {
                line.work.send_if_modified(|now| {
                    let changed = now.as_ref().is_none_or(|now| now.push != *push);
                    if changed {
                        *now = Some(work());
                    }
                    changed
                });
                continue;
            }
            let (sender, receiver) = watch::channel(Some(work()));
            let poster = Poster::new(self.engine.clone(), name.clone(), settled.clone());
            let task = self.tasks.spawn(push_queue(poster, receiver, self.stopped.clone()));
            self.lines.insert(name.clone(), Line { work: sender, task });
        }
        for line in self.lines.iter().filter(|(name, _)| !pushes.contains_key(*name)).map(|(_, line)| line) {
            line.work.send_if_modified(|now| now.take().is_some());
        }
    }
}

/// Pushes one queue until it is pushed no longer and nothing is under way, or until the server stops.
async fn push_queue(
    mut poster: Poster,
    mut work: watch::Receiver<Option<PushWork>>,
    mut stopped: watch::Receiver<bool>,
) -> Ended {
    let pushing = async {
        loop {
            if poster.run(&mut work).await == Ended::Stopped {
                return Ended::Stopped;
            }
            tokio::select! {
                biased;
                () = poster.ended() => return Ended::Idle,
                changed = work.changed() => if changed.is_err() { return Ended::Stopped },
            }
        }
    };
    let ended = tokio::select! {
        biased;
        _ = stopped.wait_for(|stopped| *stopped) => Ended::Stopped,
        ended = pushing => ended,
    };
    poster.stop().await;
    ended
}
