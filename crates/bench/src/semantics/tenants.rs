//! What one group's backlog costs another group of the same queue.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::accept::{FILLED_AT_ONCE, fill_with};
use crate::jobs::{expect, lease, settle};
use crate::report::{Quantiles, median};
use crate::server::{Kind, Server};
use crate::wire::{Wire, fields, request};
use crate::{Bench, load};

/// Jobs of the group that has many.
const MANY: u64 = 1_000_000;
/// Jobs of the group that has few, each time.
const FEW: usize = 10;
/// How often it has some.
const TIMES: usize = 40;
/// What is between two times.
const PAUSE: Duration = Duration::from_millis(50);
/// Connections that work without a pause, each taking [`LEASES`] at a time.
const WORKERS: usize = 8;
const LEASES: usize = 10;

pub(crate) fn run(bench: &Bench) -> io::Result<()> {
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    let data = (tempfile::tempdir_in(&bench.dir)?, tempfile::tempdir_in(&bench.dir)?);
    let (quiet, busy) = (Server::start(Kind::Ackd, data.0.path())?, Server::start(Kind::Ackd, data.1.path())?);
    let many: Rc<Vec<u8>> = submissions("many", FILLED_AT_ONCE).into();
    fill_with(&busy, MANY, move |_| Rc::clone(&many))?;
    for _ in 0..bench.runs {
        alone.push(load::on_one_thread(few(&quiet))?);
        beside.push(load::on_one_thread(few(&busy))?);
    }
    let millis = |of: fn(&Quantiles) -> Duration, runs: &[Quantiles]| {
        median(runs.iter().map(|run| of(run).as_secs_f64() * 1e3).collect())
    };
    let (p50, p99) = (|run: &Quantiles| run.p50, |run: &Quantiles| run.p99);
    println!(
        "semantics: {FEW} jobs of one group, from submit until the last is leased, {WORKERS} workers of {LEASES} leases"
    );
    println!(
        "  alone in the queue:            p50 {:>6.2} ms, p99 {:>6.2} ms",
        millis(p50, &alone),
        millis(p99, &alone)
    );
    println!(
        "  beside {MANY} of another:    p50 {:>6.2} ms, p99 {:>6.2} ms",
        millis(p50, &beside),
        millis(p99, &beside)
    );
    println!("  the delay at p99: {:.2} ms (target: at most 50 ms)\n", millis(p99, &beside) - millis(p99, &alone));
    Ok(())
}

/// How long the few jobs took from submit until the last of them was leased.
async fn few(server: &Server) -> io::Result<Quantiles> {
    let leased = Rc::new(Cell::new(0));
    let over = Rc::new(Cell::new(false));
    let last = Rc::new(RefCell::new(Instant::now()));
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        let mut wire = Wire::connect(server.addr()).await?;
        let (leased, over, last) = (Rc::clone(&leased), Rc::clone(&over), Rc::clone(&last));
        workers.push(tokio::task::spawn_local(async move {
            let ask = lease("shared", LEASES, "100ms");
            while !over.get() {
                let answer = wire.send(&ask).await?;
                expect(&answer, &[200, 204])?;
                let few = fields(answer.body, "group").filter(|group| *group == "few").count();
                if few > 0 {
                    leased.set(leased.get() + few);
                    *last.borrow_mut() = Instant::now();
                }
                let tokens: Vec<String> = fields(answer.body, "lease").map(str::to_owned).collect();
                if !tokens.is_empty() {
                    expect(&wire.send(&settle(tokens.iter().map(String::as_str))).await?, &[200])?;
                }
            }
            Ok::<_, io::Error>(())
        }));
    }
    let mut wire = Wire::connect(server.addr()).await?;
    let submit = submissions("few", FEW);
    let mut took = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        tokio::time::sleep(PAUSE).await;
        leased.set(0);
        let before = Instant::now();
        expect(&wire.send(&submit).await?, &[202])?;
        while leased.get() < FEW {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        took.push(last.borrow().duration_since(before));
    }
    over.set(true);
    for worker in workers {
        worker.await.map_err(io::Error::other)??;
    }
    Ok(Quantiles::of(took))
}

/// A request with so many jobs of a group.
fn submissions(group: &str, jobs: usize) -> Vec<u8> {
    let line = format!(r#"{{"queue":"shared","group":"{group}","payload":{{"for":"{group}"}}}}"#);
    request("POST", "/v1/jobs", "application/x-ndjson", vec![line; jobs].join("\n").as_bytes())
}
