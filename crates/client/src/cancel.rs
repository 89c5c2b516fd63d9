//! Telling a job that it should stop.

use tokio::sync::watch;

/// Why a job should stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellation {
    /// A client asked for it. A worker that stops says so with [`crate::JobError::cancelled`].
    Requested,
    /// The lease is not held any more: another worker may have the job, and whatever this one answers is refused.
    LeaseLost,
    /// The worker is stopping. What has not ended when its grace is over is given back for another one.
    Shutdown,
}

/// The side that tells.
#[derive(Debug)]
pub(crate) struct Canceller(watch::Sender<Option<Cancellation>>);

/// The side that is told.
#[derive(Debug, Clone)]
pub(crate) struct CancelToken(watch::Receiver<Option<Cancellation>>);

impl Canceller {
    pub(crate) fn new() -> (Canceller, CancelToken) {
        let (sender, receiver) = watch::channel(None);
        (Canceller(sender), CancelToken(receiver))
    }

    /// Tells it. A lost lease outweighs the other reasons, which leave the job something to say.
    pub(crate) fn cancel(&self, reason: Cancellation) {
        self.0.send_if_modified(|told| {
            let is_news = told.is_none() || (reason == Cancellation::LeaseLost && *told != Some(reason));
            if is_news {
                *told = Some(reason);
            }
            is_news
        });
    }

    /// What was told.
    pub(crate) fn reason(&self) -> Option<Cancellation> {
        *self.0.borrow()
    }
}

impl CancelToken {
    pub(crate) fn reason(&self) -> Option<Cancellation> {
        *self.0.borrow()
    }

    /// Waits until it is told.
    pub(crate) async fn cancelled(&self) -> Cancellation {
        let mut told = self.0.clone();
        match told.wait_for(Option::is_some).await.map(|reason| *reason) {
            Ok(Some(reason)) => reason,
            // Nobody is left to tell: the job is over.
            _ => std::future::pending().await,
        }
    }

    /// Waits until the lease is lost, whatever else was told before.
    pub(crate) async fn lost(&self) {
        let mut told = self.0.clone();
        if told.wait_for(|reason| *reason == Some(Cancellation::LeaseLost)).await.is_err() {
            std::future::pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_stays_unless_the_lease_is_lost() {
        let (canceller, token) = Canceller::new();
        assert_eq!(token.reason(), None);
        canceller.cancel(Cancellation::Shutdown);
        canceller.cancel(Cancellation::Requested);
        assert_eq!(
            (token.cancelled().await, canceller.reason()),
            (Cancellation::Shutdown, Some(Cancellation::Shutdown))
        );
        assert!(tokio::time::timeout(std::time::Duration::ZERO, token.lost()).await.is_err());
        canceller.cancel(Cancellation::LeaseLost);
        assert_eq!(token.cancelled().await, Cancellation::LeaseLost);
        token.lost().await;
    }
}
