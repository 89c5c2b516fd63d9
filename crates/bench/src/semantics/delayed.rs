//! What a million jobs that wait for their time cost, and how long after it they are had.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ackd_api::Time;

use crate::accept::{FILLED_AT_ONCE, fill_with};
use crate::jobs::{expect, lease, settle};
use crate::report::Quantiles;
use crate::server::{Kind, Server};
use crate::wire::{Wire, fields, request};
use crate::{Bench, load};

/// Jobs that wait.
const JOBS: u64 = 1_000_000;
/// How many of them come due each second.
const DUE: u64 = 5_000;
/// How long the first of them waits: until they are all accepted.
const LEAD: Duration = Duration::from_secs(40);
/// Connections that work, each with one request for leases at a time.
const WORKERS: usize = 4;

pub(crate) fn run(bench: &Bench) -> io::Result<()> {
    let data = tempfile::tempdir_in(&bench.dir)?;
    let server = Server::start(Kind::Ackd, data.path())?;
    let first = now() + LEAD;
    fill_with(&server, JOBS, move |nth| Rc::new(submissions(first, nth * FILLED_AT_ONCE as u64)))?;
    if now() >= first {
        return Err(io::Error::other(format!("{JOBS} jobs were not accepted within {} s", LEAD.as_secs())));
    }
    let (filled, _) = server.memory()?;
    let late = Rc::new(RefCell::new(Vec::new()));
    let ask: Rc<[u8]> = lease("delayed", 1000, "1s").into();
    let round = {
        let late = Rc::clone(&late);
        move |_, _, mut wire: Wire| {
            let (late, ask) = (Rc::clone(&late), Rc::clone(&ask));
            async move {
                let answer = wire.send(&ask).await?;
                let had = now();
                expect(&answer, &[200, 204])?;
                late.borrow_mut().extend(fields(answer.body, "due").map(|due| lateness(had, due)));
                let tokens: Vec<String> = fields(answer.body, "lease").map(str::to_owned).collect();
                if !tokens.is_empty() {
                    expect(&wire.send(&settle(tokens.iter().map(String::as_str))).await?, &[200])?;
                }
                Ok((tokens.len() as u64, wire))
            }
        }
    };
    // Long enough for the workers to be there before the first is due.
    std::thread::sleep(first.saturating_sub(now() + Duration::from_secs(1)));
    let time = Duration::from_secs(1) + bench.time * u32::try_from(bench.runs).unwrap_or(1);
    let outcome = load::run(server.addr(), WORKERS, time, round)?;
    let (_, most) = server.memory()?;
    let late = late.take();
    let early = late.iter().filter(|late| late.is_none()).count();
    let quantiles = Quantiles::of(late.into_iter().flatten().collect());
    println!("semantics: {JOBS} jobs with a time of their own wait, {DUE} of them come due each second");
    println!("  the server takes {} MiB, at most {} MiB (target: 64 MiB)", filled >> 20, most >> 20);
    println!(
        "  {} of them leased, p50 {:.1} ms and p99 {:.1} ms after their time (target: p99 100 ms); {early} too early\n",
        outcome.total,
        quantiles.p50.as_secs_f64() * 1e3,
        quantiles.p99.as_secs_f64() * 1e3,
    );
    Ok(())
}

/// The time of day, which the server's jobs wait for.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// How long after its time a job was had; none if that was before it.
fn lateness(had: Duration, due: &str) -> Option<Duration> {
    let due = Duration::from_millis(due.parse().ok()?);
    had.checked_sub(due)
}

/// A request with the jobs from the `from`th on, each with its time, which its payload says as well.
fn submissions(first: Duration, from: u64) -> Vec<u8> {
    let line = |job: u64| {
        let due = u64::try_from(first.as_millis()).unwrap_or_default() + job * 1000 / DUE;
        let at = Time(due.cast_signed());
        format!(r#"{{"queue":"delayed","run_at":"{at}","payload":{{"due":"{due}"}}}}"#)
    };
    let lines: Vec<String> = (from..from + FILLED_AT_ONCE as u64).map(line).collect();
    request("POST", "/v1/jobs", "application/x-ndjson", lines.join("\n").as_bytes())
}
