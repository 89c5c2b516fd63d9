use std::sync::Arc;

use crate::{ChangeKind, Command, Decision, Draws, Held, Timestamp, View, Write};

use super::{dead_letter, step};

/// What follows for other jobs where `decision` ends the job of `view`: the next with its ordering key may go, and those
/// that come after it are told. Of a dead one another is made in the dead-letter queue.
pub(super) fn up(view: &View, mut decision: Decision, now: Timestamp, draws: &mut dyn Draws) -> Decision {
    let Some(before) = view.job.as_ref().filter(|job| !job.status.is_terminal()) else { return decision };
    let number = before.id.number();
    let ended = decision.changes.iter().rev().map(|it| &it.job).find(|job| job.id.number() == number);
    let Some(ended) = ended.filter(|job| job.status.is_terminal()).cloned() else { return decision };
    dead_letter::make(view, &mut decision, &ended, now, draws);
    // Whoever stood behind another lets nobody pass by ending.
    if !before.held.behind
        && let Some(next) = view.next_in_line.as_ref().filter(|next| next.held.behind)
    {
        let held = Held { behind: false, ..next.held };
        let (next, change) = step(next, ChangeKind::Unblocked, now, draws, |_, next| next.held = held);
        decision.writes.push(Write::Update(Arc::clone(&next)));
        decision.changes.push(change);
    }
    if view.followed {
        decision.writes.push(Write::Unresolved(number));
        decision.follow_ups.push(Command::Resolve { number, run: Some(ended.run), told: 0 });
    }
    decision
}
