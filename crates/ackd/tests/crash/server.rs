//! A server of a test's own.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::http::{Answer, Connection};

/// A running `ackd serve`. It is killed when dropped.
pub(crate) struct Server {
    child: Child,
    stderr: ChildStderr,
    pub(crate) addr: String,
}

impl Server {
    /// Starts a server over `data` on a free port and waits until it listens.
    pub(crate) fn start(data: &Path) -> Server {
        Server::start_as(Command::new(env!("CARGO_BIN_EXE_ackd")), data)
    }

    /// The same, where `command` is what runs the binary.
    pub(crate) fn start_as(mut command: Command, data: &Path) -> Server {
        command.args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--data"]).arg(data);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let Some(addr) = line.trim().strip_prefix("listening on http://").map(str::to_owned) else {
            let mut said = String::new();
            stderr.read_to_string(&mut said).unwrap();
            panic!("the server does not start: {said}");
        };
        Server { child, stderr, addr }
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(&self.addr).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.connect().get(path).unwrap()
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.connect().post(path, body).unwrap()
    }

    /// The most memory that it ever had, in bytes (`VmHWM`, proc_pid_status(5)).
    pub(crate) fn peak(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
    }

    /// SIGKILL. What it said on stderr is given back.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.said()
    }

    fn said(&mut self) -> String {
        self.child.wait().unwrap();
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        said
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
