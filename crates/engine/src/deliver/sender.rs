use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{Answer, Command, Name, QueuePatch, Refusal};
use ackd_ports::Outbound;
use tokio::sync::{mpsc, watch};

use super::attempt::{TIMEOUT, attempt};
use super::worker;
use crate::engine::Engine;
use crate::posting::{Poster, Terms, Work, insist, report, settle, take_over};
use crate::work::Granted;

/// The most posts that are under way or wait for their outcome to be durable.
const IN_FLIGHT: usize = 2048;

/// The most posts to one target at a time: so many of [`IN_FLIGHT`] one that hangs can hold.
const IN_FLIGHT_EACH: u32 = 32;

/// How long a lease lasts: a post, and what it takes to write its outcome down.
const LEASE: Duration = Duration::from_secs(TIMEOUT.as_secs() + 45);

/// Sends what the feeder made.
pub(super) struct Sender {
    engine: Engine,
    outbound: Arc<dyn Outbound>,
    stopped: watch::Receiver<bool>,
}

/// What is done with a delivery.
#[derive(Clone)]
struct Deliver(Arc<dyn Outbound>);

impl Work for Deliver {
    fn terms(&self) -> Terms {
        Terms { worker: worker(), most: IN_FLIGHT, ttl: LEASE }
    }

    async fn attempt(self, engine: Engine, granted: Granted) -> Vec<Command> {
        attempt(granted, engine.endpoints_seen(), &*self.0, engine.clock()).await
    }
}

impl Sender {
    pub(super) fn new(engine: Engine, outbound: Arc<dyn Outbound>, stopped: watch::Receiver<bool>) -> Sender {
        Sender { engine, outbound, stopped }
    }

    pub(super) async fn run(mut self) {
        if let Err(error) = take_over(&self.engine, worker(), &mut self.stopped).await {
            return tracing::warn!(%error, "no deliveries are sent");
        }
        self.limit_each().await;
        let (settled, outcomes) = mpsc::unbounded_channel();
        let settler = tokio::spawn(settle(self.engine.clone(), outcomes, told));
        // Nothing ever changes it.
        let (_always, mut work) = watch::channel(Some(Deliver(self.outbound)));
        let mut poster = Poster::new(self.engine, Name::webhooks().clone(), settled);
        tokio::select! {
            biased;
            _ = self.stopped.wait_for(|stopped| *stopped) => {}
            _ = poster.run(&mut work) => {}
        }
        poster.stop().await;
        report(settler.await);
    }

    /// Limits the deliveries to one target, so that one which hangs delays no other.
    async fn limit_each(&mut self) {
        let patch = QueuePatch { group_concurrency: Some(Some(IN_FLIGHT_EACH)), ..QueuePatch::default() };
        let set = |limit: Option<u32>| limit == Some(IN_FLIGHT_EACH);
        let known = self.engine.queue(Name::webhooks().clone()).await;
        if known.is_ok_and(|queue| set(queue.settings.group_concurrency)) {
            return;
        }
        let command = Command::Configure { queue: Name::webhooks().clone(), patch: Box::new(patch) };
        if let Err(error) = insist(|| self.engine.run(vec![command.clone()]), &mut self.stopped).await {
            tracing::warn!(%error, "the deliveries to one target are not limited");
        }
    }
}

/// Says so where an endpoint was disabled: its owner waits for what will not come.
fn told(answer: Result<&Answer, &Refusal>) {
    if let Ok(Answer::Endpoint { endpoint, .. }) = answer
        && let Some(disabled) = endpoint.disabled
    {
        tracing::warn!(webhook = %endpoint.name, reason = disabled.reason.as_str(), "a webhook endpoint is disabled");
    }
}
