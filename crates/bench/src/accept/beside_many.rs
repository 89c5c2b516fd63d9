//! What those who submit one job a request notice of those who submit many.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{LINES, MANY, ONE, single};
use crate::Bench;
use crate::jobs::{expect, submit_many};
use crate::load;
use crate::measured::Measured;
use crate::report::median;
use crate::server::{Kind, Server};
use crate::wire::Wire;

/// Connections that submit many without a pause, and the lines of one submission: bulk accept as it is measured beside others,
/// and the largest submission that there may be.
const OTHERS: [(usize, usize, &str); 2] =
    [(MANY, LINES, "(target: at most 5)"), (1, 10_000, "(no target: all or none of them, so one commit each)")];

pub(super) fn run(bench: &Bench) -> io::Result<()> {
    println!("accept, one job a request, {ONE} connections, beside NDJSON");
    for (connections, lines, target) in OTHERS {
        let (mut alone, mut beside) = (Vec::new(), Vec::new());
        for _ in 0..bench.runs {
            let data = tempfile::tempdir_in(&bench.dir)?;
            let server = Server::start(Kind::Ackd, data.path())?;
            alone.push(single(&server, bench.time)?);
            let others = Others::start(server.addr(), connections, lines);
            beside.push(single(&server, bench.time)?);
            others.stop()?;
        }
        let of = |of: fn(&Measured) -> f64, runs: &[Measured]| median(runs.iter().map(of).collect());
        let (before, after) = (of(|run| run.p99, &alone), of(|run| run.p99, &beside));
        println!(
            "  {connections} connections, {lines} lines: p99 {before:.1} ms alone, {after:.1} ms beside them: {:.1} times {target}; \
             {:.2} of the rate",
            after / before,
            of(|run| run.rate, &beside) / of(|run| run.rate, &alone),
        );
    }
    println!();
    Ok(())
}

/// Those who submit many, on a thread of their own.
struct Others {
    over: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<io::Result<()>>,
}

impl Others {
    fn start(addr: &str, connections: usize, lines: usize) -> Others {
        let over = Arc::new(AtomicBool::new(false));
        let (addr, until) = (addr.to_owned(), Arc::clone(&over));
        let thread = std::thread::spawn(move || load::on_one_thread(submit(addr, connections, lines, until)));
        Others { over, thread }
    }

    fn stop(self) -> io::Result<()> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| io::Error::other("those who submit many panicked"))?
    }
}

async fn submit(addr: String, connections: usize, lines: usize, over: Arc<AtomicBool>) -> io::Result<()> {
    let request = Rc::new(submit_many("bench", lines, || None));
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let mut wire = Wire::connect(&addr).await?;
        let (request, over) = (Rc::clone(&request), Arc::clone(&over));
        tasks.push(tokio::task::spawn_local(async move {
            while !over.load(Ordering::Relaxed) {
                expect(&wire.send(&request).await?, &[202])?;
            }
            Ok::<_, io::Error>(())
        }));
    }
    for task in tasks {
        task.await.map_err(io::Error::other)??;
    }
    Ok(())
}
