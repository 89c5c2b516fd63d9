use std::sync::Arc;

use crate::{
    Answer, Change, ChangeKind, Decision, Draws, IdempotencyKey, Job, JobId, Position, Queue, Refusal, Spec, Start,
    Status, Submission, Timestamp, View, Write, limits,
};

pub(super) fn decide(
    view: &View,
    submission: Submission,
    key: Option<IdempotencyKey>,
    now: Timestamp,
    draws: &mut dyn Draws,
) -> Result<Decision, Refusal> {
    if let Some(holder) = &view.holder {
        return replay(holder, key.as_ref());
    }
    let payload = submission.payload.clone();
    let run_at = match submission.start {
        Start::Now => now,
        Start::After(delay) => now.after(delay),
        Start::At(at) => at.max(now),
    };
    let spec = Arc::new(spec(submission, key, view.queue.as_ref()));
    #[allow(clippy::cast_possible_truncation, reason = "the salt is the lower bits")]
    let salt = draws.random() as u32;
    let position = draws.position();
    let job = Arc::new(Job {
        id: JobId::new(now, draws.number(), salt),
        status: Status::Init,
        version: 1,
        run: 1,
        attempt: 0,
        run_at,
        expires_at: now.after(spec.expires_in),
        started_at: None,
        finished_at: None,
        cancel_requested_at: None,
        worker: None,
        lease: None,
        progress: None,
        error: None,
        checkpoint: None,
        result: None,
        changed: position,
        spec,
    });
    Ok(Decision {
        writes: vec![Write::Insert(Arc::clone(&job), payload.clone())],
        changes: vec![Change {
            position,
            previous: Position::START,
            at: now,
            kind: ChangeKind::Submitted,
            job: Arc::clone(&job),
            body: Some(payload),
        }],
        answer: Answer::Accepted { job, replayed: false },
    })
}

/// The answer to a request whose key is taken: the job that has it, if it was the same request.
fn replay(holder: &Arc<Job>, key: Option<&IdempotencyKey>) -> Result<Decision, Refusal> {
    if key == holder.spec.key.as_ref() {
        Ok(Decision::answer(Answer::Accepted { job: Arc::clone(holder), replayed: true }))
    } else {
        Err(Refusal::KeyMismatch(holder.id))
    }
}

/// What the job is to be, with what the client left out filled in from the queue.
fn spec(submission: Submission, key: Option<IdempotencyKey>, queue: Option<&Arc<Queue>>) -> Spec {
    let or_queue = |of_queue: fn(&Queue) -> u32, default: u32| queue.map_or(default, |queue| of_queue(queue));
    Spec {
        payload: submission.payload.info(),
        queue: submission.queue,
        kind: submission.kind,
        priority: submission.priority.unwrap_or(limits::DEFAULT_PRIORITY),
        max_attempts: submission
            .max_attempts
            .unwrap_or_else(|| or_queue(Queue::max_attempts, limits::DEFAULT_ATTEMPTS)),
        timeout: submission.timeout,
        backoff: submission.backoff,
        expires_in: submission
            .expires_in
            .unwrap_or_else(|| queue.map_or(limits::DEFAULT_EXPIRY, |queue| queue.expires_in())),
        result_retention: submission
            .result_retention
            .or_else(|| queue.and_then(|queue| queue.settings.result_retention)),
        key,
        tags: submission.tags,
        traceparent: submission.traceparent,
    }
}
