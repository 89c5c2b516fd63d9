//! A run of load against a server: how fast, and at what cost to the server's processors.

use std::io;

use crate::load::Outcome;
use crate::server::Server;

/// What a run came to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Measured {
    /// Jobs a second.
    pub(crate) rate: f64,
    /// Microseconds of the server's processor time a job: it hardly depends on what else the machine does.
    pub(crate) cpu: f64,
    /// The time that 99 of 100 rounds took at most, in milliseconds.
    pub(crate) p99: f64,
}

impl Measured {
    /// Measures `run` against `server`.
    pub(crate) fn of(server: &Server, run: impl FnOnce() -> io::Result<Outcome>) -> io::Result<Measured> {
        let before = server.cpu()?;
        let outcome = run()?;
        let cpu = server.cpu()?.saturating_sub(before).as_secs_f64() * 1e6 / outcome.total.max(1) as f64;
        Ok(Measured { rate: outcome.rate, cpu, p99: outcome.rounds.p99.as_secs_f64() * 1e3 })
    }
}

/// The rates of several runs.
pub(crate) fn rates(runs: &[Measured]) -> Vec<f64> {
    runs.iter().map(|run| run.rate).collect()
}

/// Prints what the runs cost the server, and how long the slow rounds took.
pub(crate) fn print_cost(what: &str, runs: &[Measured]) {
    let median = |of: fn(&Measured) -> f64| crate::report::median(runs.iter().map(of).collect());
    println!(
        "  {what}: {:.1} µs of the server's processors a job; p99 of a round {:.1} ms\n",
        median(|run| run.cpu),
        median(|run| run.p99)
    );
}
