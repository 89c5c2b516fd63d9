//! What the semantics cost: jobs with a priority, a delay, an ordering key, a group or a unique key, jobs of a queue with
//! limits, and flows, against plain jobs in the same run.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use crate::Bench;
use crate::accept::{FILLED_AT_ONCE, fill_with};
use crate::jobs::{expect, lease, payload, work_batch};
use crate::load;
use crate::measured::{Measured, rates};
use crate::report::{figure, median};
use crate::server::{Kind, Server};
use crate::wire::{Wire, request};

/// Connections, each of which submits, leases and settles in turn.
const CONNECTIONS: usize = 8;
/// Jobs of one batch.
const JOBS: usize = 100;
/// Ordering keys, and groups.
const KEYS: usize = 1000;
/// Jobs with unique keys that wait while others are measured.
const UNIQUE: u64 = 100_000;
/// Jobs in the middle of a flow.
const FANNED: usize = 100;

/// A kind of job, and the share of the rate of plain jobs that it is to reach.
pub(super) struct Semantics {
    name: &'static str,
    target: Option<f64>,
    /// The jobs of the `nth` batch as a request.
    submit: fn(usize) -> Vec<u8>,
    /// How many jobs that are.
    jobs: u64,
    /// How many of them are put off at a time, so that nobody can lease them: as many more are left open.
    put_off: u64,
    /// How many other jobs wait, each with a unique key.
    unique: u64,
    /// The settings of their queue.
    settings: Option<&'static str>,
}

impl Semantics {
    const fn of(name: &'static str, target: f64, submit: fn(usize) -> Vec<u8>) -> Semantics {
        Semantics { name, target: Some(target), submit, jobs: JOBS as u64, put_off: 0, unique: 0, settings: None }
    }
}

const ALL: [Semantics; 9] = [
    Semantics { target: None, ..Semantics::of("plain", 1.0, plain) },
    Semantics::of("priorities 0 to 9", 0.8, priorities),
    // Of 100 k/s 500 are put off at a time. Without these the loop would bound the rate, and not the server.
    Semantics { put_off: 500, ..Semantics::of("a delay of 5 ms", 0.8, delayed) },
    Semantics::of("1000 ordering keys", 0.6, ordered),
    GROUPS,
    Semantics { settings: Some(r#"{"concurrency":1000}"#), ..Semantics::of("a concurrency", 0.9, plain) },
    Semantics { settings: Some(r#"{"rate":{"limit":1000000,"per":"1s"}}"#), ..Semantics::of("a rate", 0.9, plain) },
    Semantics { unique: UNIQUE, ..Semantics::of("unique, 100 k wait", 0.8, unique) },
    FLOWS,
];

pub(super) const GROUPS: Semantics = Semantics::of("1000 groups", 0.9, grouped);

pub(super) const FLOWS: Semantics =
    Semantics { jobs: FANNED as u64 + 2, ..Semantics::of("flows of 1, 100 and 1", 0.5, flow) };

pub(crate) fn run(bench: &Bench) -> io::Result<()> {
    let mut all = Vec::from(ALL);
    all.extend(bench.keys.map(|keys| Semantics { unique: keys, ..Semantics::of("unique, --keys wait", 0.5, unique) }));
    if let Some(only) = &bench.only {
        all.retain(|semantics| semantics.target.is_none() || semantics.name.contains(&**only));
        if all.len() == 1 {
            return Ok(());
        }
    }
    let mut measured: Vec<Vec<Measured>> = all.iter().map(|_| Vec::new()).collect();
    for _ in 0..bench.runs {
        for (semantics, measured) in all.iter().zip(&mut measured) {
            let data = tempfile::tempdir_in(&bench.dir)?;
            let server = Server::start(Kind::Ackd, data.path())?;
            fill_with(&server, semantics.unique, |nth| {
                let first = nth * FILLED_AT_ONCE as u64;
                let line = |job| format!(r#"{{"queue":"held","unique":"{:016x}"}}"#, spread(job));
                let lines: Vec<String> = (first..first + FILLED_AT_ONCE as u64).map(line).collect();
                Rc::new(request("POST", "/v1/jobs", "application/x-ndjson", lines.join("\n").as_bytes()))
            })?;
            if let Some(settings) = semantics.settings {
                load::on_one_thread(set(&server, settings))?;
            }
            measured.push(of(&server, semantics, bench.time)?);
        }
    }
    println!("semantics: submit, lease and complete in batches of {JOBS}, {CONNECTIONS} connections");
    let plain = median(rates(&measured[0]));
    for (semantics, measured) in all.iter().zip(&measured) {
        let (rate, cpu) = (median(rates(measured)), median(measured.iter().map(|it| it.cpu).collect()));
        let share = rate / plain;
        let target = semantics.target.map_or(String::new(), |target| format!("(target: at least {target})"));
        println!(
            "  {:<24} {:>10} jobs/s  {share:>5.2} of plain {target:<24} {cpu:>6.1} µs of the server's processors a job",
            semantics.name,
            figure(rate)
        );
    }
    println!();
    Ok(())
}

async fn set(server: &Server, settings: &str) -> io::Result<()> {
    let mut wire = Wire::connect(server.addr()).await?;
    let put = request("PUT", "/v1/queues/bench", "application/json", settings.as_bytes());
    expect(&wire.send(&put).await?, &[200, 201])
}

pub(super) fn of(server: &Server, semantics: &Semantics, time: Duration) -> io::Result<Measured> {
    let lease: Rc<[u8]> = lease("bench", JOBS, "100ms").into();
    let batches = Rc::new(Cell::new(0));
    let (submit, jobs) = (semantics.submit, semantics.jobs);
    // The jobs that were submitted and are not done, whoever does them: half of what all connections submit at once is left
    // for the others.
    let open = Rc::new(Cell::new(0));
    let left = CONNECTIONS as u64 * jobs / 2 + semantics.put_off;
    let round = move |_, _, mut wire: Wire| {
        let lease = Rc::clone(&lease);
        let nth = batches.replace(batches.get() + 1);
        let open = Rc::clone(&open);
        async move {
            let answer = wire.send(&submit(nth)).await?;
            expect(&answer, &[202])?;
            open.set(open.get() + jobs);
            let mut done = 0;
            while open.get() > left {
                let some = work_batch(&mut wire, &lease).await?;
                open.set(open.get() - some);
                done += some;
            }
            Ok((done, wire))
        }
    };
    Measured::of(server, || load::run(server.addr(), CONNECTIONS, time, round))
}

fn batch(nth: usize, fields: impl Fn(usize) -> String) -> Vec<u8> {
    let payload = payload();
    let line = |at| format!(r#"{{"queue":"bench"{},"payload":{payload}}}"#, fields(nth * JOBS + at));
    let lines: Vec<String> = (0..JOBS).map(line).collect();
    request("POST", "/v1/jobs", "application/x-ndjson", lines.join("\n").as_bytes())
}

fn plain(nth: usize) -> Vec<u8> {
    batch(nth, |_| String::new())
}

fn priorities(nth: usize) -> Vec<u8> {
    batch(nth, |job| format!(r#","priority":{}"#, job % 10))
}

fn delayed(nth: usize) -> Vec<u8> {
    batch(nth, |_| r#","delay":"5ms""#.to_owned())
}

fn ordered(nth: usize) -> Vec<u8> {
    batch(nth, |job| format!(r#","ordering_key":"key-{}""#, job % KEYS))
}

fn grouped(nth: usize) -> Vec<u8> {
    batch(nth, |job| format!(r#","group":"tenant-{}""#, job % KEYS))
}

/// Each with a key of its own, as random as keys are.
fn unique(nth: usize) -> Vec<u8> {
    batch(nth, |job| format!(r#","unique":"{:016x}""#, spread(!(job as u64))))
}

/// SplitMix64's last step: neighbours come out far apart, and no two alike.
const fn spread(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn flow(_: usize) -> Vec<u8> {
    let payload = payload();
    let job = |key: String, after: &str| {
        format!(r#"{{"key":"{key}","queue":"bench","after":[{after}],"payload":{payload}}}"#)
    };
    let fanned: Vec<String> = (0..FANNED).map(|at| format!("part-{at}")).collect();
    let after = fanned.iter().map(|key| format!("\"{key}\"")).collect::<Vec<_>>().join(",");
    let mut jobs = vec![job("split".to_owned(), "")];
    jobs.extend(fanned.into_iter().map(|key| job(key, "\"split\"")));
    jobs.push(job("join".to_owned(), &after));
    request("POST", "/v1/flows", "application/json", format!(r#"{{"jobs":[{}]}}"#, jobs.join(",")).as_bytes())
}
