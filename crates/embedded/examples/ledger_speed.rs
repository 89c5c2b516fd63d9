//! How fast the ledger is by itself, without engine and HTTP: the bound of everything above it.
//!
//! ```text
//! cargo run --release -p ackd-embedded --example ledger_speed -- [DIRECTORY] [--seconds N] [--batches 1,64]
//!                                                               [--waiting N] [--keyed] [--checkpoint-at MIB] [--keep STORE]
//! ```
//!
//! Payloads are JSON of 256 bytes, results of 128. For each size of batch it prints
//!
//! - `submit`: jobs accepted a second;
//! - `3 commits`: jobs a second that are accepted, leased and completed, each in a batch of its own;
//! - `granted`: the same, leased in the commit that accepts them;
//! - for each of the three, the processor time that a job takes on the thread that writes, in µs: what
//!   remains comparable on a machine that does other things as well;
//! - the 99th-percentile and the longest commit of the three together.
//!
//! `--waiting N` first puts N jobs into the ledger, pages and drains some of them, and measures on top.
//! `--keep STORE` uses the store in that directory and leaves it there, to be opened again.
//! Figures of a shared machine swing; compare them with the fdatasyncs printed before and after.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ackd_domain::{Answer, Body, Change, ChangeKind, Command, LeaseToken, Name, Refusal, Submission};
use ackd_embedded::{EmbeddedLedger, EmbeddedStore, Options};
use ackd_ports::{Clock, Idle, Lane, Ledger, LedgerReader, Reactor, SystemClock, SystemEntropy};
use bytes::Bytes;

fn main() {
    let arguments = Arguments::read();
    let temporary = tempfile::tempdir_in(&arguments.directory).expect("a directory can be made");
    let directory = arguments.keep.as_deref().unwrap_or(temporary.path());
    println!("fdatasync: {}", syncs(temporary.path()));
    let entropy = Box::new(SystemEntropy::new().expect("the system has randomness"));
    let started = Instant::now();
    let store = EmbeddedStore::open(directory, &arguments.options, entropy).expect("the store opens");
    println!("opened in {:?}", started.elapsed());
    let mut bench = Bench {
        payload: json(256),
        result: json(128),
        ledger: store.ledger,
        clock: SystemClock::start(),
        keyed: arguments.keyed,
        keys: 0,
    };
    if arguments.waiting > 0 {
        bench.fill(arguments.waiting);
        bench.drain(&*store.reader, arguments.seconds);
    }
    println!(
        "{:>6} {:>10} {:>6} {:>10} {:>6} {:>10} {:>6} {:>10} {:>10}",
        "batch", "submit/s", "µs", "3 commits", "µs", "granted", "µs", "p99", "longest"
    );
    for &batch in &arguments.batches {
        let mut times = Vec::new();
        let submit = bench.measure(arguments.seconds, &mut times, |bench, times| {
            bench.submit(batch, times);
            batch
        });
        let three = bench.measure(arguments.seconds, &mut times, |bench, times| {
            let numbers = bench.submit(batch, times);
            let leases = bench.lease(&numbers, times);
            bench.complete(&leases, times);
            batch
        });
        let granted = bench.measure(arguments.seconds, &mut times, |bench, times| {
            let leases = bench.submit_granted(batch, times);
            bench.complete(&leases, times);
            batch
        });
        times.sort_unstable();
        let p99 = times[times.len() * 99 / 100];
        let longest = times[times.len() - 1];
        let [submit, three, granted] =
            [submit, three, granted].map(|(rate, processor)| format!("{rate:>10.0} {processor:>6.2}"));
        println!("{batch:>6} {submit} {three} {granted} {p99:>10.1?} {longest:>10.1?}");
    }
    println!("fdatasync: {}", syncs(temporary.path()));
    drop(bench);
    let bytes: u64 = std::fs::read_dir(directory)
        .expect("the directory can be read")
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .map(|metadata| metadata.len())
        .sum();
    println!("closed, {} MiB", bytes >> 20);
    let memory = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("{}", memory.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
}

/// What the command line says.
struct Arguments {
    directory: PathBuf,
    seconds: u64,
    batches: Vec<usize>,
    waiting: usize,
    keyed: bool,
    keep: Option<PathBuf>,
    options: Options,
}

impl Arguments {
    fn read() -> Arguments {
        let mut read = Arguments {
            directory: std::env::temp_dir(),
            seconds: 2,
            batches: vec![1, 32, 64, 256, 1024],
            waiting: 0,
            keyed: false,
            keep: None,
            options: Options::default(),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().expect("the option has a value");
            match argument.as_str() {
                "--seconds" => read.seconds = value().parse().expect("a number"),
                "--waiting" => read.waiting = value().parse().expect("a number"),
                "--batches" => {
                    read.batches = value().split(',').map(|batch| batch.parse().expect("numbers")).collect();
                }
                "--checkpoint-at" => read.options.checkpoint_at = value().parse::<u64>().expect("a number") << 20,
                "--keep" => read.keep = Some(PathBuf::from(value())),
                "--keyed" => read.keyed = true,
                directory => read.directory = PathBuf::from(directory),
            }
        }
        read
    }
}

/// fdatasyncs a second of 4 KiB each, first appended, then written over.
fn syncs(directory: &Path) -> String {
    // On a thread of its own, so that a profile can leave it out.
    let file = directory.join("probe");
    let thread = std::thread::Builder::new().name("probe".to_owned()).spawn(move || probe(&file));
    thread.expect("a thread can be started").join().expect("the disk works")
}

fn probe(file: &Path) -> String {
    let mut file = File::create(file).expect("a file can be made");
    let mut rate = || {
        let started = Instant::now();
        let mut syncs = 0;
        while started.elapsed() < Duration::from_secs(1) {
            file.write_all(&[7; 4096]).expect("there is room");
            file.sync_data().expect("the disk works");
            syncs += 1;
        }
        file.seek(SeekFrom::Start(0)).expect("a file can be read from its beginning");
        syncs
    };
    format!("{}/s appending, {}/s overwriting", rate(), rate())
}

/// The time that this thread has been on a processor.
fn processor_time() -> Duration {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = schedule.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

struct Bench {
    payload: Body,
    result: Body,
    ledger: EmbeddedLedger,
    clock: SystemClock,
    keyed: bool,
    keys: u64,
}

impl Bench {
    /// Repeats `round` for so many seconds: the jobs a second, and the µs of this thread for each.
    fn measure(
        &mut self,
        seconds: u64,
        times: &mut Vec<Duration>,
        mut round: impl FnMut(&mut Bench, &mut Vec<Duration>) -> usize,
    ) -> (f64, f64) {
        let (started, processor) = (Instant::now(), processor_time());
        let mut jobs = 0;
        while started.elapsed() < Duration::from_secs(seconds) {
            jobs += round(self, times);
        }
        let processor = processor_time() - processor;
        (jobs as f64 / started.elapsed().as_secs_f64(), processor.as_secs_f64() * 1e6 / jobs as f64)
    }

    fn apply(&mut self, commands: Vec<Command>, reactor: &mut dyn Reactor, times: &mut Vec<Duration>) -> Vec<Answer> {
        let now = self.clock.now();
        let started = Instant::now();
        let applied = self.ledger.apply(commands, now, reactor).expect("the ledger works");
        times.push(started.elapsed());
        applied.answers.into_iter().map(|answer| answer.expect("the command is taken")).collect()
    }

    fn submissions(&mut self, many: usize) -> Vec<Command> {
        let queue = Name::new("bench").expect("a name");
        (0..many)
            .map(|_| {
                let mut submission = Submission::new(queue.clone(), self.payload.clone());
                if self.keyed {
                    self.keys += 1;
                    // Neighbours in time are none in the hash, as with random keys.
                    submission = submission.keyed(format!("{:032x}", self.keys).into());
                }
                Command::Submit(vec![submission])
            })
            .collect()
    }

    fn submit(&mut self, many: usize, times: &mut Vec<Duration>) -> Vec<u64> {
        let commands = self.submissions(many);
        let answers = self.apply(commands, &mut Idle, times);
        let number = |answer: &Answer| match answer {
            Answer::Accepted(accepted) => accepted[0].job.id.number(),
            other => unreachable!("a submission is answered with {other:?}"),
        };
        answers.iter().map(number).collect()
    }

    fn submit_granted(&mut self, many: usize, times: &mut Vec<Duration>) -> Vec<LeaseToken> {
        let commands = self.submissions(many);
        let answers = self.apply(commands, &mut Granting, times);
        answers[many..].iter().map(token).collect()
    }

    fn lease(&mut self, numbers: &[u64], times: &mut Vec<Duration>) -> Vec<LeaseToken> {
        let commands = numbers.iter().map(|number| lease(*number)).collect();
        self.apply(commands, &mut Idle, times).iter().map(token).collect()
    }

    fn complete(&mut self, leases: &[LeaseToken], times: &mut Vec<Duration>) {
        let complete = |lease: &LeaseToken| Command::Complete { lease: *lease, result: Some(self.result.clone()) };
        let commands = leases.iter().map(complete).collect();
        self.apply(commands, &mut Idle, times);
    }

    /// Puts `many` jobs into the ledger.
    fn fill(&mut self, many: usize) {
        let (started, mut times) = (Instant::now(), Vec::new());
        for _ in 0..many.div_ceil(512) {
            self.submit(512, &mut times);
        }
        println!("{many} jobs accepted at {:.0}/s", many as f64 / started.elapsed().as_secs_f64());
    }

    /// Pages waiting jobs in, leases and completes them.
    fn drain(&mut self, reader: &dyn LedgerReader, seconds: u64) {
        let lanes: Vec<Lane> = reader.lanes().expect("lanes can be read");
        let (mut times, mut jobs, mut paging) = (Vec::new(), 0, Duration::ZERO);
        let (started, processor) = (Instant::now(), processor_time());
        let mut after = None;
        while started.elapsed() < Duration::from_secs(seconds) {
            let page = Instant::now();
            let ready = reader.eligible(&lanes[0], after, 1024).expect("waiting jobs can be read");
            paging += page.elapsed();
            let Some(last) = ready.last() else { break };
            after = Some((last.job.run_at, last.job.id.number()));
            let numbers: Vec<u64> = ready.iter().map(|ready| ready.job.id.number()).collect();
            for numbers in numbers.chunks(512) {
                let leases = self.lease(numbers, &mut times);
                self.complete(&leases, &mut times);
            }
            jobs += numbers.len();
        }
        let share = paging.as_secs_f64() / started.elapsed().as_secs_f64() * 100.0;
        let rate = jobs as f64 / started.elapsed().as_secs_f64();
        let processor = (processor_time() - processor).as_secs_f64() * 1e6 / jobs as f64;
        println!(
            "{jobs} drained at {rate:.0}/s, {processor:.2} µs of the processor each, {share:.0} % of the time paging"
        );
    }
}

/// Grants a lease on every job that is accepted.
struct Granting;

impl Reactor for Granting {
    fn react(&mut self, _: &[Result<Answer, Refusal>], changes: &[Change]) -> Vec<Command> {
        let accepted = changes.iter().filter(|change| change.kind == ChangeKind::Submitted);
        accepted.map(|change| lease(change.job.id.number())).collect()
    }
}

fn lease(number: u64) -> Command {
    Command::Lease { number, worker: Some("host-1".into()), ttl: None }
}

fn token(answer: &Answer) -> LeaseToken {
    match answer {
        Answer::Job(job) => job.lease.as_ref().expect("it is leased").token(job.id.number()),
        other => unreachable!("a lease is answered with {other:?}"),
    }
}

/// JSON of so many bytes.
fn json(bytes: usize) -> Body {
    let mut json = String::from("{\"text\":\"");
    while json.len() < bytes - 2 {
        json.push('x');
    }
    json.push_str("\"}");
    Body { content_type: "application/json".into(), bytes: Bytes::from(json) }
}
