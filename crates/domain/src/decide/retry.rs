use std::sync::Arc;

use crate::{ChangeKind, Decision, Draws, Held, Job, JobId, Refusal, Status, Timestamp, View, Write};

use super::{job_of_id, step, stepped, wait};

pub(super) fn decide(view: &View, id: JobId, now: Timestamp, draws: &mut dyn Draws) -> Result<Decision, Refusal> {
    again(view, job_of_id(view, id)?, ChangeKind::Retried, now, draws)
}

/// A further run starts afresh, but for the checkpoint: what was done need not be done again.
pub(super) fn again(
    view: &View,
    job: &Arc<Job>,
    kind: ChangeKind,
    now: Timestamp,
    draws: &mut dyn Draws,
) -> Result<Decision, Refusal> {
    match job.status {
        Status::Failed | Status::Cancelled | Status::Expired => {
            if let Some(rival) = view.rival_of(0) {
                return Err(Refusal::NotUnique(rival.id));
            }
            // Who waits with its key and was accepted later makes way: it may wait for this very job, and would for ever.
            let later = view
                .next_in_line
                .as_ref()
                .filter(|next| next.status == Status::Init && !next.held.behind && next.id.number() > job.id.number());
            let mut decision = stepped(step(job, kind, now, draws, |_, next| {
                wait(next, now);
                // Whoever asks for it does not want it to wait for what it came after.
                next.held = Held { after: false, behind: view.next_in_line.is_some() && later.is_none() };
                next.run += 1;
                next.attempt = 0;
                next.expires_at = now.after(next.spec.expires_in);
                next.started_at = None;
                next.finished_at = None;
                next.cancel_requested_at = None;
                next.worker = None;
                next.error = None;
            }));
            if let Some(later) = later {
                let held = Held { behind: true, ..later.held };
                let (later, change) = step(later, ChangeKind::Blocked, now, draws, |_, next| next.held = held);
                decision.writes.push(Write::Update(later));
                decision.changes.push(change);
            }
            Ok(decision)
        }
        Status::Done => Err(Refusal::AlreadyFinished(job.status)),
        Status::Init | Status::Processing => Err(Refusal::NotFinished(job.status)),
    }
}
