use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ackd_checker::{Event, Verb};
use ackd_domain::{Answer, Body, Command, Failure, LeaseToken};
use ackd_engine::{Granted, WorkRequest};
use tokio::time::sleep;

use super::{queue, refused};
use crate::history::{self, History, snapshot};
use crate::network::{Heard, Network};

/// Leases jobs and works on them, more or less reliably.
pub(crate) struct Worker {
    pub(crate) number: u64,
    pub(crate) network: Network,
    pub(crate) history: History,
    /// How many jobs of a thousand it does not work on as it should.
    pub(crate) careless: u64,
    /// From when on all work as they should.
    pub(crate) calm: Arc<AtomicBool>,
}

impl Worker {
    /// Works until it is dropped.
    pub(crate) async fn run(mut self) {
        loop {
            let granted = self.lease().await;
            for granted in granted {
                self.work(granted).await;
            }
            sleep(self.network.chance.millis(300)).await;
        }
    }

    async fn lease(&mut self) -> Vec<Granted> {
        let chance = &mut self.network.chance;
        let request = WorkRequest {
            queues: if chance.permille(700) { vec![queue(0), queue(1)] } else { vec![queue(chance.below(2))] },
            kinds: Vec::new(),
            max: if chance.permille(300) { 3 } else { 1 },
            wait: if chance.permille(300) { Duration::ZERO } else { Duration::from_secs(30) },
            worker: Some(format!("worker-{}", self.number).into()),
            ttl: Some(Duration::from_secs(1) + chance.millis(2_000)),
            inline: 1 << 20,
        };
        self.network.travel().await;
        if self.network.loses() {
            sleep(Duration::from_millis(500)).await;
            return Vec::new();
        }
        let Some(up) = self.network.connect() else { return Vec::new() };
        let impatience = self.network.chance.millis(60_000);
        let granted = tokio::select! {
            biased;
            () = up.died() => return Vec::new(),
            granted = up.engine.lease(request) => granted,
            // Its connection breaks, and the server notices.
            () = sleep(impatience) => return Vec::new(),
        };
        let Ok(mut grants) = granted else { return Vec::new() };
        let since = self.history.now();
        if up.is_dead() {
            return Vec::new();
        }
        if self.network.loses() {
            // The server may notice that the answer could not be written.
            if self.network.chance.permille(500) {
                grants.delivered();
            }
            return Vec::new();
        }
        grants.delivered();
        let leases = grants.leases().to_vec();
        self.network.travel().await;
        for granted in &leases {
            self.history.know(&granted.job);
            self.history.add(Event::Granted {
                worker: self.number,
                lease: history::lease(&granted.token),
                since,
                holds: micros(granted.ttl),
                job: snapshot(&granted.job, granted.payload.as_ref(), None),
            });
        }
        leases
    }

    async fn work(&mut self, granted: Granted) {
        let careless = !self.calm.load(Ordering::Relaxed) && self.network.chance.permille(self.careless);
        if careless && self.network.chance.permille(400) {
            // It vanishes.
            return;
        }
        let most = if careless { 5_000 } else { 400 };
        sleep(self.network.chance.millis(most)).await;
        if self.network.chance.permille(300) && !self.beat(&granted).await {
            return;
        }
        let fails = self.network.chance.permille(150);
        let (verb, result) = if fails {
            (if self.network.chance.permille(500) { Verb::Fail } else { Verb::Release }, None)
        } else {
            (Verb::Complete, Some(self.history.bytes()))
        };
        for _ in 0..4 {
            if self.settle(granted.token, verb, result.clone()).await {
                return;
            }
            sleep(self.network.chance.millis(1_000)).await;
        }
    }

    /// Whether it may go on.
    async fn beat(&mut self, granted: &Granted) -> bool {
        let since = self.history.now();
        let command = Command::Heartbeat { lease: granted.token, ttl: None, progress: None, checkpoint: None };
        let heard = self.network.ask(true, move |engine| {
            let command = command.clone();
            async move { engine.run(vec![command]).await.map(|mut answers| answers.pop()) }
        });
        match heard.await {
            Heard::Answer(Ok(Some(Ok(Answer::Beat { ttl, .. })))) => {
                self.history.add(Event::Beat { lease: history::lease(&granted.token), since, holds: micros(ttl) });
                sleep(self.network.chance.millis(400)).await;
                true
            }
            Heard::Answer(Ok(_)) => false,
            _ => true,
        }
    }

    /// Whether it is known to have happened, or not to.
    async fn settle(&mut self, lease: LeaseToken, verb: Verb, result: Option<(u64, Body)>) -> bool {
        let request = self.history.request();
        let (digest, body) = result.unzip();
        self.history.add(Event::Settle { request, lease: history::lease(&lease), verb, result: digest });
        let heard = self.network.ask(true, move |engine| {
            let command = match verb {
                Verb::Complete => Command::Complete { lease, result: body.clone() },
                Verb::Fail => {
                    let error = Failure { problem: r#"{"title":"no"}"#.into() };
                    Command::Fail { lease, error, retryable: true, retry_after: None, cancelled: false }
                }
                Verb::Release => Command::Release { lease, delay: None, checkpoint: None },
            };
            async move { engine.run(vec![command]).await.map(|mut answers| answers.pop()) }
        });
        let (answer, known) = match heard.await {
            Heard::Answer(Ok(Some(Ok(Answer::Job(job))))) => {
                self.history.know(&job);
                let status = history::status(job.status);
                (Event::Settled { request, status, version: job.version }, true)
            }
            Heard::Answer(Err(unavailable)) if !refused(&unavailable) => (Event::Unknown { request }, false),
            Heard::Nothing => (Event::Unknown { request }, false),
            Heard::Answer(Ok(_)) => (self.network.refused(request), true),
            Heard::Answer(Err(_)) | Heard::Nobody => (self.network.refused(request), false),
        };
        self.history.add(answer);
        known
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
