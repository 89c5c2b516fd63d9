//! Streams whose clients read nothing: what they cost, and whether anybody else notices.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::stream::Stream;
use crate::jobs::{expect, submit_many, submit_one};
use crate::report::{Quantiles, median};
use crate::server::{Kind, Server};
use crate::wire::Wire;
use crate::{Bench, load};

/// Streams that are read.
const READ: usize = 100;
/// Streams that are not.
const STALLED: usize = 1000;
/// Batches of 100 events of some 1.5 KB that fill the buffers of the latter.
const FILLING: usize = 30;

pub(crate) fn run(bench: &Bench) -> io::Result<()> {
    let (mut with, mut without, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        for (stalled, p99) in [(0, &mut without), (STALLED, &mut with)] {
            let data = tempfile::tempdir_in(&bench.dir)?;
            let server = Server::start(Kind::Ackd, data.path())?;
            let (took, grown) = load::on_one_thread(measure(&server, stalled, bench.time))?;
            p99.push(took.p99.as_secs_f64() * 1e3);
            if stalled > 0 {
                memory.push(grown as f64 / f64::from(1 << 20));
            }
        }
    }
    println!("delivery: events one after another to {READ} streams, for some seconds");
    println!("  p99 until all have it                                {:>8.2} ms", median(without));
    println!("  the same beside {STALLED} streams that nobody reads       {:>8.2} ms", median(with));
    println!("  and how much more memory the server takes then       {:>8.1} MiB\n", median(memory));
    Ok(())
}

async fn measure(server: &Server, stalled: usize, time: Duration) -> io::Result<(Quantiles, u64)> {
    let mut wire = Wire::connect(server.addr()).await?;
    let submit = submit_one("news", None);
    let filling = submit_many("filling", 100, || None);
    let open = || Stream::open(server.addr(), "/v1/events?queue=news", None);
    let (mut asleep, mut streams) = (Vec::new(), Vec::new());
    for _ in 0..stalled {
        asleep.push(Stream::open(server.addr(), "/v1/events?queue=filling,news", None).await?);
    }
    for _ in 0..READ {
        streams.push(open().await?);
    }
    let (before, _) = server.memory()?;
    // More than fits into the buffers of those that do not read.
    for _ in 0..FILLING {
        expect(&wire.send(&filling).await?, &[202])?;
    }
    let buffer = Rc::new(RefCell::new(vec![0; 64 << 10]));
    let mut took = Vec::new();
    let started = Instant::now();
    while started.elapsed() < time {
        let sent = Instant::now();
        expect(&wire.send(&submit).await?, &[202])?;
        for stream in &mut streams {
            stream.events(1, &buffer).await?;
        }
        took.push(sent.elapsed());
    }
    let (_, most) = server.memory()?;
    Ok((Quantiles::of(took), most.saturating_sub(before)))
}
