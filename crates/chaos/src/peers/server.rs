use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use super::{Case, Peer};
use crate::disk::Disk;
use crate::error::{ChaosError, Doing, Done, broken};

/// How long a server may take until it listens.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// PostgreSQL refuses to be run by root.
const NOBODY: u32 = 65534;

/// A server and all its processes, killed when dropped.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    pub(super) at: SocketAddr,
}

impl Server {
    /// Starts it over the disk, on which it was `new`ly made or not.
    pub(super) async fn start(case: &Case, disk: &Disk, new: bool) -> Done<Server> {
        let data = disk.data();
        if new {
            // One runs as a user of its own and has to get through.
            fs::set_permissions(disk.beside("."), fs::Permissions::from_mode(0o755)).doing("the folder")?;
            fs::create_dir_all(&data).doing("the data folder")?;
        }
        let listener = TcpListener::bind("127.0.0.1:0").doing("a free port")?;
        let at = listener.local_addr().doing("a free port")?;
        drop(listener);
        let mut command = match case.peer {
            Peer::Nats => {
                let mut command = Command::new("nats-server");
                command.args(["-a", "127.0.0.1", "-js", "-p", &at.port().to_string(), "-sd"]).arg(&data);
                command
            }
            Peer::Redis => {
                let mut command = Command::new("redis-server");
                command.args(["--bind", "127.0.0.1", "--port", &at.port().to_string(), "--dir"]).arg(&data);
                command
            }
            Peer::Postgres => postgres(&data, at.port(), new).await?,
        };
        let log = fs::File::options().create(true).append(true).open(disk.beside("log")).doing("the log")?;
        let errors = log.try_clone().doing("the log")?;
        command.args(case.settings).process_group(0).stdin(Stdio::null()).stdout(log).stderr(errors).kill_on_drop(true);
        let program = command.as_std().get_program().display().to_string();
        let child = command.spawn().map_err(|error| ChaosError::Forbidden(format!("{program}: {error}")))?;
        let mut server = Server { child, at };
        let started = Instant::now();
        while TcpStream::connect(at).await.is_err() {
            if started.elapsed() > PATIENCE || server.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                let said = fs::read_to_string(disk.beside("log")).unwrap_or_default();
                return broken(format!("{program} does not start: {said}"));
            }
            sleep(Duration::from_millis(5)).await;
        }
        Ok(server)
    }

    /// SIGKILL to all of it, and waits for its end: PostgreSQL does not start beside one that is not gone.
    pub(super) async fn kill(mut self) -> Done {
        self.signal();
        self.child.wait().await.map(drop).doing("a server's end")
    }

    fn signal(&self) {
        let Some(pid) = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed())) else { return };
        // PostgreSQL's processes are in groups of their own. Each may have ended by itself, having no disk any more.
        for pid in children(pid).into_iter().chain([pid]) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal();
    }
}

/// The processes that a process has started.
fn children(parent: Pid) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_child = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // Behind the name in parentheses, which may hold spaces, and the state (proc_pid_stat(5)).
        let words = stat.rsplit(')').next().unwrap_or_default();
        words.split_whitespace().nth(1).and_then(|word| word.parse().ok()) == Some(parent.as_raw_nonzero().get())
    };
    pids.filter(is_child).filter_map(Pid::from_raw).collect()
}

/// The command that runs PostgreSQL, whose folder is made where it is new.
async fn postgres(data: &Path, port: u16, new: bool) -> Done<Command> {
    let as_nobody = |program: &str| {
        let mut command = Command::new(program);
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY).current_dir("/");
        }
        command
    };
    if new {
        chown(data, Some(NOBODY), Some(NOBODY)).doing("the data folder")?;
        let mut command = as_nobody("initdb");
        command.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--username=chaos", "-D"]).arg(data);
        let made = command.stdin(Stdio::null()).output().await;
        let made = made.map_err(|error| ChaosError::Forbidden(format!("initdb: {error}")))?;
        if !made.status.success() {
            return broken(format!("initdb fails: {}", String::from_utf8_lossy(&made.stderr)));
        }
    }
    let mut command = as_nobody("postgres");
    command.arg("-D").arg(data).args(["-h", "127.0.0.1", "-k", "", "-p", &port.to_string()]);
    Ok(command)
}
