//! Submit to the event `DONE` on an idle system, at each channel in turn.

use std::cell::RefCell;
use std::io;
use std::time::{Duration, Instant};

use super::stream::Stream;
use crate::Bench;
use crate::jobs::{envelope, expect, submit_one};
use crate::latency::{PAUSE, Worker};
use crate::report::{Quantiles, median};
use crate::server::{Kind, Server};
use crate::wire::Wire;

/// Jobs of one run and channel, one after another.
const JOBS: usize = 300;

pub(crate) fn run(bench: &Bench) -> io::Result<()> {
    let (mut poll, mut sse, mut socket) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        let data = tempfile::tempdir_in(&bench.dir)?;
        let server = Server::start(Kind::Ackd, data.path())?;
        let worker = Worker::start(server.addr(), 3 * JOBS);
        let (by_poll, by_sse, by_socket) = crate::latency::runtime()?.block_on(in_turn(&server))?;
        worker.finish()?;
        poll.push(by_poll.p50.as_secs_f64() * 1e3);
        sse.push(by_sse.p50.as_secs_f64() * 1e3);
        socket.push(by_socket.p50.as_secs_f64() * 1e3);
    }
    let (poll, sse, socket) = (median(poll), median(sse), median(socket));
    println!("delivery: submit → DONE on an idle system, p50 of {JOBS} jobs");
    println!("  long poll            {poll:>8.3} ms");
    println!("  server-sent events   {sse:>8.3} ms, {:+.3} ms (target: at most +0.3 ms)", sse - poll);
    println!("  WebSocket            {socket:>8.3} ms, {:+.3} ms (target: at most +0.3 ms)\n", socket - poll);
    Ok(())
}

async fn in_turn(server: &Server) -> io::Result<(Quantiles, Quantiles, Quantiles)> {
    let mut wire = Wire::connect(server.addr()).await?;
    let body = envelope("bench", None);
    let waiting = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\nprefer: wait=30\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let submit = submit_one("bench", None);
    let mut stream = Stream::open(server.addr(), "/v1/events?queue=bench&status=DONE", None).await?;
    let subscribe = r#"{"op":"subscribe","sid":"done","queue":"bench","status":["DONE"]}"#;
    let mut socket = Stream::socket(server.addr(), subscribe).await?;
    let buffer = RefCell::new(vec![0; 64 << 10]);
    let (mut by_poll, mut by_sse, mut by_socket) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..JOBS {
        tokio::time::sleep(PAUSE).await;
        let before = Instant::now();
        expect(&wire.send(waiting.as_bytes()).await?, &[200])?;
        by_poll.push(before.elapsed());
        stream.events(1, &buffer).await?;
        socket.events(1, &buffer).await?;
        by_sse.push(until_told(&mut wire, &submit, &mut stream, &buffer).await?);
        socket.events(1, &buffer).await?;
        by_socket.push(until_told(&mut wire, &submit, &mut socket, &buffer).await?);
        stream.events(1, &buffer).await?;
    }
    Ok((Quantiles::of(by_poll), Quantiles::of(by_sse), Quantiles::of(by_socket)))
}

/// How long it takes from the submission of a job until `stream` has told of its end.
async fn until_told(
    wire: &mut Wire,
    submit: &[u8],
    stream: &mut Stream,
    buffer: &RefCell<Vec<u8>>,
) -> io::Result<Duration> {
    tokio::time::sleep(PAUSE).await;
    let before = Instant::now();
    expect(&wire.send(submit).await?, &[202])?;
    stream.events(1, buffer).await?;
    Ok(before.elapsed())
}
