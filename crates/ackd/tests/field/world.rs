//! A server that is killed and started again over the same data, and what a client and a worker ask of it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::Answer;
use crate::server::Server;

pub(crate) struct World {
    data: TempDir,
    server: Option<Server>,
}

impl World {
    pub(crate) fn new() -> World {
        let data = tempfile::tempdir().unwrap();
        let server = Some(Server::start(data.path()));
        World { data, server }
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    /// SIGKILL, and a new server over what is left.
    pub(crate) fn kill(&mut self) {
        self.server.take().unwrap().kill();
        self.server = Some(Server::start(self.data.path()));
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.server().addr)
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.server().get(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    /// Posts, and expects `status`.
    pub(crate) fn post(&self, path: &str, body: &Value, status: u16) -> Value {
        let answer = self.server().post(path, &body.to_string());
        assert_eq!(answer.status, status, "{path} {body}: {answer:?}");
        answer.json()
    }

    pub(crate) fn set(&self, queue: &str, settings: &Value) {
        let answer = self.send("PATCH", &format!("/v1/queues/{queue}"), settings);
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.server().connect().send(method, path, "application/json", &body.to_string()).unwrap()
    }

    pub(crate) fn submit(&self, envelope: &Value) -> String {
        self.post("/v1/jobs", envelope, 202)["id"].as_str().unwrap().to_owned()
    }

    /// Submits so many of the same in one request.
    pub(crate) fn submit_many(&self, envelope: &Value, many: usize) -> Vec<String> {
        let answer = self.server().connect().post_lines("/v1/jobs", &vec![envelope.to_string(); many]).unwrap();
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.lines().iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Leases exactly so many jobs, however long it takes until they can be had, for as long as is usual.
    pub(crate) fn lease(&self, queue: &str, many: usize) -> Vec<Leased> {
        self.lease_for(queue, many, "30s")
    }

    /// Likewise, for workers that are never heard of again: it need not take long until their leases lapse.
    pub(crate) fn lease_and_vanish(&self, queue: &str, many: usize) -> Vec<Leased> {
        self.lease_for(queue, many, "1s")
    }

    fn lease_for(&self, queue: &str, many: usize, ttl: &str) -> Vec<Leased> {
        let mut connection = self.server().connect();
        let mut leased = Vec::new();
        while leased.len() < many {
            let ask = json!({"queues": [queue], "max": many - leased.len(), "wait": "20s", "ttl": ttl}).to_string();
            let answer = connection.post("/v1/leases", &ask).unwrap();
            assert_eq!(answer.status, 200, "{} of {many}: {answer:?}", leased.len());
            leased.extend(
                answer.json()["leases"].as_array().unwrap().iter().map(|lease| Leased {
                    token: lease["lease"].as_str().unwrap().to_owned(),
                    job: lease["job"].clone(),
                }),
            );
        }
        leased
    }

    /// Nothing can be leased.
    pub(crate) fn has_no_work(&self, queue: &str) {
        let answer = self.server().post("/v1/leases", &json!({"queues": [queue]}).to_string());
        assert_eq!(answer.status, 204, "{answer:?}");
    }

    /// Settles each by `verb`, in one request.
    pub(crate) fn settle(&self, leased: &[Leased], verb: &str, body: &Value) {
        let lines: Vec<String> = leased.iter().map(|it| json!({"lease": it.token, verb: body}).to_string()).collect();
        let answer = self.server().post("/v1/leases/settle", &lines.join("\n"));
        for line in answer.lines() {
            assert_eq!(line["status"], 200, "{line}");
        }
    }

    /// The job once it has ended.
    pub(crate) fn ended(&self, id: &str) -> Value {
        let job = self.get(&format!("/v1/jobs/{id}?wait=55s"));
        assert!(!["INIT", "PROCESSING"].contains(&job["status"].as_str().unwrap()), "{job}");
        job
    }

    pub(crate) fn job(&self, id: &str) -> Value {
        self.get(&format!("/v1/jobs/{id}"))
    }

    /// How many jobs the queue has in each of these statuses.
    pub(crate) fn counts<const N: usize>(&self, queue: &str, statuses: [&str; N]) -> [u64; N] {
        let queue = self.get(&format!("/v1/queues/{queue}"));
        statuses.map(|status| queue["counts"][status].as_u64().unwrap())
    }

    /// Looks until the queue has as many jobs in this status as `holds` says.
    pub(crate) fn until(&self, queue: &str, status: &str, holds: impl Fn(u64) -> bool) {
        let patience = Instant::now() + Duration::from_secs(60);
        while !holds(self.counts(queue, [status])[0]) {
            assert!(Instant::now() < patience, "{:?} in {queue} are {status}", self.counts(queue, [status]));
        }
    }

    /// What happened to the job, by name.
    pub(crate) fn events(&self, id: &str) -> Vec<String> {
        let timeline = self.get(&format!("/v1/jobs/{id}/timeline"));
        timeline["entries"].as_array().unwrap().iter().map(|it| it["event"].as_str().unwrap().to_owned()).collect()
    }
}

/// A job that was leased.
pub(crate) struct Leased {
    pub(crate) token: String,
    pub(crate) job: Value,
}

impl Leased {
    pub(crate) fn id(&self) -> &str {
        self.job["id"].as_str().unwrap()
    }
}
