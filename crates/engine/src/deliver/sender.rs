use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{Answer, Command, Name, QueuePatch, limits};
use ackd_ports::Outbound;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::{JoinError, JoinSet};

use super::attempt::{TIMEOUT, attempt};
use super::worker;
use crate::engine::{Engine, Unavailable};
use crate::work::WorkRequest;

/// The most posts that are under way or wait for their outcome to be durable.
const IN_FLIGHT: usize = 2048;

/// The most posts to one target at a time: so many of [`IN_FLIGHT`] one that hangs can hold.
const IN_FLIGHT_EACH: u32 = 32;

/// The most deliveries that are leased at once.
const LEASES: usize = 256;

/// The most outcomes of one commit.
const OUTCOMES: usize = 512;

/// How long a lease lasts: a post, and what it takes to write its outcome down.
const LEASE: Duration = Duration::from_secs(TIMEOUT.as_secs() + 45);

/// How long the sender waits for a delivery before it asks again.
const WAIT: Duration = Duration::from_secs(20);

/// How long posts may go on once the sender is to stop.
const GRACE: Duration = Duration::from_secs(3);

/// How long the sender rests when the engine takes nothing up.
const REST: Duration = Duration::from_millis(200);

/// Sends what the feeder made.
pub(super) struct Sender {
    engine: Engine,
    outbound: Arc<dyn Outbound>,
    stopped: watch::Receiver<bool>,
}

/// What came of an attempt, and the room that it takes until that is durable.
type Attempted = (Vec<Command>, OwnedSemaphorePermit);

impl Sender {
    pub(super) fn new(engine: Engine, outbound: Arc<dyn Outbound>, stopped: watch::Receiver<bool>) -> Sender {
        Sender { engine, outbound, stopped }
    }

    pub(super) async fn run(mut self) {
        // Whatever a sender before this one had under way is nobody's now.
        if let Err(error) = self.engine.release_worker(worker()).await {
            return tracing::warn!(%error, "no deliveries are sent");
        }
        self.limit_each().await;
        let (attempted, outcomes) = mpsc::unbounded_channel();
        let settler = tokio::spawn(settle(self.engine.clone(), outcomes));
        let mut posts = JoinSet::new();
        self.send(&mut posts, attempted).await;
        let ended = async { while posts.join_next().await.map(report).is_some() {} };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            posts.shutdown().await;
        }
        report(settler.await);
        // The posts that were given up have not counted; the server that stops releases nothing any more.
        drop(self.engine.release_worker(worker()).await);
    }

    /// Limits the deliveries to one target, so that one which hangs delays no other.
    async fn limit_each(&self) {
        let patch = QueuePatch { group_concurrency: Some(Some(IN_FLIGHT_EACH)), ..QueuePatch::default() };
        let set = |limit: Option<u32>| limit == Some(IN_FLIGHT_EACH);
        let known = self.engine.queue(Name::webhooks().clone()).await;
        if known.is_ok_and(|queue| set(queue.settings.group_concurrency)) {
            return;
        }
        let command = Command::Configure { queue: Name::webhooks().clone(), patch: Box::new(patch) };
        if let Err(error) = self.engine.run(vec![command]).await {
            tracing::warn!(%error, "the deliveries to one target are not limited");
        }
    }

    /// Leases deliveries and posts them until the sender is stopped.
    async fn send(&mut self, posts: &mut JoinSet<()>, attempted: mpsc::UnboundedSender<Attempted>) {
        let slots = Arc::new(Semaphore::new(IN_FLIGHT));
        loop {
            while let Some(ended) = posts.try_join_next() {
                report(ended);
            }
            let most = slots.available_permits().clamp(1, LEASES);
            #[allow(clippy::cast_possible_truncation, reason = "it is a few hundred at most")]
            let acquired = Arc::clone(&slots).acquire_many_owned(most as u32);
            let request = WorkRequest {
                queues: vec![Name::webhooks().clone()],
                kinds: Vec::new(),
                max: most,
                wait: WAIT,
                worker: Some(worker()),
                ttl: Some(LEASE),
                inline: limits::BODY_BYTES as u64,
            };
            let leased = async {
                let slots = acquired.await.ok()?;
                Some((self.engine.lease(request).await, slots))
            };
            let leased = tokio::select! {
                biased;
                _ = self.stopped.wait_for(|stopped| *stopped) => return,
                leased = leased => leased,
            };
            let (mut grants, mut slots) = match leased {
                Some((Ok(grants), slots)) => (grants, slots),
                Some((Err(Unavailable::Overloaded | Unavailable::Full), _)) => {
                    tokio::time::sleep(REST).await;
                    continue;
                }
                Some((Err(Unavailable::Stopping | Unavailable::Failed(_)), _)) | None => return,
            };
            if grants.leases().is_empty() && self.engine.is_stopping() {
                return;
            }
            for granted in grants.leases().iter().cloned() {
                let Some(slot) = slots.split(1) else { break };
                let (engine, outbound) = (self.engine.clone(), Arc::clone(&self.outbound));
                let attempted = attempted.clone();
                posts.spawn(async move {
                    let came = attempt(granted, engine.endpoints_seen(), &*outbound, &**engine.clock()).await;
                    // Where nobody takes it any more, the lease lapses.
                    drop(attempted.send((came, slot)));
                });
            }
            grants.delivered();
        }
    }
}

/// Writes down what came of the attempts, as many at once as there are.
async fn settle(engine: Engine, mut outcomes: mpsc::UnboundedReceiver<Attempted>) {
    let mut attempted = Vec::with_capacity(OUTCOMES);
    while outcomes.recv_many(&mut attempted, OUTCOMES).await > 0 {
        let (commands, slots): (Vec<_>, Vec<_>) = attempted.drain(..).unzip();
        let commands: Vec<Command> = commands.into_iter().flatten().collect();
        loop {
            match engine.run(commands.clone()).await {
                Ok(answers) => {
                    answers.into_iter().for_each(|answer| told(answer.as_ref()));
                    break;
                }
                Err(Unavailable::Overloaded | Unavailable::Full) => tokio::time::sleep(REST).await,
                // The leases lapse, and what was sent is sent again.
                Err(Unavailable::Stopping | Unavailable::Failed(_)) => return,
            }
        }
        drop(slots);
    }
}

/// Says so where an endpoint was disabled: its owner waits for what will not come.
fn told(answer: Result<&Answer, &ackd_domain::Refusal>) {
    if let Ok(Answer::Endpoint { endpoint, .. }) = answer
        && let Some(disabled) = endpoint.disabled
    {
        tracing::warn!(webhook = %endpoint.name, reason = disabled.reason.as_str(), "a webhook endpoint is disabled");
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a delivery ended by a panic; it is made again once its lease lapses");
    }
}
