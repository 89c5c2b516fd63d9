use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{Backoff, Name, Push, QueueSettings, Rate};
use serde::{Deserialize, Serialize};

use super::{Unreadable, table};
use crate::checksum::Checksum;

/// The settings of a queue in their column.
#[derive(Serialize, Deserialize)]
pub(crate) struct Settings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease_ttl: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backoff: Option<StoredBackoff>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    concurrency: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group_concurrency: Option<u32>,
    /// The limit and the milliseconds of the period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<(u32, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    result_retention: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dead_letter: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    push: Option<StoredPush>,
}

/// A push in JSON.
#[derive(Serialize, Deserialize)]
struct StoredPush {
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    concurrency: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout: Option<u64>,
    #[serde(rename = "async", default)]
    is_async: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fail_on: Option<Vec<u16>>,
}

/// A back-off in JSON.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredBackoff {
    base: u64,
    factor: f64,
    max: u64,
    jitter: f64,
}

impl Settings {
    /// The settings as JSON. Every number in them is finite, so that it always is.
    pub(crate) fn to_json(settings: &QueueSettings) -> Option<String> {
        serde_json::to_string(&Settings {
            lease_ttl: settings.lease_ttl.map(millis),
            max_attempts: settings.max_attempts,
            backoff: settings.backoff.map(StoredBackoff::of),
            timeout: settings.timeout.map(millis),
            concurrency: settings.concurrency,
            group_concurrency: settings.group_concurrency,
            rate: settings.rate.map(|rate| (rate.limit, millis(rate.per))),
            expires_in: settings.expires_in.map(millis),
            result_retention: settings.result_retention.map(millis),
            dead_letter: settings.dead_letter.as_ref().map(Name::to_string),
            push: settings.push.as_deref().map(StoredPush::of),
        })
        .ok()
    }

    pub(crate) fn from_json(text: &str) -> Result<QueueSettings, Unreadable> {
        let settings: Settings = serde_json::from_str(text).map_err(|_| Unreadable)?;
        Ok(QueueSettings {
            lease_ttl: settings.lease_ttl.map(Duration::from_millis),
            max_attempts: settings.max_attempts,
            backoff: settings.backoff.map(StoredBackoff::get).transpose()?,
            timeout: settings.timeout.map(Duration::from_millis),
            concurrency: settings.concurrency,
            group_concurrency: settings.group_concurrency,
            rate: settings.rate.map(|(limit, per)| Rate { limit, per: Duration::from_millis(per) }),
            expires_in: settings.expires_in.map(Duration::from_millis),
            result_retention: settings.result_retention.map(Duration::from_millis),
            dead_letter: settings.dead_letter.as_deref().map(Name::new).transpose().map_err(|_| Unreadable)?,
            push: settings.push.map(|push| Arc::new(push.get())),
        })
    }
}

impl StoredPush {
    fn of(push: &Push) -> StoredPush {
        StoredPush {
            url: push.url.to_string(),
            concurrency: push.concurrency,
            timeout: push.timeout.map(millis),
            is_async: push.is_async,
            fail_on: push.fail_on.as_deref().map(Vec::from),
        }
    }

    fn get(self) -> Push {
        Push {
            url: self.url.into(),
            concurrency: self.concurrency,
            timeout: self.timeout.map(Duration::from_millis),
            is_async: self.is_async,
            fail_on: self.fail_on.map(Arc::from),
        }
    }
}

impl StoredBackoff {
    pub(super) fn of(backoff: Backoff) -> StoredBackoff {
        StoredBackoff {
            base: millis(backoff.base()),
            factor: backoff.factor(),
            max: millis(backoff.max()),
            jitter: backoff.jitter(),
        }
    }

    pub(super) fn get(self) -> Result<Backoff, Unreadable> {
        let (base, max) = (Duration::from_millis(self.base), Duration::from_millis(self.max));
        Backoff::new(base, self.factor, max, self.jitter).map_err(|_| Unreadable)
    }
}

/// The checksum of a queue's row.
pub(crate) fn queue_sum(
    id: i64,
    name: &str,
    settings: Option<&str>,
    paused: Option<i64>,
    checksum: &mut Checksum,
) -> i64 {
    checksum.row(table::QUEUE, id).text(Some(name)).text(settings).maybe(paused).value()
}

/// The checksum of what began in a queue.
pub(crate) fn started_sum(queue: &str, times: &str, checksum: &mut Checksum) -> i64 {
    checksum.row(table::STARTED, 0).text(Some(queue)).text(Some(times)).value()
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
