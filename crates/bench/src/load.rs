//! Load: many connections that each do the same thing again and again for a while.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::report::Quantiles;
use crate::wire::Wire;

/// What came of a run.
pub(crate) struct Outcome {
    /// Things done each second.
    pub(crate) rate: f64,
    /// Things done in all, warm-up included.
    pub(crate) total: u64,
    /// How long each round took.
    pub(crate) rounds: Quantiles,
}

/// Runs `work` and what it spawns on this thread.
pub(crate) fn on_one_thread<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

/// Lets `connections` of them run `round` again and again for `time`; a round says how many things it
/// did. One thread serves all connections, so that the client takes one core at most.
pub(crate) fn run<F, R>(addr: &str, connections: usize, time: Duration, round: F) -> io::Result<Outcome>
where
    F: Fn(usize, u64, Wire) -> R + 'static,
    R: Future<Output = io::Result<(u64, Wire)>>,
{
    let over = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let round = std::rc::Rc::new(round);
    on_one_thread(async {
        let mut tasks = Vec::new();
        for connection in 0..connections {
            let mut wire = Wire::connect(addr).await?;
            let (over, done, round) = (Arc::clone(&over), Arc::clone(&done), std::rc::Rc::clone(&round));
            tasks.push(tokio::task::spawn_local(async move {
                let mut took = Vec::new();
                let mut count = 0;
                while !over.load(Ordering::Relaxed) {
                    let before = Instant::now();
                    let (things, back) = round(connection, count, wire).await?;
                    wire = back;
                    count += 1;
                    took.push(before.elapsed());
                    done.fetch_add(things, Ordering::Relaxed);
                }
                Ok::<_, io::Error>(took)
            }));
        }
        // The first moments are warm-up: connections, caches, the first pages of the write-ahead log.
        tokio::time::sleep(time / 5).await;
        let (from, started) = (done.load(Ordering::Relaxed), Instant::now());
        tokio::time::sleep(time).await;
        let rate = (done.load(Ordering::Relaxed) - from) as f64 / started.elapsed().as_secs_f64();
        over.store(true, Ordering::Relaxed);
        let mut took = Vec::new();
        for task in tasks {
            took.extend(task.await.map_err(io::Error::other)??);
        }
        let total = done.load(Ordering::Relaxed);
        Ok(Outcome { rate, total, rounds: Quantiles::of(took) })
    })
}
