use std::sync::Arc;

use crate::{Answer, ChangeKind, Decision, Draws, Job, JobId, Refusal, Status, Timestamp, View};

use super::{end, job_of_id, step, stepped};

pub(super) fn decide(view: &View, id: JobId, now: Timestamp, draws: &mut dyn Draws) -> Result<Decision, Refusal> {
    cancel(job_of_id(view, id)?, now, draws)
}

pub(super) fn cancel(job: &Arc<Job>, now: Timestamp, draws: &mut dyn Draws) -> Result<Decision, Refusal> {
    match job.status {
        Status::Init => {
            Ok(stepped(step(job, ChangeKind::Cancelled, now, draws, |_, next| end(next, Status::Cancelled, now))))
        }
        Status::Processing if job.cancel_requested_at.is_none() => {
            Ok(stepped(step(job, ChangeKind::CancelRequested, now, draws, |_, next| {
                next.cancel_requested_at = Some(now);
            })))
        }
        Status::Processing | Status::Cancelled => Ok(Decision::answer(Answer::Job(Arc::clone(job)))),
        Status::Done | Status::Failed | Status::Expired => Err(Refusal::AlreadyFinished(job.status)),
    }
}
