use std::error::Error;
use std::fmt::Write;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use ackd_ports::{BodyEnd, OutboundError, Reply, Wanted};
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use crate::body::{Outgoing, Unread};
use crate::stream::Stream;

/// The most of an answer's status line and headers that is read, in bytes: 16 KiB.
pub const HEAD_BYTES: usize = 16 << 10;

/// The most of an answer's body that is read where only its beginning is wanted, in bytes: 64 KiB. After more the
/// connection is closed.
pub const BODY_BYTES: usize = 64 << 10;

/// An HTTP/1.1 connection.
///
/// hyper leaves its reading and writing to a future of its own, meant for a task of its own. Here it is polled by whoever
/// awaits the answer: a post wakes no second task, and a connection that nobody uses costs no task.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: http1::SendRequest<Outgoing>,
    /// None once it has ended.
    io: Option<Box<http1::Connection<TokioIo<Stream>, Outgoing>>>,
    pub(crate) opened: Instant,
}

/// What was read of an answer's body. It stays when time runs out.
#[derive(Debug)]
pub(crate) struct BodyRead<'a> {
    pub(crate) bytes: Vec<u8>,
    pub(crate) end: BodyEnd,
    /// Whether the answer's very end has come, so that another request may follow.
    pub(crate) is_over: bool,
    room: Room<'a>,
}

impl BodyRead<'_> {
    /// Nothing yet, to take its room from `all`.
    pub(crate) fn new(all: &Reading) -> BodyRead<'_> {
        BodyRead { bytes: Vec::new(), end: BodyEnd::Lost, is_over: false, room: Room { all, bytes: 0 } }
    }
}

/// How many bytes of answers are being read in all, and how many may be.
#[derive(Debug)]
pub(crate) struct Reading {
    bytes: AtomicUsize,
    most: usize,
}

impl Reading {
    pub(crate) fn new(most: usize) -> Reading {
        Reading { bytes: AtomicUsize::new(0), most }
    }
}

/// A share of what is being read in all, given back when it is dropped.
#[derive(Debug)]
struct Room<'a> {
    all: &'a Reading,
    bytes: usize,
}

impl Room<'_> {
    /// Takes so many bytes more. Whether there was room.
    fn grow(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        self.all.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.all.most
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.all.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum SendError {
    /// Not a byte of the request was sent: here it is again.
    Unsent(Request<Outgoing>),
    /// It was sent, in part at least.
    Failed(OutboundError),
}

impl Connection {
    pub(crate) async fn start(stream: Stream) -> Result<Connection, OutboundError> {
        let (sender, io) = http1::Builder::new()
            .max_buf_size(HEAD_BYTES)
            .max_header_size(HEAD_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(&error))?;
        Ok(Connection { sender, io: Some(Box::new(io)), opened: Instant::now() })
    }

    /// Sends `request` and reads the answer's head.
    pub(crate) async fn send(&mut self, request: Request<Outgoing>) -> Result<Response<Incoming>, SendError> {
        let sent = self.sender.try_send_request(request);
        drive(&mut self.io, sent).await.map_err(|mut error| match error.take_message() {
            Some(request) => SendError::Unsent(request),
            None => SendError::Failed(failed(&error.into_error())),
        })
    }

    /// Reads an answer's body into `read`, as far as it is wanted.
    pub(crate) async fn read(&mut self, mut body: Incoming, wanted: Wanted, read: &mut BodyRead<'_>) {
        let (kept, most) = match wanted {
            Wanted::Beginning => (Reply::BODY_BYTES, BODY_BYTES),
            Wanted::Whole(most) => (most, most),
        };
        let reading = async {
            let mut length = 0;
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { return };
                let Some(data) = frame.data_ref() else { continue };
                length += data.len();
                let data = &data[..data.len().min(kept - read.bytes.len())];
                if !read.room.grow(data.len()) {
                    return;
                }
                read.bytes.extend_from_slice(data);
                if length > most {
                    read.end = BodyEnd::Cut;
                    return;
                }
            }
            read.end = if length > kept { BodyEnd::Cut } else { BodyEnd::Whole };
            read.is_over = true;
        };
        drive(&mut self.io, reading).await;
    }

    /// Whether another request can be sent: the answer before is over, and the receiver has neither closed the
    /// connection nor said anything that it was not asked.
    pub(crate) async fn is_idle(&mut self) -> bool {
        std::future::poll_fn(|cx| {
            step(&mut self.io, cx);
            Poll::Ready(self.io.is_some() && self.sender.is_ready())
        })
        .await
    }
}

type Io = Option<Box<http1::Connection<TokioIo<Stream>, Outgoing>>>;

/// Reads and writes what can be read and written now.
fn step(io: &mut Io, cx: &mut Context<'_>) {
    // How it ended is told to whoever waits for the answer.
    if io.as_mut().is_some_and(|io| Pin::new(io.as_mut()).poll(cx).is_ready()) {
        *io = None;
    }
}

/// Awaits `future` while the connection reads and writes.
async fn drive<F: Future>(io: &mut Io, future: F) -> F::Output {
    // It waits for nothing but what the connection has for it. While a body is sent that is always at hand, to a receiver that
    // is always ready, writing takes all that a task may do at a time, and an answer that is there would not be seen.
    let mut future = pin!(tokio::task::unconstrained(future));
    std::future::poll_fn(|cx| {
        step(io, cx);
        future.as_mut().poll(cx)
    })
    .await
}

fn failed(error: &hyper::Error) -> OutboundError {
    let unread = error.source().and_then(|source| source.downcast_ref::<Unread>());
    if let Some(Unread(why)) = unread.filter(|_| error.is_user()) {
        return OutboundError::Body(why.clone());
    }
    if error.is_parse_too_large() {
        return OutboundError::TooLarge { limit: HEAD_BYTES };
    }
    if error.is_incomplete_message() {
        return OutboundError::Closed("the receiver closed it".into());
    }
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        // Writing to a string does not fail.
        let _ = write!(words, ": {error}");
        source = error.source();
    }
    if error.is_parse() { OutboundError::Protocol(words.into()) } else { OutboundError::Closed(words.into()) }
}
