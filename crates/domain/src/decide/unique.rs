use std::sync::Arc;

use crate::{
    Acceptance, Accepted, Body, BodyInfo, Change, ChangeKind, Draws, FileId, Job, Name, Spec, Status, Submission,
    UniquePolicy, Write,
};

use super::step;
use super::submit::Accepting;

/// By what the job of `submission` is the only unfinished one, if it is to be.
pub(super) fn key(submission: &Submission) -> Option<(Name, Arc<str>)> {
    submission.unique.as_ref().map(|unique| (submission.queue.clone(), Arc::clone(&unique.key)))
}

/// What a payload is, whose bytes may be in a file of so many.
fn payload_info(payload: &Body, file: Option<(FileId, u64)>) -> BodyInfo {
    let info = payload.info();
    BodyInfo { size: file.map_or(info.size, |(_, size)| size), ..info }
}

/// What `submission` comes to, whose unique key the unfinished job `rival` carries.
pub(super) fn coalesce(
    rival: Arc<Job>,
    mut submission: Submission,
    accepting: &mut Accepting<'_>,
    draws: &mut dyn Draws,
) -> Accepted {
    let now = accepting.now;
    let policy = submission.unique.as_ref().map(|unique| unique.policy).unwrap_or_default();
    if rival.status != Status::Init || policy == UniquePolicy::Keep {
        return Accepted { job: rival, how: Acceptance::Kept };
    }
    let due = submission.start.due(now);
    let due = if policy == UniquePolicy::Debounce { due.max(rival.run_at) } else { due };
    let expires_at = match submission.expires_in {
        Some(expires_in) => now.after(expires_in),
        None => due.after(rival.spec.expires_in),
    };
    let payload_file = accepting.take_payload(&mut submission);
    if let Some(id) = rival.spec.payload_file {
        accepting.files.release(accepting.view, id);
    }
    let (payload, info) = (submission.payload.clone(), payload_info(&submission.payload, payload_file));
    let decision = &mut accepting.decision;
    let (job, change) = step(&rival, ChangeKind::Replaced, now, draws, |_, next| {
        next.spec =
            Arc::new(Spec { payload: info, payload_file: payload_file.map(|(id, _)| id), ..Spec::clone(&rival.spec) });
        next.run_at = due;
        // What is pushed back again and again is not to expire of it.
        next.expires_at = expires_at;
        // It was left for an attempt at the payload that is no more.
        next.checkpoint = None;
    });
    decision.changes.push(Change { body: Some(payload.clone()), was_due: Some(rival.run_at), ..change });
    decision.writes.push(Write::Replace(Arc::clone(&job), payload));
    Accepted { job, how: Acceptance::Replaced }
}
