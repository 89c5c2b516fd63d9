use std::sync::Arc;

use ackd_domain::{Answer, Command, Job, JobId, NewDelivery, Refusal, Status};
use ackd_ports::ReadError;

use crate::engine::{Engine, Unavailable};

/// Why a delivery is not made again.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// There is no delivery of this id.
    #[error("there is no delivery of this id, or no longer")]
    NotFound,
    /// It has not ended yet.
    #[error("the delivery is still under way")]
    UnderWay,
    /// The ledger cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The engine does not take it up.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Engine {
    /// Makes a delivery once more: one that failed gets a further run, one that was taken is sent again as a new one,
    /// with the same `webhook-id` and the same bytes. Gives the job that does it.
    ///
    /// # Errors
    /// [`ReplayError`]; then nothing has changed.
    pub async fn replay(&self, delivery: JobId) -> Result<Arc<Job>, ReplayError> {
        let (job, payload) = self.payload(delivery).await?.ok_or(ReplayError::NotFound)?;
        let made = job.spec.delivery.as_ref().ok_or(ReplayError::NotFound)?;
        let command = match job.status {
            Status::Init | Status::Processing => return Err(ReplayError::UnderWay),
            Status::Done => {
                let body = payload.ok_or(ReplayError::NotFound)?;
                Command::Deliver { advance: None, deliveries: vec![NewDelivery { delivery: (**made).clone(), body }] }
            }
            Status::Failed | Status::Cancelled | Status::Expired => Command::Retry { id: delivery },
        };
        match self.run(vec![command]).await?.pop() {
            Some(Ok(Answer::Job(job))) => Ok(job),
            Some(Ok(Answer::Accepted(mut accepted))) => match accepted.pop() {
                Some(accepted) => Ok(accepted.job),
                None => Err(ReplayError::NotFound),
            },
            // Somebody else was quicker.
            Some(Err(Refusal::NotFinished(_) | Refusal::AlreadyFinished(_))) => Err(ReplayError::UnderWay),
            _ => Err(ReplayError::NotFound),
        }
    }
}
