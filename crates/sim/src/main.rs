//! `ackd-sim`: simulates seeds, and says of which the checker finds something.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use ackd_checker::write_line;
use ackd_sim::{Bug, Outcome, run};

const HELP: &str = "\
usage: ackd-sim [--seeds N] [--from SEED]
       ackd-sim --seed SEED [--bug NAME] [--history]
       ackd-sim --planted [--seeds N] [--from SEED]

Simulates N seeds (1000), each twice, from SEED (0) on, and ends with 1 where one breaks a promise or does not give the
same history again. --seed shows what is wrong with one; --history writes its history as ackd-checker reads it.
--planted says in how many seeds each planted bug is found, and ends with 1 where one is not.";

/// What to do.
struct Asked {
    seeds: u64,
    from: u64,
    seed: Option<u64>,
    bug: Option<Bug>,
    history: bool,
    planted: bool,
}

fn main() -> ExitCode {
    match read(std::env::args().skip(1)) {
        Ok(asked) => match asked.seed {
            Some(seed) => show(seed, &asked),
            None if asked.planted => plant(&asked),
            None => simulate(&asked),
        },
        Err(error) => {
            eprintln!("ackd-sim: {error}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

fn read(mut args: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked { seeds: 1000, from: 0, seed: None, bug: None, history: false, planted: false };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--history" => asked.history = true,
            "--planted" => asked.planted = true,
            _ => {
                let value = args.next().ok_or_else(|| format!("{arg} is unknown, or needs a value"))?;
                let number = || value.parse().map_err(|_| format!("{arg} is a number, and {value:?} is none"));
                match arg.as_str() {
                    "--seeds" => asked.seeds = number()?,
                    "--from" => asked.from = number()?,
                    "--seed" => asked.seed = Some(number()?),
                    "--bug" => {
                        asked.bug = Some(Bug::named(&value).ok_or_else(|| format!("there is no bug {value:?}"))?)
                    }
                    _ => return Err(format!("{arg} is unknown")),
                }
            }
        }
    }
    Ok(asked)
}

/// One seed, in full.
fn show(seed: u64, asked: &Asked) -> ExitCode {
    let Outcome { history, report } = run(seed, asked.bug);
    if asked.history {
        for record in &history {
            println!("{}", write_line(record, |id| id.to_string()));
        }
        return ExitCode::SUCCESS;
    }
    println!("seed {seed}: {} records, {} violations", report.records, report.found);
    for violation in &report.violations {
        let about = violation.about.map(|about| format!(", {about}")).unwrap_or_default();
        println!("\n{}{about}: {}", violation.invariant, violation.what);
        for at in &violation.records {
            let record = usize::try_from(*at).ok().and_then(|at| history.get(at));
            record.into_iter().for_each(|record| println!("    {}", write_line(record, |id| id.to_string())));
        }
    }
    let same = run(seed, asked.bug).history == history;
    if !same {
        println!("\nthe second time it gave another history");
    }
    if same && report.found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Has every processor take one seed after the other.
fn each(asked: &Asked, seed: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= asked.seeds {
                        return;
                    }
                    seed(asked.from + nth);
                }
            });
        }
    });
}

/// Many seeds.
fn simulate(asked: &Asked) -> ExitCode {
    let began = Instant::now();
    let (records, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    each(asked, |seed| {
        let Outcome { history, report } = run(seed, None);
        records.fetch_add(report.records, Ordering::Relaxed);
        let same = run(seed, None).history == history;
        if !same || report.found > 0 {
            let what = report.violations.first().map(|it| format!("{}: {}", it.invariant, it.what));
            let what = what.unwrap_or_else(|| "another history the second time".to_owned());
            println!("seed {seed} fails: {what}\n    replay it: cargo xtask chaos sim --seed {seed}");
            failed.fetch_add(1, Ordering::Relaxed);
        }
    });
    let (seeds, failed, took) = (asked.seeds, failed.into_inner(), began.elapsed().as_secs_f64());
    println!("{seeds} seeds, each twice, {} records, {took:.1} s: {failed} fail", records.into_inner());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Many seeds with each bug.
fn plant(asked: &Asked) -> ExitCode {
    let mut escaped = false;
    for bug in Bug::ALL {
        let (found, first) = (AtomicU64::new(0), Mutex::new(None::<u64>));
        each(asked, |seed| {
            if run(seed, Some(bug)).report.found > 0 {
                found.fetch_add(1, Ordering::Relaxed);
                let mut first = first.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                *first = Some(first.map_or(seed, |first| first.min(seed)));
            }
        });
        let found = found.into_inner();
        let first = first.into_inner().unwrap_or_default();
        let shown = first.map(|seed| format!(", first in {seed}")).unwrap_or_default();
        println!("{bug:?}: found in {found} of {} seeds{shown}", asked.seeds);
        escaped |= found == 0;
    }
    if escaped { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
