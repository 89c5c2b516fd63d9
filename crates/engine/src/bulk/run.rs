use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{Answer, BulkCourse, Command, Failure, Job, LeaseToken, Refusal};
use ackd_ports::ReadError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::part::{self, Part};
use super::worker::LEASE;
use super::{BulkOf, BulkOrder, Pace};
use crate::engine::{Engine, Unavailable};
use crate::search::Turns;
use crate::work::Granted;

/// How long it rests when the store takes nothing or cannot be read.
const REST: Duration = Duration::from_secs(1);

/// How often it writes down how far it is while it finds nothing to do.
const BEAT: Duration = Duration::from_secs(LEASE.as_secs() / 3);

/// How often it says that it is alive while it pauses, and hears whether it is to stop.
const LOOK: Duration = Duration::from_secs(2);

/// A bulk job that is under way.
pub(super) struct Run {
    engine: Engine,
    searches: Turns,
    lease: LeaseToken,
    number: u64,
    order: Arc<BulkOrder>,
    slots: Arc<Semaphore>,
    slot: Option<OwnedSemaphorePermit>,
    stopped: watch::Receiver<bool>,
}

/// Why a bulk job is left as it is.
enum Left {
    /// The server stops, or the lease is another's: whoever has it next goes on.
    ToAnother,
    /// Its worker is asked to stop.
    Cancelled,
    /// What it needs to go on is damaged.
    Damaged(String),
}

/// Takes the bulk job to its end, or leaves it to whoever has it next.
///
/// It takes its turn with others of the worker, when it searches payloads, and gives back its slot while it pauses.
pub(super) async fn run(
    engine: Engine,
    searches: Turns,
    granted: Granted,
    slot: OwnedSemaphorePermit,
    stopped: watch::Receiver<bool>,
) {
    let lease = granted.token;
    let read = granted.payload.as_ref().and_then(|payload| BulkOrder::read(&payload.bytes).ok());
    let Some(order) = read else {
        return fail(&engine, lease, "What the bulk job is to do cannot be read").await;
    };
    let course = part::course(&granted.job, &order);
    let number = granted.job.id.number();
    let (slots, slot) = (Arc::clone(slot.semaphore()), Some(slot));
    let mut run = Run { engine, searches, lease, number, order: Arc::new(order), slots, slot, stopped };
    // So that the rate is kept over a restart too.
    let pause = granted.job.checkpoint.as_ref().map(|_| Pace::pause(run.order.pace, Pace::steps(run.order.pace)));
    match run.go_on(course, pause.unwrap_or_default()).await {
        Ok(()) | Err(Left::ToAnother) => {}
        // Where nobody takes it any more, the lease lapses, with the same end.
        Err(Left::Cancelled) => {
            let release = Command::Release { lease, delay: None, checkpoint: None };
            drop(run.engine.run(vec![release]).await);
        }
        Err(Left::Damaged(what)) => fail(&run.engine, lease, &format!("What is stored of {what} is damaged")).await,
    }
}

async fn fail(engine: &Engine, lease: LeaseToken, title: &str) {
    let problem = serde_json::json!({ "type": "/problems/damaged", "title": title });
    let error = Failure { problem: Arc::from(problem.to_string()) };
    let fail = Command::Fail { lease, error, retryable: false, retry_after: None, cancelled: false };
    if let Err(error) = engine.run(vec![fail]).await {
        tracing::warn!(%error, "a bulk job that cannot go on is tried again");
    }
}

impl Run {
    async fn go_on(&mut self, mut course: BulkCourse, pause: Duration) -> Result<(), Left> {
        self.pause(pause).await?;
        let mut beaten = self.engine.clock().monotonic();
        while let Some(next) = course.next {
            let Part { numbers, next, percent } = self.read(next, course.matched).await?;
            let steps = numbers.len();
            let now = self.engine.clock().monotonic();
            course = BulkCourse { next, percent, matched: course.matched + steps as u64, ..course };
            // Rows without a job of it need not be written down.
            if steps == 0 && next.is_some() && now.saturating_sub(beaten) < BEAT {
                if *self.stopped.borrow() {
                    return Err(Left::ToAnother);
                }
                continue;
            }
            beaten = now;
            let job = self.commit(&numbers, course).await?;
            if job.status.is_terminal() {
                return Ok(());
            }
            course = part::course(&job, &self.order);
            if job.cancel_requested_at.is_some() {
                return Err(Left::Cancelled);
            }
            self.pause(Pace::pause(self.order.pace, u32::try_from(steps).unwrap_or(u32::MAX))).await?;
        }
        Ok(())
    }

    /// Reads the next part, however long it takes until that can be done.
    async fn read(&mut self, next: u64, matched: u64) -> Result<Part, Left> {
        let limit = Pace::steps(self.order.pace) as usize;
        loop {
            let (order, bulk) = (Arc::clone(&self.order), self.number);
            let turn = match &order.of {
                BulkOf::Search(search) => Some(self.searches.of(search).await),
                BulkOf::Dead { .. } | BulkOf::Ids { .. } => None,
            };
            let read = self.engine.read(move |reader| {
                let _turn = turn;
                part::read(reader, &order, bulk, (next, matched), limit)
            });
            match read.await {
                Ok(part) => return Ok(part),
                Err(ReadError::Damaged(what)) => return Err(Left::Damaged(what)),
                Err(ReadError::Failed(error)) => {
                    tracing::warn!(%error, "a bulk job cannot read on; it is tried again");
                    self.pause(REST).await?;
                }
            }
        }
    }

    /// Takes the steps and writes down how far that is, in one commit. Gives the bulk job after it.
    async fn commit(&mut self, numbers: &[u64], course: BulkCourse) -> Result<Arc<Job>, Left> {
        let (bulk, action, until) = (self.lease, self.order.action, course.until);
        loop {
            let mut commands: Vec<Command> =
                numbers.iter().map(|number| Command::BulkStep { number: *number, action, until, bulk }).collect();
            commands.push(beat(bulk));
            commands.push(Command::BulkPart { bulk, course });
            match self.engine.run(commands).await.map(|mut answers| answers.pop()) {
                Ok(Some(Ok(Answer::Job(job)))) => return Ok(job),
                Ok(Some(Err(Refusal::Damaged(what)))) => return Err(Left::Damaged(what)),
                Ok(_) | Err(Unavailable::Stopping | Unavailable::Failed(_)) => return Err(Left::ToAnother),
                Err(Unavailable::Overloaded | Unavailable::Full) => self.pause(REST).await?,
            }
        }
    }

    /// Waits, and until others have made room again.
    async fn pause(&mut self, pause: Duration) -> Result<(), Left> {
        if !pause.is_zero() {
            self.slot = None;
            self.alive_until(tokio::time::sleep(pause)).await?;
            let slots = Arc::clone(&self.slots);
            // They are never closed.
            self.slot = self.alive_until(slots.acquire_owned()).await?.ok();
        }
        if *self.stopped.borrow() { Err(Left::ToAnother) } else { Ok(()) }
    }

    /// Waits for something, and says now and then that it is alive.
    async fn alive_until<T>(&mut self, something: impl Future<Output = T>) -> Result<T, Left> {
        let mut something = pin!(something);
        loop {
            tokio::select! {
                biased;
                // The sender of the signal lives as long as the worker: that it is gone means the same.
                _ = self.stopped.wait_for(|stopped| *stopped) => return Err(Left::ToAnother),
                it = &mut something => return Ok(it),
                () = tokio::time::sleep(LOOK) => {}
            }
            match self.engine.run(vec![beat(self.lease)]).await.map(|mut answers| answers.pop()) {
                Ok(Some(Ok(Answer::Beat { cancel_requested: true, .. }))) => return Err(Left::Cancelled),
                Ok(Some(Ok(_))) | Err(Unavailable::Overloaded | Unavailable::Full) => {}
                Ok(_) | Err(Unavailable::Stopping | Unavailable::Failed(_)) => return Err(Left::ToAnother),
            }
        }
    }
}

fn beat(lease: LeaseToken) -> Command {
    Command::Heartbeat { lease, ttl: None, progress: None, checkpoint: None }
}
