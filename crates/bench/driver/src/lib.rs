//! A driver: a program that does one kind of work with one job system, and prints what came of it as lines of JSON.
//!
//! `DRIVER version`, or `DRIVER prepare|submit|work|ask SCENARIO`, the latter a JSON object ([`Scenario`]). What each
//! verb prints is in `crates/bench/peers/README.md`. A driver in Rust implements [`Peer`] and calls [`main`]; those in
//! JavaScript and Python follow the same protocol.
//!
//! A driver runs on one thread, as those in JavaScript do, so that the clients of all peers take one core at most.
//!
//! [`Serving`], for whoever starts ackd to measure or to attack it, and [`Quantiles`] are not for drivers only.

mod ask;
mod quantiles;
mod scenario;
mod serving;
mod submit;
mod work;

use std::error::Error;
use std::process::ExitCode;
use std::rc::Rc;

pub use quantiles::Quantiles;
pub use scenario::{Scenario, payload};
pub use serving::Serving;
pub use work::Done;

/// Whatever goes wrong with a client library. A driver stops at it: a figure with errors in it is none.
pub type Fault = Box<dyn Error>;

/// A job system, seen by those who use it.
#[allow(async_fn_in_trait, reason = "a driver runs on one thread, and no future needs to be Send")]
pub trait Peer: 'static {
    /// One of those who submit.
    type Caller: Caller;
    /// What the figures are taken with, as "lapin 4.12.3".
    const VERSION: &'static str;

    /// Makes the queue, where there has to be one before the first job.
    async fn prepare(scenario: &Scenario) -> Result<(), Fault>;

    /// Connects one of `scenario.callers`.
    async fn caller(scenario: &Scenario) -> Result<Self::Caller, Fault>;

    /// Works with a handler that does nothing until it is dropped, and counts each job once the job system has taken note
    /// that it is done. It begins as soon as it is polled.
    async fn work(scenario: Rc<Scenario>, done: Rc<Done>) -> Result<(), Fault>;
}

/// One of those who submit, with a connection of its own where the job system's users have one.
#[allow(async_fn_in_trait, reason = "a driver runs on one thread, and no future needs to be Send")]
pub trait Caller: 'static {
    /// Submits `jobs` in one step, or, where it is one, by the plain call; returns once all are acknowledged.
    async fn submit(&mut self, jobs: usize) -> Result<(), Fault>;

    /// Submits one job and returns once its result is known.
    async fn ask(&mut self) -> Result<(), Fault>;

    /// Why there is no submitting of many at once, if so.
    fn no_batches() -> Option<&'static str> {
        None
    }
}

/// Does what the command line asks for.
#[must_use]
pub fn main<P: Peer>() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run::<P>(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

/// As [`main`], with the arguments given.
///
/// # Errors
/// Says what is wrong with the arguments, or what the job system or its client refused.
pub fn run<P: Peer>(args: &[&str]) -> Result<(), Fault> {
    let (verb, scenario) = match args {
        ["version"] => {
            println!("{}", serde_json::json!({ "version": P::VERSION }));
            return Ok(());
        }
        [verb, scenario] => (*verb, serde_json::from_str::<Scenario>(scenario)?),
        _ => return Err("it takes a verb and a scenario".into()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        match verb {
            "prepare" => P::prepare(&scenario).await,
            "submit" => submit::run::<P>(&scenario).await,
            "work" => work::run::<P>(scenario).await,
            "ask" => ask::run::<P>(&scenario).await,
            other => Err(format!("there is no verb {other:?}").into()),
        }
    })
}
