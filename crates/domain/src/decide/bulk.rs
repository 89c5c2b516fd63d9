use std::sync::Arc;

use crate::{
    Body, BulkAction, BulkCourse, ChangeKind, Decision, Draws, JSON, LeaseToken, Position, Progress, Refusal, Status,
    Timestamp, View,
};

use super::{cancel, job_of_lease, retry, settle, step as next_version};

/// Fenced by the bulk job's lease: who lost it does nothing any more, so that what another goes on with is done once.
pub(super) fn step(
    view: &View,
    action: BulkAction,
    until: Position,
    bulk: &LeaseToken,
    now: Timestamp,
    draws: &mut dyn Draws,
) -> Result<Decision, Refusal> {
    view.bulk.as_ref().filter(|job| job.live_lease(bulk).is_some()).ok_or(Refusal::LeaseLost)?;
    let job = view.job.as_ref().ok_or(Refusal::NotFound)?;
    let runs_again = matches!(action, BulkAction::Retry | BulkAction::Redrive);
    if runs_again && job.status.is_terminal() && job.changed > until {
        return Err(Refusal::ChangedSince);
    }
    match (action, job.status) {
        // It is so already, or its worker was asked: nothing is changed.
        (BulkAction::Cancel, Status::Cancelled) => Err(Refusal::AlreadyFinished(job.status)),
        (BulkAction::Cancel, Status::Processing) if job.cancel_requested_at.is_some() => {
            Err(Refusal::NotFinished(job.status))
        }
        (BulkAction::Cancel, _) | (BulkAction::Purge, Status::Init) => cancel::cancel(job, now, draws),
        (BulkAction::Purge, _) => Err(Refusal::NotWaiting),
        (BulkAction::Retry, _) => retry::again(view, job, ChangeKind::Retried, now, draws),
        (BulkAction::Redrive, Status::Cancelled) => Err(Refusal::AlreadyFinished(job.status)),
        (BulkAction::Redrive, _) => retry::again(view, job, ChangeKind::Redriven, now, draws),
    }
}

/// The last part ends the job: what came of it is its result.
pub(super) fn part(
    view: &View,
    bulk: &LeaseToken,
    course: BulkCourse,
    now: Timestamp,
    draws: &mut dyn Draws,
) -> Result<Decision, Refusal> {
    let job = job_of_lease(view, bulk)?;
    let course = BulkCourse {
        changed: course.changed + view.stepped.changed,
        refused: course.refused + view.stepped.refused,
        ..course
    };
    let message = format!("{} of {} changed", course.changed, course.matched);
    let is_over = course.next.is_none();
    let kind = if is_over { ChangeKind::Completed } else { ChangeKind::Progressed };
    let result = is_over.then(|| Body { content_type: Arc::from(JSON), bytes: course.result().into() });
    let stepped = next_version(job, kind, now, draws, |_, next| {
        let percent = Some(if is_over { 100.0 } else { course.percent });
        next.progress = Some(Progress { percent, message: Some(Arc::from(message)), at: now });
        next.checkpoint = Some(Arc::from(course.checkpoint()));
        if is_over {
            settle::complete_run(next, result.as_ref().map(Body::info), now);
        }
    });
    Ok(settle::with_result(stepped, result))
}
