//! The server that the clients follow, and the worker that gives them something to see.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::http::Connection;
use crate::run::{Port, Running};

/// The queue of all jobs.
pub(crate) const QUEUE: &str = "clients";

/// A server that keeps its port and its data when it is started again.
pub(crate) struct Server {
    folder: PathBuf,
    port: Port,
    origin: String,
    running: Option<Running>,
}

impl Server {
    /// A server over `folder` that lets pages of `origin` call.
    pub(crate) fn start(folder: PathBuf, origin: String) -> Server {
        let mut server = Server { folder, port: Port::free(), origin, running: None };
        server.start_again();
        server
    }

    /// Starts it, and waits until it listens.
    pub(crate) fn start_again(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ackd"));
        command.args(["serve", "--log-level", "warn", "--listen", &self.port.address.to_string()]);
        command.args(["--webhook-allow", "127.0.0.0/8"]);
        command.args(["--allow-origin", &self.origin, "--data"]).arg(self.folder.join("data"));
        let mut running = Running::start(command.stdout(Stdio::piped()), &self.folder.join("server.log"));
        let mut line = String::new();
        BufReader::new(running.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), format!("listening on {}", self.url()), "{}", running.said());
        self.running = Some(running);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.port.address)
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        drop(self.running.take());
    }

    /// SIGTERM; it has to end well.
    pub(crate) fn stop(&mut self) {
        let mut running = self.running.take().unwrap();
        kill_process(Pid::from_child(&running.child), Signal::TERM).unwrap();
        let status = running.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", running.said());
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(&self.port.address.to_string()).unwrap()
    }

    /// Submits so many jobs of a type and gives their ids.
    pub(crate) fn submit(&self, count: usize, kind: &str) -> Vec<String> {
        let mut connection = self.connect();
        let envelope = json!({"queue": QUEUE, "type": kind, "payload": {"secret": true}}).to_string();
        let submit = |_| {
            let answer = connection.post("/v1/jobs", &envelope).unwrap();
            assert_eq!(answer.status, 202, "{answer:?}");
            answer.json()["id"].as_str().unwrap().to_owned()
        };
        (0..count).map(submit).collect()
    }

    /// Leases all `count` jobs and settles them by `verb`: two changes of each.
    pub(crate) fn work(&self, count: usize, verb: &Value) {
        let mut connection = self.connect();
        let mut left = count;
        while left > 0 {
            let ask = json!({"queues": [QUEUE], "max": left, "wait": "20s"}).to_string();
            let answer = connection.post("/v1/leases", &ask).unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
            let leases: Vec<Value> = answer.json()["leases"].as_array().unwrap().clone();
            left -= leases.len();
            let line = |lease: &Value| {
                let mut line = verb.clone();
                line["lease"] = lease["lease"].clone();
                line.to_string()
            };
            let lines: Vec<String> = leases.iter().map(line).collect();
            let answer = connection.post("/v1/leases/settle", &lines.join("\n")).unwrap();
            assert!(answer.lines().iter().all(|line| line["status"] == 200), "{answer:?}");
        }
    }
}
