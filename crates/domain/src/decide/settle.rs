use std::sync::Arc;
use std::time::Duration;

use crate::{
    Answer, Body, BodyInfo, Change, ChangeKind, Decision, Draws, Failure, Job, LeaseState, LeaseToken, NewFile,
    Refusal, Status, Timestamp, Verb, View, Write,
};

use super::file::noted;
use super::{end, end_attempt, end_lease, job_of_lease, pause_of, step, stepped, wait};

/// What a worker says of an attempt that failed.
pub(super) struct Failed {
    pub(super) error: Failure,
    pub(super) retryable: bool,
    pub(super) retry_after: Option<Duration>,
    pub(super) cancelled: bool,
}

pub(super) fn complete(
    view: &View,
    lease: &LeaseToken,
    result: Option<Body>,
    now: Timestamp,
    draws: &mut dyn Draws,
) -> Result<Decision, Refusal> {
    let job = match job_to_settle(view, lease, Verb::Complete)? {
        Found::Live(job) => job,
        Found::Settled(decision) => return Ok(decision),
    };
    let done = step(job, ChangeKind::Completed, now, draws, |_, next| {
        complete_run(next, result.as_ref().map(Body::info), now);
    });
    Ok(with_result(done, result))
}

/// Ends the run of `job`, whose worker has completed it.
pub(super) fn complete_run(job: &mut Job, result: Option<BodyInfo>, now: Timestamp) {
    end(job, Status::Done, now);
    end_lease(job, LeaseState::Settled(Verb::Complete));
    job.error = None;
    job.result = result;
}

/// The decision that takes a job one step on, with its result where it has one now, and answers with it.
pub(super) fn with_result((job, mut change): (Arc<Job>, Change), result: Option<Body>) -> Decision {
    change.body.clone_from(&result);
    let write = match result {
        Some(result) => Write::Finish(Arc::clone(&job), result),
        None => Write::Update(Arc::clone(&job)),
    };
    Decision { writes: vec![write], changes: vec![change], ..Decision::answer(Answer::Job(job)) }
}

/// A file that came too late, for the lease was settled before, is not taken note of.
pub(super) fn complete_by_file(
    view: &View,
    lease: &LeaseToken,
    file: NewFile,
    now: Timestamp,
    draws: &mut dyn Draws,
) -> Result<Decision, Refusal> {
    let job = match job_to_settle(view, lease, Verb::Complete)? {
        Found::Live(job) => job,
        Found::Settled(decision) => return Ok(decision),
    };
    let file = Arc::new(noted(file, now));
    let (job, change) = step(job, ChangeKind::Completed, now, draws, |_, next| {
        let info = BodyInfo { content_type: Arc::clone(&file.content_type), size: file.size };
        complete_run(next, Some(info), now);
        next.result_file = Some(file.id);
    });
    let writes = vec![Write::File(file), Write::Update(Arc::clone(&job))];
    Ok(Decision { writes, changes: vec![change], ..Decision::answer(Answer::Job(job)) })
}

pub(super) fn fail(
    view: &View,
    lease: &LeaseToken,
    failed: Failed,
    now: Timestamp,
    draws: &mut dyn Draws,
) -> Result<Decision, Refusal> {
    let job = match job_to_settle(view, lease, Verb::Fail)? {
        Found::Live(job) => job,
        Found::Settled(decision) => return Ok(decision),
    };
    let Failed { error, retryable, retry_after, cancelled } = failed;
    // Who says that the job is void asks for no other attempt, and leaves the time it was due as it is.
    let again = (retryable && !cancelled)
        .then(|| now.after(retry_after.unwrap_or_else(|| pause_of(job, view.queue(), draws.random()))));
    Ok(stepped(step(job, ChangeKind::Failed, now, draws, |_, next| {
        end_lease(next, LeaseState::Settled(Verb::Fail));
        end_attempt(next, error, again, now);
        if cancelled {
            end(next, Status::Cancelled, now);
        }
    })))
}

pub(super) fn release(
    view: &View,
    lease: &LeaseToken,
    delay: Option<Duration>,
    checkpoint: Option<Arc<str>>,
    now: Timestamp,
    draws: &mut dyn Draws,
) -> Result<Decision, Refusal> {
    let job = match job_to_settle(view, lease, Verb::Release)? {
        Found::Live(job) => job,
        Found::Settled(decision) => return Ok(decision),
    };
    Ok(stepped(step(job, ChangeKind::Released, now, draws, |_, next| {
        end_lease(next, LeaseState::Settled(Verb::Release));
        next.attempt -= 1;
        if checkpoint.is_some() {
            next.checkpoint = checkpoint;
        }
        if next.cancel_requested_at.is_some() {
            end(next, Status::Cancelled, now);
        } else {
            wait(next, now.after(delay.unwrap_or(Duration::ZERO)));
        }
    })))
}

/// What a settling worker's token names.
enum Found<'a> {
    /// The job of its live lease.
    Live(&'a Arc<Job>),
    /// A lease that it settled by the same verb before: the answer is the same again, nothing is written.
    Settled(Decision),
}

fn job_to_settle<'a>(view: &'a View, token: &LeaseToken, verb: Verb) -> Result<Found<'a>, Refusal> {
    let settled = view.job.as_ref().filter(|job| {
        job.lease.as_ref().is_some_and(|lease| lease.is_named_by(token) && lease.state == LeaseState::Settled(verb))
    });
    match settled {
        Some(job) => Ok(Found::Settled(Decision::answer(Answer::Job(Arc::clone(job))))),
        None => job_of_lease(view, token).map(Found::Live),
    }
}
