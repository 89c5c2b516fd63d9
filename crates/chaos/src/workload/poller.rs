use ackd_checker::Event;
use tokio::sync::watch;
use tokio::time::sleep;

use super::{AGAIN, Phase};
use crate::chance::Chance;
use crate::document::snapshot;
use crate::history::History;
use crate::http::Http;

/// Reads jobs that anybody knows, by short and by long polls.
#[derive(Debug)]
pub(crate) struct Poller {
    pub(crate) number: u64,
    pub(crate) http: Http,
    pub(crate) history: History,
    pub(crate) chance: Chance,
    /// The longest pause between two polls, in milliseconds.
    pub(crate) pause: u64,
}

impl Poller {
    /// Reads until it is calm.
    pub(crate) async fn run(mut self, phase: watch::Receiver<Phase>) {
        while *phase.borrow() == Phase::Storm {
            self.http.address.up().await;
            let at = self.chance.below(u64::MAX);
            let hold = if self.chance.permille(200) { "1s" } else { "0s" };
            let read = match self.history.job(at) {
                Some(id) => self.read(&id, hold).await,
                None => false,
            };
            sleep(if read { self.chance.millis(self.pause) } else { AGAIN }).await;
        }
    }

    /// Reads a job, once it has ended or so long has passed. Whether there was an answer.
    pub(crate) async fn read(&mut self, id: &str, hold: &str) -> bool {
        let since = self.history.now();
        let by = format!("reader-{}", self.number);
        let Ok(answer) = self.http.get(&format!("/v1/jobs/{id}?wait={hold}")).await else { return false };
        match answer.status {
            200 => match snapshot(&answer.json()) {
                Some(job) if job.job == id => self.history.add(Event::Read { by, since, job }),
                _ => self.history.odd(format!("who reads {id} is answered {}", answer.text())),
            },
            404 => self.history.add(Event::Missing { by, since, job: id.to_owned() }),
            503 | 507 => return false,
            _ => {
                self.history.odd(format!("who reads {id} is answered {}", answer.text()));
                return false;
            }
        }
        true
    }
}
