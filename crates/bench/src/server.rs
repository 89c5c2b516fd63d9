//! The servers that are measured: ackd itself, and the same without a store. Each is a process of its
//! own, so that memory is its own and it can be killed.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ackd_bench_driver::Serving;

/// A running server. It is killed when dropped.
pub(crate) struct Server(Serving);

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// ackd on its embedded default.
    Ackd,
    /// The same HTTP server, engine and decisions, and a ledger that stores nothing.
    NoStorage,
}

impl Server {
    /// Starts a server over the directory `data` and waits until it listens.
    pub(crate) fn start(kind: Kind, data: &Path) -> io::Result<Server> {
        Server::start_with(kind, data, &[])
    }

    /// As [`Server::start`], with further flags.
    pub(crate) fn start_with(kind: Kind, data: &Path, flags: &[&str]) -> io::Result<Server> {
        let mut command = match kind {
            Kind::Ackd => {
                let mut command = Command::new(beside_me("ackd")?);
                command.args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--data"]).arg(data);
                command
            }
            Kind::NoStorage => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("serve-without-storage");
                command
            }
        };
        command.args(flags);
        Serving::start(command).map(Server)
    }

    /// Where it listens, as "127.0.0.1:8202".
    pub(crate) fn addr(&self) -> &str {
        self.0.addr()
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.0.pid()
    }

    /// Resident memory in bytes: now, and at its highest.
    pub(crate) fn memory(&self) -> io::Result<(u64, u64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
            Some(kib << 10)
        };
        field("VmRSS:").zip(field("VmHWM:")).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// The processor time that it has taken, user and system.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        // Behind the name in parentheses, which may hold spaces; utime and stime are fields 14 and 15.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok());
        let (user, system) = ticks(11).zip(ticks(12)).ok_or(io::ErrorKind::InvalidData)?;
        // USER_HZ is 100 on every Linux there is.
        Ok(Duration::from_millis((user + system) * 10))
    }

    /// Kills it with SIGKILL, starts it again over the same directory, and says how long it took until
    /// it listened.
    pub(crate) fn kill_and_restart(mut self, data: &Path) -> io::Result<(Server, Duration)> {
        self.0.kill()?;
        let started = Instant::now();
        let server = Server::start(Kind::Ackd, data)?;
        Ok((server, started.elapsed()))
    }
}

/// The program `name` in the folder of this one.
pub(crate) fn beside_me(name: &str) -> io::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.exists() {
        Ok(path)
    } else {
        Err(io::Error::other(format!("{} is not there; cargo xtask bench builds it", path.display())))
    }
}
