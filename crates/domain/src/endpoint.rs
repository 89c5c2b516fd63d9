use std::sync::Arc;
use std::time::Duration;

use crate::{Name, Secret, Timestamp, WebhookEvent, WebhookEvents, WebhookFormat};

/// Where jobs' ends are told, as an operator asks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointRequest {
    /// Where to post, `http` or `https`.
    pub url: Arc<str>,
    /// The queues whose jobs are told of; empty: all. At most [`crate::limits::ENDPOINT_QUEUES`].
    pub queues: Vec<Name>,
    /// Which ends are told.
    pub events: WebhookEvents,
    /// The form of what is sent.
    pub format: WebhookFormat,
    /// What it is signed with; where it is `None` a new endpoint gets one that is made, and a known one keeps its own.
    pub secret: Option<Secret>,
}

/// Where jobs' ends are told.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// Its name.
    pub name: Name,
    /// Where to post, `http` or `https`.
    pub url: Arc<str>,
    /// The queues whose jobs are told of; empty: all.
    pub queues: Vec<Name>,
    /// Which ends are told.
    pub events: WebhookEvents,
    /// The form of what is sent.
    pub format: WebhookFormat,
    /// What it is signed with.
    pub secret: Secret,
    /// What it is signed with as well until the time beside it, the newest first: so the receiver can change over.
    pub former: Vec<(Secret, Timestamp)>,
    /// Grows by one each time it is asked for anew: what became of a post that was sent before tells nothing about it.
    pub revision: u64,
    /// When it was first asked for.
    pub created_at: Timestamp,
    /// The first failure since the last success.
    pub failing_since: Option<Timestamp>,
    /// Nothing is sent to it any more.
    pub disabled: Option<Disabled>,
}

/// That, when and why an endpoint is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disabled {
    /// Since when.
    pub at: Timestamp,
    /// Why.
    pub reason: DisabledReason,
}

/// Why an endpoint is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum DisabledReason {
    /// It answered 410: it wants nothing more (Standard Webhooks 1.0.0, "Delivery").
    Gone = 0,
    /// Whatever was sent to it failed for [`Endpoint::PATIENCE`].
    Failing = 1,
}

impl DisabledReason {
    /// The reason of this number, as a ledger stores it.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<DisabledReason> {
        match number {
            0 => Some(DisabledReason::Gone),
            1 => Some(DisabledReason::Failing),
            _ => None,
        }
    }

    /// The reason in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            DisabledReason::Gone => "it answered 410 Gone",
            DisabledReason::Failing => "every delivery to it has failed for 5 days",
        }
    }
}

/// What became of a post to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostOutcome {
    /// It was taken.
    Taken,
    /// It was not, or there was no answer.
    Failed,
    /// The endpoint wants nothing more.
    Gone,
}

impl Endpoint {
    /// How long a secret that was replaced still signs.
    pub const CHANGE_OVER: Duration = Duration::from_hours(24);

    /// The most secrets that still sign after they were replaced; of more, the oldest end early.
    pub const MAX_FORMER: usize = 4;

    /// How long all may fail before the endpoint is disabled.
    pub const PATIENCE: Duration = Duration::from_hours(5 * 24);

    /// Whether it is to be told that a job of `queue` came to `event`.
    #[must_use]
    pub fn wants(&self, queue: &Name, event: WebhookEvent) -> bool {
        self.disabled.is_none()
            && self.events.contains(event)
            && (self.queues.is_empty() || self.queues.contains(queue))
    }

    /// The endpoint after a post that was made when it had this revision, where that is another than before. What became of
    /// a post says only something about the endpoint as it was then.
    #[must_use]
    pub fn noted(&self, revision: u64, outcome: PostOutcome, now: Timestamp) -> Option<Endpoint> {
        if self.revision != revision || self.disabled.is_some() {
            return None;
        }
        let disabled = |reason| Some(Disabled { at: now, reason });
        match (outcome, self.failing_since) {
            (PostOutcome::Taken, Some(_)) => Some(Endpoint { failing_since: None, ..self.clone() }),
            (PostOutcome::Failed, None) => Some(Endpoint { failing_since: Some(now), ..self.clone() }),
            (PostOutcome::Failed, Some(since)) if now.since(since) >= Endpoint::PATIENCE => {
                Some(Endpoint { disabled: disabled(DisabledReason::Failing), ..self.clone() })
            }
            (PostOutcome::Gone, _) => Some(Endpoint { disabled: disabled(DisabledReason::Gone), ..self.clone() }),
            (PostOutcome::Taken, None) | (PostOutcome::Failed, Some(_)) => None,
        }
    }

    /// What a post at time `now` is signed with, the newest first.
    pub fn secrets(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        let former = self.former.iter().filter(move |(_, until)| *until > now).map(|(secret, _)| secret);
        std::iter::once(&self.secret).chain(former)
    }
}
