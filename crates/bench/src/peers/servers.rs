//! The servers behind the job systems, each started on private ports over an empty folder.

use std::fs::File;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::process::Process;
use crate::server::beside_me;

/// How long a server may take until it listens.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which server, with which settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// ackd on its embedded default.
    Ackd,
    /// Redis that syncs its log before it answers.
    RedisSyncs,
    /// Redis as it is installed: snapshots now and then.
    Redis,
}

/// A server that listens.
pub(crate) struct Server {
    processes: Vec<Process>,
    /// Where it is, in the words of its clients.
    pub(crate) url: String,
}

impl Server {
    /// Starts a server over the empty directory `data`, and waits until it listens.
    pub(crate) fn start(kind: Kind, data: &Path) -> io::Result<Server> {
        // Some run as a user of their own and have to get through.
        std::fs::set_permissions(data, std::fs::Permissions::from_mode(0o755))?;
        let port = free_port()?;
        let here = format!("127.0.0.1:{port}");
        match kind {
            Kind::Ackd => {
                let mut command = Command::new(beside_me("ackd")?);
                command.args(["serve", "--log-level", "warn", "--listen", &here, "--data"]).arg(data.join("data"));
                Server::listening(vec![start(&mut command, data, Signal::KILL)?], &[port], here, data)
            }
            Kind::RedisSyncs | Kind::Redis => {
                let mut command = Command::new("redis-server");
                command.args(["--bind", "127.0.0.1", "--port"]).arg(port.to_string()).arg("--dir").arg(data);
                if kind == Kind::RedisSyncs {
                    command.args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
                }
                let processes = vec![start(&mut command, data, Signal::KILL)?];
                Server::listening(processes, &[port], format!("redis://{here}"), data)
            }
        }
    }

    fn listening(mut processes: Vec<Process>, ports: &[u16], url: String, data: &Path) -> io::Result<Server> {
        let started = Instant::now();
        while !ports.iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok()) {
            let ended = processes.iter_mut().find_map(|it| it.child.try_wait().ok().flatten());
            if ended.is_some() || started.elapsed() > PATIENCE {
                return Err(io::Error::other(format!("the server does not start: {}", said(data))));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Server { processes, url })
    }

    /// The memory of all its processes in bytes, as [`Process::memory`] counts it.
    pub(crate) fn memory(&self) -> u64 {
        self.processes.iter().map(Process::memory).sum()
    }
}

/// Which version of the server it is, as the server says.
pub(crate) fn version(kind: Kind) -> io::Result<String> {
    let (program, args, name) = match kind {
        Kind::Ackd => return Ok(String::new()),
        Kind::RedisSyncs | Kind::Redis => ("redis-server", ["--version"], "Redis"),
    };
    let said = Command::new(program).args(args).output()?;
    Ok(format!("{name} {}", first_version(&String::from_utf8_lossy(&said.stdout))))
}

/// The first thing in `text` that looks like a version.
fn first_version(text: &str) -> &str {
    text.split(|c: char| c.is_whitespace() || c == '=')
        .map(|word| word.trim_start_matches('v').trim_end_matches(','))
        .find(|word| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit()))
        .unwrap_or("of an unknown version")
}

fn start(command: &mut Command, data: &Path, stop: Signal) -> io::Result<Process> {
    let log = File::options().create(true).append(true).open(data.join("log"))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Process::start(command, stop)
}

/// The last of what a server wrote.
fn said(data: &Path) -> String {
    let log = std::fs::read(data.join("log")).unwrap_or_default();
    String::from_utf8_lossy(&log[log.len().saturating_sub(2000)..]).into_owned()
}

/// A port that is free now. Somebody else could take it before the server does; then the server says so.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_servers_say_them() {
        assert_eq!(first_version("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64"), "7.0.15");
        assert_eq!(first_version("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"), "15.14");
        assert_eq!(first_version("nats-server: v2.9.10"), "2.9.10");
        assert_eq!(first_version("what?"), "of an unknown version");
    }
}
