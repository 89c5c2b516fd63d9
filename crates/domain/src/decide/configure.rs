use std::sync::Arc;

use crate::{Answer, Decision, Name, Queue, QueuePatch, View, Write};

/// Settings are no change of a job: they are written, and told to nobody.
pub(super) fn decide(view: &View, name: Name, patch: &QueuePatch) -> Decision {
    let queue = match view.queue() {
        Some(queue) => queue.patched(patch),
        None => Queue::new(name).patched(patch),
    };
    Decision { writes: vec![Write::Queue(Arc::clone(&queue))], ..Decision::answer(Answer::Queue(queue)) }
}
