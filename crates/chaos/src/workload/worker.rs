use std::time::Duration;

use ackd_checker::{Event, Verb};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;

use super::{AGAIN, Phase, QUEUE};
use crate::chance::Chance;
use crate::document::{digest, snapshot, status};
use crate::history::{History, micros};
use crate::http::{Http, JSON, NDJSON, Unanswered, may_be};

/// How long a worker waits for jobs.
const WAIT: Duration = Duration::from_secs(5);

/// How often a worker tells what it has done before it gives up.
const TRIES: usize = 8;

/// Leases jobs and settles them, more or less reliably.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) number: u64,
    pub(crate) http: Http,
    pub(crate) history: History,
    pub(crate) chance: Chance,
    /// How many jobs of a thousand it does not work on as it should, in a storm.
    pub(crate) careless: u64,
    /// How long its leases last.
    pub(crate) ttl: Duration,
    /// The most jobs that it leases at once.
    pub(crate) most: u64,
    /// How long a job takes at most, in milliseconds.
    pub(crate) takes: u64,
}

/// A lease, as its worker holds it.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) token: String,
    pub(crate) job: String,
}

/// What a worker is about to tell of a lease.
#[derive(Debug, Clone)]
struct Settling {
    token: String,
    verb: Verb,
    result: Option<String>,
    line: String,
}

impl Worker {
    /// Works until it is dropped.
    pub(crate) async fn run(mut self, phase: watch::Receiver<Phase>) {
        loop {
            self.http.address.up().await;
            let careless = if *phase.borrow() == Phase::Storm { self.careless } else { 0 };
            match self.lease(WAIT).await {
                Some(leases) => self.work(leases, careless).await,
                None => sleep(AGAIN).await,
            }
        }
    }

    /// Asks for jobs; `None` where there was no answer that says what there is.
    pub(crate) async fn lease(&mut self, wait: Duration) -> Option<Vec<Held>> {
        let ttl = format!("{}ms", self.ttl.as_millis());
        let most = 1 + self.chance.below(self.most);
        let worker = format!("worker-{}", self.number);
        let wait = format!("{}ms", wait.as_millis());
        let ask = json!({"queues": [QUEUE], "max": most, "wait": wait, "ttl": ttl, "worker": worker});
        let since = self.history.now();
        let answer = self.http.post("/v1/leases", JSON, &ask.to_string()).await.ok()?;
        match answer.status {
            200 => {}
            204 => return Some(Vec::new()),
            _ => {
                if !answer.is_expected() {
                    self.history.odd(format!("who asks for jobs is answered {}", answer.text()));
                }
                return None;
            }
        }
        let document = answer.json();
        let leases = document["leases"].as_array().map_or(&[][..], Vec::as_slice);
        let granted = leases.iter().filter_map(|lease| {
            let token = lease["lease"].as_str()?.to_owned();
            let job = snapshot(&lease["job"])?;
            let held = Held { token: token.clone(), job: job.job.clone() };
            let worker = worker.clone();
            self.history.add(Event::Granted { worker, lease: token, since, holds: micros(self.ttl), job });
            Some(held)
        });
        Some(granted.collect())
    }

    /// Works on what it leased.
    pub(crate) async fn work(&mut self, leases: Vec<Held>, careless: u64) {
        let mut done = Vec::new();
        let mut late = false;
        for held in leases {
            if self.chance.permille(careless) {
                if self.chance.permille(500) {
                    // It forgets the job.
                    continue;
                }
                late = true;
            }
            let settling = self.decide(held, careless > 0);
            done.push(settling);
        }
        if done.is_empty() {
            return;
        }
        sleep(self.chance.millis(self.takes)).await;
        if self.chance.permille(150) {
            self.beat(&done).await;
            sleep(self.chance.millis(self.takes)).await;
        }
        if late {
            // It comes back when its leases are no longer.
            sleep(self.ttl + self.chance.millis(500)).await;
        }
        self.settle(done).await;
    }

    /// Completes these jobs.
    pub(crate) async fn complete(&mut self, leases: Vec<Held>) {
        let done = leases.into_iter().map(|held| self.completes(held)).collect();
        self.settle(done).await;
    }

    fn completes(&mut self, held: Held) -> Settling {
        let result = format!("result-{}-of-{}", self.history.serial(), held.job);
        let line = json!({"lease": held.token, "complete": {"result": result}}).to_string();
        Settling { token: held.token, verb: Verb::Complete, result: Some(digest(&result)), line }
    }

    fn decide(&mut self, held: Held, may_fail: bool) -> Settling {
        match self.chance.below(100) {
            0..8 if may_fail => {
                let retryable = self.chance.permille(900);
                let line = json!({"lease": held.token, "fail": {"error": "no", "retryable": retryable}}).to_string();
                Settling { token: held.token, verb: Verb::Fail, result: None, line }
            }
            8..12 if may_fail => {
                let line = json!({"lease": held.token, "release": {}}).to_string();
                Settling { token: held.token, verb: Verb::Release, result: None, line }
            }
            _ => self.completes(held),
        }
    }

    async fn beat(&mut self, done: &[Settling]) {
        let since = self.history.now();
        let line = |it: &Settling| json!({"lease": it.token, "heartbeat": {}}).to_string();
        let lines: Vec<String> = done.iter().map(line).collect();
        let Ok(answer) = self.http.post("/v1/leases/settle", NDJSON, &lines.join("\n")).await else { return };
        if answer.status != 200 {
            return;
        }
        for (it, line) in done.iter().zip(answer.lines()) {
            if line["status"] == 200 {
                self.history.add(Event::Beat { lease: it.token.clone(), since, holds: micros(self.ttl) });
            }
        }
    }

    /// Tells what it has done, again and again until it is answered.
    async fn settle(&mut self, mut open: Vec<Settling>) {
        for _ in 0..TRIES {
            open = self.settle_once(open).await;
            if open.is_empty() {
                return;
            }
            sleep(AGAIN).await;
            self.http.address.up().await;
        }
    }

    /// What is still to be told.
    async fn settle_once(&mut self, open: Vec<Settling>) -> Vec<Settling> {
        let mut requests = Vec::new();
        for it in &open {
            let request = self.history.request();
            let (lease, verb, result) = (it.token.clone(), it.verb, it.result.clone());
            self.history.add(Event::Settle { request: request.clone(), lease, verb, result });
            requests.push(request);
        }
        let lines: Vec<&str> = open.iter().map(|it| it.line.as_str()).collect();
        let answer = self.http.post("/v1/leases/settle", NDJSON, &lines.join("\n")).await;
        let answers = match answer {
            Ok(answer) if answer.status == 200 => answer.lines(),
            Ok(answer) => {
                if !answer.is_expected() {
                    self.history.odd(format!("a settlement is answered {}", answer.text()));
                }
                self.none(requests, answer.is_refusal());
                return open;
            }
            Err(unanswered) => {
                self.none(requests, unanswered == Unanswered::Unsent);
                return open;
            }
        };
        let mut again = Vec::new();
        for ((it, request), line) in open.into_iter().zip(requests).zip(answers) {
            if !self.answered(request, &line) {
                again.push(it);
            }
        }
        again
    }

    /// None of them was answered by itself.
    fn none(&self, requests: Vec<String>, refused: bool) {
        for request in requests {
            self.history.add(if refused { Event::Refused { request } } else { Event::Unknown { request } });
        }
    }

    /// Whether it is known what became of it.
    fn answered(&self, request: String, line: &Value) -> bool {
        let settled = &line["settled"];
        if let (Some(status), Some(version)) = (status(&settled["status"]), settled["version"].as_u64()) {
            self.history.add(Event::Settled { request, status, version });
            return true;
        }
        let lost = line["status"] == 409;
        if !lost && !may_be(line) {
            self.history.odd(format!("a settlement is answered {line}"));
        }
        self.history.add(if lost { Event::Refused { request } } else { Event::Unknown { request } });
        lost
    }
}
