//! How a world ends: nothing fails any more, what was begun comes to its end, everything is read, and the checker decides.

use std::time::{Duration, Instant};

use ackd_checker::Event;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{BOUND, READERS, World};
use crate::error::{Done, broken};
use crate::figures::Figures;
use crate::history::micros;
use crate::http::{Answer, Http, JSON};
use crate::verdict;
use crate::workload::{AGAIN, Phase, QUEUE, Shape};

impl World {
    /// Nothing fails any more: everything that was begun must end, be read and told, and keep the promises.
    pub(crate) async fn finish(mut self) -> Done<Figures> {
        let ended = self.drain().await;
        if let Some(server) = self.server.take() {
            server.kill().await?;
        }
        self.judge(ended)
    }

    /// What the checker says of the history as it is.
    pub(crate) fn judge(mut self, ended: Done) -> Done<Figures> {
        let jobs = self.history.jobs();
        let acknowledged = jobs.iter().filter(|(_, known)| known.acknowledged);
        self.figures.acknowledged = acknowledged.clone().count();
        self.figures.lost = acknowledged.filter(|(_, known)| known.missing).count();
        self.figures.done = jobs.iter().filter(|(_, known)| known.ended).count();
        self.figures.took = self.started.elapsed();
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        verdict::decide(&self.history, &self.name, self.seed, ended, &log)?;
        Ok(self.figures.clone())
    }

    /// Lets the clients bring to its end what they have begun, and then waits until nobody holds a lease. What waits goes on
    /// waiting.
    pub(crate) async fn quiet(&mut self) -> Done {
        self.phase.send_replace(Phase::Calm);
        let clients = std::mem::take(&mut self.clients);
        let joined = timeout(BOUND, clients.join_all()).await;
        joined.or_else(|_| broken("clients are not answered although nothing fails"))?;
        self.others.shutdown().await;
        let mut http = self.http();
        while self.answer(&mut http, &format!("/v1/queues/{QUEUE}")).await?.json()["counts"]["PROCESSING"] != 0 {
            sleep(AGAIN).await;
        }
        Ok(())
    }

    /// Nothing fails any more, the receiver is back, and clients end.
    pub(crate) fn calm(&self) {
        self.set_reading(true);
        self.receiver.set_away(false);
        self.receiver.turn_away(0);
        self.phase.send_replace(Phase::Calm);
    }

    /// How many jobs were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.history.jobs().iter().filter(|(_, known)| known.acknowledged).count()
    }

    /// The jobs that anybody knows.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.history.jobs().into_iter().map(|(id, _)| id).collect()
    }

    async fn drain(&mut self) -> Done {
        self.history.add(Event::FaultsStop { bound: micros(BOUND) });
        self.calm();
        let clients = std::mem::take(&mut self.clients);
        let joined = timeout(BOUND, clients.join_all()).await;
        joined.or_else(|_| broken("clients are not answered although nothing fails any more"))?;
        self.drained().await?;
        self.read_all().await?;
        self.webhooks().await?;
        self.caught_up().await?;
        self.history.add(Event::End);
        Ok(())
    }

    /// A whole answer, asked for until there is one.
    pub(crate) async fn answer(&self, http: &mut Http, path: &str) -> Done<Answer> {
        let started = Instant::now();
        loop {
            match http.get(path).await {
                Ok(answer) => return Ok(answer),
                Err(why) if started.elapsed() > BOUND => return broken(format!("GET {path} has no answer: {why:?}")),
                Err(_) => sleep(AGAIN).await,
            }
        }
    }

    /// Waits until no job of the queue waits or runs.
    async fn drained(&self) -> Done {
        let (mut http, started) = (self.http(), Instant::now());
        loop {
            let answer = self.answer(&mut http, &format!("/v1/queues/{QUEUE}")).await?;
            let document = answer.json();
            let counts = &document["counts"];
            let open = counts["INIT"].as_u64().zip(counts["PROCESSING"].as_u64()).map(|(waits, runs)| waits + runs);
            match open {
                Some(0) => return Ok(()),
                None if answer.status == 404 => return Ok(()),
                // What is left is for the checker to tell.
                _ if started.elapsed() > BOUND => return Ok(()),
                _ => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Reads every job that anybody knows or the server lists.
    pub(crate) async fn read_all(&mut self) -> Done {
        let mut ids = self.ids();
        let (mut http, mut token) = (self.http(), String::new());
        loop {
            let answer = self.answer(&mut http, &format!("/v1/jobs?queue={QUEUE}&page_size=1000{token}")).await?;
            let page = answer.json();
            let Some(jobs) = page["jobs"].as_array() else {
                return broken(format!("the list of jobs is {}", answer.text()));
            };
            let listed = jobs.iter().filter_map(|job| job["id"].as_str());
            ids.extend(listed.filter(|id| !self.history.knows(id)).map(str::to_owned));
            match page["next_page_token"].as_str() {
                Some(next) => token = format!("&page_token={next}"),
                None => break,
            }
        }
        let mut readers = JoinSet::new();
        for at in 0..READERS {
            let mut reader = self.poller();
            let part: Vec<String> = ids.iter().skip(at).step_by(READERS).cloned().collect();
            readers.spawn(async move {
                for id in part {
                    let mut tries = 0;
                    while !reader.read(&id, "0s").await && tries < 50 {
                        tries += 1;
                        sleep(AGAIN).await;
                    }
                }
            });
        }
        readers.join_all().await;
        Ok(())
    }

    /// Waits until webhooks were told of all ends, or it is to be seen that they cannot be.
    async fn webhooks(&self) -> Done {
        let (mut http, started) = (self.http(), Instant::now());
        loop {
            let jobs = self.history.jobs().into_iter();
            let untold = jobs.filter(|(_, known)| known.callback && known.ended && !known.told);
            let untold: Vec<String> = untold.map(|(id, _)| id).collect();
            // What is left is for the checker to tell.
            if untold.is_empty() || started.elapsed() > BOUND {
                return Ok(());
            }
            for id in untold {
                let answer = self.answer(&mut http, &format!("/v1/jobs/{id}/deliveries")).await?;
                let document = answer.json();
                let deliveries = document["deliveries"].as_array().map_or(&[][..], Vec::as_slice);
                if deliveries.iter().any(|delivery| delivery["status"] == "FAILED") {
                    self.history.add(Event::DeadDelivery { job: id, run: 1 });
                }
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ends one more job, and waits until those who follow have seen that: then they have seen all that was before.
    async fn caught_up(&mut self) -> Done {
        let since = self.history.now();
        let shape = Shape { callbacks: None, ordered: 0, after: 0, ..Shape::default() };
        let mut submitter = self.submitter(&shape);
        let job = submitter.mark().await?;
        let mut http = self.http();
        let request = self.history.request();
        self.history.add(Event::Cancel { request: request.clone(), job: job.clone() });
        match http.post(&format!("/v1/jobs/{job}/cancel"), JSON, "").await {
            Ok(answer) if answer.status == 200 => self.history.add(Event::Done { request }),
            other => return broken(format!("a job cannot be cancelled although nothing fails any more: {other:?}")),
        }
        let mut reader = self.poller();
        reader.read(&job, "0s").await;
        for (at, told) in self.followers.iter_mut().enumerate() {
            if timeout(BOUND, told.wait_for(|last| *last == job)).await.is_err() {
                return broken(format!("follower {at} is never told of the last job, {job}"));
            }
        }
        for subscriber in self.history.followers() {
            self.history.add(Event::CaughtUp { subscriber, since });
        }
        Ok(())
    }
}
