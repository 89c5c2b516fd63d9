//! How many jobs a second go all the way: submit, lease, complete, each durable before its answer.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use crate::jobs::{complete, expect, lease, submit_many, submit_one, work_batch};
use crate::measured::{Measured, print_cost, rates};
use crate::report::Line;
use crate::server::{Kind, Server};
use crate::wire::{Wire, fields};
use crate::{Bench, ledger, load};

/// Connections that work in batches.
const BATCHES: usize = 8;
/// Jobs of one batch.
const JOBS: usize = 100;
/// Connections that make single calls.
const SINGLES: usize = 64;

pub(crate) fn run(bench: &Bench) -> io::Result<()> {
    let (mut batches, mut singles, mut sqlite, mut nothing) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        let data = tempfile::tempdir_in(&bench.dir)?;
        let server = Server::start(Kind::Ackd, data.path())?;
        batches.push(in_batches(&server, bench.time)?);
        drop(server);
        sqlite.push(ledger::lifecycles(&bench.dir, BATCHES * JOBS / 2, bench.time)?);
        let data = tempfile::tempdir_in(&bench.dir)?;
        let server = Server::start(Kind::Ackd, data.path())?;
        singles.push(one_by_one(&server, bench.time)?);
        nothing.push(three_calls(&server, bench.time)?);
    }
    Line {
        what: format!("lifecycle in batches of {JOBS}, {BATCHES} connections"),
        unit: "jobs/s",
        figures: rates(&batches),
        bound: Some(("the same SQLite writes without HTTP".into(), sqlite)),
        target: "at least 65 000 jobs/s".into(),
    }
    .print();
    print_cost("in batches", &batches);
    Line {
        what: format!("lifecycle in single calls, {SINGLES} connections"),
        unit: "jobs/s",
        figures: rates(&singles),
        bound: Some(("three calls a job that do nothing".into(), nothing)),
        target: "at least 18 000 jobs/s".into(),
    }
    .print();
    print_cost("in single calls", &singles);
    Ok(())
}

pub(crate) fn in_batches(server: &Server, time: Duration) -> io::Result<Measured> {
    let requests = Rc::new((submit_many("bench", JOBS, || None), lease("bench", JOBS, "1s")));
    let round = move |_, _, mut wire: Wire| {
        let requests = Rc::clone(&requests);
        async move {
            let answer = wire.send(&requests.0).await?;
            expect(&answer, &[202])?;
            let done = work_batch(&mut wire, &requests.1).await?;
            Ok((done, wire))
        }
    };
    Measured::of(server, || load::run(server.addr(), BATCHES, time, round))
}

/// What HTTP alone costs: three requests without a body that are answered with next to nothing.
fn three_calls(server: &Server, time: Duration) -> io::Result<f64> {
    let request: Rc<[u8]> = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n".as_slice().into();
    let round = move |_, _, mut wire: Wire| {
        let request = Rc::clone(&request);
        async move {
            for _ in 0..3 {
                let answer = wire.send(&request).await?;
                expect(&answer, &[200])?;
            }
            Ok((1, wire))
        }
    };
    Ok(load::run(server.addr(), SINGLES, time, round)?.rate)
}

pub(crate) fn one_by_one(server: &Server, time: Duration) -> io::Result<Measured> {
    let requests = Rc::new((submit_one("bench", None), lease("bench", 1, "1s")));
    let round = move |_, _, mut wire: Wire| {
        let requests = Rc::clone(&requests);
        async move {
            let answer = wire.send(&requests.0).await?;
            expect(&answer, &[202])?;
            let answer = wire.send(&requests.1).await?;
            expect(&answer, &[200, 204])?;
            let Some(token) = fields(answer.body, "lease").next().map(complete) else { return Ok((0, wire)) };
            let answer = wire.send(&token).await?;
            expect(&answer, &[200])?;
            Ok((1, wire))
        }
    };
    Measured::of(server, || load::run(server.addr(), SINGLES, time, round))
}
