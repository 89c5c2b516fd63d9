use std::sync::Arc;

use ackd_domain::{Disabled, DisabledReason, Endpoint, Name, Secret, Timestamp, WebhookEvents, WebhookFormat};
use serde::{Deserialize, Serialize};

use super::{Unreadable, table};
use crate::checksum::Checksum;

/// An endpoint in its column, all but its name. Times are milliseconds.
#[derive(Serialize, Deserialize)]
struct Stored {
    url: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    queues: Vec<String>,
    events: u8,
    format: u8,
    secret: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    former: Vec<(String, i64)>,
    revision: u64,
    created_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failing_since: Option<i64>,
    /// Since when, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disabled: Option<(i64, u8)>,
}

/// The endpoint as JSON. There are texts and integers in it, so that it always can be written.
pub(crate) fn write_endpoint(endpoint: &Endpoint) -> Option<String> {
    serde_json::to_string(&Stored {
        url: endpoint.url.as_ref().to_owned(),
        queues: endpoint.queues.iter().map(Name::to_string).collect(),
        events: endpoint.events.bits(),
        format: endpoint.format as u8,
        secret: endpoint.secret.expose().to_owned(),
        former: endpoint.former.iter().map(|(secret, until)| (secret.expose().to_owned(), until.millis())).collect(),
        revision: endpoint.revision,
        created_at: endpoint.created_at.millis(),
        failing_since: endpoint.failing_since.map(Timestamp::millis),
        disabled: endpoint.disabled.map(|disabled| (disabled.at.millis(), disabled.reason as u8)),
    })
    .ok()
}

/// The endpoint of the name `text`, of this JSON.
pub(crate) fn read_endpoint(text: &str, settings: &str) -> Result<Endpoint, Unreadable> {
    let stored: Stored = serde_json::from_str(settings).map_err(|_| Unreadable)?;
    let name = |text: &str| Name::new(text).map_err(|_| Unreadable);
    let disabled = |(at, reason): (i64, u8)| {
        let reason = DisabledReason::from_number(reason).ok_or(Unreadable)?;
        Ok(Disabled { at: Timestamp::from_millis(at), reason })
    };
    let former = stored.former.into_iter();
    Ok(Endpoint {
        name: name(text)?,
        url: Arc::from(stored.url),
        queues: stored.queues.iter().map(|queue| name(queue)).collect::<Result<_, _>>()?,
        events: WebhookEvents::from_bits(stored.events).ok_or(Unreadable)?,
        format: WebhookFormat::from_number(stored.format).ok_or(Unreadable)?,
        secret: Secret::new(stored.secret),
        former: former.map(|(secret, until)| (Secret::new(secret), Timestamp::from_millis(until))).collect(),
        revision: stored.revision,
        created_at: Timestamp::from_millis(stored.created_at),
        failing_since: stored.failing_since.map(Timestamp::from_millis),
        disabled: stored.disabled.map(disabled).transpose()?,
    })
}

/// The checksum of an endpoint's row.
pub(crate) fn endpoint_sum(name: &str, settings: &str, checksum: &mut Checksum) -> i64 {
    checksum.row(table::ENDPOINT, 0).text(Some(name)).text(Some(settings)).value()
}
