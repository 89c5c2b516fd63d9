//! A connection that an operation takes over from HTTP: for a stream of events, or for a WebSocket.
//!
//! Many of these stand open for hours and say little. What hyper keeps for a connection, two buffers and the states of
//! its parser, would be most of what each of them costs; so it is put away, and the operation writes its answer itself.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, Version};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::addresses::Place;
use crate::app::Shared;

/// What may be on its way to a client that does not take it, in bytes; the system takes twice that for itself.
const SEND_BUFFER: usize = 128 << 10;

/// What is done with the connection.
pub(crate) type Run = Box<dyn FnOnce(Taken) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// How an operation takes a connection over.
pub(crate) struct Takeover {
    status: StatusCode,
    headers: HeaderMap,
    run: Run,
}

/// A connection that was taken over. Its answer's head is written already.
pub(crate) struct Taken {
    pub(crate) stream: TcpStream,
    /// What the client sent behind its request.
    pub(crate) unread: Bytes,
    pub(crate) shared: Arc<Shared>,
    /// Changes once the server stops.
    pub(crate) stopping: watch::Receiver<()>,
}

/// A connection on its way from HTTP to its operation, and from the runtime of the one to that of the other.
#[derive(Debug)]
pub(crate) struct Handover {
    pub(crate) takeover: Takeover,
    pub(crate) stream: std::net::TcpStream,
    pub(crate) unread: Bytes,
    pub(crate) shared: Arc<Shared>,
    pub(crate) stopping: watch::Receiver<()>,
    /// What it holds among the connections of its address.
    pub(crate) place: Place,
}

impl Handover {
    /// Goes on with it, on the runtime that this is called on, to its end.
    pub(crate) async fn run(self) {
        let Handover { takeover, stream, unread, shared, stopping, place: _place } = self;
        match TcpStream::from_std(stream) {
            Ok(stream) => takeover.run(Taken { stream, unread, shared, stopping }).await,
            Err(error) => tracing::warn!(%error, "the system does not watch over a stream, which is cut"),
        }
    }
}

impl std::fmt::Debug for Takeover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Takeover").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Takeover {
    /// The answer's head, whose body `run` will write.
    pub(crate) fn new(response: Response<Run>) -> Takeover {
        let (head, run) = response.into_parts();
        Takeover { status: head.status, headers: head.headers, run }
    }

    /// Writes the head of the answer, and hands the connection over.
    async fn run(self, taken: Taken) {
        let Takeover { status, headers, run } = self;
        // The system would let it grow to megabytes for each client that reads nothing. Where it cannot be set, the
        // system's own bounds hold.
        let _ = socket2::SockRef::from(&taken.stream).set_send_buffer_size(SEND_BUFFER);
        let head = head(status, &headers);
        drop(headers);
        if write(&taken.stream, &mut [io::IoSlice::new(&head)], taken.shared.limits.write_time).await.is_ok() {
            drop(head);
            run(taken).await;
        }
    }
}

/// RFC 9112, section 4. It says HTTP/1.1 whatever the client speaks, as RFC 9110, section 2.5, asks.
fn head(status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
    let mut head = Vec::with_capacity(512);
    let reason = status.canonical_reason().unwrap_or_default();
    head.extend_from_slice(format!("{:?} {} {reason}\r\n", Version::HTTP_11, status.as_u16()).as_bytes());
    for (name, value) in headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    let date = httpdate::fmt_http_date(std::time::SystemTime::now());
    head.extend_from_slice(format!("date: {date}\r\n\r\n").as_bytes());
    head
}

/// Writes all of `slices`. A client that takes nothing for `patience` is given up.
///
/// # Errors
/// If the connection is gone, or the client takes nothing.
pub(crate) async fn write(
    stream: &TcpStream,
    mut slices: &mut [io::IoSlice<'_>],
    patience: Duration,
) -> io::Result<()> {
    while !slices.is_empty() {
        match stream.try_write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => io::IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // Only now is there anything to be patient about.
                tokio::time::timeout(patience, stream.writable()).await??;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Completes once the client has gone away. What it sends meanwhile is for nobody.
pub(crate) async fn gone(stream: &TcpStream) {
    let mut unread = [0; 256];
    loop {
        if stream.readable().await.is_err() {
            return;
        }
        match stream.try_read(&mut unread) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
