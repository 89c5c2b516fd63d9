//! The processes of one job, as the worker holds them.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, waitpgid};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

use super::environment::Environment;
use super::handover;
use super::outcome::Outcome;
use super::supervisor::SUPERVISE;

/// A command that runs, under a supervisor that leads its process group. All of the group is killed when this is
/// dropped.
#[derive(Debug)]
pub(crate) struct Group {
    supervisor: Child,
    socket: UnixStream,
    /// What the supervisor has said so far.
    said: String,
}

/// The worker's ends of the command's standard streams.
#[derive(Debug)]
pub(crate) struct Pipes {
    /// What the command reads.
    pub(crate) stdin: pipe::Sender,
    /// What it writes.
    pub(crate) stdout: pipe::Receiver,
    /// What it has to say.
    pub(crate) stderr: pipe::Receiver,
}

impl Group {
    /// Starts a command. That it could not be run is told by [`Group::ended`].
    pub(crate) fn start(command: &[OsString], environment: &Environment) -> io::Result<(Group, Pipes)> {
        let (near, far) = StdUnixStream::pair()?;
        near.set_nonblocking(true)?;
        let socket = UnixStream::from_std(near)?;
        let (stdin, to_stdin) = io::pipe()?;
        let (from_stdout, stdout) = io::pipe()?;
        let (from_stderr, stderr) = io::pipe()?;
        let pipes = Pipes {
            stdin: pipe::Sender::from_owned_fd(to_stdin.into())?,
            stdout: pipe::Receiver::from_owned_fd(from_stdout.into())?,
            stderr: pipe::Receiver::from_owned_fd(from_stderr.into())?,
        };
        let mut supervisor = ourselves()?;
        environment.apply(&mut supervisor);
        let supervisor = supervisor
            .arg0("ackd")
            .arg(SUPERVISE)
            .args(command)
            .stdin(Stdio::from(OwnedFd::from(far)))
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()?;
        let group = Group { supervisor, socket, said: String::new() };
        // The socket is empty: this does not wait. Our copies of the command's ends are closed on the way out.
        handover::send(&group.socket, [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()])?;
        Ok((group, pipes))
    }

    /// Waits until the command has ended, and says how. Nothing is lost if the future is dropped.
    pub(crate) async fn ended(&mut self) -> Outcome {
        let mut bytes = [0; 512];
        while !self.said.ends_with('\n') {
            match self.socket.read(&mut bytes).await {
                Ok(count) if count > 0 => self.said.push_str(&String::from_utf8_lossy(&bytes[..count])),
                _ => return Outcome::Lost,
            }
        }
        self.said.parse().unwrap_or(Outcome::Lost)
    }

    /// Sends a signal to every process of the group.
    pub(crate) fn signal(&self, signal: Signal) {
        // Its leader is a child that was not waited for, alive or not: the number is nobody else's. An error says
        // that nobody is left.
        if let Some(group) = self.id() {
            let _ = kill_process_group(group, signal);
        }
    }

    fn id(&self) -> Option<Pid> {
        i32::try_from(self.supervisor.id()).ok().and_then(Pid::from_raw)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        // The supervisor holds nothing that could keep it from ending at once.
        let _ = self.supervisor.wait();
        // To the first process of a container the rest of the group is handed over, which nobody else would ever wait
        // for. All of it was killed.
        if std::process::id() == 1
            && let Some(group) = self.id()
        {
            while waitpgid(group, WaitOptions::empty()).is_ok_and(|ended| ended.is_some()) {}
        }
    }
}

/// The program that runs here, to be run again.
fn ourselves() -> io::Result<Command> {
    // By the kernel's link to it: the file may have been replaced by a newer version since.
    if cfg!(target_os = "linux") {
        return Ok(Command::new("/proc/self/exe"));
    }
    std::env::current_exe().map(Command::new)
}
