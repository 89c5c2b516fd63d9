//! `ackd-chaos`: makes things fail under the real server, row by row. Exit status: 0 where every promise was kept, 1 where one
//! was broken or a row could not run, 2 for wrong use.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ackd_chaos::{ChaosError, Launch, Peer, Plan, Row};
use clap::{Parser, ValueEnum};

/// What is made to fail, and for how long.
#[derive(Debug, Parser)]
#[command(about = "Makes things fail under the real server, and checks what its clients see")]
struct Chaos {
    /// What is made to fail; all where none is named
    #[arg(value_enum)]
    rows: Vec<Row>,
    /// For how many seconds each row makes things fail [default: 40; 10 in a slice]
    #[arg(long, value_parser = seconds)]
    time: Option<Duration>,
    /// What decides all that is left to chance [default: another each time]
    #[arg(long)]
    seed: Option<u64>,
    /// A part of everything, as the tests run it; what the machine does not allow is left out, and told
    #[arg(long)]
    slice: bool,
    /// Cut the power of another system instead, and count what it has lost of what it acknowledged; only with power-cut
    #[arg(long, value_enum)]
    peer: Vec<Peer>,
    /// How often the power of another system is cut
    #[arg(long, default_value_t = 10)]
    cuts: u64,
    /// The server under test
    #[arg(long, default_value_os_t = beside_me("ackd"))]
    server: PathBuf,
    /// Where data folders and disks are put; they are deleted afterwards
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    dir: PathBuf,
    /// Further flags of the server, behind `--`: another store, say
    #[arg(last = true)]
    flags: Vec<String>,
}

fn main() -> ExitCode {
    let chaos = Chaos::parse();
    if !chaos.peer.is_empty() && chaos.rows != [Row::PowerCut] {
        eprintln!("ackd-chaos: --peer goes with power-cut only");
        return ExitCode::from(2);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let Ok(runtime) = runtime else {
        eprintln!("ackd-chaos: no threads to run on");
        return ExitCode::FAILURE;
    };
    runtime.block_on(async {
        tokio::select! {
            code = run(&chaos) => code,
            // What was begun is dropped, and so every server killed and every disk unmounted.
            _ = tokio::signal::ctrl_c() => ExitCode::from(130),
        }
    })
}

async fn run(chaos: &Chaos) -> ExitCode {
    // No promise hangs on it: only that another run tries something else.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let time = chaos.time.unwrap_or(Duration::from_secs(if chaos.slice { 10 } else { 40 }));
    let mut launch = Launch::embedded(chaos.server.clone());
    launch.flags.extend(chaos.flags.iter().cloned());
    let plan = Plan { launch, dir: chaos.dir.clone(), seed: chaos.seed.unwrap_or(now), time, slice: chaos.slice };
    if !chaos.peer.is_empty() {
        return peers(chaos, &plan).await;
    }
    let all: Vec<Row> = Row::value_variants().iter().copied().filter(|row| !plan.slice || row.is_sliced()).collect();
    let rows = if chaos.rows.is_empty() { &all[..] } else { &chaos.rows[..] };
    let started = Instant::now();
    let mut failed = 0;
    for row in rows {
        let name = row.name();
        match row.run(&plan).await {
            Ok(figures) => println!("{name}: {figures} (seed {})", plan.seed),
            Err(ChaosError::Forbidden(why)) if plan.slice => {
                println!("!!! {name} IS LEFT OUT: this machine does not allow it: {why}");
            }
            Err(error) => {
                failed += 1;
                println!("{name} FAILS: {error}\n    try it again: cargo xtask chaos {name} --seed {}", plan.seed);
            }
        }
    }
    println!("chaos: {} rows, {failed} fail, {:.0} s", rows.len(), started.elapsed().as_secs_f64());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The same power cuts on other systems.
async fn peers(chaos: &Chaos, plan: &Plan) -> ExitCode {
    println!("| system | acknowledged | lost | by one cut at most | cuts |\n|---|---|---|---|---|");
    let mut code = ExitCode::SUCCESS;
    for peer in &chaos.peer {
        for case in peer.cases() {
            match case.power_cut(plan, chaos.cuts).await {
                Ok(loss) => println!("| {} | {loss} |", case.title()),
                Err(error) => {
                    println!("{}: {error}", case.title());
                    code = ExitCode::FAILURE;
                }
            }
        }
    }
    code
}

/// The program `name` in the folder of this one.
fn beside_me(name: &str) -> PathBuf {
    std::env::current_exe().map_or_else(|_| PathBuf::from(name), |me| me.with_file_name(name))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = text.parse().ok();
    let seconds = seconds.filter(|it| *it > 0.0).and_then(|it| Duration::try_from_secs_f64(it).ok());
    seconds.ok_or_else(|| "a number of seconds above 0".to_owned())
}
