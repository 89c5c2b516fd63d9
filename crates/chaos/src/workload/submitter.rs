use ackd_checker::{After, Event, Line};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;

use super::{AGAIN, Phase, QUEUE};
use crate::chance::Chance;
use crate::document::digest;
use crate::error::{Done, broken};
use crate::history::History;
use crate::http::{Http, JSON, NDJSON, Unanswered};

/// What is submitted.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// The bytes of a payload, about.
    pub(crate) size: u64,
    /// The most jobs of a request.
    pub(crate) batch: u64,
    /// The longest pause between two requests, in milliseconds.
    pub(crate) pause: u64,
    /// How many jobs of a thousand have a callback, and where to.
    pub(crate) callbacks: Option<(u64, String)>,
    /// How many jobs of a thousand are in line behind others.
    pub(crate) ordered: u64,
    /// How many jobs of a thousand come after one that was accepted before.
    pub(crate) after: u64,
    /// How many jobs of a thousand have an idempotency key.
    pub(crate) keyed: u64,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape { size: 200, batch: 12, pause: 30, callbacks: None, ordered: 40, after: 40, keyed: 800 }
    }
}

/// Submits jobs. What was not answered it submits again, where that has idempotency keys.
#[derive(Debug)]
pub(crate) struct Submitter {
    pub(crate) number: u64,
    pub(crate) http: Http,
    pub(crate) history: History,
    pub(crate) chance: Chance,
    pub(crate) shape: Shape,
    /// Of what nobody knows what became.
    pub(crate) open: Vec<Batch>,
    /// The job that was accepted last.
    pub(crate) last: Option<String>,
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    lines: Vec<Line<String>>,
    envelopes: Vec<Value>,
    keyed: bool,
}

impl Submitter {
    /// Submits until it is calm, and then what was not answered.
    pub(crate) async fn run(mut self, phase: watch::Receiver<Phase>) {
        while *phase.borrow() == Phase::Storm || !self.open.is_empty() {
            self.http.address.up().await;
            if !self.step().await {
                sleep(AGAIN).await;
            } else if *phase.borrow() == Phase::Storm {
                sleep(self.chance.millis(self.shape.pause)).await;
            }
        }
    }

    /// Makes a request, an open one first. Whether there was an answer.
    pub(crate) async fn step(&mut self) -> bool {
        let batch = self.open.pop().unwrap_or_else(|| self.batch());
        self.submit(batch).await
    }

    /// A request that nobody made before.
    pub(crate) fn batch(&mut self) -> Batch {
        let count = if self.chance.permille(600) { 1 } else { 1 + self.chance.below(self.shape.batch) };
        let keyed = self.chance.permille(self.shape.keyed);
        let (lines, envelopes) = (0..count).map(|_| self.line(keyed)).unzip();
        Batch { lines, envelopes, keyed }
    }

    fn line(&mut self, keyed: bool) -> (Line<String>, Value) {
        let serial = self.history.serial();
        // Text that no other payload has, of about the size.
        let mut payload = format!("payload-{serial}-");
        let size = usize::try_from(self.chance.about(self.shape.size)).unwrap_or(0);
        while payload.len() < size {
            payload.push_str(&format!("{:x}", self.chance.below(u64::MAX)));
        }
        let mut line = Line::new(QUEUE.to_owned(), digest(&payload));
        let mut envelope = json!({"queue": QUEUE, "payload": payload, "max_attempts": 100});
        if keyed {
            let key = format!("key-{serial}");
            envelope["idempotency_key"] = key.clone().into();
            line.key = Some(key);
        }
        if self.chance.permille(self.shape.ordered) {
            let order = format!("order-{}", self.chance.below(4));
            envelope["ordering_key"] = order.clone().into();
            line.order = Some(order);
        }
        if self.chance.permille(200) {
            let group = format!("group-{}", self.chance.below(5));
            envelope["group"] = group.clone().into();
            line.group = Some(group);
        }
        if let Some(last) = &self.last
            && self.chance.permille(self.shape.after)
        {
            line.after.push(After::Job(last.clone()));
            envelope["after"] = json!([last]);
            line.anyway = self.chance.permille(500);
            if line.anyway {
                envelope["on_failure"] = "continue".into();
            }
        }
        if self.chance.permille(50) {
            envelope["delay"] = format!("{}ms", self.chance.below(500)).into();
        }
        if let Some((permille, url)) = &self.shape.callbacks
            && self.chance.permille(*permille)
        {
            envelope["callback"] = json!({"url": url});
            line.callback = true;
        }
        (line, envelope)
    }

    /// Whether there was an answer.
    pub(crate) async fn submit(&mut self, batch: Batch) -> bool {
        let request = self.history.request();
        let by = format!("client-{}", self.number);
        self.history.add(Event::Submit { request: request.clone(), by, lines: batch.lines.clone() });
        let answer = match &batch.envelopes[..] {
            [envelope] => self.http.post("/v1/jobs", JSON, &envelope.to_string()).await,
            envelopes => {
                let lines: Vec<String> = envelopes.iter().map(Value::to_string).collect();
                self.http.post("/v1/jobs", NDJSON, &lines.join("\n")).await
            }
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(unanswered) => {
                self.history.add(match unanswered {
                    Unanswered::Unsent => Event::Refused { request },
                    Unanswered::Lost => Event::Unknown { request },
                });
                self.keep(batch);
                return false;
            }
        };
        if answer.status != 202 {
            if !answer.is_expected() {
                self.history.odd(format!("a submission is answered {}", answer.text()));
            }
            let refused = answer.is_refusal();
            self.history.add(if refused { Event::Refused { request } } else { Event::Unknown { request } });
            self.keep(batch);
            return false;
        }
        let documents = if batch.envelopes.len() == 1 { vec![answer.json()] } else { answer.lines() };
        let jobs: Vec<String> = documents.iter().filter_map(|it| it["id"].as_str().map(str::to_owned)).collect();
        for (job, _) in jobs.iter().zip(&batch.lines).filter(|(_, line)| line.callback) {
            self.history.call_back(job);
        }
        self.last = jobs.last().cloned();
        self.history.add(Event::Accepted { request, jobs });
        true
    }

    /// Submits a job that no worker gets, for a later mark in the feed; its id.
    pub(crate) async fn mark(&mut self) -> Done<String> {
        let (line, mut envelope) = self.line(true);
        envelope["delay"] = "1h".into();
        let request = self.history.request();
        let by = format!("client-{}", self.number);
        self.history.add(Event::Submit { request: request.clone(), by, lines: vec![line] });
        let answer = self.http.post("/v1/jobs", JSON, &envelope.to_string()).await;
        let id = answer.as_ref().ok().and_then(|answer| answer.json()["id"].as_str().map(str::to_owned));
        let Some(id) = id else {
            return broken(format!("a job is not accepted although nothing fails any more: {answer:?}"));
        };
        self.history.add(Event::Accepted { request, jobs: vec![id.clone()] });
        Ok(id)
    }

    /// Keeps a request that was not accepted, to make it again. Without a key that would be another.
    fn keep(&mut self, batch: Batch) {
        if batch.keyed {
            self.open.push(batch);
        }
    }
}
