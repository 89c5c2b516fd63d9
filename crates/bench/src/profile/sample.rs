//! Samples of what a process did, by Linux' `perf`.

use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Samples a second of each processor: no multiple of anything that happens at a regular rate.
const RATE: &str = "1999";

/// What a thread did at some moment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) thread: String,
    pub(super) symbol: String,
    /// The file that the function is in.
    pub(super) file: String,
}

/// Takes samples of process `pid` into `file`.
pub(super) fn record(pid: u32, file: &Path, time: Duration) -> io::Result<Child> {
    let mut perf = Command::new("perf");
    perf.args(["record", "--quiet", "-F", RATE, "-p"]).arg(pid.to_string()).arg("-o").arg(file);
    perf.args(["--", "sleep"]).arg(time.as_secs_f64().to_string());
    perf.stdout(Stdio::null()).spawn().map_err(|error| {
        io::Error::other(format!("perf, which takes the samples, cannot be run ({error}); Debian has it as linux-perf"))
    })
}

/// The samples in `file`.
pub(super) fn read(file: &Path) -> io::Result<Vec<Sample>> {
    let mut perf = Command::new("perf");
    let script = perf.args(["script", "--no-inline", "-F", "comm,ip,sym,dso", "-i"]).arg(file).output()?;
    if !script.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&script.stderr).into_owned()));
    }
    Ok(String::from_utf8_lossy(&script.stdout).lines().filter_map(parse).collect())
}

/// A line of `perf script`: thread, address, function and, in parentheses, file. Names may have spaces in them.
fn parse(line: &str) -> Option<Sample> {
    let (rest, file) = line.trim().strip_suffix(')')?.rsplit_once(" (")?;
    let (thread, rest) = rest.split_once("  ").or_else(|| rest.split_once(' '))?;
    let (_, symbol) = rest.trim_start().split_once(' ')?;
    Some(Sample { thread: thread.to_owned(), symbol: symbol.trim().to_owned(), file: file.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read() {
        let sample = |thread: &str, symbol: &str, file: &str| {
            Some(Sample { thread: thread.into(), symbol: symbol.into(), file: file.into() })
        };
        assert_eq!(
            parse("core             5638e0a1b2c3 sqlite3VdbeExec (/tmp/target/release/ackd)"),
            sample("core", "sqlite3VdbeExec", "/tmp/target/release/ackd")
        );
        assert_eq!(
            parse("tokio-rt-worker  ffffffff81a0 <T as core::fmt::Debug>::fmt ([kernel.kallsyms])"),
            sample("tokio-rt-worker", "<T as core::fmt::Debug>::fmt", "[kernel.kallsyms]")
        );
        assert_eq!(parse("a line of something else"), None);
    }
}
