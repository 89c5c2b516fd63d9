//! The events of one job, as a stream of server-sent events (WHATWG HTML, section 9.2).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ackd_api::{EventName, event::Reset};
use ackd_domain::{Body, ChangeKind, Job, Position};
use ackd_engine::{Engine, Event, Events, EventsStart, ReadError};
use bytes::Bytes;
use http::Response;
use http::header::{self, HeaderName, HeaderValue};
use tokio::time::{Instant, Sleep};

use crate::answer;
use crate::call::{Call, Outcome};
use crate::document::{self, Texts};
use crate::headers;
use crate::outlet::Outlet;
use crate::problem::no_such_job;
use crate::token;

/// How often a stream says where it is while nothing happens: more often than proxies lose patience.
const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// What a stream begins with: after how many milliseconds a client that lost it comes back.
const RETRY: &[u8] = b"retry: 3000\n\n";

/// `GET /v1/jobs/{id}/events`.
pub(crate) async fn of_job(mut call: Call) -> Outcome {
    call.no_body().await?;
    let id = call.job_id()?;
    let after = after(&call)?;
    match call.engine().events(id, after).await? {
        EventsStart::NotFound => Err(no_such_job().into()),
        EventsStart::Over => Ok(answer::no_content()),
        EventsStart::Events(events) => {
            let mut response = Response::new(Outlet::events(EventFrames::new(events, call.engine().clone())));
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
            headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
            Ok(response)
        }
    }
}

/// After which position the client would have events. A browser that comes back says it in the header; the address
/// that it was given first still says where it began.
fn after(call: &Call) -> Result<Option<Position>, ackd_api::Problem> {
    const WHAT: &str = "is no position that this server gave out";
    if let Some(text) = headers::last_event_id(call.headers())? {
        return token::read_position(text).map(Some).ok_or_else(|| headers::bad(&headers::LAST_EVENT_ID, WHAT));
    }
    call.query.read("after", |text| match text {
        "earliest" => Ok(Position::START),
        text => token::read_position(text).ok_or_else(|| WHAT.to_owned()),
    })
}

/// What follows, and what it follows from. It is never cut off half-way: a follower that has fallen behind is reading
/// the ledger then, and would lose its place.
type Next = Pin<Box<dyn Future<Output = (Box<Events>, Result<Option<Bytes>, ReadError>)> + Send>>;

/// The frames of a stream.
pub(crate) struct EventFrames {
    engine: Engine,
    /// The stream has begun.
    begun: bool,
    next: Option<Next>,
    /// The position of the last event that was given out.
    at: Position,
    comment: Pin<Box<Sleep>>,
}

impl EventFrames {
    fn new(events: Box<Events>, engine: Engine) -> EventFrames {
        EventFrames {
            begun: false,
            at: events.position(),
            next: Some(next(events, engine.clone())),
            engine,
            comment: Box::pin(tokio::time::sleep(COMMENT_EVERY)),
        }
    }

    /// The next frame; `None` at the end.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ReadError>>> {
        if !std::mem::replace(&mut self.begun, true) {
            return Poll::Ready(Some(Ok(Bytes::from_static(RETRY))));
        }
        let Some(following) = &mut self.next else { return Poll::Ready(None) };
        if let Poll::Ready((events, frame)) = following.as_mut().poll(cx) {
            self.at = events.position();
            self.next = match &frame {
                Ok(Some(_)) => Some(next(events, self.engine.clone())),
                _ => None,
            };
            self.comment.as_mut().reset(Instant::now() + COMMENT_EVERY);
            return Poll::Ready(frame.transpose());
        }
        if self.comment.as_mut().poll(cx).is_ready() {
            self.comment.as_mut().reset(Instant::now() + COMMENT_EVERY);
            // The deadline is new: somebody must be woken by it.
            let _ = self.comment.as_mut().poll(cx);
            let comment = format!(": here\nid: {}\n\n", token::position(self.at));
            return Poll::Ready(Some(Ok(comment.into())));
        }
        Poll::Pending
    }
}

fn next(mut events: Box<Events>, engine: Engine) -> Next {
    Box::pin(async move {
        let frame = match events.next().await {
            Ok(Some(event)) => written(&engine, event).await.map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        (events, frame)
    })
}

async fn written(engine: &Engine, event: Event) -> Result<Bytes, ReadError> {
    let job = event.job();
    let at_hand = match &event {
        Event::Change(change) if change.kind == ChangeKind::Completed => change.body.clone(),
        _ => None,
    };
    let result = match at_hand {
        None if job.result.is_some() => engine.result(job.id.number()).await?,
        at_hand => at_hand,
    };
    let name = match &event {
        Event::Change(change) if matches!(change.kind, ChangeKind::Progressed | ChangeKind::Checkpointed) => {
            EventName::Progress
        }
        _ => EventName::Status,
    };
    let mut bytes = Vec::with_capacity(1664);
    let position = token::position(job.changed).to_string();
    if matches!(event, Event::Reset(_)) {
        frame(&mut bytes, &position, EventName::Reset, &Reset { position: position.as_str().into() })?;
    }
    show(engine, &mut bytes, &position, name, job, result.as_ref())?;
    Ok(bytes.into())
}

fn show(
    engine: &Engine,
    bytes: &mut Vec<u8>,
    position: &str,
    name: EventName,
    job: &Job,
    result: Option<&Body>,
) -> Result<(), ReadError> {
    let (texts, waiting) = (Texts::of(job), engine.waiting(job));
    frame(bytes, position, name, &document::document(job, &texts, None, result, waiting.as_ref()))
}

fn frame(bytes: &mut Vec<u8>, id: &str, name: EventName, data: &impl serde::Serialize) -> Result<(), ReadError> {
    let head = format!("id: {id}\nevent: {}\ndata: ", name.as_str());
    bytes.extend_from_slice(head.as_bytes());
    let start = bytes.len();
    serde_json::to_writer(&mut *bytes, data).map_err(|error| ReadError::Failed(error.to_string()))?;
    // JSON that a client handed in may stand on several lines, and a line's end would end the field. Between JSON's
    // tokens it means no more than a space, and within its strings there is none.
    bytes[start..].iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    bytes.extend_from_slice(b"\n\n");
    Ok(())
}
