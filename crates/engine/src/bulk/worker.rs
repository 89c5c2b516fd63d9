use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{Name, limits};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};

use super::run::run;
use super::worker_name;
use crate::engine::{Engine, Unavailable};
use crate::posting::take_over;
use crate::search::Turns;
use crate::work::WorkRequest;

/// The most bulk jobs that take their parts at once; others wait until one of them ends, or pauses to keep its rate.
const AT_ONCE: usize = 64;

/// The most that are under way, with those that pause.
const UNDER_WAY: usize = 1000;

/// How long a lease lasts.
pub(super) const LEASE: Duration = Duration::from_secs(60);

/// How long the worker waits for a job before it asks again.
const WAIT: Duration = Duration::from_secs(20);

/// How long the worker rests when the engine takes nothing up.
const REST: Duration = Duration::from_millis(200);

/// Works off the queue of bulk jobs.
pub(super) struct Worker {
    engine: Engine,
    /// Their own: however many clients search, bulk jobs get on while their leases last.
    searches: Turns,
    stopped: watch::Receiver<bool>,
}

impl Worker {
    pub(super) fn new(engine: Engine, stopped: watch::Receiver<bool>) -> Worker {
        Worker { engine, searches: Turns::default(), stopped }
    }

    pub(super) async fn run(mut self) {
        // Whatever a worker before this one had under way is nobody's now.
        if let Err(error) = take_over(&self.engine, worker_name(), &mut self.stopped).await {
            return tracing::warn!(%error, "no bulk jobs are worked off");
        }
        let mut runs = JoinSet::new();
        self.lease(&mut runs).await;
        while runs.join_next().await.map(report).is_some() {}
        // The server that stops releases nothing any more; the next worker does.
        drop(self.engine.release_worker(worker_name()).await);
    }

    async fn lease(&mut self, runs: &mut JoinSet<()>) {
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            while let Some(ended) = runs.try_join_next() {
                report(ended);
            }
            if runs.len() >= UNDER_WAY {
                tokio::select! {
                    biased;
                    _ = self.stopped.wait_for(|stopped| *stopped) => return,
                    ended = runs.join_next() => ended.into_iter().for_each(report),
                }
                continue;
            }
            let request = WorkRequest {
                queues: vec![Name::bulk().clone()],
                kinds: Vec::new(),
                max: 1,
                wait: WAIT,
                worker: Some(worker_name()),
                ttl: Some(LEASE),
                inline: limits::BODY_BYTES as u64,
            };
            let acquired = Arc::clone(&slots).acquire_owned();
            let leased = async {
                let slot = acquired.await.ok()?;
                Some((self.engine.lease(request).await, slot))
            };
            let leased = tokio::select! {
                biased;
                _ = self.stopped.wait_for(|stopped| *stopped) => return,
                leased = leased => leased,
            };
            let (mut grants, slot) = match leased {
                Some((Ok(grants), slot)) => (grants, slot),
                Some((Err(Unavailable::Overloaded | Unavailable::Full), _)) => {
                    tokio::time::sleep(REST).await;
                    continue;
                }
                Some((Err(Unavailable::Stopping | Unavailable::Failed(_)), _)) | None => return,
            };
            if grants.leases().is_empty() && self.engine.is_stopping() {
                return;
            }
            if let Some(granted) = grants.leases().first().cloned() {
                let (engine, searches, stopped) = (self.engine.clone(), self.searches.clone(), self.stopped.clone());
                runs.spawn(run(engine, searches, granted, slot, stopped));
            }
            grants.delivered();
        }
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a bulk job ended by a panic; it goes on once its lease lapses");
    }
}
