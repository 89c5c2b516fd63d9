use std::sync::Arc;

use crate::{Answer, Decision, Job, JobId, Refusal, Timestamp, View, Write};

use super::{file, job_of_id};

/// Somebody wants it gone.
pub(super) fn delete(view: &View, id: JobId) -> Result<Decision, Refusal> {
    erase(view, job_of_id(view, id)?)
}

/// It was kept as long as it is to be. The time is looked at here, so that one that was found due and runs again, or
/// that a clock which jumped back keeps for longer, stays.
pub(super) fn purge(view: &View, now: Timestamp) -> Result<Decision, Refusal> {
    let job = view.job.as_ref().ok_or(Refusal::NotFound)?;
    if job.kept_until().is_some_and(|until| now < until) {
        return Err(Refusal::Kept);
    }
    match erase(view, job) {
        Err(Refusal::Followed) => {
            let overdue = vec![Write::Overdue(Arc::clone(job))];
            Ok(Decision { writes: overdue, ..Decision::answer(Answer::Job(Arc::clone(job))) })
        }
        decided => decided,
    }
}

/// No change tells of it: who follows it has seen its end. One that others wait for stays: they have yet to be told of its
/// end, or wait for it to be retried.
fn erase(view: &View, job: &Arc<Job>) -> Result<Decision, Refusal> {
    if !job.status.is_terminal() {
        return Err(Refusal::NotFinished(job.status));
    }
    if view.awaited {
        return Err(Refusal::Followed);
    }
    let writes = [Write::Erase(Arc::clone(job))].into_iter().chain(file::released(view, job)).collect();
    Ok(Decision { writes, ..Decision::answer(Answer::Erased(job.id)) })
}
