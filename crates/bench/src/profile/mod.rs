//! Where the server's time goes: samples of it under load, by thread and by part.

mod part;
mod sample;

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use self::part::Part;
use self::sample::Sample;
use crate::measured::Measured;
use crate::report::figure;
use crate::server::{Kind, Server};
use crate::{Bench, accept, lifecycle, semantics};

/// Functions that are shown, the most costly first.
const FUNCTIONS: usize = 12;

/// What is profiled.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Profile {
    /// Under which loads; under each without any
    #[arg(value_enum)]
    loads: Vec<Load>,
}

/// What the server is to do meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Load {
    /// Accept one job a request
    Accept,
    /// Accept NDJSON of 100
    Bulk,
    /// Submit, lease and complete in batches of 100
    Lifecycle,
    /// Submit, lease and complete in single calls
    Singles,
    /// Submit, lease and complete in batches of 100, of 1000 groups in turn
    Groups,
    /// Flows of 1, 100 and 1, submitted, leased and completed in batches
    Flows,
}

impl Load {
    fn run(self, server: &Server, time: Duration) -> io::Result<Measured> {
        match self {
            Load::Accept => accept::single(server, time),
            Load::Bulk => accept::many(server, time, false),
            Load::Lifecycle => lifecycle::in_batches(server, time),
            Load::Singles => lifecycle::one_by_one(server, time),
            Load::Groups => semantics::groups(server, time),
            Load::Flows => semantics::flows(server, time),
        }
    }
}

pub(crate) fn run(bench: &Bench, profile: &Profile) -> io::Result<()> {
    let all = <Load as clap::ValueEnum>::value_variants();
    let loads = if profile.loads.is_empty() { all } else { &profile.loads[..] };
    for load in loads {
        of(bench, *load)?;
    }
    Ok(())
}

fn of(bench: &Bench, load: Load) -> io::Result<()> {
    let data = tempfile::tempdir_in(&bench.dir)?;
    let server = Server::start(Kind::Ackd, data.path())?;
    let file = data.path().join("samples");
    // It samples the warm-up as well, which does the same.
    let mut perf = sample::record(server.pid(), &file, bench.time)?;
    let measured = load.run(&server, bench.time)?;
    if !perf.wait()?.success() {
        return Err(io::Error::other("perf took no samples; it may need /proc/sys/kernel/perf_event_paranoid at 1"));
    }
    let samples = sample::read(&file)?;
    print(load, &measured, &samples);
    Ok(())
}

fn print(load: Load, measured: &Measured, samples: &[Sample]) {
    println!(
        "profile, {load:?}: {} jobs/s, {:.1} µs of the server's processors a job, {} samples",
        figure(measured.rate),
        measured.cpu,
        samples.len()
    );
    let micros = |count: usize| measured.cpu * count as f64 / samples.len().max(1) as f64;
    let share = |count: usize| 100.0 * count as f64 / samples.len().max(1) as f64;
    let parts = counted(samples, |sample| Part::of(&sample.symbol, &sample.file));
    let threads = counted(samples, |sample| sample.thread.clone());
    for (part, count) in parts {
        println!("  {:<34} {:>6.2} µs {:>5.1} %", part.name(), micros(count), share(count));
    }
    println!("  by thread:");
    for (thread, count) in threads.into_iter().filter(|(_, count)| share(*count) >= 0.5) {
        println!("    {thread:<32} {:>6.2} µs {:>5.1} %", micros(count), share(count));
    }
    println!("  the most costly functions:");
    for (symbol, count) in counted(samples, |sample| sample.symbol.clone()).into_iter().take(FUNCTIONS) {
        println!("    {:>6.2} µs {:>5.1} %  {symbol}", micros(count), share(count));
    }
    println!();
}

/// How many samples have each `key`, the most first.
fn counted<K: std::hash::Hash + Ord + Clone>(samples: &[Sample], key: impl Fn(&Sample) -> K) -> Vec<(K, usize)> {
    let mut counts: HashMap<K, usize> = HashMap::new();
    for sample in samples {
        *counts.entry(key(sample)).or_default() += 1;
    }
    let mut counts: Vec<(K, usize)> = counts.into_iter().collect();
    counts.sort_by(|(a, of_a), (b, of_b)| of_b.cmp(of_a).then_with(|| a.cmp(b)));
    counts
}
