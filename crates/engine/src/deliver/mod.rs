//! Telling webhooks of the ends of jobs.
//!
//! A delivery is a job of the server's own queue [`Name::webhooks`]. The [`feeder`] follows the change feed and makes
//! one for each end and target, together with its own position; the [`sender`] works that queue off as any worker
//! would, so that leases, retries, groups and restarts are those of every job. What a post comes to is decided by
//! [`outcome`] alone.

mod attempt;
mod feeder;
mod log;
mod make;
mod outcome;
mod replay;
mod sender;

use std::sync::Arc;

use ackd_domain::{Body, Change, Name, WebhookEvent, WebhookFormat};
use ackd_ports::Outbound;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::engine::Engine;
use feeder::Feeder;
use sender::Sender;

pub use log::{DeliveryAttempt, DeliveryRecord};
pub use replay::ReplayError;

/// Writes what is posted.
pub trait Renderer: Send + Sync {
    /// What tells of `told`: the same bytes each time for the same.
    fn render(&self, told: &Told<'_>) -> Body;
}

/// What a delivery tells.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The change by which the job ended. A result of up to [`crate::SMALL_RESULT`] bytes is in its body.
    pub change: &'a Change,
    /// The end.
    pub event: WebhookEvent,
    /// The form in which it is told.
    pub format: WebhookFormat,
    /// The `webhook-id`. Only [`WebhookFormat::CloudEvents`] may say it: the other form is written once for all targets.
    pub webhook_id: &'a str,
}

/// Makes deliveries and sends them, until it is stopped.
#[derive(Debug)]
pub struct Deliverer {
    stop: watch::Sender<bool>,
    tasks: [JoinHandle<()>; 2],
}

impl Deliverer {
    /// Begins where the deliverer before it stopped, on the runtime of the caller.
    #[must_use]
    pub fn start(engine: Engine, outbound: Arc<dyn Outbound>, renderer: Arc<dyn Renderer>) -> Deliverer {
        let (stop, stopped) = watch::channel(false);
        let feeder = Feeder::new(engine.clone(), renderer, stopped.clone());
        let sender = Sender::new(engine, outbound, stopped);
        Deliverer { stop, tasks: [tokio::spawn(feeder.run()), tokio::spawn(sender.run())] }
    }

    /// Stops sending. Posts that are under way may end for a moment; those that do not are made again by the next
    /// deliverer.
    pub async fn stop(self) {
        // Tasks that have ended by themselves need not be told.
        let _ = self.stop.send(true);
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the deliverer ended by a panic");
            }
        }
    }
}

/// The name under which deliveries are leased; no client's worker can have it.
fn worker() -> Arc<str> {
    Name::webhooks().as_str().into()
}
