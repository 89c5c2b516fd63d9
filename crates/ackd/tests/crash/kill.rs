//! `kill -9` under load, again and again: no acknowledged job is lost, no settled job runs again, no key
//! makes two jobs, and every result is one that a worker offered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use crate::http::Connection;
use crate::server::Server;

/// Threads that submit, and threads that work.
const SUBMITTERS: u64 = 4;
const WORKERS: u64 = 4;

/// What the clients know. Only what was answered counts.
#[derive(Default)]
struct History {
    /// Jobs whose 202 came, and the key that each was submitted under.
    acknowledged: BTreeMap<String, String>,
    /// Keys whose request was sent and not answered: they are sent again.
    unanswered: BTreeSet<String>,
    /// The results that workers offered for each job.
    offered: BTreeMap<String, BTreeSet<String>>,
    /// Jobs whose completion was answered, and the result that was answered first.
    settled: BTreeMap<String, String>,
    /// What must never be.
    broken: Vec<String>,
}

struct Load {
    history: Mutex<History>,
    /// Tells the one who kills that something was answered.
    answered: Mutex<Sender<()>>,
    serial: AtomicU64,
}

impl Load {
    fn tell(&self) {
        // Nobody listens between two rounds.
        let _ = self.answered.lock().unwrap().send(());
    }

    /// Submits until the server is gone.
    fn submit(&self, addr: &str) {
        let Ok(mut connection) = Connection::open(addr) else { return };
        loop {
            let serial = self.serial.fetch_add(1, Ordering::SeqCst);
            let many = if serial.is_multiple_of(3) { 20 } else { 1 };
            let mut keys: Vec<String> = {
                let mut history = self.history.lock().unwrap();
                // What was not answered in an earlier life of the server comes first.
                let again: Vec<String> = history.unanswered.iter().take(many).cloned().collect();
                history.unanswered.retain(|key| !again.contains(key));
                again
            };
            let fresh = many - keys.len();
            keys.extend((0..fresh).map(|at| format!("key-{serial}-{at}")));
            if !self.submit_under(&mut connection, &keys) {
                return;
            }
        }
    }

    fn submit_under(&self, connection: &mut Connection, keys: &[String]) -> bool {
        let lines: Vec<String> = keys
            .iter()
            .map(|key| json!({"queue": "crash", "idempotency_key": key, "payload": {"key": key}}).to_string())
            .collect();
        let answer = match keys.len() {
            1 => connection.post("/v1/jobs", &lines[0]),
            _ => connection.post_lines("/v1/jobs", &lines),
        };
        let mut history = self.history.lock().unwrap();
        let Ok(answer) = answer else {
            history.unanswered.extend(keys.iter().cloned());
            return false;
        };
        if answer.status != 202 {
            history.broken.push(format!("a submit was refused: {answer:?}"));
            return false;
        }
        let documents = if keys.len() == 1 { vec![answer.json()] } else { answer.lines() };
        for (key, document) in keys.iter().zip(documents) {
            let id = document["id"].as_str().unwrap().to_owned();
            history.acknowledged.insert(id, key.clone());
        }
        drop(history);
        self.tell();
        true
    }

    /// Works until the server is gone.
    fn work(&self, addr: &str) {
        let Ok(mut connection) = Connection::open(addr) else { return };
        let ask = r#"{"queues":["crash"],"max":8,"wait":"20s","ttl":"1s"}"#;
        loop {
            let Ok(answer) = connection.post("/v1/leases", ask) else { return };
            if answer.status != 200 {
                continue;
            }
            let leases = answer.json()["leases"].as_array().unwrap().clone();
            if !self.complete(&mut connection, &leases) {
                return;
            }
        }
    }

    fn complete(&self, connection: &mut Connection, leases: &[Value]) -> bool {
        let mut lines = Vec::new();
        let mut results = Vec::new();
        {
            let mut history = self.history.lock().unwrap();
            for lease in leases {
                let id = lease["job"]["id"].as_str().unwrap().to_owned();
                if history.settled.contains_key(&id) {
                    history.broken.push(format!("job {id} is settled, and was leased again"));
                }
                let result = format!("result-{}", self.serial.fetch_add(1, Ordering::SeqCst));
                lines.push(json!({"lease": lease["lease"], "complete": {"result": result}}).to_string());
                history.offered.entry(id.clone()).or_default().insert(result.clone());
                results.push((id, result));
            }
        }
        let Ok(answer) = connection.post("/v1/leases/settle", &lines.join("\n")) else { return false };
        let mut history = self.history.lock().unwrap();
        if answer.status != 200 {
            history.broken.push(format!("settling was refused: {answer:?}"));
            return false;
        }
        for (line, (id, result)) in answer.lines().into_iter().zip(results) {
            if line["status"] == 200 {
                history.settled.entry(id).or_insert(result);
            }
        }
        drop(history);
        self.tell();
        true
    }
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_settled_runs_again() {
    let rounds: u64 = std::env::var("TEST_KILLS").map_or(5, |text| text.parse().unwrap());
    let data = tempfile::tempdir().unwrap();
    let (tell, answered) = channel();
    let load = Arc::new(Load { history: Mutex::default(), answered: Mutex::new(tell), serial: AtomicU64::new(0) });
    for round in 0..rounds {
        let server = Server::start(data.path());
        let threads: Vec<_> = (0..SUBMITTERS + WORKERS)
            .map(|at| {
                let (load, addr) = (Arc::clone(&load), server.addr.clone());
                thread::spawn(move || if at < SUBMITTERS { load.submit(&addr) } else { load.work(&addr) })
            })
            .collect();
        // After so many answers, which differs from round to round: now in the middle of one commit,
        // now of another, and never at a time that the clock picks.
        for _ in 0..20 + round * 37 % 181 {
            answered.recv().unwrap();
        }
        server.kill();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        while answered.try_recv().is_ok() {}
        assert_eq!(load.history.lock().unwrap().broken, Vec::<String>::new(), "in round {round}");
    }

    let server = Server::start(data.path());
    settle_the_rest(&server, &load);
    let history = load.history.lock().unwrap();
    assert_eq!(history.broken, Vec::<String>::new());
    let mut keys = BTreeSet::new();
    let mut connection = server.connect();
    for (id, key) in &history.acknowledged {
        assert!(keys.insert(key), "the key {key} made two jobs");
        let job = connection.get(&format!("/v1/jobs/{id}")).unwrap();
        assert_eq!(job.status, 200, "job {id} was acknowledged, and is lost");
        let job = job.json();
        assert_eq!(job["status"], "DONE", "{job}");
        assert_eq!(job["payload"]["key"].as_str(), Some(key.as_str()));
        let result = job["result"].as_str().unwrap();
        assert!(history.offered[id].contains(result), "no worker offered {result} for {id}");
        if let Some(first) = history.settled.get(id) {
            assert_eq!(first, result, "the result of {id} changed");
        }
    }
    let counts = server.get("/v1/queues/crash").json()["counts"].clone();
    assert_eq!(counts["INIT"], 0, "{counts}");
    assert_eq!(counts["PROCESSING"], 0, "{counts}");
    let most = history.acknowledged.len() as u64;
    assert_eq!(counts["DONE"], most, "there are jobs that nobody submitted");
}

/// Sends what was never answered once more, and works until nothing is left.
fn settle_the_rest(server: &Server, load: &Load) {
    let mut connection = server.connect();
    let unanswered: Vec<String> = std::mem::take(&mut load.history.lock().unwrap().unanswered).into_iter().collect();
    for keys in unanswered.chunks(100) {
        assert!(load.submit_under(&mut connection, keys));
    }
    // Longer than any lease: whatever a worker of an earlier round held has lapsed by the end of the wait.
    let ask = r#"{"queues":["crash"],"max":1000,"wait":"3s","ttl":"30s"}"#;
    loop {
        let answer = connection.post("/v1/leases", ask).unwrap();
        if answer.status == 204 {
            return;
        }
        let leases = answer.json()["leases"].as_array().unwrap().clone();
        assert!(load.complete(&mut connection, &leases));
    }
}
