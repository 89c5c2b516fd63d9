//! The clients that mean no harm: what they ask at an even pace, and how long each of them waits.

use std::io;
use std::thread;
use std::time::Duration;

use ackd_bench_driver::Quantiles;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::wire;

/// So many at once, each with a connection of its own that stays open.
const CALLERS: u32 = 8;

/// How often each of them asks.
const EVERY: Duration = Duration::from_millis(40);

/// After so long an answer is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// What others felt.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    /// How long they waited.
    pub(crate) waited: Quantiles,
    /// How many jobs they submitted.
    pub(crate) asked: usize,
    /// How many of these were not accepted.
    pub(crate) failed: usize,
}

/// Submits jobs for `time`, on a thread of its own. A job is due at its time: one that is late for another is counted as
/// having waited for both.
pub(crate) fn ask(addr: &str, time: Duration) -> io::Result<Asked> {
    let addr = addr.to_owned();
    let asking = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(all(&addr, time))
    });
    asking.join().unwrap_or_else(|_| Err(io::Error::other("those who ask have given up")))
}

async fn all(addr: &str, time: Duration) -> io::Result<Asked> {
    let begin = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        callers.spawn(one(addr.to_owned(), begin + EVERY * caller / CALLERS, begin + time));
    }
    let (mut took, mut failed) = (Vec::new(), 0);
    while let Some(caller) = callers.join_next().await {
        let (of_one, not_accepted) = caller?;
        took.extend(of_one);
        failed += not_accepted;
    }
    Ok(Asked { asked: took.len() + failed, failed, waited: Quantiles::of(took) })
}

/// How long each job took to be accepted, and how many were not.
async fn one(addr: String, mut due: Instant, end: Instant) -> (Vec<Duration>, usize) {
    let submit = wire::submit("others", 64);
    let (mut took, mut failed) = (Vec::new(), 0);
    let mut connection = None;
    while due < end {
        sleep_until(due).await;
        match timeout(PATIENCE, accepted(&addr, &mut connection, &submit)).await {
            Ok(Ok(())) => took.push(due.elapsed()),
            _ => {
                connection = None;
                failed += 1;
            }
        }
        due += EVERY;
    }
    (took, failed)
}

/// Submits on a connection that is kept; where the server has closed it meanwhile, on a new one, as clients do.
async fn accepted(addr: &str, kept: &mut Option<TcpStream>, submit: &[u8]) -> io::Result<()> {
    if let Some(mut stream) = kept.take()
        && exchange(&mut stream, submit).await.is_ok()
    {
        *kept = Some(stream);
        return Ok(());
    }
    let mut stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    exchange(&mut stream, submit).await?;
    *kept = Some(stream);
    Ok(())
}

async fn exchange(stream: &mut TcpStream, submit: &[u8]) -> io::Result<()> {
    tokio::io::AsyncWriteExt::write_all(stream, submit).await?;
    match wire::answer(stream, &mut Vec::new()).await? {
        202 => Ok(()),
        status => Err(io::Error::other(format!("a job is answered with {status}"))),
    }
}
