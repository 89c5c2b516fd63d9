//! Thousands of idle streams: what each costs, and how soon an event is with all of them.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::stream::Stream;
use crate::jobs::{expect, submit_one};
use crate::report::{Quantiles, median};
use crate::server::{Kind, Server};
use crate::wire::Wire;
use crate::{Bench, load};

/// Streams that are open at once.
const STREAMS: usize = 15_000;
/// Streams that are being opened at once.
const OPENING: usize = 200;
/// Events of one run.
const EVENTS: usize = 5;

pub(crate) fn run(bench: &Bench) -> io::Result<()> {
    let (mut each, mut p50, mut p99, mut cpu) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        let data = tempfile::tempdir_in(&bench.dir)?;
        let server = Server::start(Kind::Ackd, data.path())?;
        let (memory, took, cost) = load::on_one_thread(measure(&server))?;
        each.push(memory);
        cpu.push(cost.as_secs_f64() * 1e6 / (STREAMS * EVENTS) as f64);
        p50.push(took.p50.as_secs_f64() * 1e3);
        p99.push(took.p99.as_secs_f64() * 1e3);
    }
    println!("delivery: {STREAMS} idle streams of server-sent events");
    println!("  memory of the server a stream          {:>8.0} bytes (target: at most 10 240)", median(each));
    println!("  one event to all: half have it within  {:>8.1} ms", median(p50));
    println!("  and 99 of 100 within                   {:>8.1} ms (target: at most 250 ms)", median(p99));
    println!("  the server's processors a stream and event {:>4.1} µs\n", median(cpu));
    Ok(())
}

async fn measure(server: &Server) -> io::Result<(f64, Quantiles, Duration)> {
    let mut wire = Wire::connect(server.addr()).await?;
    let submit = submit_one("news", None);
    expect(&wire.send(&submit).await?, &[202])?;
    let (before, _) = server.memory()?;
    let mut streams = Vec::with_capacity(STREAMS);
    while streams.len() < STREAMS {
        let opening: Vec<_> = (0..OPENING.min(STREAMS - streams.len()))
            .map(|_| {
                let addr = server.addr().to_owned();
                tokio::task::spawn_local(async move { Stream::open(&addr, "/v1/events?queue=news", None).await })
            })
            .collect();
        for stream in opening {
            streams.push(stream.await.map_err(io::Error::other)??);
        }
    }
    let (after, _) = server.memory()?;
    let each = (after.saturating_sub(before)) as f64 / STREAMS as f64;
    let buffer = Rc::new(RefCell::new(vec![0; 64 << 10]));
    let mut took = Vec::with_capacity(STREAMS * EVENTS);
    let before = server.cpu()?;
    for _ in 0..EVENTS {
        let sent = Instant::now();
        let reading: Vec<_> = streams
            .drain(..)
            .map(|mut stream| {
                let buffer = Rc::clone(&buffer);
                tokio::task::spawn_local(async move {
                    let at = stream.events(1, &buffer).await?;
                    Ok::<_, io::Error>((stream, at))
                })
            })
            .collect();
        expect(&wire.send(&submit).await?, &[202])?;
        for stream in reading {
            let (stream, at) = stream.await.map_err(io::Error::other)??;
            took.push(at.duration_since(sent));
            streams.push(stream);
        }
    }
    Ok((each, Quantiles::of(took), server.cpu()?.saturating_sub(before)))
}
