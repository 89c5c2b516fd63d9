use std::sync::Arc;

use crate::{
    Acceptance, Accepted, Change, ChangeKind, Decision, Draws, Job, Name, Spec, Status, Submission, Timestamp,
    UniquePolicy, Write,
};

use super::step;

/// By what the job of `submission` is the only unfinished one, if it is to be.
pub(super) fn key(submission: &Submission) -> Option<(Name, Arc<str>)> {
    submission.unique.as_ref().map(|unique| (submission.queue.clone(), Arc::clone(&unique.key)))
}

/// What `submission` comes to, whose unique key the unfinished job `rival` carries.
pub(super) fn coalesce(
    rival: Arc<Job>,
    submission: Submission,
    decision: &mut Decision,
    now: Timestamp,
    draws: &mut dyn Draws,
) -> Accepted {
    let policy = submission.unique.as_ref().map(|unique| unique.policy).unwrap_or_default();
    if rival.status != Status::Init || policy == UniquePolicy::Keep {
        return Accepted { job: rival, how: Acceptance::Kept };
    }
    let due = submission.start.due(now);
    let due = if policy == UniquePolicy::Debounce { due.max(rival.run_at) } else { due };
    let expires_in = submission.expires_in.unwrap_or(rival.spec.expires_in);
    let payload = submission.payload;
    let (job, change) = step(&rival, ChangeKind::Replaced, now, draws, |_, next| {
        next.spec = Arc::new(Spec { payload: payload.info(), ..Spec::clone(&rival.spec) });
        next.run_at = due;
        // What is pushed back again and again is not to expire of it.
        next.expires_at = now.after(expires_in);
        // It was left for an attempt at the payload that is no more.
        next.checkpoint = None;
    });
    decision.changes.push(Change { body: Some(payload.clone()), was_due: Some(rival.run_at), ..change });
    decision.writes.push(Write::Replace(Arc::clone(&job), payload));
    Accepted { job, how: Acceptance::Replaced }
}
