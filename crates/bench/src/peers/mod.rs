//! `bench peers`: the same work on ackd and on what people would pick instead, in turn in one run.

mod ackd;
mod catalogue;
mod driver;
mod figures;
mod page;
mod picture;
mod process;
mod scenarios;
mod servers;
mod targets;

pub(crate) use ackd::drive;

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::Args;

use crate::Bench;
use crate::report::figure;
use driver::{Driver, Line};
use figures::Figures;
use page::{Circumstances, Row};
use scenarios::Run;
use servers::Server;

/// What is compared.
#[derive(Debug, Clone, Args)]
pub(crate) struct Peers {
    /// Which peers; all without any
    names: Vec<String>,
    /// How many jobs wait in the backlog that is worked off
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    jobs: u64,
    /// Also work off a large backlog, of 1 M jobs if nothing else is said
    #[arg(long, num_args = 0..=1, default_missing_value = "1000000")]
    large: Option<u64>,
    /// Where the drivers are installed
    #[arg(long, hide = true)]
    installed: PathBuf,
    /// The folder that peers.md and peers.svg are written to; without it they are only printed
    #[arg(long)]
    out: Option<PathBuf>,
}

/// One of the kinds of work that need a fresh server.
#[derive(Debug, Clone, Copy)]
enum Work {
    Accept,
    Interactive,
    Backlog,
    LargeBacklog(u64),
}

pub(crate) fn run(bench: &Bench, peers: &Peers) -> io::Result<()> {
    // Servers run in folders of their own.
    let peers = &Peers { installed: std::path::absolute(&peers.installed)?, ..peers.clone() };
    let chosen = catalogue::chosen(&peers.names).map_err(io::Error::other)?;
    let folder = tempfile::Builder::new().prefix("ackd-peers-").tempdir_in(&bench.dir)?;
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    process::clean_up_on_signals(folder.path())?;
    let mut rows = Vec::new();
    for peer in chosen {
        let driver = Driver { peer, installed: &peers.installed, log: folder.path().join("driver") };
        let Some(Line::Version(client)) = driver.run("version", None, Duration::ZERO)? else {
            return Err(io::Error::other(format!("the driver of {} does not say its version", peer.folder)));
        };
        let server = servers::version(peer.server, &peers.installed)?;
        let versions = if server.is_empty() { client } else { format!("{client}; {server}") };
        rows.push(Row { peer, versions, figures: Figures::default() });
    }
    let works = [Work::Accept, Work::Interactive, Work::Backlog].into_iter();
    let works: Vec<Work> = works.chain(peers.large.map(Work::LargeBacklog)).collect();
    for nth in 1..=bench.runs {
        for work in &works {
            for row in &mut rows {
                println!("run {nth} of {}: {work:?}: {}", bench.runs, row.peer.title);
                if let Err(error) = measure(bench, peers, *work, row, folder.path()) {
                    eprintln!("{}: {error}", row.peer.title);
                    row.figures.failed(error.to_string());
                }
                for (metric, taken) in row.figures.take_news() {
                    println!("  {:<34} {:>12}", metric.title(), figure(taken));
                }
            }
        }
        // All of it takes an hour: what there is so far is not to be lost with the rest.
        write(bench, peers, nth, &rows)?;
    }
    println!("\n{}", page(bench, peers, bench.runs, &rows).0);
    let failed = rows.iter().filter(|row| !row.figures.failures().is_empty());
    let failed: Vec<_> = failed.map(|row| row.peer.title).collect();
    if failed.is_empty() { Ok(()) } else { Err(io::Error::other(format!("something failed: {}", failed.join(", ")))) }
}

/// Starts the server of `row`, does one kind of work, and stops it.
fn measure(bench: &Bench, peers: &Peers, work: Work, row: &mut Row, folder: &Path) -> io::Result<()> {
    let data = tempfile::tempdir_in(folder)?;
    let server = Server::start(row.peer.server, &peers.installed, data.path())?;
    let driver = Driver { peer: row.peer, installed: &peers.installed, log: data.path().join("driver") };
    let run = Run { driver, server: &server, time: bench.time };
    run.prepare()?;
    match work {
        Work::Accept => run.accept(&mut row.figures),
        Work::Interactive => run.interactive(&mut row.figures),
        Work::Backlog => run.backlog(peers.jobs, false, &mut row.figures),
        Work::LargeBacklog(jobs) => run.backlog(jobs, true, &mut row.figures),
    }
}

/// Writes where that is asked for what was measured in `runs` runs.
fn write(bench: &Bench, peers: &Peers, runs: usize, rows: &[Row]) -> io::Result<()> {
    let Some(out) = &peers.out else { return Ok(()) };
    let (page, picture) = page(bench, peers, runs, rows);
    std::fs::create_dir_all(out)?;
    std::fs::write(out.join("peers.md"), page)?;
    std::fs::write(out.join("peers.svg"), picture)
}

/// The page of what was measured in `runs` runs, and the picture.
fn page(bench: &Bench, peers: &Peers, runs: usize, rows: &[Row]) -> (String, String) {
    let told = Circumstances {
        command: command(bench, peers, runs),
        date: first_line(Command::new("date").args(["-u", "+%-d %B %Y"])),
        machine: machine(),
        runs,
        jobs: peers.jobs,
        many: peers.large,
    };
    let note = format!("{}, {}. Bars are medians of {runs}.", told.date, told.machine);
    (page::render(rows, &told), picture::draw(rows, &note))
}

/// The command that does the same again.
fn command(bench: &Bench, peers: &Peers, runs: usize) -> String {
    let mut command = "cargo xtask bench peers".to_owned();
    for name in &peers.names {
        command.push(' ');
        command.push_str(name);
    }
    command.push_str(&format!(" --runs {runs} --time {} --jobs {}", bench.time.as_secs_f64(), peers.jobs));
    if let Some(large) = peers.large {
        command.push_str(&format!(" --large {large}"));
    }
    command
}

/// What it was measured on.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let (processors, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let value = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = value(&processors, "model name").unwrap_or_else(|| "processors of an unknown kind".to_owned());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kib = value(&memory, "MemTotal").and_then(|it| it.split_whitespace().next()?.parse::<f64>().ok());
    let gib = kib.unwrap_or_default() / f64::from(1 << 20);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{cores} cores ({model}), {gib:.0} GiB, Linux {}", kernel.trim())
}

fn first_line(command: &mut Command) -> String {
    let said = command.output().map(|it| String::from_utf8_lossy(&it.stdout).into_owned()).unwrap_or_default();
    said.lines().next().unwrap_or_default().to_owned()
}
