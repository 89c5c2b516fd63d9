//! Where webhooks and pushed jobs go that clients name: what is checked of it before it is kept.

use std::fmt;
use std::sync::Arc;

use ackd_api::{Callback, CallbackEvent, Faults, Problem, WebhookFormat};
use ackd_domain::{CallbackRequest, Push, Secret, WebhookEvent, WebhookEvents};
use ackd_engine::{Outbound, SigningKey};

/// Who sends what clients ask to be sent: each judges targets by rules of its own.
#[derive(Clone)]
pub struct Outbounds {
    /// Webhooks.
    pub webhooks: Arc<dyn Outbound>,
    /// The jobs of queues that are pushed.
    pub pushes: Arc<dyn Outbound>,
}

#[cfg(test)]
impl Outbounds {
    /// Ones that send nothing.
    pub(crate) fn nowhere() -> Outbounds {
        let nowhere = Arc::new(ackd_memory::FakeOutbound::new());
        Outbounds { webhooks: nowhere.clone(), pushes: nowhere }
    }
}

impl fmt::Debug for Outbounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbounds").finish_non_exhaustive()
    }
}

/// Says whether anything could ever be sent to a target, by the rules of whoever sends.
#[derive(Debug, Clone)]
pub(crate) struct Targets(Outbounds);

impl Targets {
    pub(crate) fn new(outbounds: Outbounds) -> Targets {
        Targets(outbounds)
    }

    /// The push that a client asks for.
    ///
    /// # Errors
    /// A problem that points at `/push/url`.
    pub(crate) fn push(&self, push: &ackd_api::Push) -> Result<Push, Problem> {
        self.0.pushes.check(&push.url).map_err(|error| Problem::at("/push/url", error.to_string()))?;
        Ok(Push {
            url: push.url.as_str().into(),
            concurrency: push.concurrency,
            timeout: push.timeout.map(Into::into),
            is_async: push.is_async,
            fail_on: push.fail_on.as_deref().map(Into::into),
        })
    }

    /// The callback that a client asks for.
    ///
    /// # Errors
    /// A problem that points at what is wrong with it, within `/callback`.
    pub(crate) fn callback(&self, callback: &Callback<'_>) -> Result<CallbackRequest, Problem> {
        Ok(CallbackRequest {
            secret: self.check("/callback", &callback.url, callback.secret.as_ref())?,
            url: Arc::from(&*callback.url),
            events: events(&callback.events),
            format: format(callback.format),
        })
    }

    /// Checks a URL, and the key that posts to it are to be signed with, which it gives back.
    ///
    /// # Errors
    /// A problem that points at `/url`, at `/secret` or at both, below `at`. It repeats nothing of the secret.
    pub(crate) fn check(
        &self,
        at: &str,
        url: &str,
        secret: Option<&ackd_api::Secret<'_>>,
    ) -> Result<Option<Secret>, Problem> {
        let mut faults = Faults::new();
        if let Err(error) = self.0.webhooks.check(url) {
            faults.add(&format!("{at}/url"), error);
        }
        if let Some(secret) = secret {
            let key = secret.expose().parse::<SigningKey>().map_err(|error| error.to_string());
            if let Err(error) = key.and_then(|key| self.0.webhooks.check_key(&key).map_err(|error| error.to_string())) {
                faults.add(&format!("{at}/secret"), error);
            }
        }
        faults.into_result()?;
        Ok(secret.map(|secret| Secret::new(secret.expose())))
    }
}

/// The events that a client names; none means all.
pub(crate) fn events(events: &[CallbackEvent]) -> WebhookEvents {
    WebhookEvents::of(events.iter().map(|event| match event {
        CallbackEvent::Done => WebhookEvent::Done,
        CallbackEvent::Failed => WebhookEvent::Failed,
        CallbackEvent::Cancelled => WebhookEvent::Cancelled,
        CallbackEvent::Expired => WebhookEvent::Expired,
    }))
}

/// The format that a client names, or the default.
pub(crate) fn format(format: Option<WebhookFormat>) -> ackd_domain::WebhookFormat {
    match format.unwrap_or_default() {
        WebhookFormat::Standard => ackd_domain::WebhookFormat::Standard,
        WebhookFormat::CloudEvents => ackd_domain::WebhookFormat::CloudEvents,
    }
}
