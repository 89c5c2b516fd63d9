//! The servers behind the job systems, each started on private ports over an empty folder.

use std::fs::File;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
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
    /// PostgreSQL as it is installed, with room for more connections.
    Postgres,
    /// RabbitMQ as it is installed.
    RabbitMq,
    /// NATS with JetStream, else as it is installed.
    Nats,
    /// Restate as it is installed.
    Restate,
}

/// A server that listens.
pub(crate) struct Server {
    processes: Vec<Process>,
    /// Where it is, in the words of its clients.
    pub(crate) url: String,
}

impl Server {
    /// Starts a server over the empty directory `data`, and waits until it listens.
    pub(crate) fn start(kind: Kind, installed: &Path, data: &Path) -> io::Result<Server> {
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
            Kind::Postgres => {
                let mut command = as_nobody(Command::new("initdb"), data)?;
                command
                    .args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "--username=bench", "-D"])
                    .arg(data.join("data"));
                let made = command.stdin(Stdio::null()).output()?;
                if !made.status.success() {
                    let said = String::from_utf8_lossy(&made.stderr).into_owned();
                    return Err(io::Error::other(format!("initdb failed: {said}")));
                }
                let mut command = as_nobody(Command::new("postgres"), data)?;
                command
                    .arg("-D")
                    .arg(data.join("data"))
                    .args(["-h", "127.0.0.1", "-k", "", "-p"])
                    .arg(port.to_string());
                command.args(["-c", "max_connections=200"]);
                // At once, and it cleans up behind itself.
                let processes = vec![start(&mut command, data, Signal::QUIT)?];
                let server = Server::listening(processes, &[port], format!("postgres://bench@{here}/postgres"), data)?;
                let mut asked = Command::new("pg_isready");
                asked.args(["-q", "-h", "127.0.0.1", "-p"]).arg(port.to_string());
                until_ready(&mut asked, data)?;
                Ok(server)
            }
            Kind::RabbitMq => {
                let (names, distribution) = (free_port()?, free_port()?);
                // The daemon of Erlang's names is one for all, unless it is started here and stopped with the rest.
                let mut command = Command::new("epmd");
                command.args(["-address", "127.0.0.1", "-port"]).arg(names.to_string());
                let mut processes = vec![start(&mut command, data, Signal::KILL)?];
                let mut command = Command::new("rabbitmq-server");
                command
                    .env("HOME", data)
                    .env("ERL_EPMD_ADDRESS", "127.0.0.1")
                    .env("ERL_EPMD_PORT", names.to_string())
                    .env("RABBITMQ_NODENAME", format!("bench-{port}@localhost"))
                    .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
                    .env("RABBITMQ_NODE_PORT", port.to_string())
                    .env("RABBITMQ_DIST_PORT", distribution.to_string())
                    .env("RABBITMQ_MNESIA_BASE", data.join("data"))
                    .env("RABBITMQ_LOG_BASE", data.join("logs"))
                    .env("RABBITMQ_PID_FILE", data.join("pid"))
                    .env("RABBITMQ_ENABLED_PLUGINS_FILE", data.join("plugins"))
                    .env("RABBITMQ_CONFIG_FILE", data.join("rabbitmq"))
                    .env("RABBITMQ_CONF_ENV_FILE", data.join("environment"));
                processes.push(start(&mut command, data, Signal::KILL)?);
                Server::listening(processes, &[port], format!("amqp://{here}/%2f"), data)
            }
            Kind::Nats => {
                let mut command = Command::new("nats-server");
                command.args(["-a", "127.0.0.1", "-js", "-p"]).arg(port.to_string()).arg("-sd").arg(data);
                let processes = vec![start(&mut command, data, Signal::KILL)?];
                Server::listening(processes, &[port], format!("nats://{here}"), data)
            }
            Kind::Restate => {
                let (admin, node, service) = (free_port()?, free_port()?, free_port()?);
                let mut command = Command::new(restate(installed));
                command
                    .current_dir(data)
                    .env("RESTATE_BASE_DIR", data.join("data"))
                    .env("RESTATE_DISABLE_TELEMETRY", "true")
                    .env("RESTATE_LISTEN_MODE", "tcp")
                    .env("RESTATE_BIND_ADDRESS", format!("127.0.0.1:{node}"))
                    .env("RESTATE_ADVERTISED_ADDRESS", format!("http://127.0.0.1:{node}"))
                    .env("RESTATE_ADMIN__BIND_ADDRESS", format!("127.0.0.1:{admin}"))
                    .env("RESTATE_INGRESS__BIND_ADDRESS", &here);
                let processes = vec![start(&mut command, data, Signal::KILL)?];
                let url = format!("http://{here}/?admin={admin}&service={service}");
                Server::listening(processes, &[port, admin], url, data)
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
pub(crate) fn version(kind: Kind, installed: &Path) -> io::Result<String> {
    let (mut command, name) = match kind {
        Kind::Ackd => return Ok(String::new()),
        Kind::RedisSyncs | Kind::Redis => (Command::new("redis-server"), "Redis"),
        Kind::Postgres => (Command::new("postgres"), "PostgreSQL"),
        // RabbitMQ tells its version only to those who start it.
        Kind::RabbitMq => return rabbitmq_version(),
        Kind::Nats => (Command::new("nats-server"), "NATS"),
        Kind::Restate => (Command::new(restate(installed)), "Restate"),
    };
    let said = command.arg("--version").output()?;
    Ok(format!("{name} {}", first_version(&String::from_utf8_lossy(&said.stdout))))
}

/// The version after which Debian names the folder of RabbitMQ's programs.
fn rabbitmq_version() -> io::Result<String> {
    let folders = std::fs::read_dir("/usr/lib/rabbitmq/lib")?.flatten();
    let names = folders.filter_map(|it| it.file_name().into_string().ok());
    let version = names.filter_map(|it| it.strip_prefix("rabbitmq_server-").map(str::to_owned)).max();
    Ok(format!("RabbitMQ {}", version.as_deref().unwrap_or("of an unknown version")))
}

fn restate(installed: &Path) -> PathBuf {
    installed.join("restate/node_modules/.bin/restate-server")
}

/// Gives `data` to nobody, and has `command` run as nobody, where root runs this: PostgreSQL refuses root.
fn as_nobody(mut command: Command, data: &Path) -> io::Result<Command> {
    const NOBODY: u32 = 65534;
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(data, Some(NOBODY), Some(NOBODY))?;
        command.uid(NOBODY).gid(NOBODY).current_dir(data);
    }
    Ok(command)
}

fn until_ready(asked: &mut Command, data: &Path) -> io::Result<()> {
    let started = Instant::now();
    while !asked.status()?.success() {
        if started.elapsed() > PATIENCE {
            return Err(io::Error::other(format!("the server does not start: {}", said(data))));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
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
