//! Reads of the ledger for those who must not block.

use std::sync::Arc;

use ackd_domain::{Body, Job, JobId, Name, Position, Queue};
use ackd_ports::{Counts, LedgerReader, Page, ReadError, Timeline};

use crate::blocking::blocking;
use crate::engine::Engine;
use crate::inputs::{Inputs, JobInput};
use crate::search::Search;
use crate::waiting::Waiting;

/// The most jobs that are named of those that block one.
pub const BLOCKERS: usize = 100;

/// A job with the bytes that belong to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The job.
    pub job: Arc<Job>,
    /// Its payload.
    pub payload: Option<Body>,
    /// Its result, once it is done and has one.
    pub result: Option<Body>,
    /// What it was handed of those that it comes after.
    pub inputs: Vec<JobInput>,
}

impl Engine {
    /// The job with this id, its payload and its result.
    ///
    /// # Errors
    /// If the ledger cannot be read, or what it holds is damaged. So for every read.
    pub async fn record(&self, id: JobId) -> Result<Option<Record>, ReadError> {
        self.read(move |reader| {
            let Some(job) = reader.job(id)? else { return Ok(None) };
            let payload = reader.payloads(&[id.number()])?.pop().flatten();
            let result = match &job.result {
                Some(_) => reader.result(id.number())?,
                None => None,
            };
            let inputs = match Inputs::of(reader).read(&job) {
                // It fails when its turn comes, and says so. What it is itself can be read.
                Err(ReadError::Damaged(_)) => Vec::new(),
                read => read?,
            };
            Ok(Some(Record { job, payload, result, inputs }))
        })
        .await
    }

    /// The job with this id.
    ///
    /// # Errors
    /// See [`Engine::record`].
    pub async fn job(&self, id: JobId) -> Result<Option<Arc<Job>>, ReadError> {
        self.read(move |reader| reader.job(id)).await
    }

    /// The job with this id and its payload.
    ///
    /// # Errors
    /// See [`Engine::record`].
    pub async fn payload(&self, id: JobId) -> Result<Option<(Arc<Job>, Option<Body>)>, ReadError> {
        self.read(move |reader| {
            let Some(job) = reader.job(id)? else { return Ok(None) };
            Ok(Some((job, reader.payloads(&[id.number()])?.pop().flatten())))
        })
        .await
    }

    /// The result of a job, by its acceptance number.
    ///
    /// # Errors
    /// See [`Engine::record`].
    pub async fn result(&self, number: u64) -> Result<Option<Body>, ReadError> {
        self.read(move |reader| reader.result(number)).await
    }

    /// The jobs of which `search` is, newest first, from below the number `before` on: at most `limit`, and fewer where a
    /// bounded number of jobs, and of bytes of payloads, was looked at without finding more.
    ///
    /// # Errors
    /// See [`Engine::record`].
    pub async fn list(&self, search: Search, before: Option<u64>, limit: usize) -> Result<Page, ReadError> {
        let turn = self.searches().of(&search).await;
        self.read(move |reader| {
            // It goes on to its end even if nobody waits for it any more.
            let _turn = turn;
            search.page(reader, before, limit)
        })
        .await
    }

    /// Every change of a job that is still kept.
    ///
    /// # Errors
    /// See [`Engine::record`].
    pub async fn timeline(&self, id: JobId) -> Result<Option<Timeline>, ReadError> {
        self.read(move |reader| reader.timeline(id)).await
    }

    /// How many jobs stand where, queue by queue.
    ///
    /// # Errors
    /// See [`Engine::record`].
    pub async fn counts(&self) -> Result<Vec<Counts>, ReadError> {
        self.read(|reader| reader.counts()).await
    }

    /// The queues that somebody configured.
    ///
    /// # Errors
    /// See [`Engine::record`].
    pub async fn queues(&self) -> Result<Vec<Arc<Queue>>, ReadError> {
        self.read(|reader| reader.queues()).await
    }

    /// The settings of one queue; the defaults where nobody configured it.
    ///
    /// # Errors
    /// See [`Engine::record`].
    pub async fn queue(&self, name: Name) -> Result<Arc<Queue>, ReadError> {
        let queues = self.queues().await?;
        let found = queues.into_iter().find(|queue| queue.name == name);
        Ok(found.unwrap_or_else(|| Arc::new(Queue::new(name))))
    }

    /// The position of the last committed change.
    ///
    /// # Errors
    /// See [`Engine::record`].
    pub async fn head(&self) -> Result<Position, ReadError> {
        let feed = Arc::clone(self.change_feed());
        off_the_runtime(move || feed.head()).await
    }

    /// The position before the oldest change that is kept.
    ///
    /// # Errors
    /// See [`Engine::record`].
    pub async fn earliest(&self) -> Result<Position, ReadError> {
        let feed = Arc::clone(self.change_feed());
        off_the_runtime(move || feed.earliest()).await
    }

    /// Why a job waits, if it does, with the very jobs that block it where some do: at most [`BLOCKERS`] of them. Where
    /// they cannot be read it names those that it was to come after.
    pub async fn explain(&self, job: &Arc<Job>) -> Option<Waiting> {
        let waiting = self.waiting(job)?;
        if !matches!(waiting, Waiting::Blocked(_)) {
            return Some(waiting);
        }
        let blocked = Arc::clone(job);
        let blockers = self.read(move |reader| {
            let mut found = reader.predecessors(blocked.id.number(), BLOCKERS)?;
            if let (Some(key), true) = (&blocked.spec.ordering_key, blocked.held.behind) {
                found.extend(reader.holder(&blocked.spec.queue, key)?.filter(|holder| holder.id != blocked.id));
            }
            Ok(found.into_iter().map(|blocker| blocker.id).collect())
        });
        Some(blockers.await.map_or(waiting, Waiting::Blocked))
    }

    /// How far the consumer of this name has come in the change feed, if it has begun.
    ///
    /// # Errors
    /// See [`Engine::record`].
    pub(crate) async fn position_of(&self, consumer: Name) -> Result<Option<Position>, ReadError> {
        self.read(move |reader| reader.position_of(&consumer)).await
    }

    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn LedgerReader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let reader = Arc::clone(self.reader());
        off_the_runtime(move || read(&*reader)).await
    }
}

/// Runs a read on a thread that may block.
async fn off_the_runtime<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ReadError> {
    match blocking(read).await {
        Ok(read) => read,
        Err(stopped) => Err(ReadError::Failed(stopped.to_string())),
    }
}
