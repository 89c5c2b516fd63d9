use std::sync::Arc;

use crate::{ChangeKind, Decision, Draws, Failure, LeaseState, Refusal, Status, Timestamp, View};

use super::{end, end_lease, step, stepped};

/// A job that is being worked on expires too: its worker learns it by a lost lease.
pub(super) fn decide(view: &View, now: Timestamp, draws: &mut dyn Draws) -> Result<Decision, Refusal> {
    let job = view.job.as_ref().ok_or(Refusal::NotFound)?;
    if job.status.is_terminal() {
        return Err(Refusal::AlreadyFinished(job.status));
    }
    if now < job.expires_at {
        return Err(Refusal::NotExpired);
    }
    Ok(stepped(step(job, ChangeKind::Expired, now, draws, |_, next| {
        if next.status == Status::Processing {
            end_lease(next, LeaseState::Lapsed);
        }
        next.error = Some(failure(next.error.as_ref()));
        end(next, Status::Expired, now);
    })))
}

/// Why the job has ended, and of what its latest attempt failed before.
fn failure(last: Option<&Failure>) -> Failure {
    const HEAD: &str = r#"{"type":"/problems/expired","title":"The job was not done in time""#;
    let problem = match last {
        Some(Failure { problem }) => format!(r#"{HEAD},"last_error":{problem}}}"#),
        None => format!("{HEAD}}}"),
    };
    Failure { problem: Arc::from(problem) }
}
