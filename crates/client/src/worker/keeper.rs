//! Keeping the lease of one job while its handler runs, and settling it at the end.

use std::borrow::Cow;
use std::pin::Pin;
use std::time::Duration;

use ackd_api::lease::ProgressReport;
use ackd_api::{Code, Complete, Heartbeat, Problem, Secret, SettleAnswer, SettleLine, SettleVerb};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::context::{CheckpointRequest, Context, ContextEnd, Progress};
use super::error::Verdict;
use super::handler::{Outcome, Output};
use super::reporter::{ReportError, Reporter};
use crate::backoff::Backoff;
use crate::client::BACKOFF_MAX;
use crate::transport::JSON;
use crate::{Body, Cancellation, CheckpointError, Client, Error, GrantedLease, JobError};

/// Progress is sent at most so often.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// A heartbeat is sent after this share of the lease's time: two may get lost before the lease does.
const HEARTBEAT_SHARE: u32 = 3;

/// A result of more bytes is sent by itself, and not in a line among others, which together have a limit.
const LINE_BYTES: usize = 256 << 10;

/// The shortest time between two heartbeats. What is left of an attempt that has a timeout shrinks, and a share of it with it.
const HEARTBEAT_MIN: Duration = Duration::from_millis(250);

/// The first wait before a result of bytes is sent again.
const BACKOFF_BASE: Duration = Duration::from_millis(50);

/// What all jobs of a worker share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) reporter: Reporter,
    pub(super) grace: Duration,
    /// Whether the worker is stopping.
    pub(super) stopping: watch::Receiver<bool>,
}

/// Does one leased job: runs what `start` returns, keeps the lease meanwhile, and settles it.
pub(super) async fn keep<F>(shared: Shared, lease: GrantedLease, start: impl FnOnce(crate::Document, Context) -> F)
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let GrantedLease { lease: token, expires_in, job, .. } = lease;
    let id = job.id.clone().into_owned();
    let (context, end) = Context::new(shared.client.clone(), token.clone());
    // The handler is a task of its own, so that a panic ends only it; in a set, so that dropping the worker ends it.
    let mut work = JoinSet::new();
    work.spawn(start(job, context));
    let mut keeper = Keeper::new(shared, token, expires_in.get(), end);
    let ended = keeper.watch(&mut work).await;
    if let Err(error) = keeper.settle(ended).await {
        tracing::warn!(job = %id, %error, "the end of a job could not be told");
    }
}

/// How a handler ended.
enum Ended {
    /// By itself.
    Returned(Outcome),
    /// It panicked, with this text.
    Panicked(String),
    /// It had its grace, and was stopped.
    Stopped,
}

struct Keeper {
    shared: Shared,
    token: Secret<'static>,
    /// When the lease lapses, unless a heartbeat is heard of before.
    deadline: Instant,
    /// A third of the lease's time, and not too little.
    interval: Duration,
    last_beat: Instant,
    next_beat: Instant,
    end: ContextEnd,
    /// When the handler is stopped, once it was told to stop by itself.
    stop_at: Option<Instant>,
}

/// A heartbeat that is under way, and what it carries.
struct Beat {
    answer: Pin<Box<dyn Future<Output = Result<SettleAnswer<'static>, ReportError>> + Send>>,
    progress: Option<Progress>,
    checkpoint: Option<CheckpointRequest>,
}

/// How long after a heartbeat the next one is, of a lease that lasts so long.
fn interval(lasts: Duration) -> Duration {
    (lasts / HEARTBEAT_SHARE).max(HEARTBEAT_MIN)
}

impl Keeper {
    fn new(shared: Shared, token: Secret<'static>, ttl: Duration, end: ContextEnd) -> Keeper {
        let now = Instant::now();
        let interval = interval(ttl);
        let (deadline, next_beat) = (now + ttl, now + interval);
        Keeper { shared, token, deadline, interval, last_beat: now, next_beat, end, stop_at: None }
    }

    /// Sends heartbeats until the handler ends, and tells it when it should.
    async fn watch(&mut self, work: &mut JoinSet<Outcome>) -> Ended {
        let mut stopping = self.shared.stopping.clone();
        let mut is_stopping_told = false;
        let mut beat: Option<Beat> = None;
        loop {
            let is_held = self.is_held();
            let can_beat = is_held && beat.is_none();
            tokio::select! {
                biased;
                ended = work.join_next() => return ended.map_or(Ended::Stopped, Ended::from),
                () = until(self.stop_at) => {
                    work.abort_all();
                    // What the handler holds is dropped before the lease is given back. It may just have returned.
                    return work.join_next().await.map_or(Ended::Stopped, Ended::from);
                }
                () = told(&mut stopping), if !is_stopping_told => {
                    is_stopping_told = true;
                    self.tell(Cancellation::Shutdown);
                }
                answer = answered(&mut beat) => {
                    if let Some(beat) = beat.take() {
                        self.heard(answer, beat);
                    }
                }
                Some(checkpoint) = self.end.checkpoints.recv(), if can_beat || !is_held => {
                    if is_held {
                        beat = Some(self.beat(Some(checkpoint)));
                    } else {
                        checkpoint.answer(Err(CheckpointError::LeaseLost));
                    }
                }
                () = self.end.reports.is_new.notified(), if is_held => {
                    self.next_beat = self.next_beat.min(self.last_beat + PROGRESS_INTERVAL);
                }
                () = tokio::time::sleep_until(self.next_beat), if can_beat => beat = Some(self.beat(None)),
                () = tokio::time::sleep_until(self.deadline), if is_held => self.tell(Cancellation::LeaseLost),
            }
        }
    }

    fn is_held(&self) -> bool {
        self.end.canceller.reason() != Some(Cancellation::LeaseLost)
    }

    /// Tells the handler to stop; after the grace it is stopped.
    fn tell(&mut self, reason: Cancellation) {
        self.end.canceller.cancel(reason);
        self.stop_at.get_or_insert_with(|| Instant::now() + self.shared.grace);
    }

    /// Sends a heartbeat with the progress that there is.
    fn beat(&mut self, checkpoint: Option<CheckpointRequest>) -> Beat {
        let progress = self.end.reports.take();
        let heartbeat = Heartbeat {
            ttl: None,
            progress: progress.as_ref().map(|progress| ProgressReport {
                percent: progress.percent,
                message: progress.message.as_deref().map(Cow::Borrowed),
            }),
            checkpoint: checkpoint.as_ref().map(|checkpoint| &*checkpoint.value),
        };
        let line = self.line(SettleVerb::Heartbeat(heartbeat));
        self.last_beat = Instant::now();
        self.next_beat = self.last_beat + self.interval;
        Beat { answer: Box::pin(self.shared.reporter.report(line, self.deadline)), progress, checkpoint }
    }

    /// Takes the answer to a heartbeat.
    fn heard(&mut self, answer: Result<SettleAnswer<'static>, ReportError>, beat: Beat) {
        let recorded = match answer {
            Ok(answer) => {
                if let Some(heartbeat) = answer.heartbeat {
                    // The deadline is the server's, in its own time; how long it is from now on holds here too.
                    self.deadline = Instant::now() + heartbeat.expires_in.get();
                    self.interval = interval(heartbeat.expires_in.get());
                    if heartbeat.cancel_requested {
                        self.tell(Cancellation::Requested);
                    }
                }
                Ok(())
            }
            Err(ReportError::Lost) => {
                self.tell(Cancellation::LeaseLost);
                Err(CheckpointError::LeaseLost)
            }
            Err(ReportError::Refused(problem)) => {
                tracing::warn!(%problem, "a heartbeat was refused");
                if let Some(progress) = beat.progress {
                    self.end.reports.put_back(progress);
                }
                if beat.checkpoint.is_some() {
                    // The checkpoint was at fault. The lease was not extended; without it, it will be.
                    self.next_beat = Instant::now();
                }
                Err(CheckpointError::Refused(problem))
            }
        };
        if let Some(checkpoint) = beat.checkpoint {
            checkpoint.answer(recorded);
        }
    }

    /// Tells the server how the handler ended.
    async fn settle(&self, ended: Ended) -> Result<(), ReportError> {
        if matches!(ended, Ended::Returned(Ok(Output::Settled))) {
            // A heartbeat that came after it may have found the lease ended.
            return Ok(());
        }
        let reason = self.end.canceller.reason();
        if reason == Some(Cancellation::LeaseLost) {
            return Err(ReportError::Lost);
        }
        let is_stopping = reason == Some(Cancellation::Shutdown);
        match ended {
            Ended::Returned(Ok(output)) => match self.complete(&output).await {
                Err(ReportError::Refused(problem)) => {
                    // The result is too large, or too deep: no further attempt would be better.
                    tracing::warn!(%problem, "a result was refused");
                    self.settle_as(JobError::permanent("the result was refused").with_problem(&problem), false).await
                }
                completed => completed,
            },
            Ended::Returned(Err(error)) => self.settle_as(error, is_stopping).await,
            Ended::Panicked(text) => self.settle_as(JobError::retryable(text), is_stopping).await,
            Ended::Stopped => self.settle_as(JobError::cancelled(), is_stopping).await,
        }
    }

    async fn complete(&self, output: &Output) -> Result<(), ReportError> {
        match output {
            Output::Json(json) if json.get().len() > LINE_BYTES => {
                let body = Body { content_type: JSON.to_owned(), bytes: json.get().to_owned().into() };
                self.complete_bytes(&body).await
            }
            Output::Json(json) => self.report(SettleVerb::Complete(Complete { result: Some(json) })).await,
            Output::Bytes(body) => self.complete_bytes(body).await,
            Output::Settled => Ok(()),
            Output::Nothing => self.report(SettleVerb::Complete(Complete { result: None })).await,
        }
    }

    async fn settle_as(&self, error: JobError, is_stopping: bool) -> Result<(), ReportError> {
        match error.verdict(is_stopping) {
            Verdict::Fail(fail) => self.report(SettleVerb::Fail(fail)).await,
            Verdict::Release(release) => self.report(SettleVerb::Release(release)).await,
        }
    }

    async fn report(&self, verb: SettleVerb<'_>) -> Result<(), ReportError> {
        let line = self.line(verb);
        self.shared.reporter.report(line, self.deadline).await.map(drop)
    }

    /// A result that is no JSON, or large, does not stand in a line.
    async fn complete_bytes(&self, body: &Body) -> Result<(), ReportError> {
        let mut backoff = Backoff::new(BACKOFF_BASE, BACKOFF_MAX);
        loop {
            let completed =
                self.shared.client.complete_bytes(self.token.expose(), &body.content_type, body.bytes.clone());
            let error = match tokio::time::timeout_at(self.deadline, completed).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) => error,
                Err(_) => return Err(ReportError::Lost),
            };
            match error {
                error if error.is_transient() => tokio::time::sleep(backoff.wait()).await,
                error if error.is(Code::LeaseLost) => return Err(ReportError::Lost),
                Error::Refused { problem, .. } => return Err(ReportError::Refused(problem)),
                error => return Err(ReportError::Refused(Problem::new(Code::Internal, error.to_string()))),
            }
        }
    }

    fn line(&self, verb: SettleVerb<'_>) -> Vec<u8> {
        let line = SettleLine { lease: Secret::new(self.token.expose()), verb };
        // Texts, numbers and JSON that was read before can always be written.
        serde_json::to_vec(&line).unwrap_or_default()
    }
}

impl From<Result<Outcome, JoinError>> for Ended {
    fn from(joined: Result<Outcome, JoinError>) -> Ended {
        let panic = match joined {
            Ok(outcome) => return Ended::Returned(outcome),
            Err(error) if error.is_panic() => error.into_panic(),
            Err(_) => return Ended::Stopped,
        };
        let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Ended::Panicked(format!("the handler panicked: {}", text.unwrap_or("without a text")))
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

async fn answered(beat: &mut Option<Beat>) -> Result<SettleAnswer<'static>, ReportError> {
    match beat {
        Some(beat) => beat.answer.as_mut().await,
        None => std::future::pending().await,
    }
}

async fn told(stopping: &mut watch::Receiver<bool>) {
    // If the worker was dropped, so is this.
    let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
}
