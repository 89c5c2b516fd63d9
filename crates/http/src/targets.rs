//! Where webhooks go that clients name: what is checked of it before it is kept.

use std::fmt;
use std::sync::Arc;

use ackd_api::{Callback, CallbackEvent, Faults, Problem, WebhookFormat};
use ackd_domain::{CallbackRequest, Secret, WebhookEvent, WebhookEvents};
use ackd_engine::{Outbound, SigningKey};

/// Says whether anything could ever be sent to a target, by the rules of whoever sends.
#[derive(Clone)]
pub(crate) struct Targets(Arc<dyn Outbound>);

impl Targets {
    pub(crate) fn new(outbound: Arc<dyn Outbound>) -> Targets {
        Targets(outbound)
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
        if let Err(error) = self.0.check(url) {
            faults.add(&format!("{at}/url"), error);
        }
        if let Some(secret) = secret {
            let key = secret.expose().parse::<SigningKey>().map_err(|error| error.to_string());
            if let Err(error) = key.and_then(|key| self.0.check_key(&key).map_err(|error| error.to_string())) {
                faults.add(&format!("{at}/secret"), error);
            }
        }
        faults.into_result()?;
        Ok(secret.map(|secret| Secret::new(secret.expose())))
    }
}

impl fmt::Debug for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Targets").finish_non_exhaustive()
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
