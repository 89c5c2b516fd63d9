//! Processes of `ackd`: a server of a test's own, and the commands that talk to it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// A process that is killed when this goes out of scope.
pub(crate) struct Running {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    stderr: Option<BufReader<ChildStderr>>,
}

/// What a process that ended by itself said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take().map(BufReader::new), child.stderr.take().map(BufReader::new));
        Running { child, stdout, stderr }
    }

    /// The next line of its stdout; empty at the end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.as_mut().unwrap().read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Reads its stderr up to a line that holds `text`, and gives that line.
    pub(crate) fn says(&mut self, text: &str) -> String {
        let mut all = String::new();
        loop {
            let start = all.len();
            if self.stderr.as_mut().unwrap().read_line(&mut all).unwrap() == 0 {
                panic!("it never said {text:?}:\n{all}");
            }
            if all[start..].contains(text) {
                return all[start..].trim_end().to_owned();
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The most memory that it ever had, in bytes (`VmHWM`, proc_pid_status(5)).
    pub(crate) fn peak(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
    }

    /// SIGKILL, and its end.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end. What was read before is not given again.
    pub(crate) fn end(mut self) -> Said {
        let mut stderr_reader = self.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut stderr = String::new();
            stderr_reader.read_to_string(&mut stderr).unwrap();
            stderr
        });
        let mut stdout = Vec::new();
        self.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
        Said { code: self.child.wait().unwrap().code(), stdout, stderr: stderr.join().unwrap() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Said {
    /// Its stdout, of a command that has to have ended well.
    pub(crate) fn fine(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        String::from_utf8(self.stdout).unwrap()
    }

    /// Its stderr, of a command that has to have ended with this code.
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        self.stderr
    }

    /// The document on each line of its stdout.
    pub(crate) fn documents(self) -> Vec<Value> {
        self.fine().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A command of `ackd` that talks to a server.
pub(crate) fn ackd<S: AsRef<OsStr>>(url: &str, args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ackd"));
    command.args(args).env("ACKD_URL", url).stdin(Stdio::null());
    command
}

/// A server with its data, on a port that it keeps when it is started again.
pub(crate) struct Server {
    data: TempDir,
    server: Option<Running>,
    address: SocketAddr,
    /// Keeps the port from the other tests while the server is away: it is bound, and not listened on.
    _port: OwnedFd,
    options: Vec<String>,
    pub(crate) url: String,
}

/// A free port, and what holds it.
fn port() -> (SocketAddr, OwnedFd) {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    // The server says the same, so that both can be bound.
    set_socket_reuseaddr(&socket, true).unwrap();
    bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    (getsockname(&socket).unwrap().try_into().unwrap(), socket)
}

impl Server {
    pub(crate) fn start() -> Server {
        let mut server = Server::later();
        server.start_again();
        server
    }

    /// A server with further options.
    pub(crate) fn with(options: &[&str]) -> Server {
        let mut server = Server::later();
        server.options = options.iter().map(|option| (*option).to_owned()).collect();
        server.start_again();
        server
    }

    /// A server that is not there yet.
    pub(crate) fn later() -> Server {
        let (address, port) = port();
        let url = format!("http://{address}");
        Server { data: tempfile::tempdir().unwrap(), server: None, address, _port: port, options: Vec::new(), url }
    }

    pub(crate) fn kill(&mut self) {
        self.server.take().unwrap().kill();
    }

    /// SIGTERM, and its end.
    pub(crate) fn stop(&mut self) {
        let server = self.server.take().unwrap();
        server.signal(Signal::TERM);
        assert_eq!(server.end().code, Some(0));
    }

    /// Posts JSON to a path of the API, and gives the answer as it came.
    pub(crate) fn post(&self, path: &str, json: &str) -> String {
        let mut stream = std::net::TcpStream::connect(self.address).unwrap();
        let (host, length) = (self.address, json.len());
        let head = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
        let entity = format!("content-type: application/json\r\ncontent-length: {length}\r\n\r\n{json}");
        stream.write_all(&[head, entity].concat().into_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub(crate) fn start_again(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ackd"));
        command.args(["serve", "--log-level", "error", "--listen", &self.address.to_string(), "--data"]);
        let mut server = Running::start(command.arg(self.data.path()).args(&self.options));
        if server.line() != format!("listening on {}", self.url) {
            panic!("the server does not start: {:?}", server.end());
        }
        self.server = Some(server);
    }

    /// Starts a command.
    pub(crate) fn spawn<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Running {
        Running::start(&mut ackd(&self.url, args))
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        self.spawn(args).end()
    }

    /// Runs a command to its end that reads `input` from stdin.
    pub(crate) fn run_with(&self, args: &[&str], input: &[u8]) -> Said {
        let mut running = Running::start(ackd(&self.url, args).stdin(Stdio::piped()));
        running.child.stdin.take().unwrap().write_all(input).unwrap();
        running.end()
    }

    /// Submits a job and gives its id.
    pub(crate) fn submit(&self, args: &[&str]) -> String {
        self.run(&[&["submit"], args].concat()).fine().trim_end().to_owned()
    }

    /// A job's document.
    pub(crate) fn get(&self, id: &str) -> Value {
        self.run(&["get", id, "--json"]).documents().remove(0)
    }

    /// Starts a worker of the queue `q` that runs a script of the shell, and waits until it asks for jobs.
    pub(crate) fn work(&self, options: &[&str], script: &str) -> Running {
        let mut worker = self.spawn([&["work", "q"], options, &["--", "sh", "-c", script]].concat());
        worker.says("waiting for jobs of q");
        worker
    }
}
