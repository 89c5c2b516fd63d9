//! The load generator and the bounds behind `cargo xtask bench`.
//!
//! Every figure is printed beside what bounds it, measured in turn in the same run: absolute figures of
//! a shared machine mean little, ratios mean something.

mod accept;
mod backlog;
mod delivery;
mod disk;
mod jobs;
mod latency;
mod ledger;
mod lifecycle;
mod load;
mod measured;
mod memory_limit;
mod peers;
mod profile;
mod report;
mod semantics;
mod server;
mod wire;
mod without_storage;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ackd_engine::dispatch::WindowLimits;
use ackd_engine::{Engine, MailboxLimits, Parts};
use ackd_memory::{FakeOutbound, MemoryLedger};
use ackd_ports::{SeededEntropy, SystemClock};
use clap::{Parser, Subcommand};

/// What is measured how.
#[derive(Debug, Parser)]
struct Bench {
    #[command(subcommand)]
    scenario: Option<Scenario>,
    /// How often each figure is taken; the median counts
    #[arg(long, global = true, default_value_t = 3)]
    runs: usize,
    /// How many seconds each run takes
    #[arg(long, global = true, default_value = "4", value_parser = seconds)]
    time: Duration,
    /// Where the stores are put; they are deleted afterwards
    #[arg(long, global = true, default_value_os_t = std::env::temp_dir())]
    dir: PathBuf,
    /// How many jobs wait in the backlog
    #[arg(long, global = true, default_value_t = 10_000_000)]
    backlog: u64,
    /// Also take accept's figure with so many idempotency keys kept, and that of unique keys with so many waiting
    #[arg(long, global = true)]
    keys: Option<u64>,
    /// Of semantics only what has this in its name, beside plain jobs
    #[arg(long, global = true)]
    only: Option<String>,
}

#[derive(Debug, Clone, Subcommand)]
enum Scenario {
    /// Durable accepts a second
    Accept,
    /// Jobs a second through submit, lease and complete
    Lifecycle,
    /// Submit to result on an idle system
    Latency,
    /// 10 k against 10 M waiting
    Backlog,
    /// Events to thousands of clients
    Delivery,
    /// Priorities, delays, ordering keys, groups, unique keys and flows against plain jobs
    Semantics,
    /// Where the server's time goes
    Profile(profile::Profile),
    /// The same work on ackd and on what people would pick instead
    Peers(peers::Peers),
    /// Not for people: the driver of ackd that the peers' are compared with
    #[command(hide = true)]
    Drive { args: Vec<String> },
    /// Not for people: the server without storage that accept is compared with
    #[command(hide = true)]
    ServeWithoutStorage,
}

fn main() -> ExitCode {
    let bench = Bench::parse();
    let all = [
        Scenario::Accept,
        Scenario::Lifecycle,
        Scenario::Latency,
        Scenario::Backlog,
        Scenario::Delivery,
        Scenario::Semantics,
    ];
    let scenarios = bench.scenario.as_ref().map_or(&all[..], std::slice::from_ref);
    for scenario in scenarios {
        let measured = match scenario {
            Scenario::Accept => accept::run(&bench),
            Scenario::Lifecycle => lifecycle::run(&bench),
            Scenario::Latency => latency::run(&bench),
            Scenario::Backlog => backlog::run(&bench),
            Scenario::Delivery => delivery::run(&bench),
            Scenario::Semantics => semantics::run(&bench),
            Scenario::Profile(profile) => profile::run(&bench, profile),
            Scenario::Peers(peers) => peers::run(&bench, peers),
            Scenario::Drive { args } => return peers::drive(args),
            Scenario::ServeWithoutStorage => serve_without_storage(),
        };
        if let Err(error) = measured {
            eprintln!("bench: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn serve_without_storage() -> io::Result<()> {
    // Nothing is ever read of it: the memory ledger only gives its empty reader.
    let empty = MemoryLedger::new(SeededEntropy::new(0)).reader();
    let engine = Engine::start(Parts {
        ledger: Box::new(without_storage::ForgetfulLedger::new()?),
        reader: empty.clone(),
        feed: empty,
        clock: Arc::new(SystemClock::start()),
        mailbox: MailboxLimits::default(),
        window: WindowLimits::default(),
        feed_retention: ackd_domain::limits::DEFAULT_FEED_RETENTION,
    })
    .map_err(io::Error::other)?;
    let outbound = Arc::new(FakeOutbound::new());
    let files = ackd_engine::Files::new(engine.clone(), Arc::new(ackd_memory::MemoryFiles::default()), 0);
    let outbounds = ackd_http::Outbounds { webhooks: outbound.clone(), pushes: outbound };
    let app = ackd_http::App::new(engine, files, outbounds, ackd_http::Config::default()).map_err(io::Error::other)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
        io::stdout().flush()?;
        ackd_http::serve(listener, app, &tokio::runtime::Handle::current(), std::future::pending()).await
    })
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .filter(|it| *it > 0.0)
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "a number of seconds".to_owned())
}
