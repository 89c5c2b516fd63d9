//! Clients that mean harm, on a real server, and what the others feel of them: `cargo xtask chaos hostile`.
//!
//! Each attack is measured in one run with what it is compared to: how long others wait before it and during it, and what
//! memory the server takes before, during and after. It ends with 1 where a bound is broken: another client is refused or
//! waits for too long, memory grows beyond what so many connections may take, or something is taken that must not be.

mod attack;
mod attacks;
mod files;
mod others;
mod report;
mod server;
mod wire;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use attack::Attack;
use report::{Felt, Report};
use server::Server;

/// What is done to the server.
#[derive(Debug, Parser)]
struct Hostile {
    /// Which attacks [default: all]
    attacks: Vec<Kind>,
    /// For how many seconds the others are watched, alone and then beside each attack [default: 30, 2 with --short]
    #[arg(long)]
    time: Option<u64>,
    /// Fewer connections for a shorter time: a minute in all
    #[arg(long)]
    short: bool,
    /// Where the server keeps its data; it is deleted afterwards
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    dir: PathBuf,
}

/// An attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A byte of a request's head each second
    SlowHeads,
    /// Most of the largest head there may be, and then nothing
    LargeHeads,
    /// A byte of a request's body each second
    SlowBodies,
    /// Most of a body, and then nothing
    LargeBodies,
    /// Connections that ask for nothing, for half of something, or do not wait for the answer
    Connections,
    /// More connections of one address than the server takes in all, each of which says nothing
    Crowd,
    /// Bodies that become a thousand times larger where somebody decompresses them
    Bombs,
    /// Streams of events that nobody reads
    Streams,
}

impl Kind {
    /// So many connections, or requests, in all.
    fn count(self, short: bool) -> usize {
        match (self, short) {
            (Kind::SlowHeads | Kind::SlowBodies, false) => 8000,
            (Kind::LargeHeads, false) => 4000,
            (Kind::LargeBodies, false) => 2000,
            (Kind::Connections, false) => 1_000_000,
            (Kind::Streams, false) => 10_000,
            (Kind::Bombs, false) => 10_000,
            (Kind::Crowd, false) => 17_000,
            (Kind::Connections, true) => 20_000,
            (_, true) => 1000,
        }
    }

    /// What the server is told for it, beside what it does by default.
    const fn flags(self) -> &'static [&'static str] {
        match self {
            // Without it nobody else would be let in.
            Kind::Crowd => &["--max-connections-per-address", "500"],
            _ => &[],
        }
    }
}

fn main() -> ExitCode {
    match run(&Hostile::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("hostile: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Says whether all bounds held.
fn run(hostile: &Hostile) -> io::Result<bool> {
    files::raise_limit()?;
    let time = Duration::from_secs(hostile.time.unwrap_or(if hostile.short { 2 } else { 30 }));
    let kinds = if hostile.attacks.is_empty() { Kind::value_variants() } else { &hostile.attacks };
    println!("{}", Report::HEAD);
    let mut held = true;
    for kind in kinds {
        let report = measure(*kind, kind.count(hostile.short), time, &hostile.dir)?;
        println!("{}", report.row());
        for broken in report.broken() {
            held = false;
            println!("  BROKEN: {broken}");
        }
    }
    Ok(held)
}

/// One attack on a server of its own.
fn measure(kind: Kind, count: usize, time: Duration, dir: &std::path::Path) -> io::Result<Report> {
    let data = tempfile::tempdir_in(dir)?;
    let server = Server::start(data.path(), kind.flags())?;
    let alone = others::ask(server.addr(), time)?;
    let before = server.memory()?;
    let attack = Attack::begin(kind, count, server.addr())?;
    attack.wait_until_ready();
    let watch = server.watch();
    let beside = others::ask(server.addr(), time)?;
    attack.wait_until_done(time * 4);
    let (highest, buffers) = watch.stop();
    let tally = attack.end();
    // What the system and the server need to see that the connections are gone.
    thread::sleep(Duration::from_secs(2));
    let after = server.memory()?;
    let felt = Felt { alone, beside };
    Ok(Report { kind, count, tally, felt, memory: [before, highest, after], buffers })
}
