//! What a handler knows of the job it does, and can tell about it.

use std::sync::{Arc, Mutex, PoisonError};

use ackd_api::{Secret, limits};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::cancel::{CancelToken, Canceller};
use crate::{Cancellation, CheckpointError, Client, Document};

/// A job with its payload read. It stands for the whole document otherwise.
#[derive(Debug, Clone)]
pub struct Job<T> {
    /// The payload, read from its JSON.
    pub payload: T,
    /// The job as it was when it was leased.
    pub document: Document,
}

impl<T> std::ops::Deref for Job<T> {
    type Target = Document;

    fn deref(&self) -> &Document {
        &self.document
    }
}

impl<T> Job<T> {
    /// What an earlier attempt left by [`Context::checkpoint`].
    ///
    /// # Errors
    /// The checkpoint is not of this type.
    pub fn checkpoint<C: DeserializeOwned>(&self) -> Result<Option<C>, serde_json::Error> {
        self.document.checkpoint.as_ref().map(|json| serde_json::from_str(json.get())).transpose()
    }
}

/// The line from a handler to the server, for one job. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Context {
    client: Client,
    lease: Secret<'static>,
    reports: Arc<Reports>,
    checkpoints: mpsc::Sender<CheckpointRequest>,
    cancelled: CancelToken,
}

/// How far a job has come.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Progress {
    pub(crate) percent: Option<f64>,
    pub(crate) message: Option<String>,
}

/// The latest progress that has not been sent.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    progress: Mutex<Option<Progress>>,
    pub(crate) is_new: Notify,
}

impl Reports {
    pub(crate) fn take(&self) -> Option<Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Puts back what could not be sent, unless there is something newer.
    pub(crate) fn put_back(&self, progress: Progress) {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(progress);
    }
}

/// A checkpoint that waits to be recorded.
#[derive(Debug)]
pub(crate) struct CheckpointRequest {
    pub(crate) value: Box<RawValue>,
    recorded: oneshot::Sender<Result<(), CheckpointError>>,
}

impl CheckpointRequest {
    pub(crate) fn answer(self, recorded: Result<(), CheckpointError>) {
        // The handler may have stopped waiting for it.
        let _ = self.recorded.send(recorded);
    }
}

/// The other end of a [`Context`].
pub(crate) struct ContextEnd {
    pub(crate) reports: Arc<Reports>,
    pub(crate) checkpoints: mpsc::Receiver<CheckpointRequest>,
    pub(crate) canceller: Canceller,
}

impl Context {
    pub(crate) fn new(client: Client, lease: Secret<'static>) -> (Context, ContextEnd) {
        let (canceller, cancelled) = Canceller::new();
        let (sender, checkpoints) = mpsc::channel(1);
        let reports = Arc::new(Reports::default());
        let end = ContextEnd { reports: Arc::clone(&reports), checkpoints, canceller };
        (Context { client, lease, reports, checkpoints: sender, cancelled }, end)
    }

    /// Tells how far the job has come: 0 to 100 percent, and a line for people of at most 1024 bytes; more is cut.
    ///
    /// It returns at once. The latest is sent soon; of what is told faster than the server would note it, some is left
    /// out.
    pub fn progress(&self, percent: f64, message: impl Into<String>) {
        let mut message = message.into();
        message.truncate(message.floor_char_boundary(limits::MESSAGE_BYTES));
        let progress = Progress {
            percent: (!percent.is_nan()).then(|| percent.clamp(0.0, 100.0)),
            message: (!message.is_empty()).then_some(message),
        };
        *self.reports.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
        self.reports.is_new.notify_one();
    }

    /// Leaves a note for the next attempt, should this one not come to its end: any value whose JSON has at most
    /// 64 KiB. Once this returns it is durable.
    ///
    /// # Errors
    /// See [`CheckpointError`].
    pub async fn checkpoint(&self, value: &(impl Serialize + ?Sized)) -> Result<(), CheckpointError> {
        let value = serde_json::value::to_raw_value(value)?;
        let (recorded, is_recorded) = oneshot::channel();
        let request = CheckpointRequest { value, recorded };
        self.checkpoints.send(request).await.map_err(|_| CheckpointError::LeaseLost)?;
        is_recorded.await.map_err(|_| CheckpointError::LeaseLost)?
    }

    /// Waits until the job should stop, and says why. What then has not ended within the worker's grace is dropped at
    /// its next `await`.
    pub async fn cancelled(&self) -> Cancellation {
        self.cancelled.cancelled().await
    }

    /// Waits until the lease is not held any more. For a job that goes on after it was told to stop for another reason,
    /// which [`Context::cancelled`] keeps giving.
    pub async fn lease_lost(&self) {
        self.cancelled.lost().await;
    }

    /// Whether the job should stop, and why.
    #[must_use]
    pub fn is_cancelled(&self) -> Option<Cancellation> {
        self.cancelled.reason()
    }

    /// The lease's token, for a job that talks to the server on its own. It is a secret.
    #[must_use]
    pub fn lease(&self) -> &str {
        self.lease.expose()
    }

    /// The worker's client: to submit further jobs, say.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_brought_into_its_limits_and_the_latest_counts() {
        let (context, end) = Context::new(Client::connect(crate::DEFAULT_URL).unwrap(), Secret::new("t"));
        assert_eq!(context.lease(), "t");
        context.progress(50.0, "x");
        context.progress(1000.0, "é".repeat(513));
        assert_eq!(end.reports.take(), Some(Progress { percent: Some(100.0), message: Some("é".repeat(512)) }));
        context.progress(f64::NAN, "");
        assert_eq!(end.reports.take(), Some(Progress { percent: None, message: None }));
        end.reports.put_back(Progress { percent: Some(1.0), message: None });
        context.progress(2.0, "");
        end.reports.put_back(Progress { percent: Some(1.0), message: None });
        assert_eq!(end.reports.take().and_then(|progress| progress.percent), Some(2.0));
        assert_eq!(end.reports.take(), None);
    }

    #[tokio::test]
    async fn a_checkpoint_after_the_end_is_refused() {
        let (context, end) = Context::new(Client::connect(crate::DEFAULT_URL).unwrap(), Secret::new("t"));
        drop(end);
        assert!(matches!(context.checkpoint(&1).await, Err(CheckpointError::LeaseLost)));
        let unwritable = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert!(matches!(context.checkpoint(&unwritable).await, Err(CheckpointError::Unwritable(_))));
    }
}
