//! The lifecycle of a job, as a pure function.
//!
//! Each verb stands in the file of its name. What they share is here: the next version of a job and
//! the change that tells of it.

mod bulk;
mod cancel;
mod configure;
mod dead_letter;
mod deliver;
mod endpoint;
mod erase;
mod expire;
mod file;
mod follow;
mod forgo;
mod heartbeat;
mod lapse;
mod lease;
mod purge_changes;
mod resolve;
mod retry;
mod schedule;
mod settle;
mod submit;
mod unique;

use std::sync::Arc;
use std::time::Duration;

use crate::{
    Answer, Backoff, Change, ChangeKind, Command, Decision, Delivery, Draws, Failure, Job, JobId, LeaseState,
    LeaseToken, Position, Queue, Refusal, Status, Timestamp, View, Write,
};

/// Decides what `command` comes to, given what the ledger holds and what time it is.
///
/// # Errors
/// A [`Refusal`] says why nothing changes.
pub fn decide(view: &View, command: Command, now: Timestamp, draws: &mut dyn Draws) -> Result<Decision, Refusal> {
    let decided = match command {
        Command::Submit(submissions) => submit::decide(view, submissions, now, draws),
        Command::Lease { number: _, worker, ttl } => lease::decide(view, worker, ttl, now, draws),
        Command::Heartbeat { lease, ttl, progress, checkpoint } => {
            heartbeat::decide(view, &lease, heartbeat::Told { ttl, progress, checkpoint }, now, draws)
        }
        Command::Complete { lease, result } => settle::complete(view, &lease, result, now, draws),
        Command::CompleteByFile { lease, file } => settle::complete_by_file(view, &lease, file, now, draws),
        Command::Fail { lease, error, retryable, retry_after, cancelled } => {
            let failed = settle::Failed { error, retryable, retry_after, cancelled };
            settle::fail(view, &lease, failed, now, draws)
        }
        Command::Release { lease, delay, checkpoint } => settle::release(view, &lease, delay, checkpoint, now, draws),
        Command::Lapse { lease, reason } => lapse::decide(view, &lease, reason, now, draws),
        Command::Cancel { id } => cancel::decide(view, id, now, draws),
        Command::Expire { .. } => expire::decide(view, now, draws),
        Command::Retry { id } => retry::decide(view, id, now, draws),
        Command::BulkStep { number: _, action, until, bulk } => bulk::step(view, action, until, &bulk, now, draws),
        Command::BulkPart { bulk, course } => bulk::part(view, &bulk, course, now, draws),
        Command::Forgo { number: _, because, ended } => forgo::decide(view, because, ended, now, draws),
        Command::Resolve { number, run, told } => return resolve::decide(view, number, run, told, now, draws),
        Command::Delete { id } => return erase::delete(view, id),
        Command::Purge { .. } => return erase::purge(view, now),
        Command::PurgeChanges { old, ancient } => return Ok(purge_changes::decide(view, old, ancient)),
        Command::Configure { queue, patch } => return configure::decide(view, queue, &patch),
        Command::PutEndpoint { name, request } => return endpoint::put(view, name, *request, now, draws),
        Command::DeleteEndpoint { name } => return endpoint::delete(view, name),
        Command::NotePost { name: _, revision, outcome } => return endpoint::note(view, revision, outcome, now),
        Command::Deliver { advance, deliveries } => return deliver::decide(view, advance, deliveries, now, draws),
        Command::PutSchedule { name, request, next } => return schedule::put(view, name, *request, next, now),
        Command::DeleteSchedule { name } => return schedule::delete(view, name),
        Command::Fire(firing) => return schedule::fire(view, *firing, now, draws),
        Command::PutFile { name, file, expires_in, replace } => {
            return file::put(view, name, file, now.after(expires_in), replace, now);
        }
        Command::DeleteFile { name } => return file::delete(view, &name, now),
        Command::CondemnFile { id } => return file::condemn(view, id, now),
        Command::ForgetFile { id } => return file::forget(view, id),
    };
    decided.map(|decision| follow::up(view, decision, now, draws))
}

/// The job that a client named by its public id.
fn job_of_id(view: &View, id: JobId) -> Result<&Arc<Job>, Refusal> {
    view.job.as_ref().filter(|job| job.id == id).ok_or(Refusal::NotFound)
}

/// The job that the live lease `token` is on.
fn job_of_lease<'a>(view: &'a View, token: &LeaseToken) -> Result<&'a Arc<Job>, Refusal> {
    view.job.as_ref().filter(|job| job.live_lease(token).is_some()).ok_or(Refusal::LeaseLost)
}

/// How long `job` waits after its latest attempt failed; `random` is 64 random bits.
fn pause_of(job: &Job, queue: Option<&Arc<Queue>>, random: u64) -> Duration {
    if job.spec.delivery.is_some() {
        return Delivery::pause(job.attempt, random);
    }
    let backoff = job.spec.backoff.unwrap_or_else(|| queue.map_or_else(Backoff::default, |queue| queue.backoff()));
    backoff.wait(job.attempt, random)
}

/// The job's next version, as `edit` makes it, and the change that tells of it. `edit` is given the
/// position of that change.
fn step(
    job: &Job,
    kind: ChangeKind,
    now: Timestamp,
    draws: &mut dyn Draws,
    edit: impl FnOnce(Position, &mut Job),
) -> (Arc<Job>, Change) {
    let previous = job.changed;
    let position = draws.position();
    let mut next = job.clone();
    edit(position, &mut next);
    next.version += 1;
    next.changed = position;
    let job = Arc::new(next);
    (Arc::clone(&job), Change { position, previous, at: now, kind, job, body: None, was_due: None })
}

/// The decision that takes a job one step on and answers with it.
fn stepped((job, change): (Arc<Job>, Change)) -> Decision {
    let writes = vec![Write::Update(Arc::clone(&job))];
    Decision { writes, changes: vec![change], ..Decision::answer(Answer::Job(job)) }
}

/// Ends the run of `job`.
fn end(job: &mut Job, status: Status, now: Timestamp) {
    job.status = status;
    job.finished_at = Some(now);
}

/// Ends the lease of `job`, if it has one.
fn end_lease(job: &mut Job, state: LeaseState) {
    if let Some(lease) = &mut job.lease {
        lease.state = state;
    }
}

/// Ends the attempt of `job` with `error`: another follows at `again`, unless a cancel was asked for
/// or the attempts are used up.
fn end_attempt(job: &mut Job, error: Failure, again: Option<Timestamp>, now: Timestamp) {
    job.error = Some(error);
    match again {
        _ if job.cancel_requested_at.is_some() => end(job, Status::Cancelled, now),
        Some(at) if job.attempt < job.spec.max_attempts => wait(job, at),
        _ => end(job, Status::Failed, now),
    }
}

/// Puts `job` back among those that wait.
fn wait(job: &mut Job, run_at: Timestamp) {
    job.status = Status::Init;
    job.run_at = run_at;
    job.progress = None;
}
