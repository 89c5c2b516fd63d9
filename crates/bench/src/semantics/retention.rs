//! What deleting a million ended jobs costs those who submit.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::accept::{FILLED_AT_ONCE, fill_with, many};
use crate::jobs::{expect, lease, payload, work_batch};
use crate::measured::{Measured, print_cost, rates};
use crate::report::Line;
use crate::server::{Kind, Server};
use crate::wire::{Wire, request};
use crate::{Bench, load};

/// Jobs that have ended.
const ENDED: u64 = 1_000_000;
/// For how long they are kept: until the last of them has ended.
const KEPT: Duration = Duration::from_secs(60);

pub(crate) fn run(bench: &Bench) -> io::Result<()> {
    let data = (tempfile::tempdir_in(&bench.dir)?, tempfile::tempdir_in(&bench.dir)?);
    let deleting = Server::start(Kind::Ackd, data.0.path())?;
    let line = format!(r#"{{"queue":"ended","result_retention":"{}s","payload":{}}}"#, KEPT.as_secs(), payload());
    let lines =
        Rc::new(request("POST", "/v1/jobs", "application/x-ndjson", vec![line; FILLED_AT_ONCE].join("\n").as_bytes()));
    fill_with(&deleting, ENDED, move |_| Rc::clone(&lines))?;
    while work_off(&deleting)? > 0 {}
    // By then all of them are due, whatever has gone already.
    std::thread::sleep(KEPT);
    let plain = Server::start(Kind::Ackd, data.1.path())?;
    let (mut with, mut without): (Vec<Measured>, Vec<Measured>) = (Vec::new(), Vec::new());
    let (mut deleted, mut in_time) = (0, Duration::ZERO);
    for _ in 0..bench.runs {
        let (before, began) = (ended(&deleting)?, Instant::now());
        with.push(many(&deleting, bench.time, false)?);
        deleted += before.saturating_sub(ended(&deleting)?);
        in_time += began.elapsed();
        if ended(&deleting)? == 0 {
            return Err(io::Error::other("all were deleted before the run was over: take fewer or shorter ones"));
        }
        without.push(many(&plain, bench.time, false)?);
    }
    let rest = (ended(&deleting)?, Instant::now());
    while ended(&deleting)? > 0 {
        std::thread::sleep(Duration::from_millis(100));
    }
    Line {
        what: format!("semantics: accept, NDJSON, while {ENDED} ended jobs are deleted"),
        unit: "jobs/s",
        figures: rates(&with),
        bound: Some(("with nothing to delete".into(), rates(&without))),
        target: "at least 0.8".into(),
    }
    .print();
    println!(
        "  deleted meanwhile: {:.0} jobs/s; with nothing else to do: {:.0} jobs/s",
        deleted as f64 / in_time.as_secs_f64(),
        rest.0 as f64 / rest.1.elapsed().as_secs_f64()
    );
    print_cost("beside the deletion", &with);
    Ok(())
}

/// Leases and completes until nothing is left, or for some seconds; says how many those were.
fn work_off(server: &Server) -> io::Result<u64> {
    let ask: Rc<[u8]> = lease("ended", 200, "0s").into();
    let round = move |_, _, mut wire: Wire| {
        let ask = Rc::clone(&ask);
        async move {
            let done = work_batch(&mut wire, &ask).await?;
            Ok((done, wire))
        }
    };
    Ok(load::run(server.addr(), 8, Duration::from_secs(1), round)?.total)
}

/// How many ended jobs there are.
fn ended(server: &Server) -> io::Result<u64> {
    load::on_one_thread(async {
        let mut wire = Wire::connect(server.addr()).await?;
        let answer = wire.send(b"GET /v1/queues/ended HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
        expect(&answer, &[200])?;
        let body = String::from_utf8_lossy(answer.body);
        let count = body.split("\"DONE\":").nth(1).and_then(|rest| rest.split([',', '}']).next());
        count.and_then(|count| count.parse().ok()).ok_or_else(|| io::Error::other(format!("no count in {body}")))
    })
}
