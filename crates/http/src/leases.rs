//! Workers asking for jobs.

use std::sync::Arc;
use std::time::Duration;

use ackd_api::{JobDocument, Lease, LeaseRequest, Problem, Secret, limits};
use ackd_domain::{Body, Name};
use ackd_engine::{Granted, WorkRequest};
use http::Response;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use crate::answer;
use crate::app::time;
use crate::call::{Call, Outcome, reserved};
use crate::document::{self, Texts};
use crate::files;
use crate::headers;
use crate::outlet::Outlet;
use crate::token;

/// `POST /v1/leases`.
pub(crate) async fn lease(mut call: Call) -> Outcome {
    let whole = call.json().await?;
    let request = wanted(&ackd_api::parse(whole.bytes())?)?;
    drop(whole);
    let grants = call.engine().lease(request).await?;
    if grants.leases().is_empty() {
        return Ok(answer::no_content());
    }
    let bytes = written(&call, grants.leases())?;
    let mut response = Response::new(Outlet::leases(bytes.into(), grants));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(ackd_domain::JSON));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn wanted(request: &LeaseRequest<'_>) -> Result<WorkRequest, Problem> {
    let mut queues = Vec::with_capacity(request.queues.len());
    for (at, queue) in request.queues.iter().enumerate() {
        let name = Name::new(queue).map_err(|error| Problem::at(format!("/queues/{at}"), error.to_string()))?;
        if name.is_reserved() {
            return Err(reserved(&format!("/queues/{at}")));
        }
        // Whoever names a queue twice does not get twice its jobs.
        if !queues.contains(&name) {
            queues.push(name);
        }
    }
    Ok(WorkRequest {
        queues,
        kinds: request.types.iter().map(|kind| Arc::from(&**kind)).collect(),
        max: request.max.map_or(1, usize::from),
        wait: patience(request.wait),
        worker: request.worker.as_deref().map(worker).transpose()?,
        ttl: request.ttl.map(Duration::from),
        inline: limits::INLINE_BYTES as u64,
    })
}

/// A worker's name. The server's own leases are under names of its own, and nobody else's are.
fn worker(text: &str) -> Result<Arc<str>, Problem> {
    let name = Name::new(text).map_err(|error| Problem::at("/worker", error.to_string()))?;
    if name.is_reserved() { Err(reserved("/worker")) } else { Ok(Arc::from(text)) }
}

fn patience(wait: Option<ackd_api::Duration>) -> Duration {
    wait.map_or(Duration::ZERO, Duration::from).min(limits::WAIT)
}

fn written(call: &Call, leases: &[Granted]) -> Result<Vec<u8>, serde_json::Error> {
    // Workers look at clocks of their own.
    let now = call.engine().clock().wall();
    let inline: usize = leases.iter().filter_map(|it| Some(it.payload.as_ref()?.bytes.len())).sum();
    let mut bytes = Vec::with_capacity(32 + 1664 * leases.len() + inline);
    bytes.extend_from_slice(b"{\"leases\":[");
    for (at, granted) in leases.iter().enumerate() {
        if at > 0 {
            bytes.push(b',');
        }
        let texts = Texts::of(&granted.job);
        let token = token::lease(&granted.token);
        let lease = Lease {
            lease: Secret::new(token.as_str()),
            deadline: time(now.after(granted.ttl)),
            expires_in: granted.ttl.into(),
            job: JobDocument {
                inputs: document::inputs(&granted.inputs),
                ..document::document(&granted.job, &texts, granted.payload.as_ref(), None, None)
            },
        };
        serde_json::to_writer(&mut bytes, &lease)?;
    }
    bytes.extend_from_slice(b"]}");
    Ok(bytes)
}

/// So many jobs whose payload turns out to be lost may come to their end by one request: where it is the disk that is away, those
/// of a queue are not to use up their attempts at once.
const LOST_AT_ONCE: u32 = 4;

/// `POST /v1/queues/{queue}/lease`.
pub(crate) async fn raw(mut call: Call) -> Outcome {
    let queue = call.name()?;
    let wait = patience(call.query.duration("wait")?);
    let request = WorkRequest {
        queues: vec![queue],
        kinds: Vec::new(),
        max: 1,
        wait,
        worker: call.query.get("worker").map(worker).transpose()?,
        ttl: call.query.duration("ttl")?.map(ttl).transpose()?,
        inline: u64::MAX,
    };
    call.no_body().await?;
    let until = Instant::now() + wait;
    for _ in 0..LOST_AT_ONCE {
        let left = until.saturating_duration_since(Instant::now());
        let grants = call.engine().lease(WorkRequest { wait: left, ..request.clone() }).await?;
        let leased = grants.leases().first().and_then(|granted| Some((granted, granted.payload.as_ref()?)));
        let Some((granted, payload)) = leased else { return Ok(answer::no_content()) };
        let (head, payload) = (raw_head(granted, payload), payload.bytes.clone());
        let response = match granted.job.spec.payload_file {
            Some(file) => files::with_lease(&call, file, grants).await?,
            None => Some(Response::new(Outlet::leases(payload, grants))),
        };
        // The attempt at a job whose payload is lost has failed with that: the worker is given the next one.
        if let Some(mut response) = response {
            *response.headers_mut() = head;
            return Ok(response);
        }
    }
    Ok(answer::no_content())
}

fn ttl(ttl: ackd_api::Duration) -> Result<Duration, Problem> {
    let ttl = ttl.get();
    if (limits::LEASE_TTL_MIN..=limits::LEASE_TTL_MAX).contains(&ttl) {
        return Ok(ttl);
    }
    Err(Problem::at("/ttl", "must be 1s to 1h"))
}

/// What is said of a lease whose job's payload is the body.
fn raw_head(granted: &Granted, payload: &Body) -> HeaderMap {
    let mut headers = HeaderMap::new();
    answer::harmless(&mut headers, &payload.content_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let mut say = |name: HeaderName, value: &str| {
        // All of these are ASCII by their making.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    say(headers::LEASE, token::lease(&granted.token).as_str());
    say(headers::JOB, &granted.job.id.to_string());
    say(headers::ATTEMPT, &granted.job.attempt.to_string());
    if let Some(traceparent) = &granted.job.spec.traceparent {
        say(headers::TRACEPARENT, traceparent);
    }
    headers
}
