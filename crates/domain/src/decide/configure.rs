use std::sync::Arc;

use crate::{Answer, Decision, Name, Queue, QueuePatch, Refusal, View, Write, limits};

/// Settings are no change of a job: they are written, and told to nobody.
pub(super) fn decide(view: &View, name: Name, patch: &QueuePatch) -> Result<Decision, Refusal> {
    if let Some(Some(dead_letter)) = &patch.dead_letter {
        refuse_ring(view, &name, dead_letter)?;
    }
    let queue = match view.queue() {
        Some(queue) => queue.patched(patch),
        None => Queue::new(name).patched(patch),
    };
    Ok(Decision { writes: vec![Write::Queue(Arc::clone(&queue))], ..Decision::answer(Answer::Queue(queue)) })
}

/// Follows the dead letters of `name`, which are to go to `dead_letter`. Whoever is not at the end after as many queues as
/// there may be is refused, so that no ring is too long to be seen.
fn refuse_ring(view: &View, name: &Name, dead_letter: &Name) -> Result<(), Refusal> {
    let mut way = vec![name.clone()];
    let mut next = Some(dead_letter);
    while let Some(queue) = next {
        let is_back = queue == name;
        way.push(queue.clone());
        if is_back {
            return Err(Refusal::DeadLetterRing(way));
        }
        if way.len() > usize::from(limits::DEAD_LETTER_HOPS) + 1 {
            return Err(Refusal::DeadLettersTooFar);
        }
        next = view.later_queues.get(queue).and_then(|queue| queue.settings.dead_letter.as_ref());
    }
    Ok(())
}
