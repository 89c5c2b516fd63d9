//! One connection: requests are read from it and answered, one after another, until either side is done.

use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use ackd_api::{Code, Problem};
use ackd_engine::Grants;
use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::addresses::Place;
use crate::app::Shared;
use crate::call::Caller;
use crate::problem::Rejection;
use crate::takeover::{Handover, Takeover};
use crate::wire::{Wire, WireEnd};

/// How long a client that was refused may go on sending before the connection is cut.
const LINGER: Duration = Duration::from_secs(2);

/// What the parts of one connection tell each other: its bytes, the requests on it, and the answers' bodies.
///
/// Each of them holds it, and what all connections share is found through it: so counting who holds it is the
/// connection's own business, and no two processors fight for it with every request.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) shared: Arc<Shared>,
    /// The one text that nearly every payload's content type is.
    pub(crate) json: Arc<str>,
    /// The requests that were begun.
    requests: AtomicU64,
    /// The answers that hyper has taken to their end.
    answers: AtomicU64,
    /// The answers that were written to their end.
    written: AtomicU64,
    /// How often the client took some of an answer.
    taken: AtomicU64,
    /// Whether `carried` holds any, so that most flushes need not look.
    carries: AtomicBool,
    /// Leases that hyper was given and that are not known to be written.
    carried: Mutex<Vec<Grants>>,
    /// A request was answered whose body was not read.
    unread: AtomicBool,
    /// An operation takes the connection over.
    takeover: Mutex<Option<Takeover>>,
}

// All of it is touched by the connection's own task only, but for `taken`, which others look at, and nobody goes by what is
// written before it: the atomics are for the compiler, and relaxed.
impl Link {
    fn new(shared: Arc<Shared>) -> Link {
        Link {
            shared,
            json: Arc::from(ackd_domain::JSON),
            requests: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            written: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            carries: AtomicBool::new(false),
            carried: Mutex::default(),
            unread: AtomicBool::new(false),
            takeover: Mutex::default(),
        }
    }

    /// A request begins. Its answer's body tells by [`Link::answered`] when it has been taken.
    pub(crate) fn begin(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests there were.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn answered(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether every request so far is answered, and every answer written.
    pub(crate) fn is_quiet(&self) -> bool {
        self.requests.load(Ordering::Relaxed) == self.written.load(Ordering::Relaxed)
    }

    /// The client took some of an answer.
    pub(crate) fn took(&self) {
        // Nobody else writes it.
        self.taken.store(self.taken.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Says, whenever it is asked, whether the client has taken some of an answer within the time that it has for that.
    pub(crate) fn taking(self: &Arc<Link>) -> impl FnMut() -> bool + Send + use<> {
        let link = Arc::clone(self);
        let (mut taken, mut since) = (link.taken.load(Ordering::Relaxed), Instant::now());
        move || {
            let by_now = link.taken.load(Ordering::Relaxed);
            if taken != by_now {
                (taken, since) = (by_now, Instant::now());
            }
            since.elapsed() < link.shared.limits.write_time
        }
    }

    /// These leases are on their way to their worker.
    pub(crate) fn carry(&self, grants: Grants) {
        self.carried.lock().unwrap_or_else(PoisonError::into_inner).push(grants);
        self.carries.store(true, Ordering::Relaxed);
    }

    /// All that hyper was given is written.
    pub(crate) fn flushed(&self) {
        self.written.store(self.answers.load(Ordering::Relaxed), Ordering::Relaxed);
        if self.carries.swap(false, Ordering::Relaxed) {
            for mut grants in self.carried.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
                grants.delivered();
            }
        }
    }

    /// A request is answered although its body was not read to its end.
    pub(crate) fn left_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    /// The connection is no longer HTTP's.
    pub(crate) fn take_over(&self, takeover: Takeover) {
        *self.takeover.lock().unwrap_or_else(PoisonError::into_inner) = Some(takeover);
    }

    fn taken_over(&self) -> Option<Takeover> {
        self.takeover.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Nothing more will be written: what was carried has not arrived, and is released.
    fn cut(&self) {
        self.carried.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

type Serving = http1::Connection<TokioIo<Wire>, Caller>;

/// Serves one connection, which holds its place, to its end, or until an operation takes it over. Once `stopping` changes,
/// the request at hand is the last.
pub(crate) async fn run(
    stream: TcpStream,
    place: Place,
    shared: Arc<Shared>,
    builder: Arc<http1::Builder>,
    mut stopping: watch::Receiver<()>,
) -> Option<Handover> {
    let link = Arc::new(Link::new(shared));
    let wire = Wire::new(stream, Arc::clone(&link));
    let caller = Caller::new(Arc::clone(&link));
    let mut connection = builder.serve_connection(TokioIo::new(wire), caller);
    let mut takeover = None;
    let mut poll = |connection: &mut Serving, cx: &mut Context<'_>| {
        let polled = connection.poll_without_shutdown(cx);
        takeover = link.taken_over();
        if takeover.is_some() { Poll::Ready(Ok(())) } else { polled }
    };
    let outcome = tokio::select! {
        biased;
        outcome = poll_fn(|cx| poll(&mut connection, cx)) => outcome,
        _ = stopping.changed() => {
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            // Whoever takes the connection over now is to hear of it too.
            stopping.mark_changed();
            poll_fn(|cx| poll(&mut connection, cx)).await
        }
    };
    let parts = connection.into_parts();
    let wire = parts.io.into_inner();
    if let Some(takeover) = takeover {
        let shared = Arc::clone(&link.shared);
        // Nearly always it is nothing; what it is is not to hold on to all that was read.
        let unread = Bytes::copy_from_slice(&parts.read_buf);
        // A connection that cannot be taken from its runtime is broken.
        let stream = wire.into_stream().into_std().ok()?;
        return Some(Handover { takeover, stream, unread, shared, stopping, place });
    }
    link.cut();
    let rejection = outcome.err().and_then(|error| rejection(&error, &wire));
    let linger = rejection.is_some() || (link.unread.load(Ordering::Relaxed) && wire.end == WireEnd::Open);
    if linger {
        let words = rejection.map(|rejection| plain(rejection, link.shared.public_url.as_deref()));
        // Whoever cannot be told is told nothing.
        let _ = tokio::time::timeout(LINGER, part(wire.into_stream(), words.as_deref())).await;
    }
    None
}

/// What there is to say about a request that could not be read.
fn rejection(error: &hyper::Error, wire: &Wire) -> Option<Rejection> {
    if wire.end == WireEnd::SlowHead {
        return Some(Rejection::new(Code::Timeout, "the request's head did not arrive in time; send it at once"));
    }
    // Where hyper's own words on it were written there is nothing to add. Of HTTP/2 it says nothing.
    if !wire.withheld && !error.is_parse_version_h2() {
        return None;
    }
    if error.is_parse_too_large() {
        let mut problem = Problem::new(
            Code::TooLarge,
            "the request's line and headers are larger than is read here; leave some of them out",
        );
        // RFC 6585, section 5: it is not the body that is too large.
        problem.status = 431;
        return Some(problem.into());
    }
    error.is_parse().then(|| {
        Rejection::new(Code::InvalidRequest, format!("this is no request of HTTP/1.1 that can be read: {error}"))
    })
}

/// An answer in words of its own, for a connection that hyper has given up or never had.
pub(crate) fn plain(rejection: Rejection, public_url: Option<&str>) -> Vec<u8> {
    let problem = match public_url {
        Some(url) => rejection.problem.with_base(url),
        None => rejection.problem,
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let status = http::StatusCode::from_u16(problem.status).unwrap_or(http::StatusCode::BAD_REQUEST);
    let retry = if matches!(problem.status, 429 | 503) { "retry-after: 1\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: {}\r\ncontent-length: {}\r\n{retry}connection: close\r\n\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        ackd_api::problem::MEDIA_TYPE,
        body.len(),
    );
    [head.into_bytes(), body].concat()
}

/// Says the last words and reads on until the client is done. A socket that is closed with something unread in it
/// resets the connection, and the client may never see what it was told.
pub(crate) async fn part(mut stream: TcpStream, words: Option<&[u8]>) -> io::Result<()> {
    if let Some(words) = words {
        stream.write_all(words).await?;
    }
    stream.shutdown().await?;
    // Not in the connection's own task, which would be that much larger for as long as it lives.
    let mut unread = vec![0; 8192];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}
