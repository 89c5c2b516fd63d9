//! The job document, made of what the engine knows.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ackd_api::job::{BodyInfo, Inline, Links, Progress};
use ackd_api::raw::{self, Json};
use ackd_api::{CallbackSecret, JobDocument, Secret, Status, Waiting, limits};
use ackd_domain::{Body, Failure, Job};
use ackd_engine::{JobInput, Limit};
use serde_json::value::RawValue;

use crate::app::time;
use crate::token::{self, Text};

/// The texts of a job that are made only for its document.
pub(crate) struct Texts {
    id: String,
    position: Text<16>,
}

impl Texts {
    pub(crate) fn of(job: &Job) -> Texts {
        Texts { id: job.id.to_string(), position: token::position(job.changed) }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn position(&self) -> &str {
        self.position.as_str()
    }
}

/// The document of `job`, with the payload and the result that are given and small enough.
pub(crate) fn document<'a>(
    job: &'a Job,
    texts: &'a Texts,
    payload: Option<&'a Body>,
    result: Option<&'a Body>,
    waiting: Option<&'a ackd_engine::Waiting>,
) -> JobDocument<'a> {
    let spec = &*job.spec;
    let is_open = !job.status.is_terminal();
    JobDocument {
        id: texts.id().into(),
        queue: spec.queue.as_str().into(),
        kind: spec.kind.as_deref().map(Cow::Borrowed),
        status: status(job.status),
        version: job.version,
        run: job.run,
        attempt: job.attempt,
        max_attempts: spec.max_attempts,
        priority: spec.priority,
        progress: job.progress.as_ref().map(|progress| Progress {
            percent: progress.percent,
            message: progress.message.as_deref().map(Cow::Borrowed),
            at: time(progress.at),
        }),
        payload: payload.filter(|_| spec.payload_file.is_none()).and_then(inline),
        payload_info: info(&spec.payload),
        result: result.and_then(inline),
        result_info: job.result.as_ref().and_then(info),
        error: job.error.as_ref().and_then(failure),
        waiting: waiting.map(why),
        cancel_requested_at: job.cancel_requested_at.filter(|_| is_open).map(time),
        checkpoint: job.checkpoint.as_deref().and_then(json),
        worker: job.worker.as_deref().map(Cow::Borrowed),
        tags: spec.tags.iter().map(|tag| Cow::Borrowed(&**tag)).collect(),
        idempotency_key: spec.key.as_ref().map(|key| Cow::Borrowed(&*key.text)),
        ordering_key: spec.ordering_key.as_deref().map(Cow::Borrowed),
        unique: spec.unique.as_deref().map(Cow::Borrowed),
        group: spec.group.as_deref().map(Cow::Borrowed),
        after: spec.after.iter().map(|it| Cow::Owned(it.id.to_string())).collect(),
        flow: spec.flow.as_ref().map(|flow| Cow::Owned(flow.id.to_string())),
        inputs: BTreeMap::new(),
        dead_letter_of: spec.dead_letter_of.map(|it| Cow::Owned(it.of.to_string())),
        reply_to: None,
        callback: None,
        traceparent: spec.traceparent.as_deref().map(Cow::Borrowed),
        timeout: spec.timeout.map(ackd_api::Duration::new),
        created_at: time(job.created_at()),
        run_at: time(job.run_at),
        started_at: job.started_at.map(time),
        finished_at: job.finished_at.map(time),
        expires_at: is_open.then(|| time(job.expires_at)),
        position: texts.position().into(),
        links: Links::of(texts.id()),
    }
}

/// The callback of `job` with its secret, for the one answer that shows it.
pub(crate) fn callback(job: &Job) -> Option<CallbackSecret<'_>> {
    let callback = job.spec.callback.as_ref()?;
    Some(CallbackSecret { url: (&*callback.url).into(), secret: Secret::new(callback.secret.expose()) })
}

/// What a job is handed of those that it comes after. What is no JSON or text, or too large, is null there.
pub(crate) fn inputs(inputs: &[JobInput]) -> BTreeMap<Cow<'_, str>, Option<Inline<'_>>> {
    inputs.iter().map(|input| (Cow::Borrowed(&*input.key), input.result.as_ref().and_then(inline))).collect()
}

/// The API's word for a status.
pub(crate) const fn status(status: ackd_domain::Status) -> Status {
    match status {
        ackd_domain::Status::Init => Status::Init,
        ackd_domain::Status::Processing => Status::Processing,
        ackd_domain::Status::Done => Status::Done,
        ackd_domain::Status::Failed => Status::Failed,
        ackd_domain::Status::Cancelled => Status::Cancelled,
        ackd_domain::Status::Expired => Status::Expired,
    }
}

/// The problem document of a failed attempt.
pub(crate) fn failure(failure: &Failure) -> Option<Json<'_>> {
    json(&failure.problem)
}

fn json(text: &str) -> Option<Json<'_>> {
    serde_json::from_str::<&RawValue>(text).ok().map(Cow::Borrowed)
}

/// A job without a payload has one of no type and no bytes: a body that was sent has a type always.
fn info(info: &ackd_domain::BodyInfo) -> Option<BodyInfo<'_>> {
    let is_there = !info.content_type.is_empty();
    is_there.then(|| BodyInfo { content_type: Cow::Borrowed(&info.content_type), size: info.size })
}

/// A body as it stands in a document: JSON byte for byte, text as a string, if it is small.
fn inline(body: &Body) -> Option<Inline<'_>> {
    if body.bytes.len() > limits::INLINE_BYTES {
        return None;
    }
    if ackd_domain::is_json(&body.content_type) {
        // It came as JSON or under its name; only the former is known to be any.
        let json: &RawValue = serde_json::from_slice(&body.bytes).ok()?;
        return raw::check(json).is_ok().then(|| Inline::json(json));
    }
    let is_text = body.content_type.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("text/"));
    is_text.then(|| std::str::from_utf8(&body.bytes).ok().map(Inline::text)).flatten()
}

fn why(waiting: &ackd_engine::Waiting) -> Waiting<'_> {
    match waiting {
        ackd_engine::Waiting::Blocked(jobs) => {
            Waiting::Blocked { jobs: jobs.iter().map(|id| Cow::Owned(id.to_string())).collect() }
        }
        ackd_engine::Waiting::Paused => Waiting::Paused,
        ackd_engine::Waiting::Scheduled(at) => Waiting::Scheduled { run_at: time(*at) },
        ackd_engine::Waiting::Retrying(at, error) => {
            Waiting::Retrying { run_at: time(*at), error: error.as_ref().and_then(failure) }
        }
        ackd_engine::Waiting::Limited(limit) => Waiting::Limited { limit: Cow::Borrowed(limit_name(*limit)) },
        ackd_engine::Waiting::NoWorker => Waiting::NoWorker,
        ackd_engine::Waiting::Queued => Waiting::Queued,
    }
}

/// A limit as the queue's settings call it.
const fn limit_name(limit: Limit) -> &'static str {
    match limit {
        Limit::Concurrency => "concurrency",
        Limit::GroupConcurrency => "group_concurrency",
        Limit::Rate => "rate",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn shown(content_type: &str, bytes: &[u8]) -> Option<String> {
        let body = Body { content_type: content_type.into(), bytes: Bytes::copy_from_slice(bytes) };
        inline(&body).map(|inline| serde_json::to_string(&inline).unwrap())
    }

    #[test]
    fn json_and_text_stand_inline_up_to_64_kib() {
        assert_eq!(shown("application/json", b"{\"a\" : 1}").as_deref(), Some("{\"a\" : 1}"));
        assert_eq!(shown("Application/LD+JSON; charset=utf-8", b"[1]").as_deref(), Some("[1]"));
        assert_eq!(shown("text/plain", "ä\"".as_bytes()).as_deref(), Some("\"ä\\\"\""));
        assert_eq!(shown("image/png", b"x"), None);
        assert_eq!(shown("application/json", b"{"), None);
        assert_eq!(shown("application/json", b""), None);
        assert_eq!(shown("text/plain", b"\xff"), None);
        assert_eq!(shown("application/json", "[".repeat(101).as_bytes()), None);
        let string = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2)).into_bytes();
        assert!(shown("application/json", &string(limits::INLINE_BYTES)).is_some());
        assert!(shown("application/json", &string(limits::INLINE_BYTES + 1)).is_none());
    }
}
