use std::error::Error;
use std::fmt::Write;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use ackd_ports::{OutboundError, Reply};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use crate::stream::Stream;

/// The most of an answer's status line and headers that is read, in bytes: 16 KiB.
pub const HEAD_BYTES: usize = 16 << 10;

/// The most of an answer's body that is read, in bytes: 64 KiB. After more the connection is closed.
pub const BODY_BYTES: usize = 64 << 10;

/// An HTTP/1.1 connection.
///
/// hyper leaves its reading and writing to a future of its own, meant for a task of its own. Here it is polled by whoever
/// awaits the answer: a post wakes no second task, and a connection that nobody uses costs no task.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    /// None once it has ended.
    io: Option<Box<http1::Connection<TokioIo<Stream>, Full<Bytes>>>>,
    pub(crate) opened: Instant,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum SendError {
    /// Not a byte of the request was sent: here it is again.
    Unsent(Request<Full<Bytes>>),
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
    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, SendError> {
        let sent = self.sender.try_send_request(request);
        drive(&mut self.io, sent).await.map_err(|mut error| match error.take_message() {
            Some(request) => SendError::Unsent(request),
            None => SendError::Failed(failed(&error.into_error())),
        })
    }

    /// Reads an answer's body: its first [`Reply::BODY_BYTES`], and whether it was read to its end.
    pub(crate) async fn read(&mut self, mut body: Incoming, kept: &mut Vec<u8>) -> bool {
        let mut read = 0;
        let reading = async {
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { return false };
                let Some(data) = frame.data_ref() else { continue };
                read += data.len();
                kept.extend_from_slice(&data[..data.len().min(Reply::BODY_BYTES - kept.len())]);
                if read > BODY_BYTES {
                    return false;
                }
            }
            true
        };
        drive(&mut self.io, reading).await
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

type Io = Option<Box<http1::Connection<TokioIo<Stream>, Full<Bytes>>>>;

/// Reads and writes what can be read and written now.
fn step(io: &mut Io, cx: &mut Context<'_>) {
    // How it ended is told to whoever waits for the answer.
    if io.as_mut().is_some_and(|io| Pin::new(io.as_mut()).poll(cx).is_ready()) {
        *io = None;
    }
}

/// Awaits `future` while the connection reads and writes.
async fn drive<F: Future>(io: &mut Io, future: F) -> F::Output {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| {
        step(io, cx);
        future.as_mut().poll(cx)
    })
    .await
}

fn failed(error: &hyper::Error) -> OutboundError {
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
