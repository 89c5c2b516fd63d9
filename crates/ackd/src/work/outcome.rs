//! How a command ended, as its supervisor tells the worker.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::str::FromStr;

/// How a command ended. On the wire it is a line: `exit 3`, `signal 9`, or `unable` and a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// By itself, with this code.
    Exited(i32),
    /// By a signal.
    Signalled(i32),
    /// It did not start, and why.
    NotStarted(String),
    /// Nobody knows: its supervisor was killed, and with it everything else.
    Lost,
}

impl From<ExitStatus> for Outcome {
    fn from(status: ExitStatus) -> Outcome {
        match (status.code(), status.signal()) {
            (Some(code), _) => Outcome::Exited(code),
            (None, Some(signal)) => Outcome::Signalled(signal),
            (None, None) => Outcome::Lost,
        }
    }
}

impl Outcome {
    /// The line that tells it.
    pub(crate) fn to_line(&self) -> String {
        match self {
            Outcome::Exited(code) => format!("exit {code}\n"),
            Outcome::Signalled(signal) => format!("signal {signal}\n"),
            Outcome::NotStarted(why) => format!("unable {}\n", why.replace('\n', " ")),
            Outcome::Lost => "lost\n".to_owned(),
        }
    }
}

impl FromStr for Outcome {
    type Err = std::convert::Infallible;

    fn from_str(line: &str) -> Result<Outcome, Self::Err> {
        let (word, rest) = line.trim_end_matches('\n').split_once(' ').unwrap_or_default();
        Ok(match (word, rest.parse()) {
            ("exit", Ok(code)) => Outcome::Exited(code),
            ("signal", Ok(signal)) => Outcome::Signalled(signal),
            ("unable", _) => Outcome::NotStarted(rest.to_owned()),
            _ => Outcome::Lost,
        })
    }
}

impl fmt::Display for Outcome {
    /// What people call it, and what failures are grouped by.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Exited(code) => write!(f, "exit code {code}"),
            Outcome::Signalled(signal) => match name(*signal) {
                Some(name) => write!(f, "killed by {name}"),
                None => write!(f, "killed by signal {signal}"),
            },
            Outcome::NotStarted(why) => write!(f, "the command does not start: {why}"),
            Outcome::Lost => f.write_str("the command's supervisor was killed"),
        }
    }
}

/// The names of the signals that programs end by.
fn name(signal: i32) -> Option<&'static str> {
    use rustix::process::Signal;
    let names = [
        (Signal::HUP, "SIGHUP"),
        (Signal::INT, "SIGINT"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::ILL, "SIGILL"),
        (Signal::TRAP, "SIGTRAP"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::KILL, "SIGKILL"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::ALARM, "SIGALRM"),
        (Signal::TERM, "SIGTERM"),
        (Signal::XCPU, "SIGXCPU"),
        (Signal::XFSZ, "SIGXFSZ"),
        (Signal::SYS, "SIGSYS"),
    ];
    names.iter().find(|(known, _)| known.as_raw() == signal).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_survives_its_line() {
        for outcome in [
            Outcome::Exited(0),
            Outcome::Exited(255),
            Outcome::Signalled(9),
            Outcome::NotStarted("no such file (os error 2)".into()),
            Outcome::Lost,
        ] {
            let line = outcome.to_line();
            assert!(line.ends_with('\n'));
            assert_eq!(line.parse(), Ok(outcome));
        }
        for torn in ["", "exit", "exit x", "exit 0x\n", "nonsense 1\n"] {
            assert_eq!(torn.parse(), Ok(Outcome::Lost), "{torn:?}");
        }
    }

    #[test]
    fn outcomes_have_words() {
        assert_eq!(Outcome::Exited(3).to_string(), "exit code 3");
        assert_eq!(Outcome::Signalled(9).to_string(), "killed by SIGKILL");
        assert_eq!(Outcome::Signalled(64).to_string(), "killed by signal 64");
    }
}
