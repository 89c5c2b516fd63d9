//! The forms that answers have.

use ackd_api::CallbackSecret;
use ackd_api::cloud_event::JobEvent;
use ackd_domain::{Body, Job, Status};
use ackd_engine::{Engine, Record, Waiting};
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use serde::Serialize;

use crate::accept::Form;
use crate::call::Outcome;
use crate::document::{self, Texts};
use crate::headers;
use crate::outlet::Outlet;
use crate::problem::Rejection;

const JSON: HeaderValue = HeaderValue::from_static(ackd_domain::JSON);

/// The longest that a client is told to wait before it asks for a job again.
const LONGEST_PAUSE: u64 = 60;

/// A document as JSON.
pub(crate) fn json(status: StatusCode, document: &impl Serialize) -> Outcome {
    Ok(whole(status, JSON, serde_json::to_vec(document)?.into()))
}

/// A document as JSON that is another the next time.
pub(crate) fn passing(document: &impl Serialize) -> Outcome {
    let mut response = json(StatusCode::OK, document)?;
    may_change(response.headers_mut());
    Ok(response)
}

/// Whoever keeps the answer asks again before it uses it; and only the client itself may keep it.
pub(crate) fn may_change(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
}

/// Nobody keeps the answer: it holds what is shown once.
pub(crate) fn confidential(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// Lines of JSON.
pub(crate) fn ndjson(status: StatusCode, lines: Vec<u8>) -> Response<Outlet> {
    whole(status, HeaderValue::from_static(headers::NDJSON), lines.into())
}

pub(crate) fn whole(status: StatusCode, content_type: HeaderValue, bytes: Bytes) -> Response<Outlet> {
    let mut response = Response::new(Outlet::whole(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// Nothing, with nothing to say.
pub(crate) fn no_content() -> Response<Outlet> {
    let mut response = Response::new(Outlet::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A job's document, with the headers that always go with it.
pub(crate) async fn job(status: StatusCode, engine: &Engine, record: &Record) -> Result<Response<Outlet>, Rejection> {
    told(status, engine, record, engine.explain(&record.job).await, None, None)
}

/// The document of a job that was accepted, with the secret that was made for its callback.
pub(crate) async fn accepted(
    status: StatusCode,
    engine: &Engine,
    record: &Record,
    has_secret: bool,
) -> Result<Response<Outlet>, Rejection> {
    let callback = document::callback(&record.job).filter(|_| has_secret);
    let mut response = told(status, engine, record, engine.explain(&record.job).await, None, callback)?;
    if has_secret {
        confidential(response.headers_mut());
    }
    Ok(response)
}

/// A job as a CloudEvent from `source`, or as its document where there is none; with its callback, where that is to be
/// shown.
pub(crate) fn told(
    status: StatusCode,
    engine: &Engine,
    record: &Record,
    waiting: Option<Waiting>,
    source: Option<&str>,
    callback: Option<CallbackSecret<'_>>,
) -> Result<Response<Outlet>, Rejection> {
    let Record { job, payload, result, inputs } = record;
    let texts = Texts::of(job);
    let inline = [payload, result].into_iter().flatten().map(|body| body.bytes.len()).sum::<usize>();
    // The fixed parts of a document are about 1200 bytes: it is written without growing.
    let mut bytes = Vec::with_capacity(1536 + inline.min(2 * ackd_api::limits::INLINE_BYTES));
    let mut document = document::document(job, &texts, payload.as_ref(), result.as_ref(), waiting.as_ref());
    document.callback = callback;
    document.inputs = document::inputs(inputs);
    let form = match source {
        None => {
            serde_json::to_writer(&mut bytes, &document)?;
            Form::Document
        }
        Some(source) => {
            serde_json::to_writer(&mut bytes, &JobEvent::of(&document, source))?;
            Form::CloudEvent
        }
    };
    let mut response = Response::new(Outlet::whole(bytes.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(10);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.media_type()));
    follow(headers, engine, job, waiting.as_ref());
    Ok(response)
}

/// The headers of an answer about a job that may change: its version, and when to ask again.
pub(crate) fn follow(headers: &mut HeaderMap, engine: &Engine, job: &Job, waiting: Option<&Waiting>) {
    headers.insert(header::ETAG, etag(job.version));
    may_change(headers);
    if !job.status.is_terminal() {
        let pause = match pause(engine, job, waiting) {
            1 => HeaderValue::from_static("1"),
            pause => HeaderValue::from(pause),
        };
        headers.insert(header::RETRY_AFTER, pause);
    }
}

/// After how many seconds it makes sense to ask for an unfinished job again.
pub(crate) fn pause(engine: &Engine, job: &Job, waiting: Option<&Waiting>) -> u64 {
    match waiting {
        Some(Waiting::Scheduled(at) | Waiting::Retrying(at, _)) if job.status == Status::Init => {
            let left = at.since(engine.clock().now());
            (left.as_secs() + u64::from(left.subsec_millis() > 0)).clamp(1, LONGEST_PAUSE)
        }
        _ => 1,
    }
}

/// The weak entity tag of a version.
pub(crate) fn etag(version: u64) -> HeaderValue {
    if version == 1 {
        // What every accepted job begins with.
        return HeaderValue::from_static("W/\"1\"");
    }
    // On the stack: the longest is W/"18446744073709551615".
    let mut text = [0u8; 24];
    let mut rest = &mut text[..];
    let written = std::io::Write::write_fmt(&mut rest, format_args!("W/\"{version}\"")).is_ok();
    let length = 24 - rest.len();
    match HeaderValue::from_bytes(&text[..length]) {
        Ok(value) if written => value,
        _ => HeaderValue::from_static("W/\"0\""),
    }
}

/// Bytes that a client handed in, exactly as they came. A browser neither runs nor guesses them.
pub(crate) fn stored(body: &Body) -> Response<Outlet> {
    let mut response = Response::new(Outlet::whole(body.bytes.clone()));
    let headers = response.headers_mut();
    harmless(headers, &body.content_type);
    response
}

/// The headers of bytes that a client handed in.
pub(crate) fn harmless(headers: &mut HeaderMap, content_type: &str) {
    headers.reserve(10);
    if let Ok(content_type) = HeaderValue::from_str(content_type)
        && !content_type.is_empty()
    {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_tag_is_weak() {
        assert_eq!(etag(1), "W/\"1\"");
        assert_eq!(etag(7), "W/\"7\"");
        assert_eq!(etag(u64::MAX), "W/\"18446744073709551615\"");
    }
}
