use std::borrow::Cow;
use std::sync::Arc;

use ackd_domain::{Callback, Delivery, Name, Secret, Target, WebhookEvent, WebhookEvents, WebhookFormat};
use serde::{Deserialize, Serialize};

use super::Unreadable;

/// A callback in JSON.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredCallback<'a> {
    #[serde(borrow)]
    url: Cow<'a, str>,
    events: u8,
    format: u8,
    #[serde(borrow)]
    secret: Cow<'a, str>,
}

/// What a job delivers, in JSON. One of `endpoint` and `callback` is there.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredDelivery<'a> {
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    event: u8,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    endpoint: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    callback: Option<StoredCallback<'a>>,
}

impl<'a> StoredCallback<'a> {
    pub(super) fn of(callback: &'a Callback) -> StoredCallback<'a> {
        StoredCallback {
            url: Cow::Borrowed(&callback.url),
            events: callback.events.bits(),
            format: callback.format as u8,
            secret: Cow::Borrowed(callback.secret.expose()),
        }
    }

    pub(super) fn get(&self) -> Result<Callback, Unreadable> {
        Ok(Callback {
            url: Arc::from(&*self.url),
            events: WebhookEvents::from_bits(self.events).ok_or(Unreadable)?,
            format: WebhookFormat::from_number(self.format).ok_or(Unreadable)?,
            secret: Secret::new(&*self.secret),
        })
    }
}

impl<'a> StoredDelivery<'a> {
    pub(super) fn of(delivery: &'a Delivery) -> StoredDelivery<'a> {
        let (endpoint, callback) = match &delivery.target {
            Target::Endpoint(name) => (Some(Cow::Borrowed(name.as_str())), None),
            Target::Callback(callback) => (None, Some(StoredCallback::of(callback))),
        };
        StoredDelivery {
            source: Cow::Owned(delivery.source.to_string()),
            id: Cow::Borrowed(&delivery.webhook_id),
            event: delivery.event as u8,
            endpoint,
            callback,
        }
    }

    pub(super) fn get(&self) -> Result<Delivery, Unreadable> {
        let target = match (&self.endpoint, &self.callback) {
            (Some(name), None) => Target::Endpoint(Name::new(name).map_err(|_| Unreadable)?),
            (None, Some(callback)) => Target::Callback(Arc::new(callback.get()?)),
            _ => return Err(Unreadable),
        };
        Ok(Delivery {
            source: self.source.parse().map_err(|_| Unreadable)?,
            webhook_id: Arc::from(&*self.id),
            event: WebhookEvent::from_number(self.event).ok_or(Unreadable)?,
            target,
        })
    }
}
