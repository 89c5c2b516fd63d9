//! The driver of ackd itself: the same scenarios through its HTTP API.

use std::process::ExitCode;
use std::rc::Rc;

use ackd_bench_driver::{Caller, Done, Fault, Peer, Scenario};

use crate::jobs::{envelope, expect, lease, submit_many, submit_one, work_batch};
use crate::wire::Wire;

/// Connections that work.
const WORKERS: usize = 8;
/// Leases of one request.
const LEASES: usize = 100;

/// Runs the driver with the arguments `args`.
pub(crate) fn drive(args: &[String]) -> ExitCode {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match ackd_bench_driver::run::<Ackd>(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

struct Ackd;

impl Peer for Ackd {
    type Caller = Client;
    const VERSION: &'static str = concat!("ackd ", env!("CARGO_PKG_VERSION"), ", HTTP/1.1");

    async fn prepare(_: &Scenario) -> Result<(), Fault> {
        // A queue needs no creation.
        Ok(())
    }

    async fn caller(scenario: &Scenario) -> Result<Client, Fault> {
        Ok(Client {
            wire: Wire::connect(&scenario.url).await?,
            one: submit_one("bench", None),
            many: submit_many("bench", scenario.batch, || None),
            batch: scenario.batch,
        })
    }

    async fn work(scenario: Rc<Scenario>, done: Rc<Done>) -> Result<(), Fault> {
        let mut workers = tokio::task::JoinSet::new();
        for _ in 0..WORKERS {
            let (scenario, done) = (Rc::clone(&scenario), Rc::clone(&done));
            workers.spawn_local(async move {
                let mut wire = Wire::connect(&scenario.url).await?;
                let ask = lease("bench", LEASES, "20s");
                loop {
                    done.add(work_batch(&mut wire, &ask).await?);
                }
                #[allow(unreachable_code, reason = "it says what the task's faults are")]
                Ok::<(), std::io::Error>(())
            });
        }
        while let Some(ended) = workers.join_next().await {
            ended??;
        }
        Ok(())
    }
}

/// A connection, and the requests that go over it.
struct Client {
    wire: Wire,
    one: Vec<u8>,
    many: Vec<u8>,
    batch: usize,
}

impl Caller for Client {
    async fn submit(&mut self, jobs: usize) -> Result<(), Fault> {
        let rest;
        let request = match jobs {
            1 => &self.one,
            all if all == self.batch => &self.many,
            fewer => {
                rest = submit_many("bench", fewer, || None);
                &rest
            }
        };
        expect(&self.wire.send(request).await?, &[202])?;
        Ok(())
    }

    async fn ask(&mut self) -> Result<(), Fault> {
        let body = envelope("bench", None);
        let request = format!(
            "POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\nprefer: wait=30\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        expect(&self.wire.send(request.as_bytes()).await?, &[200])?;
        Ok(())
    }
}
