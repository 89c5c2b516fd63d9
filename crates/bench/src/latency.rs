//! How long an idle system takes from submit to result.

use std::io;
use std::time::{Duration, Instant};

use crate::jobs::{complete, envelope, expect, lease};
use crate::report::Quantiles;
use crate::server::{Kind, Server};
use crate::wire::{Wire, fields};
use crate::{Bench, disk};

/// Jobs of one run, one after another.
const JOBS: usize = 400;

/// What is between two jobs: the worker is parked again before the next one comes, and the machine idle.
pub(crate) const PAUSE: Duration = Duration::from_millis(2);

pub(crate) fn run(bench: &Bench) -> io::Result<()> {
    let (mut beyond, mut beyond_idle, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        let data = tempfile::tempdir_in(&bench.dir)?;
        let server = Server::start(Kind::Ackd, data.path())?;
        let sync = |pause| Ok::<_, io::Error>(disk::fdatasync(&bench.dir, Duration::from_millis(500), pause)?.p50);
        let before = (sync(Duration::ZERO)?, sync(PAUSE)?);
        let ours = one_at_a_time(&server)?;
        let after = (sync(Duration::ZERO)?, sync(PAUSE)?);
        let (busy, idle) = ((before.0 + after.0) / 2, (before.1 + after.1) / 2);
        let millis = |sync: Duration| (ours.p50.as_secs_f64() - 2.0 * sync.as_secs_f64()) * 1e3;
        beyond.push(millis(busy));
        beyond_idle.push(millis(idle));
        lines.push((ours, busy, idle));
    }
    println!("latency, idle system: submit → result at a long-polling client, {JOBS} jobs one after another");
    for (ours, busy, idle) in lines {
        println!(
            "  p50 {:.3} ms, p99 {:.3} ms; fdatasync p50 {:.3} ms one after another, {:.3} ms on an idle machine",
            ours.p50.as_secs_f64() * 1e3,
            ours.p99.as_secs_f64() * 1e3,
            busy.as_secs_f64() * 1e3,
            idle.as_secs_f64() * 1e3,
        );
    }
    let median = crate::report::median;
    println!("  p50 beyond 2 fdatasyncs one after another, median of the runs: {:.3} ms", median(beyond));
    println!("  p50 beyond 2 fdatasyncs on an idle machine:                    {:.3} ms", median(beyond_idle));
    println!("  target: at most 0.4 ms\n");
    Ok(())
}

/// A worker on a thread of its own, as it would be on a machine of its own.
pub(crate) struct Worker(std::thread::JoinHandle<io::Result<()>>);

impl Worker {
    /// Works off `jobs` jobs, one after another.
    pub(crate) fn start(addr: &str, jobs: usize) -> Worker {
        let addr = addr.to_owned();
        Worker(std::thread::spawn(move || runtime()?.block_on(work(&addr, jobs))))
    }

    /// Waits until it has worked them off.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.0.join().map_err(|_| io::Error::other("the worker panicked"))?
    }
}

async fn work(addr: &str, jobs: usize) -> io::Result<()> {
    let mut wire = Wire::connect(addr).await?;
    let ask = lease("bench", 1, "20s");
    for _ in 0..jobs {
        let token = loop {
            let answer = wire.send(&ask).await?;
            expect(&answer, &[200, 204])?;
            if let Some(token) = fields(answer.body, "lease").next() {
                break complete(token);
            }
        };
        let answer = wire.send(&token).await?;
        expect(&answer, &[200])?;
    }
    Ok(())
}

fn one_at_a_time(server: &Server) -> io::Result<Quantiles> {
    let worker = Worker::start(server.addr(), JOBS);
    let took = runtime()?.block_on(async {
        let mut wire = Wire::connect(server.addr()).await?;
        let body = envelope("bench", None);
        let request = format!(
            "POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\nprefer: wait=30\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut took = Vec::with_capacity(JOBS);
        for _ in 0..JOBS {
            tokio::time::sleep(PAUSE).await;
            let before = Instant::now();
            let answer = wire.send(request.as_bytes()).await?;
            expect(&answer, &[200])?;
            took.push(before.elapsed());
        }
        Ok::<_, io::Error>(took)
    })?;
    worker.finish()?;
    Ok(Quantiles::of(took))
}

pub(crate) fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()
}
