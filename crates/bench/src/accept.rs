//! How many durable accepts a second.

mod beside_many;

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use crate::jobs::{FreshKeys, expect, submit_many, submit_one};
use crate::load;
use crate::measured::{Measured, print_cost, rates};
use crate::report::Line;
use crate::server::{Kind, Server};
use crate::wire::Wire;
use crate::{Bench, ledger};

/// Connections that submit one job a request.
const ONE: usize = 64;
/// Connections that submit many.
const MANY: usize = 8;
/// Lines of one such submission.
const LINES: usize = 100;

pub(crate) fn run(bench: &Bench) -> io::Result<()> {
    one_a_request(bench)?;
    many_a_request(bench)?;
    beside_many::run(bench)
}

fn one_a_request(bench: &Bench) -> io::Result<()> {
    let (mut ours, mut bound, mut sqlite) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        let data = tempfile::tempdir_in(&bench.dir)?;
        let server = Server::start(Kind::Ackd, data.path())?;
        ours.push(single(&server, bench.time)?);
        drop(server);
        let server = Server::start(Kind::NoStorage, data.path())?;
        bound.push(single(&server, bench.time)?);
        drop(server);
        sqlite.push(ledger::accepts(&bench.dir, ONE, bench.time, false)?);
    }
    Line {
        what: format!("accept, one job a request, {ONE} connections"),
        unit: "jobs/s",
        figures: rates(&ours),
        bound: Some(("the same server without storage".into(), rates(&bound))),
        target: "at least 0.5".into(),
    }
    .print();
    Line {
        what: format!("the same beside its SQLite writes alone, {ONE} a commit"),
        unit: "jobs/s",
        figures: rates(&ours),
        bound: Some(("the same writes without HTTP".into(), sqlite)),
        target: "none".into(),
    }
    .print();
    print_cost("with storage", &ours);
    print_cost("without", &bound);
    Ok(())
}

fn many_a_request(bench: &Bench) -> io::Result<()> {
    let (mut plain, mut keyed, mut bound, mut sqlite) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        let data = tempfile::tempdir_in(&bench.dir)?;
        let server = Server::start(Kind::Ackd, data.path())?;
        plain.push(many(&server, bench.time, false)?);
        drop(server);
        let data = tempfile::tempdir_in(&bench.dir)?;
        let server = Server::start(Kind::Ackd, data.path())?;
        keyed.push(many(&server, bench.time, true)?);
        drop(server);
        let server = Server::start(Kind::NoStorage, data.path())?;
        bound.push(many(&server, bench.time, false)?);
        drop(server);
        sqlite.push(ledger::accepts(&bench.dir, MANY * LINES, bench.time, false)?);
    }
    Line {
        what: format!("accept, NDJSON of {LINES}, {MANY} connections"),
        unit: "jobs/s",
        figures: rates(&plain),
        bound: Some(("the same server without storage".into(), rates(&bound))),
        target: "at least 200 000 jobs/s".into(),
    }
    .print();
    Line {
        what: "the same beside its SQLite writes alone".into(),
        unit: "jobs/s",
        figures: rates(&plain),
        bound: Some(("the same writes without HTTP".into(), sqlite)),
        target: "none".into(),
    }
    .print();
    Line {
        what: "the same with a random idempotency key on every job".into(),
        unit: "jobs/s",
        figures: rates(&keyed),
        bound: Some(("without keys".into(), rates(&plain))),
        target: "at least 0.6".into(),
    }
    .print();
    print_cost("without keys", &plain);
    print_cost("with keys", &keyed);
    print_cost("without storage", &bound);
    if let Some(kept) = bench.keys {
        with_kept_keys(bench, kept)?;
    }
    Ok(())
}

/// The same over a store that holds many keys already.
fn with_kept_keys(bench: &Bench, kept: u64) -> io::Result<()> {
    let (data, empty) = (tempfile::tempdir_in(&bench.dir)?, tempfile::tempdir_in(&bench.dir)?);
    let server = Server::start(Kind::Ackd, data.path())?;
    fill(&server, kept, true)?;
    let other = Server::start(Kind::Ackd, empty.path())?;
    let (mut keyed, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        keyed.push(many(&server, bench.time, true)?);
        plain.push(many(&other, bench.time, false)?);
    }
    let (now, _) = server.memory()?;
    println!("with {kept} keys kept the server takes {} MiB\n", now >> 20);
    Line {
        what: format!("accept, NDJSON of {LINES}, a random key on every job, {kept} keys kept"),
        unit: "jobs/s",
        figures: rates(&keyed),
        bound: Some(("without keys".into(), rates(&plain))),
        target: "at least 0.6".into(),
    }
    .print();
    Ok(())
}

pub(crate) fn single(server: &Server, time: Duration) -> io::Result<Measured> {
    let request = Rc::new(submit_one("bench", None));
    let round = move |_, _, mut wire: Wire| {
        let request = Rc::clone(&request);
        async move {
            let answer = wire.send(&request).await?;
            expect(&answer, &[202])?;
            Ok((1, wire))
        }
    };
    Measured::of(server, || load::run(server.addr(), ONE, time, round))
}

pub(crate) fn many(server: &Server, time: Duration, keyed: bool) -> io::Result<Measured> {
    Measured::of(server, || load::run(server.addr(), MANY, time, batches(keyed)))
}

/// One round of one connection: how many jobs it submitted, and the connection back.
type Round = std::pin::Pin<Box<dyn Future<Output = io::Result<(u64, Wire)>>>>;

/// Rounds that submit [`LINES`] jobs each.
fn batches(keyed: bool) -> impl Fn(usize, u64, Wire) -> Round {
    let plain = Rc::new(submit_many("bench", LINES, || None));
    let keys = Rc::new(Keys::new());
    move |_, _, mut wire| {
        let request = if keyed { Rc::new(keys.fresh(&plain)) } else { Rc::clone(&plain) };
        Box::pin(async move {
            let answer = wire.send(&request).await?;
            expect(&answer, &[202])?;
            Ok((LINES as u64, wire))
        })
    }
}

/// Accepts `jobs` jobs, each under a random key where `keyed` says so.
pub(crate) fn fill(server: &Server, jobs: u64, keyed: bool) -> io::Result<()> {
    let plain = Rc::new(submit_many("bench", FILLED_AT_ONCE, || None));
    let keys = Keys::new();
    fill_with(server, jobs, move |_| if keyed { Rc::new(keys.fresh(&plain)) } else { Rc::clone(&plain) })
}

/// How many jobs one request of [`fill_with`] submits.
pub(crate) const FILLED_AT_ONCE: usize = 1000;

/// Accepts `jobs` jobs by requests of [`FILLED_AT_ONCE`], the `nth` of which `request` gives.
pub(crate) fn fill_with(server: &Server, jobs: u64, request: impl Fn(u64) -> Rc<Vec<u8>> + 'static) -> io::Result<()> {
    let requests = jobs.div_ceil(FILLED_AT_ONCE as u64);
    let (request, sent) = (Rc::new(request), Rc::new(Cell::new(0)));
    load::on_one_thread(async {
        let mut tasks = Vec::new();
        for _ in 0..MANY {
            let mut wire = Wire::connect(server.addr()).await?;
            let (request, sent) = (Rc::clone(&request), Rc::clone(&sent));
            tasks.push(tokio::task::spawn_local(async move {
                while sent.get() < requests {
                    let nth = sent.replace(sent.get() + 1);
                    let answer = wire.send(&request(nth)).await?;
                    expect(&answer, &[202])?;
                }
                Ok::<_, io::Error>(())
            }));
        }
        for task in tasks {
            task.await.map_err(io::Error::other)??;
        }
        Ok(())
    })
}

/// Makes requests with keys out of one without, at little cost to the client: every line gets room for
/// a key once, and each request new random digits there.
struct Keys {
    template: std::cell::RefCell<Option<(Vec<u8>, Vec<usize>)>>,
    fresh: std::cell::RefCell<FreshKeys>,
}

impl Keys {
    fn new() -> Keys {
        Keys { template: std::cell::RefCell::default(), fresh: std::cell::RefCell::new(FreshKeys::new()) }
    }

    fn fresh(&self, plain: &[u8]) -> Vec<u8> {
        let mut template = self.template.borrow_mut();
        let (template, places) = template.get_or_insert_with(|| {
            let lines = plain.windows(7).filter(|window| window == b"payload").count();
            let request = submit_many("bench", lines, || Some(0));
            let mark = b"\"idempotency_key\":\"";
            let places = request
                .windows(mark.len())
                .enumerate()
                .filter(|(_, window)| window == mark)
                .map(|(at, _)| at + mark.len())
                .collect();
            (request, places)
        });
        let mut request = template.clone();
        let mut fresh = self.fresh.borrow_mut();
        for place in places.iter() {
            request[*place..place + 32].copy_from_slice(&fresh.next());
        }
        request
    }
}
