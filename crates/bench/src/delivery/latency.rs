//! Submit to the event `DONE` on an idle system, at each channel in turn.

use std::cell::RefCell;
use std::io;
use std::time::{Duration, Instant};

use super::stream::Stream;
use crate::Bench;
use crate::jobs::{envelope, expect, submit_one};
use crate::latency::Worker;
use crate::report::{Quantiles, median};
use crate::server::{Kind, Server};
use crate::wire::Wire;

/// Jobs of one run and channel, one after another.
const JOBS: usize = 300;

pub(crate) fn run(bench: &Bench) -> io::Result<()> {
    let (mut poll, mut sse) = (Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        let data = tempfile::tempdir_in(&bench.dir)?;
        let server = Server::start(Kind::Ackd, data.path())?;
        let worker = Worker::start(server.addr(), 2 * JOBS);
        let (by_poll, by_sse) = crate::latency::runtime()?.block_on(in_turn(&server))?;
        worker.finish()?;
        poll.push(by_poll.p50.as_secs_f64() * 1e3);
        sse.push(by_sse.p50.as_secs_f64() * 1e3);
    }
    let (poll, sse) = (median(poll), median(sse));
    println!("delivery: submit → DONE on an idle system, p50 of {JOBS} jobs");
    println!("  long poll            {poll:>8.3} ms");
    println!("  server-sent events   {sse:>8.3} ms, {:+.3} ms (target: at most +0.3 ms)\n", sse - poll);
    Ok(())
}

async fn in_turn(server: &Server) -> io::Result<(Quantiles, Quantiles)> {
    let mut wire = Wire::connect(server.addr()).await?;
    let body = envelope("bench", None);
    let waiting = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\nprefer: wait=30\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let submit = submit_one("bench", None);
    let mut stream = Stream::open(server.addr(), "/v1/events?queue=bench&status=DONE", None).await?;
    let buffer = RefCell::new(vec![0; 64 << 10]);
    let (mut poll, mut sse) = (Vec::with_capacity(JOBS), Vec::with_capacity(JOBS));
    for _ in 0..JOBS {
        // An idle system: the worker is parked again before the next job comes.
        tokio::time::sleep(Duration::from_millis(2)).await;
        let before = Instant::now();
        expect(&wire.send(waiting.as_bytes()).await?, &[200])?;
        poll.push(before.elapsed());
        stream.events(1, &buffer).await?;
        tokio::time::sleep(Duration::from_millis(2)).await;
        let before = Instant::now();
        expect(&wire.send(&submit).await?, &[202])?;
        stream.events(1, &buffer).await?;
        sse.push(before.elapsed());
    }
    Ok((Quantiles::of(poll), Quantiles::of(sse)))
}
