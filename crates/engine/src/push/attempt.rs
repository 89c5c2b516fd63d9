use std::sync::Arc;

use ackd_domain::Command;
use ackd_ports::{Post, Wanted};

use super::PushWork;
use super::standing::{self, Standing};
use super::{outcome, payload};
use crate::engine::Engine;
use crate::work::Granted;

/// Makes one attempt at a job. Gives the commands that write down what came of it.
pub(super) async fn attempt(work: &PushWork, engine: &Engine, granted: Granted) -> Vec<Command> {
    let lease = granted.token;
    // Before anything is sent, so that little is missed of what becomes of the job; the rest a heartbeat tells.
    let following = engine.hub().follow(granted.job.id.number());
    let Some(post) = prepare(work, engine, &granted) else { return vec![outcome::unsendable(lease, &granted.job)] };
    let began = engine.clock().monotonic();
    let replied = tokio::select! {
        reply = work.outbound.post(post) => reply,
        standing = standing::keep(engine, following, &granted.job, lease) => return match standing {
            Standing::Cancelled => vec![outcome::cancelled(lease)],
            _ => Vec::new(),
        },
    };
    let took = engine.clock().monotonic().saturating_sub(began);
    vec![outcome::posted(&work.push, lease, replied, took, work.options.result)]
}

/// What is posted; none where the payload is not at hand.
fn prepare(work: &PushWork, engine: &Engine, granted: &Granted) -> Option<Post> {
    let body = payload::body(&work.files, granted)?;
    let job = &granted.job;
    let id: Arc<str> = job.id.to_string().into();
    let mut headers = vec![
        ("idempotency-key", Arc::clone(&id)),
        ("ackd-job", id),
        ("ackd-attempt", job.attempt.to_string().into()),
        ("ackd-lease", (work.options.lease)(&granted.token).into()),
    ];
    headers.extend(job.spec.traceparent.clone().map(|traceparent| ("traceparent", traceparent)));
    Some(Post {
        url: work.push.url.clone(),
        at: engine.clock().wall(),
        content_type: Arc::clone(&job.spec.payload.content_type),
        body,
        signed: None,
        headers,
        wanted: Wanted::Whole(work.options.result),
        timeout: work.push.timeout(),
    })
}
