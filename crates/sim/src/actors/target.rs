use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ackd_checker::{Event, Snapshot, Status};
use ackd_ports::{Outbound, OutboundError, Phase, Post, Posted, Reply, SigningKey, TargetUrl};
use tokio::time::sleep;

use crate::chance::Chance;
use crate::history::History;

/// Where webhooks are posted to.
pub(crate) const URL: &str = "https://receiver.test/hook";

/// Who takes webhooks, and the network on the way there.
pub(crate) struct Target {
    pub(crate) history: History,
    pub(crate) chance: Arc<Mutex<Chance>>,
    /// How many posts of a thousand fail in one way or another.
    pub(crate) failing: Arc<std::sync::atomic::AtomicU64>,
}

impl Outbound for Target {
    fn check(&self, url: &str) -> Result<(), OutboundError> {
        url.parse::<TargetUrl>()?;
        Ok(())
    }

    fn check_key(&self, _: &SigningKey) -> Result<(), OutboundError> {
        Ok(())
    }

    fn post(&self, post: Post) -> Posted {
        let (history, mut chance) = (self.history.clone(), self.draw());
        let failing = self.failing.load(std::sync::atomic::Ordering::Relaxed);
        Box::pin(async move {
            let fails = chance.permille(failing);
            sleep(Duration::from_millis(1) + chance.millis(50)).await;
            let how = chance.below(3);
            if fails && how == 0 {
                return Err(lost());
            }
            let answer = if fails && how == 1 { 503 } else { 204 };
            if let (Some(job), Some(signed)) = (read(post.body.as_bytes()), &post.signed) {
                let delivery = xxhash_rust::xxh3::xxh3_64(signed.id.as_bytes());
                history.add(Event::Delivered { delivery, job, answer });
            }
            // It is received, and the answer is lost.
            if fails && how == 2 {
                return Err(lost());
            }
            Ok(Reply::empty(answer))
        })
    }
}

impl Target {
    /// The chance of one post.
    fn draw(&self) -> Chance {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        Chance::of(chance.next(), 0)
    }
}

fn lost() -> OutboundError {
    OutboundError::Timeout { during: Phase::Answering, limit: Duration::from_secs(15) }
}

/// What [`crate::server`] writes.
fn read(body: &[u8]) -> Option<Snapshot<u64>> {
    let mut numbers = std::str::from_utf8(body).ok()?.split(' ').map(str::parse::<u64>);
    let mut next = || numbers.next()?.ok();
    let (job, status, version) = (next()?, next()?, next()?);
    let (run, attempt) = (u32::try_from(next()?).ok()?, u32::try_from(next()?).ok()?);
    let status = [Status::Init, Status::Processing, Status::Done, Status::Failed, Status::Cancelled, Status::Expired]
        .into_iter()
        .nth(usize::try_from(status).ok()?)?;
    Some(Snapshot { job, status, version, run, attempt, payload: None, result: None })
}
