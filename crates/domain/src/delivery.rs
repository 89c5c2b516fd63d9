use std::sync::Arc;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use crate::{Body, JobId, Name, Position, Secret, WebhookEvent, WebhookEvents, WebhookFormat};

/// Where to tell of a job's end, as its client asks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct CallbackRequest {
    /// Where to post, `http` or `https`.
    pub url: Arc<str>,
    /// Which ends are told.
    pub events: WebhookEvents,
    /// The form of what is sent.
    pub format: WebhookFormat,
    /// What it is signed with; one is made where it is `None`.
    pub secret: Option<Secret>,
}

/// Where to tell of a job's end.
#[derive(Debug, Clone, PartialEq)]
pub struct Callback {
    /// Where to post, `http` or `https`.
    pub url: Arc<str>,
    /// Which ends are told.
    pub events: WebhookEvents,
    /// The form of what is sent.
    pub format: WebhookFormat,
    /// What it is signed with.
    pub secret: Secret,
}

impl Callback {
    /// Scheme, host and port of the URL: what may be shown of it, for path and query may hold secrets.
    #[must_use]
    pub fn origin(&self) -> &str {
        let host = self.url.find("://").map_or(0, |at| at + 3);
        let end = self.url[host..].find(['/', '?', '#']).map_or(self.url.len(), |at| host + at);
        &self.url[..end]
    }
}

/// What a job of the server's own queue [`Name::webhooks`] delivers. Its payload is the body that is posted, byte for
/// byte, in every attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The job that it tells of.
    pub source: JobId,
    /// The `webhook-id`: the same in every attempt and replay, so that a receiver knows a repetition.
    pub webhook_id: Arc<str>,
    /// What it tells.
    pub event: WebhookEvent,
    /// Whom it tells.
    pub target: Target,
}

/// Whom a delivery tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// The endpoint of this name, as it is when it is sent.
    Endpoint(Name),
    /// The callback of the job.
    Callback(Arc<Callback>),
}

impl Target {
    /// What may be shown of it: the endpoint's name, or the callback's origin. Deliveries of one group share it.
    #[must_use]
    pub fn shown(&self) -> &str {
        match self {
            Target::Endpoint(name) => name.as_str(),
            Target::Callback(callback) => callback.origin(),
        }
    }
}

impl Delivery {
    /// The waits after failed attempts, by the schedule of Standard Webhooks 1.0.0 ("Retry schedule"): the first attempt
    /// is made at once, and one more after each of these.
    pub const PAUSES: [Duration; 9] = [
        Duration::from_secs(5),
        Duration::from_mins(5),
        Duration::from_mins(30),
        Duration::from_hours(2),
        Duration::from_hours(5),
        Duration::from_hours(10),
        Duration::from_hours(14),
        Duration::from_hours(20),
        Duration::from_hours(24),
    ];

    /// The wait after the `attempt`-th attempt (from 1) failed, of which up to a fifth is left to chance, so that what
    /// failed together is not tried again together; `random` is 64 random bits.
    #[must_use]
    pub fn pause(attempt: u32, random: u64) -> Duration {
        let nth = (attempt.max(1) as usize - 1).min(Delivery::PAUSES.len() - 1);
        // Within a fifth: 2^16 steps are fine enough for waits of hours.
        Delivery::PAUSES[nth] - Delivery::PAUSES[nth] / 5 * (random >> 48) as u32 / (1 << 16)
    }

    /// The `webhook-id` of what tells `target` of the change by which the job `source` came to `version`. A target is
    /// told of a change under one id only, and under another than every other target.
    #[must_use]
    pub fn webhook_id(source: JobId, version: u64, target: &Target) -> Arc<str> {
        let whom = match target {
            Target::Endpoint(name) => xxh3_64(name.as_str().as_bytes()),
            // No name has these bytes.
            Target::Callback(_) => xxh3_64(b" callback"),
        };
        format!("msg_{:032x}_{version}_{whom:016x}", source.as_u128()).into()
    }
}

/// A delivery that is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDelivery {
    /// What and whom it tells.
    pub delivery: Delivery,
    /// What is posted.
    pub body: Body,
}

/// How far a consumer of the change feed has come, to be written together with what it made of the changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advance {
    /// The consumer.
    pub consumer: Name,
    /// Where it was, as far as it knows; `None` before its first step.
    pub from: Option<Position>,
    /// Where it is then.
    pub to: Position,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    #[test]
    fn an_origin_shows_neither_path_nor_query() {
        for (url, origin) in [
            ("https://example.com", "https://example.com"),
            ("https://example.com/hook?key=1", "https://example.com"),
            ("http://example.com:8080?key=1", "http://example.com:8080"),
            ("http://[::1]:80/a", "http://[::1]:80"),
        ] {
            let (events, format) = (WebhookEvents::ALL, WebhookFormat::Standard);
            let callback = Callback { url: url.into(), events, format, secret: Secret::new("whsec_x") };
            assert_eq!(callback.origin(), origin);
            assert_eq!(Target::Callback(callback.into()).shown(), origin);
        }
    }

    #[test]
    fn the_pauses_are_the_schedules_less_up_to_a_fifth() {
        for (nth, pause) in Delivery::PAUSES.into_iter().enumerate() {
            let attempt = u32::try_from(nth).unwrap() + 1;
            assert_eq!(Delivery::pause(attempt, 0), pause);
            let shortest = Delivery::pause(attempt, u64::MAX);
            assert!(shortest >= pause * 4 / 5 && shortest < pause * 81 / 100, "{shortest:?} of {pause:?}");
        }
        assert_eq!(Delivery::PAUSES.len() + 1, crate::limits::DELIVERY_ATTEMPTS as usize);
        assert_eq!(Delivery::pause(0, 0), Delivery::PAUSES[0]);
        assert_eq!(Delivery::pause(u32::MAX, 0), Delivery::PAUSES[8]);
    }

    #[test]
    fn a_webhook_id_is_of_one_change_and_one_target() {
        let source = JobId::new(Timestamp::from_millis(1), 7, 3);
        let target = |name| Target::Endpoint(Name::new(name).unwrap());
        let id = |version, name| Delivery::webhook_id(source, version, &target(name));
        assert_eq!(id(3, "a"), id(3, "a"));
        assert_ne!(id(3, "a"), id(3, "b"));
        assert_ne!(id(3, "a"), id(4, "a"));
        assert!(id(3, "a.b").bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
    }
}
