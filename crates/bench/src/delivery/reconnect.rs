//! A server that comes back, and all its clients with it: how long until each has what it missed.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Instant;

use super::stream::Stream;
use crate::jobs::{expect, submit_many};
use crate::report::median;
use crate::server::{Kind, Server};
use crate::wire::Wire;
use crate::{Bench, load};

/// Clients that come back at once.
const CLIENTS: usize = 10_000;
/// Events that each of them missed.
const MISSED: usize = 10;

pub(crate) fn run(bench: &Bench) -> io::Result<()> {
    let mut took = Vec::new();
    for _ in 0..bench.runs {
        let data = tempfile::tempdir_in(&bench.dir)?;
        let server = Server::start(Kind::Ackd, data.path())?;
        let at = load::on_one_thread(async {
            let mut wire = Wire::connect(server.addr()).await?;
            // Something that lies before what they missed, and more than one page of it.
            expect(&wire.send(&submit_many("news", 1000, || None)).await?, &[202])?;
            let stream = Stream::open(server.addr(), "/v1/events?queue=news", None).await?;
            expect(&wire.send(&submit_many("news", MISSED, || None)).await?, &[202])?;
            Ok::<_, io::Error>(stream.last_id().to_owned())
        })?;
        let (server, _) = server.kill_and_restart(data.path())?;
        took.push(load::on_one_thread(come_back(&server, &at))?);
    }
    println!("delivery: {CLIENTS} clients come back at once with Last-Event-ID, each having missed {MISSED} events");
    println!("  all are caught up after  {:>8.2} s (target: at most 5 s)\n", median(took));
    Ok(())
}

async fn come_back(server: &Server, at: &str) -> io::Result<f64> {
    let buffer = Rc::new(RefCell::new(vec![0; 64 << 10]));
    let started = Instant::now();
    let coming: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (addr, at, buffer) = (server.addr().to_owned(), at.to_owned(), Rc::clone(&buffer));
            tokio::task::spawn_local(async move {
                let mut stream = Stream::open(&addr, "/v1/events?queue=news", Some(&at)).await?;
                stream.events(MISSED, &buffer).await?;
                // It stays open: the others come back beside it.
                Ok::<_, io::Error>(stream)
            })
        })
        .collect();
    let mut streams = Vec::with_capacity(CLIENTS);
    for client in coming {
        streams.push(client.await.map_err(io::Error::other)??);
    }
    Ok(started.elapsed().as_secs_f64())
}
