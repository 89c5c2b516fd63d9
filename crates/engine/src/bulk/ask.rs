use std::time::Duration;

use ackd_domain::{Answer, Command, Name, Refusal};
use ackd_ports::{DeadCause, ReadError, cause};

use super::{BulkOf, BulkOrder};
use crate::engine::{Engine, Unavailable};
use crate::events::Until;
use crate::read::Record;

impl Engine {
    /// Has `order` carried out. It is durable when this returns; a [`super::BulkWorker`] does it.
    ///
    /// # Errors
    /// [`Unavailable`], or the [`Refusal`] of the ledger; then nothing has changed.
    pub async fn bulk(&self, order: &BulkOrder) -> Result<Result<Record, Refusal>, Unavailable> {
        let submission = order.submission();
        let payload = submission.payload.clone();
        match self.run(vec![Command::Submit(vec![submission])]).await?.pop() {
            Some(Ok(Answer::Accepted(mut accepted))) if !accepted.is_empty() => {
                let job = accepted.remove(0).job;
                Ok(Ok(Record { job, payload: Some(payload), result: None, inputs: Vec::new() }))
            }
            Some(Err(refusal)) => Ok(Err(refusal)),
            _ => Err(Unavailable::Stopping),
        }
    }

    /// Why the jobs of a queue are dead: the causes that most have first, at most `limit`, each with at most `examples`.
    ///
    /// # Errors
    /// See [`Engine::record`].
    pub async fn dead_causes(&self, queue: Name, limit: usize, examples: usize) -> Result<Vec<DeadCause>, ReadError> {
        self.read(move |reader| reader.dead_causes(&queue, limit, examples)).await
    }

    /// How many dead jobs `of` is about now; 0 of a search, which nobody counts.
    ///
    /// # Errors
    /// See [`Engine::record`].
    pub async fn count_dead(&self, of: BulkOf) -> Result<u64, ReadError> {
        self.read(move |reader| match of {
            BulkOf::Search(_) => Ok(0),
            BulkOf::Dead { queue, cause } => reader.dead_count(&queue, cause.as_deref()),
            BulkOf::Ids { queue, ids } => {
                let mut count = 0;
                for id in ids {
                    let job = reader.job(id)?.filter(|job| job.spec.queue == queue);
                    count += u64::from(job.is_some_and(|job| cause(&job).is_some()));
                }
                Ok(count)
            }
        })
        .await
    }

    /// Waits for a bulk job to end, at most `patience`; the job as it is then.
    pub async fn wait_for_bulk(&self, record: Record, patience: Duration) -> Record {
        match self.wait(record.clone(), Until::Terminal, patience).await {
            Ok(waited) => waited,
            // It is accepted, whatever can be read of it now.
            Err(error) => {
                tracing::warn!(%error, "a bulk job cannot be followed");
                record
            }
        }
    }
}
