use std::sync::Arc;
use std::time::Duration;

use crate::{Backoff, Name, Push, Rate, limits};

/// What an operator set for the jobs of a queue. What is `None` follows the server's default.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QueueSettings {
    /// How long a lease lasts without a heartbeat, where the worker names no time of its own.
    pub lease_ttl: Option<Duration>,
    /// The attempts of a run, for jobs that name none.
    pub max_attempts: Option<u32>,
    /// The wait between attempts, for jobs that name none.
    pub backoff: Option<Backoff>,
    /// The longest time of one attempt, heartbeats or not, for jobs that name none.
    pub timeout: Option<Duration>,
    /// How many jobs may run at once; 1 to [`limits::CONCURRENCY`].
    pub concurrency: Option<u32>,
    /// How many jobs of one group may run at once; 1 to [`limits::GROUP_CONCURRENCY`]. Jobs without a group
    /// are in none and not limited.
    pub group_concurrency: Option<u32>,
    /// How many attempts may begin in a period.
    pub rate: Option<Rate>,
    /// How long after it is due a job that was not done expires, for jobs that name no time.
    pub expires_in: Option<Duration>,
    /// How long an ended job is kept, for jobs that name no time.
    pub result_retention: Option<Duration>,
    /// The queue in which a job is made anew that failed for good or expired here.
    pub dead_letter: Option<Name>,
    /// Where the server takes the jobs to by itself, beside workers that come for them.
    pub push: Option<Arc<Push>>,
}

/// A change of some settings (RFC 7396): `None` leaves a setting, `Some(None)` takes it back to the default.
#[derive(Debug, Clone, PartialEq, Default)]
#[allow(clippy::option_option, reason = "a merge patch tells absent, null and value apart")]
pub struct QueuePatch {
    /// See [`QueueSettings::lease_ttl`].
    pub lease_ttl: Option<Option<Duration>>,
    /// See [`QueueSettings::max_attempts`].
    pub max_attempts: Option<Option<u32>>,
    /// See [`QueueSettings::backoff`].
    pub backoff: Option<Option<Backoff>>,
    /// See [`QueueSettings::timeout`].
    pub timeout: Option<Option<Duration>>,
    /// See [`QueueSettings::concurrency`].
    pub concurrency: Option<Option<u32>>,
    /// See [`QueueSettings::group_concurrency`].
    pub group_concurrency: Option<Option<u32>>,
    /// See [`QueueSettings::rate`].
    pub rate: Option<Option<Rate>>,
    /// See [`QueueSettings::expires_in`].
    pub expires_in: Option<Option<Duration>>,
    /// See [`QueueSettings::result_retention`].
    pub result_retention: Option<Option<Duration>>,
    /// See [`QueueSettings::dead_letter`].
    pub dead_letter: Option<Option<Name>>,
    /// See [`QueueSettings::push`].
    pub push: Option<Option<Arc<Push>>>,
    /// Pause or resume the queue.
    pub paused: Option<bool>,
    /// Take no new jobs, or take them again.
    pub draining: Option<bool>,
}

impl QueuePatch {
    /// The patch that replaces all settings by `settings` and leaves the pause as it is.
    #[must_use]
    pub fn replace(settings: &QueueSettings) -> QueuePatch {
        QueuePatch {
            lease_ttl: Some(settings.lease_ttl),
            max_attempts: Some(settings.max_attempts),
            backoff: Some(settings.backoff),
            timeout: Some(settings.timeout),
            concurrency: Some(settings.concurrency),
            group_concurrency: Some(settings.group_concurrency),
            rate: Some(settings.rate),
            expires_in: Some(settings.expires_in),
            result_retention: Some(settings.result_retention),
            dead_letter: Some(settings.dead_letter.clone()),
            push: Some(settings.push.clone()),
            paused: None,
            draining: None,
        }
    }

    /// The patch after which the queue only works off what it has.
    #[must_use]
    pub fn drain() -> QueuePatch {
        QueuePatch { draining: Some(true), ..QueuePatch::default() }
    }

    /// The patch that ends a pause and a draining.
    #[must_use]
    pub fn resume() -> QueuePatch {
        QueuePatch { paused: Some(false), draining: Some(false), ..QueuePatch::default() }
    }

    /// The patch that only pauses or resumes.
    #[must_use]
    pub fn pause(paused: bool) -> QueuePatch {
        QueuePatch { paused: Some(paused), ..QueuePatch::default() }
    }
}

/// A queue as the ledger knows it. A queue needs no creation: one nobody has configured has the defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// Its name.
    pub name: Name,
    /// What was set.
    pub settings: QueueSettings,
    /// Whether its jobs are held back from workers; those that run go on.
    pub paused: bool,
    /// Whether it takes no new jobs: those that it has go on.
    pub draining: bool,
}

impl Queue {
    /// The queue `name` before anybody configured it.
    #[must_use]
    pub fn new(name: Name) -> Queue {
        Queue { name, settings: QueueSettings::default(), paused: false, draining: false }
    }

    /// This queue after `patch`.
    #[must_use]
    pub fn patched(&self, patch: &QueuePatch) -> Arc<Queue> {
        let old = &self.settings;
        Arc::new(Queue {
            name: self.name.clone(),
            settings: QueueSettings {
                lease_ttl: patch.lease_ttl.unwrap_or(old.lease_ttl),
                max_attempts: patch.max_attempts.unwrap_or(old.max_attempts),
                backoff: patch.backoff.unwrap_or(old.backoff),
                timeout: patch.timeout.unwrap_or(old.timeout),
                concurrency: patch.concurrency.unwrap_or(old.concurrency),
                rate: patch.rate.unwrap_or(old.rate),
                group_concurrency: patch.group_concurrency.unwrap_or(old.group_concurrency),
                expires_in: patch.expires_in.unwrap_or(old.expires_in),
                result_retention: patch.result_retention.unwrap_or(old.result_retention),
                dead_letter: patch.dead_letter.clone().unwrap_or_else(|| old.dead_letter.clone()),
                push: patch.push.clone().unwrap_or_else(|| old.push.clone()),
            },
            paused: patch.paused.unwrap_or(self.paused),
            draining: patch.draining.unwrap_or(self.draining),
        })
    }

    /// The lease of a worker that names no time.
    #[must_use]
    pub fn lease_ttl(&self) -> Duration {
        self.settings.lease_ttl.unwrap_or(limits::DEFAULT_LEASE_TTL)
    }

    /// The attempts of a job that names none.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.settings.max_attempts.unwrap_or(limits::DEFAULT_ATTEMPTS)
    }

    /// The back-off of a job that names none.
    #[must_use]
    pub fn backoff(&self) -> Backoff {
        self.settings.backoff.unwrap_or_default()
    }

    /// The expiry of a job that names none.
    #[must_use]
    pub fn expires_in(&self) -> Duration {
        self.settings.expires_in.unwrap_or(limits::DEFAULT_EXPIRY)
    }
}
