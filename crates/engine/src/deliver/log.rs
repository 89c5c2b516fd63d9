use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{ChangeKind, Job, JobId, Timestamp};
use ackd_ports::{LedgerReader, ReadError};
use serde::Deserialize;

use crate::engine::Engine;

/// A delivery and what was tried.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryRecord {
    /// The job that it is; its [`ackd_domain::Spec::delivery`] is there.
    pub job: Arc<Job>,
    /// Its attempts that have ended, oldest first.
    pub attempts: Vec<DeliveryAttempt>,
}

/// An attempt of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// When it began.
    pub at: Timestamp,
    /// The status of the receiver's answer, if there was one.
    pub status_code: Option<u16>,
    /// How long the answer took.
    pub took: Option<Duration>,
    /// Why it failed, if it did.
    pub error: Option<Arc<str>>,
}

/// As [`crate::posting::Logged`] is read; what other hands wrote (a lapse is the ledger's) may lack any part.
#[derive(Debug, Default, Deserialize)]
struct Read<'a> {
    #[serde(borrow)]
    title: Option<Cow<'a, str>>,
    status_code: Option<u16>,
    took_us: Option<u64>,
}

impl Engine {
    /// The deliveries of what became of the job `source`, newest first, from below the acceptance number `before` on,
    /// at most `limit`.
    ///
    /// # Errors
    /// See [`Engine::record`].
    pub async fn deliveries(
        &self,
        source: JobId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>, ReadError> {
        self.read(move |reader| {
            let jobs = reader.deliveries(source.number(), before, limit)?;
            jobs.into_iter().map(|job| record(reader, job)).collect()
        })
        .await
    }

    /// The delivery of this id.
    ///
    /// # Errors
    /// See [`Engine::record`].
    pub async fn delivery(&self, id: JobId) -> Result<Option<DeliveryRecord>, ReadError> {
        self.read(move |reader| {
            let job = reader.job(id)?.filter(|job| job.spec.delivery.is_some());
            job.map(|job| record(reader, job)).transpose()
        })
        .await
    }
}

fn record(reader: &dyn LedgerReader, job: Arc<Job>) -> Result<DeliveryRecord, ReadError> {
    let changes = reader.timeline(job.id)?.map(|timeline| timeline.changes).unwrap_or_default();
    // As of its last change: so its status goes with the attempts, whatever has happened since it was found.
    let job = changes.last().map_or(job, |last| Arc::clone(&last.job));
    let mut attempts = Vec::new();
    for change in changes {
        let at = change.job.started_at.unwrap_or(change.at);
        match change.kind {
            ChangeKind::Failed | ChangeKind::Lapsed => {
                let problem = change.job.error.as_ref().map_or("", |error| &error.problem);
                attempts.push(attempt(at, problem.as_bytes(), true));
            }
            ChangeKind::Completed => {
                let result = reader.result(job.id.number())?;
                attempts.push(attempt(at, result.as_ref().map_or(b"", |result| &result.bytes), false));
            }
            _ => {}
        }
    }
    Ok(DeliveryRecord { job, attempts })
}

fn attempt(at: Timestamp, logged: &[u8], failed: bool) -> DeliveryAttempt {
    let Read { title, status_code, took_us } = serde_json::from_slice(logged).unwrap_or_default();
    let error = failed.then(|| title.map_or_else(|| Arc::from("it failed"), |title| Arc::from(&*title)));
    DeliveryAttempt { at, status_code, took: took_us.map(Duration::from_micros), error }
}
