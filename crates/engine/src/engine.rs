//! The engine's edge: the threads it runs on, and the handle by which everybody asks it.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use ackd_domain::{Answer, Body, Command, Endpoint, Failure, Job, LeaseToken, Name, Refusal, Schedule, Submission};
use ackd_ports::{ChangeFeed, Clock, FileStoreError, Ledger, LedgerReader, ReadError};
use tokio::sync::oneshot;

use crate::blocking::blocking;
use crate::blocks::Blocks;
use crate::clock::{Moment, ServerClock, last_written};
use crate::core::{Core, CoreParts, Input, Shared, token};
use crate::dispatch::{Ask, AskId, WindowLimits};
use crate::files::{FileTrouble, FilesError};
use crate::hub::Hub;
use crate::inputs::Inputs;
use crate::mailbox::{Mailbox, MailboxLimits, Rejected, Weight};
use crate::pager;
use crate::push::Pushes;
use crate::search::Turns;
use crate::seen::Seen;
use crate::stats::Stats;
use crate::tail::Tail;
use crate::waiting::{QueuesSeen, Waiting};
use crate::work::{Assigned, Granted, Grants, Unpacked, WorkRequest};

/// How long a job rests whose payload could not be read.
const UNREAD_AGAIN: Duration = Duration::from_secs(1);

/// What a job fails of whose payload is damaged.
const DAMAGED_PAYLOAD: &str = r#"{"type":"/problems/damaged","title":"The stored payload is damaged"}"#;
/// What an attempt fails of whose payload is a file that is not there.
const MISSING_FILE: &str = r#"{"type":"/problems/damaged","title":"The file of the payload is missing"}"#;
/// What a job fails of that is handed a result which is damaged.
const DAMAGED_INPUT: &str =
    r#"{"type":"/problems/damaged","title":"The stored result of a job that this one comes after is damaged"}"#;

/// What an engine is made of.
pub struct Parts {
    /// The one writer of the ledger.
    pub ledger: Box<dyn Ledger>,
    /// Reads of the same ledger.
    pub reader: Arc<dyn LedgerReader>,
    /// The change feed of the same ledger.
    pub feed: Arc<dyn ChangeFeed>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How much may wait for the core.
    pub mailbox: MailboxLimits,
    /// How much of the backlog is held in memory.
    pub window: WindowLimits,
    /// How long the change feed is kept; twice that where a consumer of it has yet to see what would go.
    pub feed_retention: Duration,
}

/// Why an engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What the ledger holds cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The operating system gives no thread.
    #[error("no thread could be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// Why the engine did not take something up. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// Too much waits already.
    #[error("too many requests wait already")]
    Overloaded,
    /// The server stops.
    #[error("the server is stopping")]
    Stopping,
    /// The store has no room.
    #[error("the store is full")]
    Full,
    /// The store has failed for good.
    #[error("the store has failed: {0}")]
    Failed(String),
}

/// Whether the engine can do its work.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// What is wrong, a line each.
    pub trouble: Vec<String>,
    /// Nothing is accepted any more because the server stops.
    pub stopping: bool,
}

impl Health {
    /// Whether requests can be served as promised.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.trouble.is_empty() && !self.stopping
    }
}

/// A handle on a running engine. Cloning it is cheap.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    mailbox: Arc<Mailbox<Input>>,
    hub: Arc<Hub>,
    tail: Arc<Tail>,
    blocks: Blocks,
    queues: Arc<QueuesSeen>,
    endpoints: Arc<Seen<Endpoint>>,
    pushes: Arc<Pushes>,
    schedules: Arc<Seen<Schedule>>,
    stats: Arc<Stats>,
    searches: Turns,
    file_trouble: FileTrouble,
    reader: Arc<dyn LedgerReader>,
    feed: Arc<dyn ChangeFeed>,
    clock: Arc<ServerClock>,
    next_ask: AtomicU64,
    status: Arc<Mutex<Status>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
pub(crate) struct Status {
    failed: Option<String>,
    stopping: bool,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// Takes up what the ledger holds and starts the engine's threads: the core, the one that reads the
    /// ledger for it, and the one that tells those who follow the feed.
    ///
    /// # Errors
    /// [`StartError`] says what is missing.
    pub fn start(parts: Parts) -> Result<Engine, StartError> {
        let (engine, core) = Engine::assemble(parts)?;
        let inner = &engine.inner;
        let clock = Arc::clone(&inner.clock);
        let (to_pager, requests) = mpsc::channel();
        let (mailbox, status, hub) = (Arc::clone(&inner.mailbox), Arc::clone(&inner.status), Arc::clone(&inner.hub));
        let core = std::thread::Builder::new().name("core".to_owned()).spawn(move || {
            run_core(core, &clock, &mailbox, &status, &hub, &to_pager);
        })?;
        let (mailbox, status) = (Arc::clone(&inner.mailbox), Arc::clone(&inner.status));
        let reader = Arc::clone(&inner.reader);
        let pager = std::thread::Builder::new().name("pager".to_owned()).spawn(move || {
            let read = AssertUnwindSafe(|| {
                pager::run(&reader, &requests, |input| {
                    // A mailbox that is closed needs nothing read any more.
                    let _ = mailbox.push(input, Weight::default());
                });
            });
            if std::panic::catch_unwind(read).is_err() {
                // A bug. Without the pager no backlog is read: better to say so than to let jobs wait for ever.
                let detail = "the pager ended by a panic; see the log".to_owned();
                status.lock().unwrap_or_else(PoisonError::into_inner).failed = Some(detail);
                mailbox.close();
            }
        })?;
        let tail = Arc::clone(&inner.tail);
        let tail = std::thread::Builder::new().name("tail".to_owned()).spawn(move || tail.run())?;
        inner.lock_threads().extend([core, pager, tail]);
        Ok(engine)
    }

    /// Takes up what the ledger holds, and starts nothing: the core has no thread yet.
    pub(crate) fn assemble(parts: Parts) -> Result<(Engine, Core), StartError> {
        let clock = Arc::new(ServerClock::start(parts.clock, last_written(&*parts.feed)));
        let moment = clock.moment();
        let inner = Arc::new(Inner {
            mailbox: Arc::new(Mailbox::new(parts.mailbox)),
            hub: Arc::default(),
            tail: Arc::new(Tail::new(parts.feed.head()?)),
            blocks: Blocks::default(),
            queues: Arc::new(QueuesSeen::new(moment.tick)),
            endpoints: Arc::new(Seen::new(parts.reader.endpoints()?)),
            pushes: Arc::default(),
            schedules: Arc::new(Seen::new(parts.reader.schedules()?)),
            stats: Arc::default(),
            searches: Turns::default(),
            file_trouble: FileTrouble::default(),
            reader: Arc::clone(&parts.reader),
            feed: parts.feed,
            clock,
            next_ask: AtomicU64::new(1),
            status: Arc::default(),
            threads: Mutex::default(),
        });
        let core_parts = CoreParts {
            ledger: parts.ledger,
            reader: parts.reader,
            window: parts.window,
            feed_retention: parts.feed_retention,
        };
        let shared = Shared {
            hub: Arc::clone(&inner.hub),
            tail: Arc::clone(&inner.tail),
            queues: Arc::clone(&inner.queues),
            endpoints: Arc::clone(&inner.endpoints),
            pushes: Arc::clone(&inner.pushes),
            schedules: Arc::clone(&inner.schedules),
            stats: Arc::clone(&inner.stats),
        };
        let core = Core::start(core_parts, shared, moment)?;
        Ok((Engine { inner }, core))
    }

    /// Applies `commands` in one commit, in order, and gives the answer to each once all are durable.
    ///
    /// # Errors
    /// [`Unavailable`]; then none of them has happened.
    pub async fn run(&self, commands: Vec<Command>) -> Result<Vec<Result<Answer, Refusal>>, Unavailable> {
        let weight = weigh(&commands);
        let (reply, answer) = oneshot::channel();
        self.push(Input::Run(commands, reply), weight)?;
        self.receive(answer).await
    }

    /// Leases jobs to a worker; waits for the first one. Empty where there was none within the wait.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn lease(&self, request: WorkRequest) -> Result<Grants, Unavailable> {
        let id = AskId(self.inner.next_ask.fetch_add(1, Ordering::Relaxed));
        let WorkRequest { queues, kinds, max, wait, worker, ttl, inline } = request;
        let (reply, answer) = oneshot::channel();
        self.push(Input::Ask(id, Ask { queues, kinds, max, worker, ttl }, reply), Weight { commands: 1, bytes: 0 })?;
        let mut asking = Asking { engine: self, id, answer, answered: false };
        let assigned = match tokio::time::timeout(wait, &mut asking.answer).await {
            Ok(assigned) => assigned,
            Err(_) => {
                // What was leased meanwhile comes all the same: the core answers either way.
                asking.forget();
                (&mut asking.answer).await
            }
        };
        asking.answered = true;
        let assigned = assigned.unwrap_or_else(|_| Err(self.why_silent()))?;
        Ok(self.unpack(assigned, inline).await)
    }

    /// Gives back all the leases of the worker of this name, uncounted. Says how many they were.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn release_worker(&self, worker: Arc<str>) -> Result<usize, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.push(Input::ReleaseWorker(worker, reply), Weight { commands: 1, bytes: 0 })?;
        self.receive(answer).await
    }

    /// Why a job waits, if it does.
    #[must_use]
    pub fn waiting(&self, job: &Job) -> Option<Waiting> {
        let Moment { now, tick, .. } = self.inner.clock.moment();
        self.inner.queues.why(job, now, tick)
    }

    /// The time that the engine goes by.
    #[must_use]
    pub fn clock(&self) -> &ServerClock {
        &self.inner.clock
    }

    #[cfg(feature = "simulation")]
    pub(crate) fn mailbox(&self) -> &Mailbox<Input> {
        &self.inner.mailbox
    }

    #[cfg(feature = "simulation")]
    pub(crate) fn status(&self) -> &Mutex<Status> {
        &self.inner.status
    }

    /// Whether the engine can do its work.
    #[must_use]
    pub fn health(&self) -> Health {
        let status = self.inner.lock_status();
        let mut trouble = self.inner.reader.trouble();
        trouble.extend(status.failed.iter().map(|detail| format!("the store has failed: {detail}")));
        trouble.extend(self.inner.file_trouble.lines());
        Health { trouble, stopping: status.stopping }
    }

    /// The webhook endpoints, by name.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Arc<Endpoint>> {
        self.inner.endpoints.all()
    }

    /// The webhook endpoint of this name.
    #[must_use]
    pub fn endpoint(&self, name: &Name) -> Option<Arc<Endpoint>> {
        self.inner.endpoints.of(name)
    }

    /// How many posts the pushes of all queues but this one may have under way at once.
    #[must_use]
    pub fn push_concurrency_beside(&self, queue: &Name) -> u32 {
        self.inner.pushes.concurrency_beside(queue)
    }

    /// What the engine has done.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.inner.stats
    }

    /// How many follow a job or a part of the feed.
    #[must_use]
    pub fn followers(&self) -> usize {
        self.inner.hub.count() + self.inner.tail.count()
    }

    /// Says that the server is about to stop: waiting workers and followers are let go, so that their
    /// connections end; what is asked for still is answered.
    pub fn drain(&self) {
        self.inner.lock_status().stopping = true;
        self.inner.hub.close();
        self.inner.tail.close();
        // A mailbox that is closed already has let everybody go.
        drop(self.push(Input::Drain, Weight::default()));
    }

    /// Finishes what was asked for, answers it, and ends the engine's threads. Blocks until they ended.
    pub fn stop(&self) {
        self.drain();
        self.inner.mailbox.close();
        let threads = std::mem::take(&mut *self.inner.lock_threads());
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the engine ended by a panic");
            }
        }
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.inner.hub
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.inner.lock_status().stopping
    }

    /// Somebody works on the jobs of this queue, although nobody asks for more now.
    pub(crate) fn note_asked(&self, queue: &Name) {
        self.inner.queues.asked(queue, self.inner.clock.monotonic());
    }

    pub(crate) fn pushes(&self) -> &Pushes {
        &self.inner.pushes
    }

    pub(crate) fn endpoints_seen(&self) -> &Arc<Seen<Endpoint>> {
        &self.inner.endpoints
    }

    pub(crate) fn schedules_seen(&self) -> &Seen<Schedule> {
        &self.inner.schedules
    }

    pub(crate) fn reader(&self) -> &Arc<dyn LedgerReader> {
        &self.inner.reader
    }

    pub(crate) fn file_trouble(&self) -> &FileTrouble {
        &self.inner.file_trouble
    }

    pub(crate) fn searches(&self) -> &Turns {
        &self.inner.searches
    }

    pub(crate) fn tail(&self) -> &Arc<Tail> {
        &self.inner.tail
    }

    pub(crate) fn blocks(&self) -> &Blocks {
        &self.inner.blocks
    }

    pub(crate) fn change_feed(&self) -> &Arc<dyn ChangeFeed> {
        &self.inner.feed
    }

    /// Releases leases whose worker never got them.
    pub(crate) fn release_undelivered(&self, tokens: Vec<LeaseToken>) {
        let release = |lease| Command::Release { lease, delay: None, checkpoint: None };
        self.settle_unasked(tokens.into_iter().map(release).collect());
    }

    /// Lets leases last that are still on their way to their worker.
    pub(crate) fn beat_undelivered(&self, tokens: impl Iterator<Item = LeaseToken>) {
        let beat = |lease| Command::Heartbeat { lease, ttl: None, progress: None, checkpoint: None };
        let (reply, _) = oneshot::channel();
        // A mailbox that is full has room again before the next one.
        drop(self.push(Input::Run(tokens.map(beat).collect(), reply), Weight::default()));
    }

    /// Puts the payloads to the leases: most are at hand, the others are read; those of more than `inline`
    /// bytes are not, for their workers fetch them.
    async fn unpack(&self, assigned: Vec<Assigned>, inline: u64) -> Grants {
        let mut unpacked = Unpacked { engine: self, assigned };
        let missing = |it: &Assigned| it.payload.is_none() && it.job.spec.payload.size <= inline;
        let numbers: Vec<u64> =
            unpacked.assigned.iter().filter(|it| missing(it)).map(|it| it.job.id.number()).collect();
        if !numbers.is_empty() {
            let mut payloads = self.payloads_of(numbers).await.into_iter();
            let (mut damaged, mut unread) = (Vec::new(), Vec::new());
            unpacked.assigned.retain_mut(|it| {
                if !missing(it) {
                    return true;
                }
                match payloads.next() {
                    Some(Ok(Some(payload))) => it.payload = Some(payload),
                    Some(Ok(None) | Err(ReadError::Damaged(_))) => damaged.extend(token(&it.job)),
                    Some(Err(ReadError::Failed(_))) | None => unread.extend(token(&it.job)),
                }
                it.payload.is_some()
            });
            self.give_up(DAMAGED_PAYLOAD, damaged, unread);
        }
        self.put_inputs(&mut unpacked).await;
        let granted = std::mem::take(&mut unpacked.assigned).into_iter().filter_map(|it| {
            let (token, lease) = (token(&it.job)?, it.job.lease.as_ref()?);
            let ttl = lease.timeout.map_or(lease.ttl, |timeout| timeout.min(lease.ttl));
            Some(Granted { job: it.job, payload: it.payload, inputs: it.inputs, token, ttl })
        });
        Grants::new(self.clone(), granted.collect())
    }

    /// Puts to the leases what their jobs are handed of those that they come after. Where that cannot be read now, the job
    /// rests: a worker must not take it for one without.
    async fn put_inputs(&self, unpacked: &mut Unpacked<'_>) {
        let follows = |it: &Assigned| !it.job.spec.after.is_empty();
        let jobs: Vec<Arc<Job>> =
            unpacked.assigned.iter().filter(|it| follows(it)).map(|it| Arc::clone(&it.job)).collect();
        if jobs.is_empty() {
            return;
        }
        let reader = Arc::clone(self.reader());
        let read = move || {
            let mut inputs = Inputs::of(&*reader);
            jobs.iter().map(|job| inputs.read(job)).collect::<Vec<_>>()
        };
        let mut read = blocking(read).await.unwrap_or_default().into_iter();
        let (mut damaged, mut unread) = (Vec::new(), Vec::new());
        unpacked.assigned.retain_mut(|it| {
            if !follows(it) {
                return true;
            }
            match read.next() {
                Some(Ok(inputs)) => it.inputs = inputs,
                Some(Err(ReadError::Damaged(_))) => damaged.extend(token(&it.job)),
                Some(Err(ReadError::Failed(_))) | None => unread.extend(token(&it.job)),
            }
            !it.inputs.is_empty()
        });
        self.give_up(DAMAGED_INPUT, damaged, unread);
    }

    /// The payloads of these jobs, or why each cannot be had.
    async fn payloads_of(&self, numbers: Vec<u64>) -> Vec<Result<Option<Body>, ReadError>> {
        let reader = Arc::clone(self.reader());
        let read = blocking(move || match reader.payloads(&numbers) {
            Ok(payloads) => payloads.into_iter().map(Ok).collect(),
            // One of them cannot be read: find out which, so that the others are not held up.
            Err(_) => numbers
                .iter()
                .map(|number| reader.payloads(&[*number]).map(|mut payloads| payloads.pop().flatten()))
                .collect(),
        });
        // Where the read ended in a panic, none of them is had.
        read.await.unwrap_or_default()
    }

    /// Settles the leases of jobs whose payload, or what they are handed of others, cannot be had. A damaged one no worker can do
    /// anything with, ever: it must not be handed out again and again. One that was not read may be read later.
    fn give_up(&self, why: &str, damaged: Vec<LeaseToken>, unread: Vec<LeaseToken>) {
        let damaged = damaged.into_iter().map(|lease| Engine::cannot_work(lease, why, false));
        self.settle_unasked(damaged.chain(unread.into_iter().map(Engine::rests)).collect());
    }

    /// The payload of this leased job is a file that cannot be read, for this reason.
    pub(crate) fn unreadable_file(&self, lease: LeaseToken, error: &FilesError) {
        self.settle_unasked(vec![match error {
            // So it looks also where a disk is not mounted. Its attempts count all the same, so that it comes to an end.
            FilesError::Store(FileStoreError::Missing(_)) => Engine::cannot_work(lease, MISSING_FILE, true),
            error if error.is_damage() => Engine::cannot_work(lease, DAMAGED_PAYLOAD, false),
            _ => Engine::rests(lease),
        }]);
    }

    fn cannot_work(lease: LeaseToken, why: &str, retryable: bool) -> Command {
        let error = Failure { problem: Arc::from(why) };
        Command::Fail { lease, error, retryable, retry_after: None, cancelled: false }
    }

    fn rests(lease: LeaseToken) -> Command {
        Command::Release { lease, delay: Some(UNREAD_AGAIN), checkpoint: None }
    }

    /// Settles leases for which no worker can do it.
    fn settle_unasked(&self, commands: Vec<Command>) {
        if !commands.is_empty() {
            // If the server stops, the leases lapse; where the worker could not have worked, the next attempt comes here again.
            drop(self.push(Input::Unasked(commands), Weight::default()));
        }
    }

    fn push(&self, input: Input, weight: Weight) -> Result<(), Unavailable> {
        self.inner.mailbox.push(input, weight).map_err(|rejected| match rejected {
            Rejected::Full => Unavailable::Overloaded,
            Rejected::Closed => self.why_silent(),
        })
    }

    async fn receive<T>(&self, answer: oneshot::Receiver<Result<T, Unavailable>>) -> Result<T, Unavailable> {
        answer.await.unwrap_or_else(|_| Err(self.why_silent()))
    }

    /// Why the core does not answer.
    fn why_silent(&self) -> Unavailable {
        match &self.inner.lock_status().failed {
            Some(detail) => Unavailable::Failed(detail.clone()),
            None => Unavailable::Stopping,
        }
    }
}

impl Inner {
    fn lock_status(&self) -> std::sync::MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_threads(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An ask that is parked in the core. Dropped before its answer, because its client went away, it is
/// forgotten there too, and what was leased for it all the same goes back.
struct Asking<'a> {
    engine: &'a Engine,
    id: AskId,
    answer: oneshot::Receiver<Result<Vec<Assigned>, Unavailable>>,
    answered: bool,
}

impl Asking<'_> {
    fn forget(&self) {
        // If the server stops, the core lets everybody go anyway.
        drop(self.engine.push(Input::Forget(self.id), Weight::default()));
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        // From here on the core finds nobody to answer; what it answered before is here.
        self.answer.close();
        if let Ok(Ok(assigned)) = self.answer.try_recv() {
            self.engine.release_undelivered(assigned.iter().filter_map(|it| token(&it.job)).collect());
        }
        self.forget();
    }
}

/// One turn of the core, which hands on what is to be read for it.
pub(crate) fn turn(
    core: &mut Core,
    inputs: Vec<Input>,
    clock: &ServerClock,
    status: &Mutex<Status>,
    mut to_pager: impl FnMut(pager::PagerRequest),
) {
    core.turn(inputs, clock.moment());
    core.take_reads().into_iter().for_each(&mut to_pager);
    if let Some(detail) = core.failed() {
        let mut status = status.lock().unwrap_or_else(PoisonError::into_inner);
        status.failed.get_or_insert_with(|| detail.to_owned());
    }
}

fn run_core(
    mut core: Core,
    clock: &ServerClock,
    mailbox: &Mailbox<Input>,
    status: &Mutex<Status>,
    hub: &Hub,
    to_pager: &mpsc::Sender<pager::PagerRequest>,
) {
    let turns = std::panic::catch_unwind(AssertUnwindSafe(|| {
        loop {
            let patience = core.patience(clock.moment());
            let (inputs, over) = mailbox.take(Some(patience));
            if over && !core.is_busy() {
                return;
            }
            turn(&mut core, inputs, clock, status, |request| {
                // The pager ends with the engine, and then nothing need be read.
                drop(to_pager.send(request));
            });
        }
    }));
    if turns.is_err() {
        // A bug. What is committed is safe; but what the core knows can no longer be trusted.
        let detail = "the core ended by a panic; see the log".to_owned();
        status.lock().unwrap_or_else(PoisonError::into_inner).failed = Some(detail);
        mailbox.close();
        // Whoever waits for an answer learns by the loss of its sender that none will come.
        while !mailbox.take(Some(Duration::ZERO)).1 {}
        hub.close();
    }
}

fn weigh(commands: &[Command]) -> Weight {
    Weight {
        commands: commands.iter().map(|command| command.makes().max(1)).sum(),
        bytes: commands.iter().map(bytes_of).sum(),
    }
}

fn bytes_with_all_after(submission: &Submission) -> usize {
    submission.with_all_after().map(|it| it.payload.bytes.len()).sum()
}

/// The bytes of payloads, results and other texts that a command carries.
pub(crate) fn bytes_of(command: &Command) -> usize {
    match command {
        Command::Submit(submissions) => submissions.iter().map(bytes_with_all_after).sum(),
        Command::Deliver { deliveries, .. } => deliveries.iter().map(|it| it.body.bytes.len()).sum(),
        Command::PutSchedule { request, .. } => bytes_with_all_after(&request.job),
        Command::Complete { result: Some(result), .. } => result.bytes.len(),
        Command::Heartbeat { checkpoint: Some(checkpoint), .. }
        | Command::Release { checkpoint: Some(checkpoint), .. } => checkpoint.len(),
        Command::Fail { error, .. } => error.problem.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_a_job_weighs_as_much_as_the_job() {
        let with = |then| {
            let payload = Body { content_type: ackd_domain::JSON.into(), bytes: "123".into() };
            Submission { then, ..Submission::new(Name::new("video").unwrap(), payload) }
        };
        let job = with(vec![with(vec![with(Vec::new())]), with(Vec::new())]);
        let weight = weigh(&[Command::Submit(vec![job, with(Vec::new())])]);
        assert_eq!((weight.commands, weight.bytes), (5, 5 * 3));
    }
}
