use std::sync::Arc;

use crate::{
    DeadLetter, Decision, Draws, File, Held, Job, OnFailure, Spec, Start, Status, Timestamp, View, Write, limits,
};

use super::submit;

/// Adds to the decision that ends the job of `view` as `ended` what is made of it in the dead-letter queue, if its queue has
/// one. The dead job stays as it is.
pub(super) fn make(view: &View, decision: &mut Decision, ended: &Job, now: Timestamp, draws: &mut dyn Draws) {
    let spec = &*ended.spec;
    let hops = spec.dead_letter_of.map_or(0, |before| before.hops);
    let is_dead = matches!(ended.status, Status::Failed | Status::Expired);
    let target = view.queue().and_then(|queue| queue.settings.dead_letter.as_ref());
    let Some(target) = target.filter(|_| is_dead && hops < limits::DEAD_LETTER_HOPS && !spec.queue.is_reserved())
    else {
        return;
    };
    let queue = view.later_queues.get(target);
    let spec = Spec {
        queue: target.clone(),
        max_attempts: queue.map_or(limits::DEFAULT_ATTEMPTS, |queue| queue.max_attempts()),
        timeout: None,
        backoff: None,
        expires_in: queue.map_or(limits::DEFAULT_EXPIRY, |queue| queue.expires_in()),
        result_retention: queue.and_then(|queue| queue.settings.result_retention),
        key: None,
        callback: None,
        ordering_key: None,
        unique: None,
        after: Vec::new(),
        on_failure: OnFailure::default(),
        flow: None,
        delivery: None,
        dead_letter_of: Some(DeadLetter { of: ended.id, hops: hops + 1 }),
        ..spec.clone()
    };
    if let Some(file) = spec.payload_file.and_then(|id| view.files.get(&id)) {
        let references = file.references.saturating_add(1);
        decision.writes.push(Write::File(Arc::new(File { references, ..(**file).clone() })));
    }
    let job = Arc::new(submit::job(spec, Held::default(), Start::Now, now, draws, |_| None));
    decision.writes.push(Write::Copy { from: ended.id.number(), job: Arc::clone(&job) });
    decision.changes.push(submit::submitted(job, None, now));
}
