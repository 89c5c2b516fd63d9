use std::sync::Arc;
use std::time::Duration;

use crate::{
    ChangeKind, Decision, Draws, Lease, LeaseState, Position, Refusal, Status, Timestamp, View, Write, limits,
};

use super::{step, stepped};

pub(super) fn decide(
    view: &View,
    worker: Option<Arc<str>>,
    ttl: Option<Duration>,
    now: Timestamp,
    draws: &mut dyn Draws,
) -> Result<Decision, Refusal> {
    let job = view.job.as_ref().ok_or(Refusal::NotFound)?;
    if job.status != Status::Init {
        return Err(Refusal::NotWaiting);
    }
    let queue = view.queue();
    if !job.held.is_free() || job.run_at > now || job.expires_at <= now || queue.is_some_and(|queue| queue.paused) {
        return Err(Refusal::HeldBack);
    }
    let started = match queue.and_then(|queue| queue.settings.rate) {
        Some(rate) => {
            let mut started = view.started.clone().unwrap_or_default();
            started.forget_later(now);
            if started.room(rate, now) == 0 {
                return Err(Refusal::HeldBack);
            }
            started.begin(rate, now);
            Some(Write::Started(job.spec.queue.clone(), started))
        }
        None => None,
    };
    let lease = Lease {
        // The position of the granting change, which is drawn only once nothing is refused any more.
        fence: Position::START,
        secret: u128::from(draws.random()) << 64 | u128::from(draws.random()),
        ttl: ttl.unwrap_or_else(|| queue.map_or(limits::DEFAULT_LEASE_TTL, |queue| queue.lease_ttl())),
        timeout: job.spec.timeout.or_else(|| queue.and_then(|queue| queue.settings.timeout)),
        granted_at: now,
        state: LeaseState::Live,
    };
    let mut decision = stepped(step(job, ChangeKind::Leased, now, draws, |position, next| {
        next.status = Status::Processing;
        next.attempt += 1;
        next.started_at = Some(now);
        next.worker = worker;
        next.lease = Some(Lease { fence: position, ..lease });
        next.progress = None;
    }));
    decision.writes.extend(started);
    Ok(decision)
}
