//! `cargo xtask chaos fuzz`: the targets of `crates/fuzz` under libFuzzer, which keeps the inputs that reach new code.
//!
//! What libFuzzer needs to see which code an input reaches is put in by flags that a stable rustc takes, and bolero brings
//! libFuzzer itself; so nothing is installed.

mod built;
mod keep;
mod report;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use crate::process::{Done, Failure, root, target};
use built::Built;
use report::Report;

/// How long each target runs, in seconds, where nothing is said.
const TIME: u32 = 60;

/// The most bytes of an input.
const LENGTH: u32 = 4096;

/// The most seconds that one input may take, and the most megabytes that all may come to.
const LIMITS: [&str; 2] = ["-timeout=10", "-rss_limit_mb=2048"];

/// What the command was told.
struct Asked {
    targets: Vec<String>,
    time: u32,
    /// How many run at once.
    jobs: usize,
    /// What their chance comes from; something new each time where nothing is said.
    seed: Option<u32>,
    /// How many inputs at most.
    runs: Option<u32>,
    /// Where the inputs are kept that reach new code, from one run to the next.
    corpus: PathBuf,
    /// Put those of them that matter into the repository.
    keep: bool,
}

/// Runs the command.
pub(crate) fn run(args: &[String]) -> Done {
    let mut asked = asked(args)?;
    let built = Built::make()?;
    let known = built.targets()?;
    match asked.targets.iter().find(|target| !known.contains(target)) {
        Some(unknown) => {
            let known = known.join(", ");
            return Err(Failure::WrongUse(format!("there is no target {unknown:?}; there are {known}")));
        }
        None if asked.targets.is_empty() => asked.targets = known,
        None => {}
    }
    println!("{} targets, {} s each, {} at once", asked.targets.len(), asked.time, asked.jobs);
    println!("{}", Report::HEAD);
    let failed = all(&asked, &built)?;
    if asked.keep {
        for target in &asked.targets {
            keep::keep(&built, target, &asked.corpus.join(target))?;
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::Failed(format!("broken: {}", failed.join(", ")))) }
}

fn asked(args: &[String]) -> Done<Asked> {
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    let corpus = target().join("fuzz/corpus");
    let mut asked = Asked { targets: Vec::new(), time: TIME, jobs, seed: None, runs: None, corpus, keep: false };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| Failure::WrongUse(format!("{arg} needs a value")));
        match arg.as_str() {
            "--time" => asked.time = number(value()?)?,
            "--jobs" => asked.jobs = number(value()?)? as usize,
            "--seed" => asked.seed = Some(number(value()?)?),
            "--runs" => asked.runs = Some(number(value()?)?),
            "--corpus" => asked.corpus = PathBuf::from(value()?),
            "--keep" => asked.keep = true,
            flag if flag.starts_with('-') => return Err(Failure::WrongUse(format!("{flag} is not known here"))),
            target => asked.targets.push(target.to_owned()),
        }
    }
    Ok(asked)
}

fn number(text: &str) -> Done<u32> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| Failure::WrongUse(format!("{text:?} is no number of at least 1")))
}

/// Runs all that is asked for, and says which are broken.
fn all(asked: &Asked, built: &Built) -> Done<Vec<String>> {
    let waiting: Mutex<VecDeque<&String>> = Mutex::new(asked.targets.iter().collect());
    let next = || waiting.lock().ok()?.pop_front();
    let work = || {
        let mut failed = Vec::new();
        while let Some(target) = next() {
            if !one(asked, built, target)? {
                failed.push(target.clone());
            }
        }
        Ok(failed)
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..asked.jobs).map(|_| scope.spawn(work)).collect();
        let mut failed = Vec::new();
        for worker in workers {
            let done: Done<Vec<String>> =
                worker.join().unwrap_or_else(|_| Err(Failure::Failed("a target could not be run".to_owned())));
            failed.extend(done?);
        }
        Ok(failed)
    })
}

/// Runs one target, and says whether it held.
fn one(asked: &Asked, built: &Built, target: &str) -> Done<bool> {
    let corpus = asked.corpus.join(target);
    let found = self::target().join("fuzz/found").join(target);
    std::fs::create_dir_all(&corpus)?;
    std::fs::create_dir_all(&found)?;
    let mut args = vec![text(&corpus)?, text(&checked_in(target))?];
    args.extend(LIMITS.map(str::to_owned));
    args.extend([
        format!("-max_total_time={}", asked.time),
        format!("-max_len={LENGTH}"),
        format!("-dict={}", text(&folder().join(format!("words/{target}.dict")))?),
        format!("-artifact_prefix={}/", text(&found)?),
        "-print_final_stats=1".to_owned(),
    ]);
    args.extend(asked.seed.map(|seed| format!("-seed={seed}")));
    args.extend(asked.runs.map(|runs| format!("-runs={runs}")));
    let log = found.with_extension("log");
    let file = std::fs::File::create(&log)?;
    let mut command = built.command(target, &args);
    let status = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).status()?;
    let report = Report::read(&std::fs::read(&log)?);
    println!("{}", report.row(target, status.success()));
    if !status.success() {
        println!(
            "{}\n{target}: what broke it is in {}; all that was said is in {}. With the fix it belongs into {}",
            report.tail(),
            found.display(),
            log.display(),
            checked_in(target).display()
        );
    }
    Ok(status.success())
}

/// The crate of the targets.
fn folder() -> PathBuf {
    root().join("crates/fuzz")
}

/// The inputs of a target that stand in the repository.
fn checked_in(target: &str) -> PathBuf {
    folder().join("corpus").join(target)
}

/// A path in an argument of libFuzzer's, which bolero parts at spaces.
fn text(path: &Path) -> Done<String> {
    match path.to_str() {
        Some(text) if !text.contains(' ') => Ok(text.to_owned()),
        _ => Err(Failure::Failed(format!("{} has a space in it, which cannot be handed on", path.display()))),
    }
}

/// A command that says nothing of its own.
fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}
