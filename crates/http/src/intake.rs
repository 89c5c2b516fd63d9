//! Receiving a request's body: bounded in bytes and in time.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ackd_api::Code;
use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use crate::app::{Room, Shared};
use crate::problem::Rejection;

/// Bodies up to this size need no [`Room`]: the connection limit bounds them well enough.
const SMALL: usize = 64 << 10;

/// The most that is set aside for a body before its bytes have come.
const AHEAD: usize = 256 << 10;

/// A body that has arrived in full.
pub(crate) struct Whole {
    bytes: Bytes,
    /// The bytes share their memory with nothing else.
    is_own: bool,
    _room: Option<Room>,
}

impl Whole {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of `part`, which lies within this body, to be kept for long: shared where that wastes little, copied
    /// where a small part would hold on to much.
    pub(crate) fn keep(&self, part: &[u8]) -> Bytes {
        let is_most = part.len() >= self.bytes.len() / 4 * 3;
        if self.is_own && is_most && !part.is_empty() {
            self.bytes.slice_ref(part)
        } else {
            Bytes::copy_from_slice(part)
        }
    }
}

/// What has come of a body.
pub(crate) enum Arrived {
    /// All of it.
    Whole(Whole),
    /// More than was to be taken at once, and more to come.
    Part(Flow),
}

/// A body that is taken as it comes.
pub(crate) struct Flow {
    body: Incoming,
    pace: Pace,
    /// What has come and was not taken, with its share of the room.
    ahead: Vec<Bytes>,
    room: Option<Room>,
}

/// Receives the body of `flow`, of which at most `limit` bytes are taken.
pub(crate) async fn receive(shared: &Arc<Shared>, flow: Flow, limit: usize) -> Result<Whole, Rejection> {
    match flow.gather(shared, limit).await? {
        Arrived::Whole(whole) => Ok(whole),
        Arrived::Part(_) => Err(too_large(limit as u64)),
    }
}

impl Flow {
    pub(crate) const fn new(body: Incoming) -> Flow {
        Flow { body, pace: Pace { started: None, received: 0 }, ahead: Vec::new(), room: None }
    }

    /// How long the rest of the body is, where the client has said so.
    pub(crate) fn announced(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// The next bytes; `None` at the end.
    pub(crate) async fn next(&mut self, shared: &Shared) -> Result<Option<Bytes>, Rejection> {
        if let Some(bytes) = self.ahead.pop() {
            if self.ahead.is_empty() {
                self.room = None;
            }
            return Ok(Some(bytes));
        }
        self.pace.next(shared, &mut self.body).await
    }

    /// Takes at most `limit` bytes, if those are all there are.
    pub(crate) async fn gather(mut self, shared: &Arc<Shared>, limit: usize) -> Result<Arrived, Rejection> {
        let announced = self.announced();
        if announced.is_some_and(|bytes| bytes > limit as u64) {
            return Ok(Arrived::Part(self));
        }
        let announced = announced.and_then(|bytes| usize::try_from(bytes).ok());
        let Some(first) = self.pace.next(shared, &mut self.body).await? else {
            return Ok(Arrived::Whole(Whole { bytes: Bytes::new(), is_own: true, _room: None }));
        };
        if self.body.is_end_stream() && first.len() <= limit {
            // It shares its memory with whatever else was read from the connection.
            return Ok(Arrived::Whole(Whole { bytes: first, is_own: false, _room: None }));
        }
        let mut bytes = Vec::with_capacity(announced.unwrap_or(first.len() * 2).min(AHEAD));
        let mut chunk = first;
        loop {
            if bytes.len() + chunk.len() > limit {
                // The last of them comes first.
                self.ahead = vec![chunk, bytes.into()];
                self.ahead.retain(|bytes| !bytes.is_empty());
                return Ok(Arrived::Part(self));
            }
            if bytes.len() + chunk.len() > SMALL {
                match &mut self.room {
                    None => self.room = Some(shared.room(bytes.len() + chunk.len())?),
                    Some(room) => room.grow(chunk.len())?,
                }
            }
            bytes.extend_from_slice(&chunk);
            match self.pace.next(shared, &mut self.body).await? {
                Some(next) => chunk = next,
                None => break,
            }
        }
        if bytes.capacity() > bytes.len() / 4 * 5 {
            bytes.shrink_to_fit();
        }
        Ok(Arrived::Whole(Whole { bytes: bytes.into(), is_own: true, _room: self.room }))
    }
}

/// How fast a body comes. A clock is read only once the server has to wait for it.
struct Pace {
    started: Option<Instant>,
    received: usize,
}

impl Pace {
    /// The next bytes; `None` at the end.
    async fn next(&mut self, shared: &Shared, body: &mut Incoming) -> Result<Option<Bytes>, Rejection> {
        loop {
            let mut frame = pin!(poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)));
            // hyper looks for the body only once it was asked for it, and nearly always has it then: what needs no
            // waiting needs no timer.
            let mut asked = false;
            let at_hand = poll_fn(|cx| match frame.as_mut().poll(cx) {
                Poll::Pending if !std::mem::replace(&mut asked, true) => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                polled => Poll::Ready(polled),
            })
            .await;
            let frame = match at_hand {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    let now = Instant::now();
                    let limits = &shared.limits;
                    let share = Duration::from_secs_f64(self.received as f64 / f64::from(limits.body_rate));
                    let at_last = *self.started.get_or_insert(now) + limits.body_time + share;
                    timeout_at(at_last.min(now + limits.body_time), frame).await.map_err(|_| slow())?
                }
            };
            match frame.map(|frame| frame.map(Frame::into_data)) {
                None => return Ok(None),
                Some(Ok(Ok(bytes))) => {
                    self.received += bytes.len();
                    return Ok(Some(bytes));
                }
                // Trailers say nothing here.
                Some(Ok(Err(_))) => {}
                Some(Err(error)) => return Err(broken(&error)),
            }
        }
    }
}

pub(crate) fn too_large(limit: u64) -> Rejection {
    Rejection::new(
        Code::TooLarge,
        format!("the body has more than the {limit} bytes that are taken here; send less at once"),
    )
    .closing()
}

fn slow() -> Rejection {
    Rejection::new(Code::Timeout, "the body did not arrive in time; send it at once and without a pause").closing()
}

fn broken(error: &hyper::Error) -> Rejection {
    Rejection::new(Code::InvalidRequest, format!("the body broke off or is not framed as HTTP/1.1 says: {error}"))
        .closing()
}
