//! The server under test: a binary over a data folder, and whatever it is wrapped in.

use std::ffi::OsString;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::error::{Doing, Done, broken};

/// How long a server may take until it listens, or ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a server is started. A further store or broker is a further flag.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The binary.
    pub binary: PathBuf,
    /// Its flags beyond `--data` and `--listen`.
    pub flags: Vec<String>,
    /// What runs the binary, with its arguments; nothing where it is run by itself.
    pub wrapper: Vec<OsString>,
    /// Further environment.
    pub environment: Vec<(OsString, OsString)>,
}

impl Launch {
    /// The binary on its embedded default.
    #[must_use]
    pub fn embedded(binary: PathBuf) -> Launch {
        let flags = ["--webhook-allow", "127.0.0.0/8"].map(str::to_owned).to_vec();
        Launch { binary, flags, wrapper: Vec::new(), environment: Vec::new() }
    }

    /// The same, run by strace with these arguments.
    ///
    /// Its tracer is a grandchild (`-D`), so that the child is the server, and ends as it does.
    pub(crate) fn traced(&self, args: &[&str]) -> Launch {
        let mut wrapper: Vec<OsString> = ["strace", "-D", "-f", "-qq"].map(OsString::from).to_vec();
        wrapper.extend(args.iter().map(OsString::from));
        Launch { wrapper, ..self.clone() }
    }
}

/// A running server. It is killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) at: SocketAddr,
}

/// What came of a start.
#[derive(Debug)]
pub(crate) enum Started {
    /// It listens.
    Up(Server),
    /// It ended before, and said this on stderr.
    Ended(ExitStatus, String),
}

impl Server {
    /// Starts a server over `data`; what it says on stderr is added to `log`.
    pub(crate) async fn start(launch: &Launch, data: &Path, log: &Path) -> Done<Started> {
        let mut command = match launch.wrapper.split_first() {
            Some((program, args)) => {
                let mut command = Command::new(program);
                command.args(args).arg(&launch.binary);
                command
            }
            None => Command::new(&launch.binary),
        };
        let said = File::options().create(true).append(true).open(log).doing("the log")?;
        let from = said.metadata().doing("the log")?.len();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--data"])
            .arg(data)
            .args(&launch.flags)
            .envs(launch.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(said)
            .kill_on_drop(true);
        let mut child =
            command.spawn().doing(format!("{} does not start", command.as_std().get_program().display()))?;
        let Some(stdout) = child.stdout.take() else { return broken("the server has no stdout") };
        let mut line = String::new();
        let read = timeout(PATIENCE, BufReader::new(stdout).read_line(&mut line)).await;
        read.map_err(std::io::Error::from).doing("the server does not say where it listens")?.doing("its stdout")?;
        match line.trim().strip_prefix("listening on http://").and_then(|at| at.parse().ok()) {
            Some(at) => Ok(Started::Up(Server { child, at })),
            None => {
                let status = timeout(PATIENCE, child.wait()).await;
                let status = status.map_err(std::io::Error::from).doing("a server that did not start does not end")?;
                Ok(Started::Ended(status.doing("its end")?, tail(log, from)))
            }
        }
    }

    /// SIGKILL, and waits for its end.
    pub(crate) async fn kill(mut self) -> Done {
        self.child.kill().await.doing("the server cannot be killed")
    }

    /// SIGTERM, and waits for its end.
    pub(crate) async fn stop(mut self) -> Done {
        let pid = self.child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        if let Some(pid) = pid {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)
                .map_err(std::io::Error::from)
                .doing("the server cannot be stopped")?;
        }
        let status = timeout(PATIENCE, self.child.wait()).await;
        let status = status.map_err(std::io::Error::from).doing("the server does not stop")?.doing("its end")?;
        if status.success() { Ok(()) } else { broken(format!("the server was asked to stop, and ended with {status}")) }
    }

    /// Waits until it ends of itself.
    pub(crate) async fn ended(&mut self) -> Done<ExitStatus> {
        self.child.wait().await.doing("the server's end")
    }

    /// Resident memory in bytes, at its highest (`VmHWM`, proc_pid_status(5)).
    pub(crate) fn peak(&self) -> Done<u64> {
        let id = self.child.id().unwrap_or_default();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).doing("the server's memory")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kib.map_or_else(|| broken("the server's memory is not to be read"), |kib| Ok(kib << 10))
    }
}

/// What stands in the log from `from` on.
fn tail(log: &Path, from: u64) -> String {
    let read = std::fs::read(log).unwrap_or_default();
    let from = usize::try_from(from).unwrap_or(usize::MAX).min(read.len());
    String::from_utf8_lossy(&read[from..]).into_owned()
}
