//! Doing the same to many jobs: cancel, purge, retry and redrive.
//!
//! What is asked for ([`order`]) is a job of the server's own queue [`Name::bulk`], which clients see by its id. The
//! [`worker`] works that queue off as any worker would. [`run`] takes one to its end, a part after the other: each part is
//! one commit of some steps and of how far the job has come with them, so that a crash neither loses nor repeats one, and
//! between two parts others have their turn.

mod ask;
mod order;
mod pace;
mod part;
mod run;
mod worker;

use std::sync::Arc;

use ackd_domain::Name;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::engine::Engine;
use worker::Worker;

pub use order::{BulkOf, BulkOrder, OrderError};
pub use pace::Pace;

/// Works off bulk jobs, until it is stopped.
#[derive(Debug)]
pub struct BulkWorker {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl BulkWorker {
    /// Goes on where the one before it stopped, on the runtime of the caller.
    #[must_use]
    pub fn start(engine: Engine) -> BulkWorker {
        let (stop, stopped) = watch::channel(false);
        BulkWorker { stop, task: tokio::spawn(Worker::new(engine, stopped).run()) }
    }

    /// Stops after the parts that are under way; the next worker goes on after them.
    pub async fn stop(self) {
        // A task that has ended by itself need not be told.
        let _ = self.stop.send(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the worker of bulk jobs ended by a panic");
        }
    }
}

/// The name under which bulk jobs are leased; no client's worker can have it.
fn worker_name() -> Arc<str> {
    Name::bulk().as_str().into()
}
