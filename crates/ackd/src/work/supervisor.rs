//! `ackd supervise`: holds the processes of one job together. `ackd work` starts it, and nobody else.
//!
//! It leads a process group of its own, which the command and whatever that starts belong to. Its stdin is a socket to
//! the worker, which does nothing when it is gone but be closed: then everything in the group is killed. That holds
//! however the worker ended, by SIGKILL too.
//!
//! Once the command has ended it says how, and waits to be killed: as long as it lives the group's number is not given
//! to others, so that the worker can kill what the command left behind without hitting anybody else.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Signal, kill_current_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::signal::unix::SignalKind;

use super::handover;
use super::outcome::Outcome;
use crate::exit::Exit;

/// The word that makes `ackd` a supervisor. The command follows.
pub(crate) const SUPERVISE: &str = "supervise";

/// The signals that are meant for the command. They reach its supervisor too, for they go to the whole group.
const IGNORED: [SignalKind; 7] = [
    SignalKind::terminate(),
    SignalKind::interrupt(),
    SignalKind::hangup(),
    SignalKind::quit(),
    SignalKind::alarm(),
    SignalKind::user_defined1(),
    SignalKind::user_defined2(),
];

/// Runs the command to its end, or to the worker's.
pub(crate) fn supervise(command: Vec<OsString>) -> Exit {
    // The process is started through a link whose name says nothing.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::set_name(c"ackd");
    match held(command) {
        Ok(()) => Exit::Fine,
        Err(error) => {
            eprintln!("ackd supervise: {error}; it is started by `ackd work`");
            Exit::WrongUse
        }
    }
}

fn held(command: Vec<OsString>) -> io::Result<()> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _guard = runtime.enter();
    // By handlers that do nothing, for what is ignored would be ignored by the command too (execve(2)).
    let handlers: io::Result<Vec<_>> = IGNORED.into_iter().map(tokio::signal::unix::signal).collect();
    let _handlers = handlers?;
    let descriptors = handover::receive(&socket)?;
    let started = start(command, descriptors);
    socket.set_nonblocking(true)?;
    let mut worker = tokio::net::UnixStream::from_std(socket)?;
    runtime.block_on(async {
        let outcome = match started {
            Ok(mut child) => tokio::select! {
                status = child.wait() => status.map_or(Outcome::Lost, |status: ExitStatus| status.into()),
                () = gone(&mut worker) => return,
            },
            Err(error) => Outcome::NotStarted(error.to_string()),
        };
        // If the worker is gone, that is all the same now.
        let _ = worker.write_all(outcome.to_line().as_bytes()).await;
        gone(&mut worker).await;
    });
    kill_current_process_group(Signal::KILL)?;
    Ok(())
}

fn start(command: Vec<OsString>, [stdin, stdout, stderr]: [OwnedFd; handover::COUNT]) -> io::Result<Child> {
    let mut words = command.into_iter();
    let program = words.next().ok_or(io::ErrorKind::InvalidInput)?;
    // The command's ends of the pipes are closed here as soon as it has them.
    Command::new(program)
        .args(words)
        .stdin(Stdio::from(stdin))
        .stdout(Stdio::from(stdout))
        .stderr(Stdio::from(stderr))
        .spawn()
}

/// Waits until the worker is gone. It says nothing as long as it is there.
async fn gone(worker: &mut tokio::net::UnixStream) {
    let mut byte = [0];
    while worker.read(&mut byte).await.is_ok_and(|count| count > 0) {}
}
