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

pub(crate) fn run(bench: &Bench) -> io::Result<()> {
    let (mut beyond, mut lines) = (Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        let data = tempfile::tempdir_in(&bench.dir)?;
        let server = Server::start(Kind::Ackd, data.path())?;
        let before = disk::fdatasync(&bench.dir, Duration::from_millis(500))?;
        let ours = one_at_a_time(&server)?;
        let after = disk::fdatasync(&bench.dir, Duration::from_millis(500))?;
        let sync = (before.p50 + after.p50) / 2;
        beyond.push((ours.p50.as_secs_f64() - 2.0 * sync.as_secs_f64()) * 1e3);
        lines.push((ours, sync));
    }
    println!("latency, idle system: submit → result at a long-polling client, {JOBS} jobs one after another");
    for (ours, sync) in lines {
        println!(
            "  p50 {:.3} ms, p99 {:.3} ms; fdatasync p50 {:.3} ms",
            ours.p50.as_secs_f64() * 1e3,
            ours.p99.as_secs_f64() * 1e3,
            sync.as_secs_f64() * 1e3
        );
    }
    println!("  p50 beyond 2 fdatasyncs, median of the runs: {:.3} ms", crate::report::median(beyond));
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
            // An idle system: the worker is parked again before the next job comes.
            tokio::time::sleep(Duration::from_millis(2)).await;
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
