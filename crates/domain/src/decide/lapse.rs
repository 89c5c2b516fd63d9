use std::sync::Arc;

use crate::{ChangeKind, Decision, Draws, Failure, LapseReason, LeaseState, LeaseToken, Refusal, Timestamp, View};

use super::{end_attempt, end_lease, job_of_lease, step, stepped};

/// A lapsed attempt counts, however the worker died: so a job that kills its workers is set aside
/// after its attempts. The next one may start at once; who waited for a lease to lapse waited enough.
pub(super) fn decide(
    view: &View,
    lease: &LeaseToken,
    reason: LapseReason,
    now: Timestamp,
    draws: &mut dyn Draws,
) -> Result<Decision, Refusal> {
    let job = job_of_lease(view, lease)?;
    Ok(stepped(step(job, ChangeKind::Lapsed, now, draws, |_, next| {
        end_lease(next, LeaseState::Lapsed);
        end_attempt(next, failure(reason), Some(now), now);
    })))
}

fn failure(reason: LapseReason) -> Failure {
    let problem = match reason {
        LapseReason::Silence => r#"{"type":"/problems/lease-lapsed","title":"The worker sent no heartbeat in time"}"#,
        LapseReason::Timeout => r#"{"type":"/problems/timeout","title":"The attempt took longer than its timeout"}"#,
    };
    Failure { problem: Arc::from(problem) }
}
