use std::time::Duration;

use ackd_domain::{Answer, Command, Job, LeaseState, LeaseToken};
use tokio::time::{Instant, MissedTickBehavior};

use super::LEASE;
use crate::engine::Engine;
use crate::hub::{Followed, Following};

/// How often a lease is renewed while its job is posted.
const BEAT: Duration = Duration::from_secs(LEASE.as_secs() / 3);

/// How a job stands to a lease under which it is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The lease is live.
    Held,
    /// Whoever was posted to has settled it.
    Settled,
    /// Its worker is to stop.
    Cancelled,
    /// It lapsed, or another was granted.
    Lost,
}

impl Standing {
    pub(super) fn of(job: &Job, token: &LeaseToken) -> Standing {
        match job.lease.as_ref().filter(|lease| lease.is_named_by(token)).map(|lease| lease.state) {
            Some(LeaseState::Live) if job.cancel_requested_at.is_some() => Standing::Cancelled,
            Some(LeaseState::Live) => Standing::Held,
            Some(LeaseState::Settled(_)) => Standing::Settled,
            Some(LeaseState::Lapsed) | None => Standing::Lost,
        }
    }
}

/// Keeps the lease of a job while it is posted. Gives [`Standing::Cancelled`] or [`Standing::Lost`] once there is nothing
/// to post it for any more.
pub(super) async fn keep(engine: &Engine, following: Following, job: &Job, token: LeaseToken) -> Standing {
    let mut beat = tokio::time::interval_at(Instant::now() + BEAT, BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_told = true;
    loop {
        let standing = tokio::select! {
            followed = following.next(), if is_told => match followed {
                Followed::Change(change) => Standing::of(&change.job, &token),
                Followed::Lagging => now(engine, job, &token).await,
                // The server stops; the post may end for a moment yet.
                Followed::Closed => {
                    is_told = false;
                    Standing::Held
                }
            },
            _ = beat.tick() => {
                let command = Command::Heartbeat { lease: token, ttl: None, progress: None, checkpoint: None };
                match engine.run(vec![command]).await.ok().and_then(|mut answers| answers.pop()) {
                    // It was asked for before anybody followed.
                    Some(Ok(Answer::Beat { cancel_requested: true, .. })) => Standing::Cancelled,
                    Some(Err(_)) => now(engine, job, &token).await,
                    // The core that takes nothing up now may do so later.
                    Some(Ok(_)) | None => Standing::Held,
                }
            }
        };
        match standing {
            Standing::Held => {}
            // The post may say more to its sender, but nothing to the job.
            Standing::Settled => std::future::pending().await,
            Standing::Cancelled | Standing::Lost => return standing,
        }
    }
}

async fn now(engine: &Engine, job: &Job, token: &LeaseToken) -> Standing {
    match engine.job(job.id).await {
        Ok(Some(job)) => Standing::of(&job, token),
        Ok(None) => Standing::Lost,
        // What cannot be read now may be read later; until then the lease is as it was.
        Err(_) => Standing::Held,
    }
}
