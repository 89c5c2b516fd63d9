use std::sync::Arc;

use crate::{Answer, ChangeKind, Decision, Draws, Failure, JobId, Refusal, Status, Timestamp, View, Write};

use super::{end, step, stepped};

/// A job that has begun or ended meanwhile stays as it is; either way it comes after the other no longer.
pub(super) fn decide(
    view: &View,
    because: JobId,
    ended: Status,
    now: Timestamp,
    draws: &mut dyn Draws,
) -> Result<Decision, Refusal> {
    let job = view.job.as_ref().ok_or(Refusal::NotFound)?;
    let mut decision = if job.status == Status::Init && job.held.after {
        stepped(step(job, ChangeKind::Cancelled, now, draws, |_, next| {
            next.error = Some(failure(because, ended));
            end(next, Status::Cancelled, now);
        }))
    } else {
        Decision::answer(Answer::Job(Arc::clone(job)))
    };
    decision.writes.push(Write::Unlink(because.number(), job.id.number()));
    Ok(decision)
}

/// Why a job is cancelled that comes after `because`.
pub(super) fn failure(because: JobId, ended: Status) -> Failure {
    let problem = format!(
        r#"{{"type":"/problems/predecessor-ended","title":"A job that it comes after is {ended}","predecessor":"{because}"}}"#
    );
    Failure { problem: Arc::from(problem) }
}
