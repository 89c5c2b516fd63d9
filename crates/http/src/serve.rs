use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ackd_api::Code;
use hyper::server::conn::http1;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::addresses::Addresses;
use crate::app::{App, Shared};
use crate::connection;
use crate::problem::Rejection;
use crate::takeover::Handover;

/// How long to wait after the operating system gave no connection: it is out of something that may come back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The most clients beyond the connection limit that are told so; what comes on top is cut without a word.
const TOLD: usize = 64;

/// How long telling one may take.
const TELLING: Duration = Duration::from_secs(1);

/// Serves `app` on `listener` until `shutdown`, then finishes what is under way, for at most
/// [`crate::Limits::drain_time`]. Streams of events and WebSockets run on `streams`, so that an event that thousands of
/// them are told of is not in the way of those who ask for something.
///
/// The engine goes on; whoever started it stops it afterwards.
///
/// # Errors
/// If connections cannot be accepted at all.
pub async fn serve(
    listener: TcpListener,
    app: App,
    streams: &Handle,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let shared = app.shared;
    let mut builder = http1::Builder::new();
    builder
        // `Wire` keeps the time; see there.
        .header_read_timeout(None)
        .max_headers(shared.limits.fields)
        .max_header_size(shared.limits.head)
        // What is read at once; a head is measured in it before it is complete.
        .max_buf_size(shared.limits.head.max(8192) * 2);
    let builder = Arc::new(builder);
    let (stop, stopping) = watch::channel(());
    let mut connections = Connections::new(streams.clone());
    let mut told = JoinSet::new();
    let full = refusal(&shared, Code::Overloaded, "the server has as many connections as it takes; come again later");
    let crowded = refusal(
        &shared,
        Code::RateLimited,
        "this address has as many connections as one may have; use those that are open, or come again later",
    );
    let addresses = Addresses::new(shared.limits.connections_per_address);
    let mut not_before = None;
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            // Ended ones before new ones, for they make room.
            () = connections.ended() => {
                shared.metrics.connections.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            Some(_) = told.join_next(), if !told.is_empty() => continue,
            accepted = accept(&listener, not_before) => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                not_before = None;
                let has_room = connections.len() < shared.limits.connections;
                let Some(place) = addresses.place(from.ip()).filter(|_| has_room) else {
                    shared.metrics.refused_connections.fetch_add(1, Ordering::Relaxed);
                    if told.len() < TOLD {
                        told.spawn(refuse(stream, Arc::clone(if has_room { &crowded } else { &full })));
                    }
                    continue;
                };
                // A latency of 40 ms for want of it would be the worst that can come of not having it.
                let _ = stream.set_nodelay(true);
                shared.metrics.connections.fetch_add(1, Ordering::Relaxed);
                let (shared, builder, stopping) = (Arc::clone(&shared), Arc::clone(&builder), stopping.clone());
                connections.requests.spawn(connection::run(stream, place, shared, builder, stopping));
            }
            Err(error) => not_before = try_again(error)?,
        }
    }
    // Before the connections hear of it: whoever waits for a job or an event is let go, and answered.
    drop(listener);
    shared.engine.drain();
    // Nobody listens where there is no connection.
    let _ = stop.send(());
    told.shutdown().await;
    let finish = async {
        while connections.len() > 0 {
            connections.ended().await;
        }
    };
    if tokio::time::timeout(shared.limits.drain_time, finish).await.is_err() {
        tracing::warn!(connections = connections.len(), "some requests were not finished in time, and are dropped");
        connections.requests.shutdown().await;
        connections.streams.shutdown().await;
    }
    shared.metrics.connections.store(0, Ordering::Relaxed);
    Ok(())
}

/// The connections that are open.
struct Connections {
    requests: JoinSet<Option<Handover>>,
    streams: JoinSet<()>,
    streams_on: Handle,
}

impl Connections {
    fn new(streams_on: Handle) -> Connections {
        Connections { requests: JoinSet::new(), streams: JoinSet::new(), streams_on }
    }

    fn len(&self) -> usize {
        self.requests.len() + self.streams.len()
    }

    /// Completes once one of them has ended, if there is any; those that are taken over go on meanwhile. Nothing is lost by
    /// dropping it.
    async fn ended(&mut self) {
        loop {
            tokio::select! {
                Some(ended) = self.requests.join_next() => match ended {
                    Ok(Some(handover)) => self.streams.spawn_on(handover.run(), &self.streams_on),
                    _ => return,
                },
                Some(_) = self.streams.join_next() => return,
                else => std::future::pending().await,
            };
        }
    }
}

/// What a client is told that gets no connection.
fn refusal(shared: &Shared, code: Code, detail: &str) -> Arc<[u8]> {
    connection::plain(Rejection::new(code, detail), shared.public_url.as_deref()).into()
}

async fn refuse(stream: TcpStream, words: Arc<[u8]>) {
    // Whoever cannot be told is told nothing.
    let _ = tokio::time::timeout(TELLING, connection::part(stream, Some(&words))).await;
}

/// The next connection, not before that time.
async fn accept(listener: &TcpListener, not_before: Option<Instant>) -> io::Result<(TcpStream, SocketAddr)> {
    if let Some(time) = not_before {
        tokio::time::sleep_until(time).await;
    }
    listener.accept().await
}

/// When to try again after the operating system gave no connection; at once, if nothing is said.
fn try_again(error: io::Error) -> io::Result<Option<Instant>> {
    use io::ErrorKind;
    match error.kind() {
        // The client was gone before it was accepted.
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused => Ok(None),
        ErrorKind::InvalidInput | ErrorKind::NotConnected => Err(error),
        _ => {
            tracing::warn!(%error, "a connection could not be accepted");
            Ok(Some(Instant::now() + ACCEPT_PAUSE))
        }
    }
}
