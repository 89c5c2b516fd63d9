use std::sync::Arc;

use crate::{
    Answer, ChangeKind, Command, Decision, Draws, Held, Job, OnFailure, Refusal, Status, Timestamp, View, Write,
};

use super::step;

/// Tells some of those that come after a job of its end. Each is told once, for it is linked no longer then; who finds
/// nobody left to tell writes that down.
pub(super) fn decide(
    view: &View,
    number: u64,
    run: Option<u32>,
    told: u64,
    now: Timestamp,
    draws: &mut dyn Draws,
) -> Result<Decision, Refusal> {
    let job = view.job.as_ref().ok_or(Refusal::NotFound)?;
    let mut decision = Decision::answer(Answer::Job(Arc::clone(job)));
    // The end of another run is told from the first on, and written down by who does that.
    if run.is_some_and(|run| run != job.run) {
        return Ok(decision);
    }
    // One that has been retried meanwhile tells of its next end.
    let (Some(looked), true) = (view.looked_at, job.status.is_terminal()) else {
        decision.writes.push(Write::Resolved(number));
        return Ok(decision);
    };
    for (follower, is_last) in &view.followers {
        tell(&mut decision, job, follower, *is_last, now, draws);
    }
    // Whoever is forgone is linked until then, and there may be more than were looked at.
    if decision.follow_ups.is_empty() && looked.is_all {
        decision.writes.push(Write::Resolved(number));
    } else {
        decision.follow_ups.push(Command::Resolve { number, run: Some(job.run), told: looked.last.max(told) });
    }
    Ok(decision)
}

fn tell(
    decision: &mut Decision,
    ended: &Job,
    follower: &Arc<Job>,
    is_last: bool,
    now: Timestamp,
    draws: &mut dyn Draws,
) {
    let (from, to) = (ended.id.number(), follower.id.number());
    // It has ended already, or it was told to run whatever becomes of the others.
    if follower.status != Status::Init || !follower.held.after {
        return decision.writes.push(Write::Unlink(from, to));
    }
    match (ended.status, follower.spec.on_failure) {
        (Status::Done, _) | (_, OnFailure::Continue) => {
            decision.writes.push(Write::Unlink(from, to));
            if !is_last {
                return;
            }
            let held = Held { after: false, ..follower.held };
            let (next, change) = step(follower, ChangeKind::Unblocked, now, draws, |_, next| next.held = held);
            decision.writes.push(Write::Update(next));
            decision.changes.push(change);
        }
        (status, OnFailure::Cancel) => {
            decision.follow_ups.push(Command::Forgo { number: to, because: ended.id, ended: status });
        }
        (_, OnFailure::Wait) => {}
    }
}
