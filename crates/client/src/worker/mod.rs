//! Doing jobs.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use ackd_api::{LeaseRequest, limits};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::backoff::{Backoff, random};
use crate::client::BACKOFF_MAX;
use crate::{Body, Client, GrantedLease};

mod context;
mod error;
mod handler;
mod keeper;
mod reporter;
#[cfg(test)]
mod tests;

pub use context::{Context, Job};
pub use error::{CheckpointError, JobError, WorkerError};
pub use handler::Reply;

use handler::Handler;
use keeper::Shared;
use reporter::Reporter;

/// How long a lease request waits at the server while there is nothing to do.
const WAIT: Duration = Duration::from_secs(20);

/// How long a job has to stop by itself.
const DEFAULT_GRACE: Duration = Duration::from_secs(30);

/// The first wait before coming again to a server that is away.
const BACKOFF_BASE: Duration = Duration::from_millis(100);

/// An answer without leases that comes sooner was not waited for.
const PACE: Duration = Duration::from_secs(1);

/// How long the worker's last act may take.
const FAREWELL: Duration = Duration::from_secs(5);

/// Does the jobs of some queues, several at a time.
///
/// It keeps their leases by heartbeats, tells how they ended, and goes on through restarts of the server: a job that is
/// under way then is neither lost nor begun again, as long as the server is back before its lease's deadline.
pub struct Worker {
    client: Client,
    name: Option<String>,
    handlers: BTreeMap<String, Arc<Handler>>,
    kinds: Vec<String>,
    concurrency: usize,
    ttl: Option<Duration>,
    grace: Duration,
}

impl Worker {
    /// A worker that does nothing yet: give it a handler.
    #[must_use]
    pub fn new(client: Client) -> Worker {
        Worker {
            client,
            name: None,
            handlers: BTreeMap::new(),
            kinds: Vec::new(),
            concurrency: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            ttl: None,
            grace: DEFAULT_GRACE,
        }
    }

    /// Does the jobs of a queue, with payloads and results that are JSON (a payload of `text/*` is a JSON string here).
    /// A further handler of the same queue takes the place of the one before.
    ///
    /// A payload that is not what the handler expects, or has more than 64 MiB, fails the job for good. A handler that panics fails the attempt.
    #[must_use]
    pub fn handle<T, R, F, Fut>(mut self, queue: impl Into<String>, handler: F) -> Worker
    where
        T: DeserializeOwned + Send + 'static,
        R: Serialize + Send + 'static,
        F: Fn(Job<T>, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, JobError>> + Send + 'static,
    {
        self.handlers.insert(queue.into(), Arc::new(handler::typed(handler)));
        self
    }

    /// Does the jobs of a queue, with payloads and results of any media type, byte for byte. Where there is none, both
    /// type and bytes are empty. A payload of more than 64 MiB fails the job for good.
    #[must_use]
    pub fn handle_bytes<F, Fut>(mut self, queue: impl Into<String>, handler: F) -> Worker
    where
        F: Fn(Job<Body>, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Body, JobError>> + Send + 'static,
    {
        self.handlers.insert(queue.into(), Arc::new(handler::bytes(handler)));
        self
    }

    /// Does the jobs of a queue, with payloads and results of any media type and size. The payload is given where it came
    /// with the job, empty where there is none; otherwise it is `None`, and the handler reads it by
    /// [`Client::payload_stream`]. A result in a file is uploaded while heartbeats go on, again if the server was away.
    #[must_use]
    pub fn handle_streamed<F, Fut>(mut self, queue: impl Into<String>, handler: F) -> Worker
    where
        F: Fn(Job<Option<Body>>, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Reply, JobError>> + Send + 'static,
    {
        self.handlers.insert(queue.into(), Arc::new(handler::streamed(handler)));
        self
    }

    /// Takes only jobs of these types; default any.
    #[must_use]
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = impl Into<String>>) -> Worker {
        self.kinds = kinds.into_iter().map(Into::into).collect();
        self
    }

    /// The name under which its leases are shown; default the host's name and something unique. Several workers may
    /// have the same.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Worker {
        self.name = Some(name.into());
        self
    }

    /// How many jobs it does at once, at least 1; default the number of CPUs.
    #[must_use]
    pub fn concurrency(mut self, concurrency: usize) -> Worker {
        self.concurrency = concurrency.max(1);
        self
    }

    /// How long its leases last without a heartbeat, 1 s to 1 h; default what the queue says. A heartbeat is sent after
    /// each third of it.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Worker {
        self.ttl = Some(ttl);
        self
    }

    /// How long a job that was told to stop, for whatever reason, has to do so; default 30 s. After it the job's future
    /// is dropped.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Worker {
        self.grace = grace;
        self
    }

    /// Works until `shutdown` is ready. Then it takes no further jobs, tells those that run ([`Context::cancelled`]),
    /// waits for them up to the grace, and gives back the rest.
    ///
    /// While the server is away it goes on trying. Dropping the future stops all at once; the leases then lapse.
    ///
    /// # Errors
    /// See [`WorkerError`]. The jobs that ran had their grace then too.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), WorkerError> {
        if self.handlers.is_empty() {
            return Err(WorkerError::NoQueue);
        }
        let own_name = self.name.is_none().then(own_name);
        let name = own_name.clone().or(self.name).unwrap_or_default();
        let request = LeaseRequest {
            queues: self.handlers.keys().map(|queue| queue.as_str().into()).collect(),
            types: self.kinds.iter().map(|kind| kind.as_str().into()).collect(),
            max: None,
            wait: Some(WAIT.into()),
            worker: Some(name.as_str().into()),
            ttl: self.ttl.map(Into::into),
        };
        let (stop, stopping) = watch::channel(false);
        let mut reporters = JoinSet::new();
        let reporter = Reporter::start(self.client.clone(), &mut reporters);
        let shared = Shared { client: self.client.clone(), reporter, grace: self.grace, stopping };
        let mut jobs = Jobs { handlers: &self.handlers, shared, running: JoinSet::new() };

        let slots = Arc::new(Semaphore::new(self.concurrency));
        let ended = tokio::select! {
            () = shutdown => Ok(()),
            error = work(&self.client, request, &slots, &mut jobs) => Err(error),
        };

        stop.send_replace(true);
        while jobs.running.join_next().await.is_some() {}
        if let Some(name) = own_name {
            // A lease request that was given up may have been granted in the same moment. Nobody else has this name.
            let farewell = tokio::time::timeout(FAREWELL, self.client.release_worker(&name)).await;
            tracing::debug!(?farewell, "released what was left");
        }
        ended
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker")
            .field("name", &self.name)
            .field("queues", &self.handlers.keys())
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

/// The jobs that run.
struct Jobs<'w> {
    handlers: &'w BTreeMap<String, Arc<Handler>>,
    shared: Shared,
    running: JoinSet<()>,
}

impl Jobs<'_> {
    fn start(&mut self, lease: GrantedLease, slot: Option<OwnedSemaphorePermit>) {
        let Some(handler) = self.handlers.get(lease.job.queue.as_ref()).map(Arc::clone) else {
            tracing::warn!(job = %lease.job.id, queue = %lease.job.queue, "leased from a queue that was not asked for");
            return;
        };
        let kept = keeper::keep(self.shared.clone(), lease, move |job, context| handler(job, context));
        self.running.spawn(async move {
            kept.await;
            drop(slot);
        });
    }
}

/// Leases jobs for as long as the server lets it.
async fn work(
    client: &Client,
    mut request: LeaseRequest<'_>,
    slots: &Arc<Semaphore>,
    jobs: &mut Jobs<'_>,
) -> WorkerError {
    let mut backoff = Backoff::new(BACKOFF_BASE, BACKOFF_MAX);
    let mut persistence = client.persistence().endless();
    loop {
        let mut free = free_slots(slots).await;
        request.max = u16::try_from(free.num_permits()).ok();
        let asked = Instant::now();
        let granted = client.lease(&request).await;
        if granted.is_ok() {
            persistence.succeeded();
        }
        match granted {
            // Whoever has nothing and does not wait, a proxy say, is not asked without end.
            Ok(leases) if leases.is_empty() && asked.elapsed() < PACE => tokio::time::sleep(backoff.wait()).await,
            Ok(leases) => {
                backoff.reset();
                for lease in leases {
                    jobs.start(lease, free.split(1));
                }
            }
            Err(error) => {
                if let Err(error) = persistence.failed(error).await {
                    return WorkerError::Lease(error);
                }
            }
        }
        while jobs.running.try_join_next().is_some() {}
    }
}

/// All slots that are free, up to what one request can ask for; waits for the first.
async fn free_slots(slots: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    let mut free = match Arc::clone(slots).acquire_owned().await {
        Ok(slot) => slot,
        // It is never closed.
        Err(_) => std::future::pending().await,
    };
    let more = slots.available_permits().min(limits::LEASES - 1);
    if let Ok(more) = u32::try_from(more)
        && let Ok(more) = Arc::clone(slots).try_acquire_many_owned(more)
    {
        free.merge(more);
    }
    free
}

/// A name that no other worker has: the host's, as far as it can stand in a name, and 64 random bits.
fn own_name() -> String {
    let host =
        std::env::var("HOSTNAME").ok().or_else(|| std::fs::read_to_string("/etc/hostname").ok()).unwrap_or_default();
    let host: String = host
        .trim()
        .chars()
        .filter(|char| char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-'))
        .skip_while(|char| !char.is_ascii_alphanumeric())
        .take(64)
        .collect();
    // A name that begins with the server's own prefix would be refused.
    let host = if host.is_empty() || ackd_api::is_reserved(&host) { "worker" } else { &host };
    format!("{host}-{:016x}", random())
}
