use std::sync::Arc;
use std::time::Duration;

use crate::{
    Backoff, BodyInfo, Callback, DeadLetter, Delivery, Failure, FileId, FlowPart, Held, IdempotencyKey, JobId, Lease,
    LeaseState, LeaseToken, Name, OnFailure, Position, Predecessor, Progress, Status, Timestamp, limits,
};

/// What the client asked for. But for what the payload is it does not change in a job's life; the payload's bytes stand
/// apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// The queue whose workers take it.
    pub queue: Name,
    /// The client's own name for this kind of work.
    pub kind: Option<Arc<str>>,
    /// 0 (lowest) to [`crate::limits::PRIORITY`].
    pub priority: u8,
    /// Jobs of one priority take turns by their group, and a queue may limit how many of one group run at
    /// once; at most [`crate::limits::GROUP_BYTES`].
    pub group: Option<Arc<str>>,
    /// The attempts of a run.
    pub max_attempts: u32,
    /// The longest time of one attempt, where the job names one.
    pub timeout: Option<Duration>,
    /// The wait between attempts, where the job names one.
    pub backoff: Option<Backoff>,
    /// How long after the start of a run the job expires.
    pub expires_in: Duration,
    /// How long it is kept once it ended, where the job names a time.
    pub result_retention: Option<Duration>,
    /// The key under which the same request again gets this job.
    pub key: Option<IdempotencyKey>,
    /// Labels for lists and feeds.
    pub tags: Vec<Arc<str>>,
    /// The W3C trace context that is handed to the worker.
    pub traceparent: Option<Arc<str>>,
    /// Where to tell of the job's end.
    pub callback: Option<Arc<Callback>>,
    /// Of the unfinished jobs of a queue with the same ordering key only one may run, wait to be tried again or be
    /// due later: the others stand behind it, in the order in which they were accepted. At most
    /// [`crate::limits::ORDERING_KEY_BYTES`].
    pub ordering_key: Option<Arc<str>>,
    /// As long as it is unfinished, no other job of its queue with this key is made. At most
    /// [`crate::limits::UNIQUE_KEY_BYTES`].
    pub unique: Option<Arc<str>>,
    /// The jobs that it comes after.
    pub after: Vec<Predecessor>,
    /// What becomes of it when one of those ends otherwise than `DONE`.
    pub on_failure: OnFailure,
    /// The flow that it belongs to.
    pub flow: Option<Arc<FlowPart>>,
    /// What it delivers, where it is one of the server's own that does.
    pub delivery: Option<Arc<Delivery>>,
    /// The dead job that it was made of.
    pub dead_letter_of: Option<DeadLetter>,
    /// What the payload is. A submission with the unique key of the waiting job may replace it.
    pub payload: BodyInfo,
    /// Where the payload's bytes are, if not in the ledger.
    pub payload_file: Option<FileId>,
}

/// A job as of one of its changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its public id.
    pub id: JobId,
    /// What was asked for.
    pub spec: Arc<Spec>,
    /// Where it stands.
    pub status: Status,
    /// Grows by one with every change.
    pub version: u64,
    /// 1, and one more with every explicit retry.
    pub run: u32,
    /// The attempts of this run that count, the current one included.
    pub attempt: u32,
    /// When it is due, while it waits.
    pub run_at: Timestamp,
    /// What else holds it back, while it waits.
    pub held: Held,
    /// When it expires unless it is done.
    pub expires_at: Timestamp,
    /// When its latest attempt started.
    pub started_at: Option<Timestamp>,
    /// When its run ended.
    pub finished_at: Option<Timestamp>,
    /// When somebody asked its worker to stop.
    pub cancel_requested_at: Option<Timestamp>,
    /// Who works on it, or did last.
    pub worker: Option<Arc<str>>,
    /// Its latest lease.
    pub lease: Option<Lease>,
    /// What its worker said last of how far it has come, in this attempt.
    pub progress: Option<Progress>,
    /// Why its latest attempt failed, or why it ended otherwise than `DONE`.
    pub error: Option<Failure>,
    /// What a worker left for the next attempt, JSON.
    pub checkpoint: Option<Arc<str>>,
    /// What the result is, once it is done.
    pub result: Option<BodyInfo>,
    /// Where the result's bytes are, if not in the ledger.
    pub result_file: Option<FileId>,
    /// The position of its latest change.
    pub changed: Position,
}

impl Job {
    /// Whether it waits for its time and a worker, and for nothing else.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.status == Status::Init && self.held.is_free()
    }

    /// The live lease that `token` names, if it is this job's.
    #[must_use]
    pub fn live_lease(&self, token: &LeaseToken) -> Option<&Lease> {
        self.lease.as_ref().filter(|lease| lease.state == LeaseState::Live && lease.is_named_by(token))
    }

    /// Until when the ended job is kept; `None` while it has not ended.
    ///
    /// With an idempotency key it is kept for [`crate::limits::KEY_KEPT`] after it was accepted at least, for the key
    /// says the same job for as long.
    #[must_use]
    pub fn kept_until(&self) -> Option<Timestamp> {
        let until = self.finished_at?.after(self.spec.result_retention.unwrap_or(limits::DEFAULT_RETENTION));
        let keyed = self.spec.key.as_ref().map(|_| self.created_at().after(limits::KEY_KEPT));
        Some(keyed.map_or(until, |keyed| keyed.max(until)))
    }

    /// The bytes of its payload and its result that stand in the ledger.
    #[must_use]
    pub fn stored_size(&self) -> u64 {
        let payload = if self.spec.payload_file.is_none() { self.spec.payload.size } else { 0 };
        let result = self.result.as_ref().filter(|_| self.result_file.is_none());
        payload + result.map_or(0, |result| result.size)
    }

    /// The files that it refers to.
    pub fn files(&self) -> impl Iterator<Item = FileId> {
        self.spec.payload_file.into_iter().chain(self.result_file)
    }

    /// When it was accepted.
    #[must_use]
    pub const fn created_at(&self) -> Timestamp {
        self.id.accepted_at()
    }
}
