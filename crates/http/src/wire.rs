//! A connection's bytes, with deadlines, and with an eye on what was really written.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use crate::connection::Link;
use crate::limits::Limits;

/// The bytes of one connection.
///
/// hyper has a time limit for a request's head too, but it runs while a connection stands idle as well and sets a timer
/// for every request. Here a timer is set only when the client makes the server wait.
pub(crate) struct Wire {
    stream: TcpStream,
    link: Arc<Link>,
    /// A part of a request's head has arrived.
    head_begun: bool,
    /// Until when the rest of it must.
    head: Option<Pin<Box<Sleep>>>,
    /// Until when something must be asked. It is not set again with every request but looks, when it rings, whether
    /// there was one.
    idle: Option<Pin<Box<Sleep>>>,
    /// How many requests there were when `idle` was set.
    idle_since: u64,
    /// Until when the client must take some of an answer.
    stalled: Option<Pin<Box<Sleep>>>,
    /// What hyper said of its own was not written.
    pub(crate) withheld: bool,
    pub(crate) end: WireEnd,
}

/// What ended the connection, as far as its bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WireEnd {
    /// Nothing yet.
    Open,
    /// The client sends no more.
    Closed,
    /// A request's head took too long.
    SlowHead,
    /// Nothing was asked for too long, or nothing of an answer was taken.
    Idle,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, link: Arc<Link>) -> Wire {
        Wire {
            stream,
            link,
            head_begun: false,
            head: None,
            idle: None,
            idle_since: 0,
            stalled: None,
            withheld: false,
            end: WireEnd::Open,
        }
    }

    /// The socket itself, once HTTP is done with it.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    fn limits(&self) -> &Limits {
        &self.link.shared.limits
    }

    /// Whether the client has made the server wait for too long.
    fn out_of_patience(&mut self, cx: &mut Context<'_>) -> bool {
        if self.head_begun {
            let deadline = self.limits().head_time;
            let head = self.head.get_or_insert_with(|| timer(deadline));
            if head.as_mut().poll(cx).is_ready() {
                self.end = WireEnd::SlowHead;
                return true;
            }
            return false;
        }
        let requests = self.link.requests();
        loop {
            let deadline = self.limits().idle_time;
            let idle = self.idle.get_or_insert_with(|| timer(deadline));
            if idle.as_mut().poll(cx).is_pending() {
                return false;
            }
            if self.idle_since == requests {
                self.end = WireEnd::Idle;
                return true;
            }
            self.idle_since = requests;
            idle.as_mut().reset(Instant::now() + deadline);
        }
    }

    /// Sees to it that an answer of which the client takes nothing does not wait for ever.
    fn written(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match polled {
            Poll::Pending => {
                let deadline = self.limits().write_time;
                let stalled = self.stalled.get_or_insert_with(|| timer(deadline));
                ready!(stalled.as_mut().poll(cx));
                self.end = WireEnd::Idle;
                Poll::Ready(Err(ErrorKind::TimedOut.into()))
            }
            Poll::Ready(written) => {
                self.stalled = None;
                if written.is_ok() {
                    self.link.took();
                }
                Poll::Ready(written)
            }
        }
    }
}

fn timer(after: Duration) -> Pin<Box<Sleep>> {
    Box::pin(tokio::time::sleep(after))
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let is_quiet = self.link.is_quiet();
        if !is_quiet {
            self.head_begun = false;
            self.head = None;
        }
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(Ok(())) => {
                if buffer.filled().len() == before {
                    self.end = WireEnd::Closed;
                } else {
                    self.head_begun |= is_quiet;
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending if is_quiet && self.out_of_patience(cx) => Poll::Ready(Err(ErrorKind::TimedOut.into())),
            other => other,
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.link.is_quiet() {
            // No request is open, so these are hyper's own words on one that it could not read. They say nothing but
            // the status; a problem is written in their place once the connection has ended.
            self.withheld = true;
            return Poll::Ready(Ok(bytes.len()));
        }
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.link.is_quiet() {
            self.withheld = true;
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes only once all that it was given is written.
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.link.flushed();
        // hyper has looked for the next request before it wrote this answer, and does not look again unless woken.
        if self.link.is_quiet() && self.out_of_patience(cx) {
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
