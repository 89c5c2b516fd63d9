use std::collections::HashMap;
use std::sync::Arc;

use crate::{
    Accepted, Answer, Body, Callback, CallbackRequest, Change, ChangeKind, Decision, Draws, Job, JobId, Position,
    Queue, Refusal, Secret, Spec, Start, Status, Submission, Timestamp, View, Write, limits,
};

/// All submissions are accepted, or none: a key that belongs to another request refuses them all.
pub(super) fn decide(
    view: &View,
    submissions: Vec<Submission>,
    now: Timestamp,
    draws: &mut dyn Draws,
) -> Result<Decision, Refusal> {
    refuse_mismatches(view, &submissions)?;
    let many = submissions.len();
    let mut decision = Decision {
        writes: Vec::with_capacity(many),
        changes: Vec::with_capacity(many),
        answer: Answer::Accepted(Vec::new()),
    };
    let mut accepted: Vec<Accepted> = Vec::with_capacity(many);
    // The lines whose key is new, so that a later line with the same key finds its job.
    let mut fresh: HashMap<Arc<str>, usize> = HashMap::new();
    for (line, submission) in submissions.into_iter().enumerate() {
        let earlier = submission.key.as_ref().and_then(|key| fresh.get(&key.text)).map(|line| &accepted[*line].job);
        if let Some(job) = view.holder_of(line).or(earlier) {
            accepted.push(Accepted { job: Arc::clone(job), replayed: true });
            continue;
        }
        if let Some(key) = &submission.key {
            fresh.insert(Arc::clone(&key.text), line);
        }
        let payload = submission.payload.clone();
        let start = submission.start;
        let job = job(spec(submission, view.queue_of(line), draws), start, now, draws);
        accept(&mut decision, Arc::clone(&job), payload, now);
        accepted.push(Accepted { job, replayed: false });
    }
    decision.answer = Answer::Accepted(accepted);
    Ok(decision)
}

/// Looks for keys that belong to another request: one in the ledger, or an earlier line of this one.
fn refuse_mismatches(view: &View, submissions: &[Submission]) -> Result<(), Refusal> {
    let mut mismatches = Vec::new();
    let mut fresh: HashMap<&str, u128> = HashMap::new();
    for (line, submission) in submissions.iter().enumerate() {
        let Some(key) = &submission.key else { continue };
        match view.holder_of(line) {
            Some(holder) if holder.spec.key.as_ref() != Some(key) => mismatches.push((line, Some(holder.id))),
            Some(_) => {}
            None if *fresh.entry(&key.text).or_insert(key.fingerprint) != key.fingerprint => {
                mismatches.push((line, None));
            }
            None => {}
        }
    }
    if mismatches.is_empty() { Ok(()) } else { Err(Refusal::KeyMismatch(mismatches)) }
}

/// Adds the new job with its payload to the decision.
pub(super) fn accept(decision: &mut Decision, job: Arc<Job>, payload: Body, now: Timestamp) {
    decision.writes.push(Write::Insert(Arc::clone(&job), payload.clone()));
    decision.changes.push(Change {
        position: job.changed,
        previous: Position::START,
        at: now,
        kind: ChangeKind::Submitted,
        job,
        body: Some(payload),
    });
}

/// The new job of this spec.
pub(super) fn job(spec: Spec, start: Start, now: Timestamp, draws: &mut dyn Draws) -> Arc<Job> {
    let run_at = match start {
        Start::Now => now,
        Start::After(delay) => now.after(delay),
        Start::At(at) => at.max(now),
    };
    #[allow(clippy::cast_possible_truncation, reason = "the salt is the lower bits")]
    let salt = draws.random() as u32;
    Arc::new(Job {
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
        changed: draws.position(),
        spec: Arc::new(spec),
    })
}

/// What the job is to be, with what the client left out filled in from the queue.
pub(super) fn spec(submission: Submission, queue: Option<&Arc<Queue>>, draws: &mut dyn Draws) -> Spec {
    let callback = submission.callback.map(|request| {
        let CallbackRequest { url, events, format, secret } = *request;
        Arc::new(Callback { url, events, format, secret: secret.unwrap_or_else(|| Secret::make(draws)) })
    });
    Spec {
        payload: submission.payload.info(),
        queue: submission.queue,
        kind: submission.kind,
        priority: submission.priority.unwrap_or(limits::DEFAULT_PRIORITY),
        group: submission.group,
        max_attempts: submission
            .max_attempts
            .unwrap_or_else(|| queue.map_or(limits::DEFAULT_ATTEMPTS, |queue| queue.max_attempts())),
        timeout: submission.timeout,
        backoff: submission.backoff,
        expires_in: submission
            .expires_in
            .unwrap_or_else(|| queue.map_or(limits::DEFAULT_EXPIRY, |queue| queue.expires_in())),
        result_retention: submission
            .result_retention
            .or_else(|| queue.and_then(|queue| queue.settings.result_retention)),
        key: submission.key,
        tags: submission.tags,
        traceparent: submission.traceparent,
        callback,
        delivery: None,
    }
}
