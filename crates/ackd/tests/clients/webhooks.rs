//! The ends of jobs are told to receivers of other projects, directly and behind nginx, while the server is stopped, killed
//! and started again. Each must be told of every end, and verify whatever comes by its library.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Script;
use crate::http::Connection;
use crate::proxy::Proxy;
use crate::run::{Installed, Running};
use crate::server::{QUEUE, Server};

/// The receivers, each with its name and its script.
const RECEIVERS: [(&str, Script); 2] =
    [("python", Script::Python("receiver.py")), ("node", Script::Node("receiver.mjs"))];

/// The secret that the receivers verify by, and one that they do not know.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// How many jobs end at a time.
const JOBS: usize = 10;

/// How often the server goes and comes back: stopped and killed in turn.
const RESTARTS: usize = 4;

/// Nothing here takes nearly so long; a test that hangs tells nobody why.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts a receiver whose lines go to `told`, and gives its URL.
fn receive(command: &mut std::process::Command, said: &Path, told: mpsc::Sender<Value>) -> (Running, String) {
    let mut running = Running::start(command.arg(SECRET), said);
    let mut lines = BufReader::new(running.child.stdout.take().unwrap()).lines();
    let listening = lines.next().unwrap_or_else(|| panic!("it has left, saying: {}", running.said())).unwrap();
    let port = serde_json::from_str::<Value>(&listening).unwrap()["port"].as_u64().unwrap();
    thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            // The test may have ended.
            let _ = told.send(serde_json::from_str(&line).unwrap());
        }
    });
    (running, format!("http://127.0.0.1:{port}"))
}

/// What the receivers were told: of each path and job, under which ids.
struct Told {
    lines: mpsc::Receiver<Value>,
    ids: BTreeMap<(String, String), BTreeSet<String>>,
}

impl Told {
    fn next(&self) -> Value {
        self.lines.recv_timeout(PATIENCE).expect("no receiver was told anything more")
    }

    /// Waits until every path was told of every job. Whatever comes must be verified.
    fn wait(&mut self, paths: &[String], jobs: &[String]) {
        let has = |ids: &BTreeMap<_, _>| {
            let mut all = paths.iter().flat_map(|path| jobs.iter().map(move |job| (path.clone(), job.clone())));
            all.all(|key| ids.contains_key(&key))
        };
        while !has(&self.ids) {
            let line = self.next();
            assert_eq!((&line["event"], &line["data"]["type"]), (&json!("verified"), &json!("job.done")), "{line}");
            let job = &line["data"]["data"];
            assert_eq!((&job["status"], &job["payload"], &job["result"]), (&json!("DONE"), &json!(null), &json!("€")));
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            self.ids.entry((text(&line["path"]), text(&job["id"]))).or_default().insert(text(&line["id"]));
        }
    }
}

fn put(server: &Server, name: &str, url: &str, secret: &str) {
    let body = json!({"url": url, "queues": [QUEUE], "events": ["job.done"], "secret": secret}).to_string();
    let path = format!("/v1/webhooks/{name}");
    let answer = server.connect().send("PUT", &path, "application/json", &body).unwrap();
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
}

/// Submits a job that calls back, and gives its id.
fn submit(connection: &mut Connection, url: &str, secret: &str) -> String {
    let callback = json!({"url": url, "secret": secret});
    let envelope = json!({"queue": QUEUE, "payload": {"secret": true}, "callback": callback}).to_string();
    let answer = connection.post("/v1/jobs", &envelope).unwrap();
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// Waits until something holds of the deliveries that tell of `job`, and gives them.
fn deliveries(server: &Server, job: &str, holds: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let until = Instant::now() + PATIENCE;
    let mut connection = server.connect();
    loop {
        let answer = connection.get(&format!("/v1/jobs/{job}/deliveries")).unwrap();
        let deliveries = answer.json()["deliveries"].as_array().unwrap().clone();
        if holds(&deliveries) {
            return deliveries;
        }
        assert!(Instant::now() < until, "{deliveries:#?}");
        thread::yield_now();
    }
}

#[test]
fn every_end_is_told_to_every_receiver_and_verified() {
    // `cargo xtask test` installs the libraries; without it there are none.
    let Some(installed) = Installed::found() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path().to_owned(), "http://localhost".to_owned());
    let (tell, lines) = mpsc::channel();
    let mut told = Told { lines, ids: BTreeMap::new() };
    let mut running = Vec::new();
    let mut targets = Vec::new();
    for (name, script) in RECEIVERS {
        let folder = folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        let mut command = script.command(&installed).unwrap();
        let (receiver, url) = receive(&mut command, &folder.join("receiver.log"), tell.clone());
        let proxy = Proxy::start(&installed, &folder, &url);
        for (route, url) in [("direct", url), ("nginx", proxy.url())] {
            let name = format!("{name}-{route}");
            put(&server, &name, &format!("{url}/{name}"), SECRET);
            targets.push((name, url));
        }
        running.push((receiver, proxy));
    }
    let at = |place: usize, path: &str| format!("{}/{path}", targets[place].1);
    let mut paths: Vec<String> = targets.iter().map(|(name, _)| format!("/{name}")).collect();
    paths.push("/callback".to_owned());

    let mut jobs = Vec::new();
    let mut finish = |server: &Server| {
        let mut connection = server.connect();
        jobs.extend((0..JOBS).map(|job| submit(&mut connection, &at(job % targets.len(), "callback"), SECRET)));
        server.work(JOBS, &json!({"complete": {"result": "€"}}));
        jobs.clone()
    };
    for restart in 0..RESTARTS {
        // Some of this is on its way when the server goes.
        finish(&server);
        if restart % 2 == 0 {
            server.kill()
        } else {
            server.stop()
        }
        server.start_again();
        if restart == 1 {
            // What is sent from now on is signed with the secret that the receivers know as the former one.
            targets.iter().for_each(|(name, url)| put(&server, name, &format!("{url}/{name}"), OTHER));
        }
        // So that the next restart meets all of them again.
        let jobs = finish(&server);
        told.wait(&paths, &jobs);
    }
    let jobs = finish(&server);
    told.wait(&paths, &jobs);

    assert!(told.ids.values().all(|ids| ids.len() == 1), "a repetition has another id: {:#?}", told.ids);
    assert_eq!(told.ids.len(), jobs.len() * paths.len());
    for job in &jobs {
        let done = |deliveries: &[Value]| deliveries.iter().all(|delivery| delivery["status"] == "DONE");
        assert_eq!(deliveries(&server, job, done).len(), paths.len());
    }

    // What is signed with a secret of others is refused: the libraries do look.
    targets.iter().for_each(|(name, _)| {
        let answer = server.connect().send("DELETE", &format!("/v1/webhooks/{name}"), "application/json", "").unwrap();
        assert_eq!(answer.status, 204, "{answer:?}");
    });
    let strange: Vec<String> =
        (0..targets.len()).map(|place| submit(&mut server.connect(), &at(place, "strange"), OTHER)).collect();
    server.work(strange.len(), &json!({"complete": {}}));
    for job in &strange {
        let waits =
            |deliveries: &[Value]| deliveries.iter().any(|delivery| delivery["attempts"][0]["status_code"] == 401);
        assert_eq!(deliveries(&server, job, waits).len(), 1);
        // Posts that came twice, over a restart, may stand before.
        while told.next()["event"] != "refused" {}
    }
    drop(running);
}
