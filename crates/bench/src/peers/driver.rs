//! Drivers: the programs that do the work, and the lines in which they say what came of it.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use ackd_bench_driver::Scenario;
use rustix::process::Signal;
use serde_json::Value;

use super::catalogue::{Language, Peer};
use super::process::Process;

/// How long a driver may take beyond the work itself: starting, connecting, and what its user's settings have it wait for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a driver says in one line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Line {
    /// A worker begins.
    Begins,
    /// So many jobs are done.
    Done(u64),
    /// So many jobs were submitted within so many seconds, with these times of one step, or asked for.
    Submitted(Submitted),
    /// The job system has no such thing; the text says why.
    Unsupported(String),
    /// What the figures are taken with.
    Version(String),
}

/// What came of submitting or of asking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Submitted {
    /// How many jobs.
    pub(crate) jobs: f64,
    /// In how many seconds; 0 for those who ask.
    pub(crate) seconds: f64,
    /// The time of half of the steps, in milliseconds.
    pub(crate) p50: f64,
    /// The time of 99 of 100 steps at most, in milliseconds.
    pub(crate) p99: f64,
}

impl Line {
    /// What `text` says, or why it says nothing.
    pub(crate) fn parse(text: &str) -> Result<Line, String> {
        let nonsense = || format!("a driver said {text:?}");
        let line: Value = serde_json::from_str(text).map_err(|_| nonsense())?;
        let number = |name: &str| line.get(name).and_then(Value::as_f64).filter(|it| it.is_finite() && *it >= 0.0);
        let said = |name: &str| line.get(name).and_then(Value::as_str).map(str::to_owned);
        if line.get("begins") == Some(&Value::Bool(true)) {
            Ok(Line::Begins)
        } else if let Some(done) = line.get("done").and_then(Value::as_u64) {
            Ok(Line::Done(done))
        } else if let Some(why) = said("unsupported") {
            Ok(Line::Unsupported(why))
        } else if let Some(version) = said("version") {
            Ok(Line::Version(version))
        } else {
            let figures = number("jobs").zip(number("p50_ms")).zip(number("p99_ms"));
            let ((jobs, p50), p99) = figures.ok_or_else(nonsense)?;
            Ok(Line::Submitted(Submitted { jobs, seconds: number("seconds").unwrap_or(0.0), p50, p99 }))
        }
    }
}

/// How the driver of a peer is run.
pub(crate) struct Driver<'a> {
    pub(crate) peer: &'a Peer,
    /// The folder in which all drivers are installed.
    pub(crate) installed: &'a Path,
    /// Where what the driver writes to stderr goes.
    pub(crate) log: PathBuf,
}

impl Driver<'_> {
    /// Runs it to its end, and gives its only line, or nothing where it has nothing to say.
    pub(crate) fn run(&self, verb: &str, scenario: Option<&Scenario>, work: Duration) -> io::Result<Option<Line>> {
        let mut running = self.start(verb, scenario)?;
        let deadline = Instant::now() + work + PATIENCE;
        let line = match running.next(deadline)? {
            Some((_, line)) => Some(line),
            None if running.process.child.wait()?.success() => None,
            None => return Err(running.fault("it failed")),
        };
        Ok(line)
    }

    /// Starts it.
    pub(crate) fn start(&self, verb: &str, scenario: Option<&Scenario>) -> io::Result<Running> {
        let mut command = match self.peer.driver {
            Language::Ourselves => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("drive");
                command
            }
            Language::Rust => Command::new(self.installed.join("cargo/release").join(self.peer.folder)),
            Language::Node => {
                // The Node.js of the driver's own choice comes with its packages.
                let folder = self.installed.join(self.peer.folder);
                let mut command = Command::new(folder.join("node_modules/.bin/node"));
                command.env("NODE_ENV", "production").arg(folder.join("driver.mjs"));
                command
            }
            Language::Python => {
                let folder = self.installed.join(self.peer.folder);
                let mut command = Command::new(folder.join("venv/bin/python"));
                command.arg(folder.join("driver.py"));
                command
            }
        };
        command.arg(verb);
        if let Some(scenario) = scenario {
            command.arg(serde_json::to_string(scenario)?);
        }
        let log = File::options().create(true).append(true).open(&self.log)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut process = Process::start(&mut command, Signal::TERM)?;
        let stdout = process.child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if tell.send((Instant::now(), line)).is_err() {
                    break;
                }
            }
        });
        Ok(Running { process, lines, what: format!("{} {verb}", self.peer.title), log: self.log.clone() })
    }
}

/// A driver that runs. Its input ends when this is dropped, and so does it.
pub(crate) struct Running {
    process: Process,
    lines: Receiver<(Instant, String)>,
    what: String,
    log: PathBuf,
}

impl Running {
    /// The next thing it says and when it did; nothing once it has ended.
    ///
    /// # Errors
    /// It says nothing until `deadline`, or something that no driver says.
    pub(crate) fn next(&mut self, deadline: Instant) -> io::Result<Option<(Instant, Line)>> {
        match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok((when, text)) => Line::parse(&text).map(|line| Some((when, line))).map_err(|why| self.fault(&why)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(self.fault("it took too long")),
        }
    }

    /// What it has said already, and when.
    pub(crate) fn said(&mut self) -> io::Result<Vec<(Instant, Line)>> {
        let lines: Vec<_> = self.lines.try_iter().collect();
        let parse = |(when, text): (Instant, String)| Line::parse(&text).map(|line| (when, line));
        lines.into_iter().map(parse).collect::<Result<_, _>>().map_err(|why| self.fault(&why))
    }

    /// An error that tells `why`, and what the driver wrote to stderr last.
    pub(crate) fn fault(&self, why: &str) -> io::Error {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let last = String::from_utf8_lossy(&log[log.len().saturating_sub(1500)..]).into_owned();
        io::Error::other(format!("{}: {why}\n{last}", self.what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drivers_say() {
        assert_eq!(Line::parse(r#"{"begins":true}"#), Ok(Line::Begins));
        assert_eq!(Line::parse(r#"{"done":70}"#), Ok(Line::Done(70)));
        assert_eq!(Line::parse(r#"{"unsupported":"no"}"#), Ok(Line::Unsupported("no".to_owned())));
        assert_eq!(Line::parse(r#"{"version":"x 1"}"#), Ok(Line::Version("x 1".to_owned())));
        let submitted = Submitted { jobs: 10.0, seconds: 2.5, p50: 1.0, p99: 2.0 };
        assert_eq!(Line::parse(r#"{"jobs":10,"seconds":2.5,"p50_ms":1,"p99_ms":2.0}"#), Ok(Line::Submitted(submitted)));
        let asked = Submitted { seconds: 0.0, ..submitted };
        assert_eq!(Line::parse(r#"{"jobs":10,"p50_ms":1,"p99_ms":2.0}"#), Ok(Line::Submitted(asked)));
    }

    #[test]
    fn what_no_driver_says_is_an_error() {
        let nonsense = [
            "Listening on 6379",
            "{}",
            "[1]",
            r#"{"begins":false}"#,
            r#"{"done":-1}"#,
            r#"{"done":1.5}"#,
            r#"{"jobs":10,"p50_ms":1}"#,
            r#"{"jobs":10,"p50_ms":-1,"p99_ms":2}"#,
            r#"{"jobs":"10","p50_ms":1,"p99_ms":2}"#,
        ];
        for text in nonsense {
            assert!(Line::parse(text).unwrap_err().contains("a driver said"), "{text}");
        }
    }
}
