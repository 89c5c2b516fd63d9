//! What a backlog costs: the rate of lease and complete with few and with many waiting, memory, and the
//! time until the server listens again after a kill.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use crate::accept::fill;
use crate::jobs::{lease, work_batch};
use crate::memory_limit::MemoryLimit;
use crate::report::Line;
use crate::server::{Kind, Server};
use crate::{Bench, ledger, load};

/// Connections that work.
const WORKERS: usize = 8;
/// Leases of one request.
const JOBS: usize = 100;
/// The small backlog. It is kept up while it is worked off.
const FEW: u64 = 10_000;
/// What each server may have of the machine's memory, what the system keeps of its files included.
const MEMORY: u64 = 512 << 20;

pub(crate) fn run(bench: &Bench) -> io::Result<()> {
    let many = bench.backlog;
    let (few_data, many_data) = (tempfile::tempdir_in(&bench.dir)?, tempfile::tempdir_in(&bench.dir)?);
    let [for_many, for_few] = ["many", "few"].map(|name| MemoryLimit::new(&format!("ackd-bench-{name}"), MEMORY));
    match for_many.as_ref().and(for_few.as_ref()) {
        Ok(_) => {
            println!("each server has {} MiB of memory, what the system keeps of its files included", MEMORY >> 20)
        }
        Err(error) => println!("this machine bounds no server's memory for us ({error}): the whole of it is theirs"),
    }
    let large = Server::start(Kind::Ackd, many_data.path())?;
    hold(&for_many, &large)?;
    let (idle, _) = large.memory()?;
    println!("idle, a server takes {:.1} MiB (target: at most 15 MiB)", idle as f64 / f64::from(1 << 20));
    let started = std::time::Instant::now();
    fill(&large, many, false)?;
    let rate = many as f64 / started.elapsed().as_secs_f64();
    println!("{many} jobs accepted at {rate:.0}/s");
    let small = Server::start(Kind::Ackd, few_data.path())?;
    hold(&for_few, &small)?;
    let (mut ours, mut bound, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        // Enough for the run, and few beside the large one.
        fill(&small, FEW.max(bench.time.as_secs() * 120_000), false)?;
        bound.push(drain(&small, bench.time)?);
        ours.push(drain(&large, bench.time)?);
        alone.push(ledger::drains(&bench.dir, WORKERS * JOBS / 2, bench.time)?);
        while drain(&small, Duration::from_millis(200))? > 0.0 {}
    }
    let (now, most) = large.memory()?;
    let (large, took) = large.kill_and_restart(many_data.path())?;
    hold(&for_many, &large)?;
    let again = drain(&large, Duration::from_secs(1))?;
    Line {
        what: format!("backlog: lease and complete in batches of {JOBS} with {many} waiting"),
        unit: "jobs/s",
        figures: ours.clone(),
        bound: Some(("with few waiting".into(), bound)),
        target: "at least 0.95".into(),
    }
    .print();
    Line {
        what: "the same beside its SQLite writes alone".into(),
        unit: "jobs/s",
        figures: ours,
        bound: Some(("the same writes without HTTP".into(), alone)),
        target: "at least 0.7".into(),
    }
    .print();
    println!(
        "memory of the server with {many} waiting: {} MiB, at most {} MiB (target: below 128 MiB)",
        now >> 20,
        most >> 20
    );
    println!(
        "listening again after kill -9: {:.3} s (target: below 0.5 s); then {again:.0} jobs/s\n",
        took.as_secs_f64()
    );
    Ok(())
}

fn hold(limit: &io::Result<MemoryLimit>, server: &Server) -> io::Result<()> {
    limit.as_ref().map_or(Ok(()), |limit| limit.hold(server.pid()))
}

fn drain(server: &Server, time: Duration) -> io::Result<f64> {
    let ask = Rc::new(lease("bench", JOBS, "0s"));
    let outcome = load::run(server.addr(), WORKERS, time, move |_, _, mut wire| {
        let ask = Rc::clone(&ask);
        async move {
            let done = work_batch(&mut wire, &ask).await?;
            Ok((done, wire))
        }
    })?;
    Ok(outcome.rate)
}
