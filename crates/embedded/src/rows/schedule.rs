use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{
    Body, CallbackRequest, JobId, Missed, Name, OnFailure, Schedule, Secret, Start, Submission, Timestamp, Unique,
    UniquePolicy, WebhookEvents, WebhookFormat,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::body::written;
use super::queue::{StoredBackoff, millis};
use super::{Unreadable, table, type_of};
use crate::checksum::Checksum;

/// A schedule in its column, all but its name and its payload's bytes. Times and durations are milliseconds.
#[derive(Serialize, Deserialize)]
struct Stored {
    cron: String,
    timezone: String,
    missed: u8,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    paused: bool,
    revision: u64,
    created_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_run_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_run_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_job: Option<String>,
    job: StoredJob,
}

/// The job that a schedule makes.
#[derive(Serialize, Deserialize)]
struct StoredJob {
    queue: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    priority: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backoff: Option<StoredBackoff>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    result_retention: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    callback: Option<StoredCallbackRequest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ordering_key: Option<String>,
    /// A unique key, and the number of a policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unique: Option<(String, u8)>,
}

/// A callback as it was asked for.
#[derive(Serialize, Deserialize)]
struct StoredCallbackRequest {
    url: String,
    events: u8,
    format: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// The schedule as JSON. Every number in it is finite, so that it always can be written.
pub(crate) fn write_schedule(schedule: &Schedule) -> Option<String> {
    serde_json::to_string(&Stored {
        cron: schedule.cron.as_ref().to_owned(),
        timezone: schedule.timezone.as_ref().to_owned(),
        missed: schedule.missed as u8,
        paused: schedule.paused,
        revision: schedule.revision,
        created_at: schedule.created_at.millis(),
        next_run_at: schedule.next_run_at.map(Timestamp::millis),
        last_run_at: schedule.last_run_at.map(Timestamp::millis),
        last_job: schedule.last_job.map(|id| id.to_string()),
        job: StoredJob::of(&schedule.job),
    })
    .ok()
}

/// The schedule of the name `name`, of this JSON and this payload.
pub(crate) fn read_schedule(name: &str, settings: &str, payload: &[u8]) -> Result<Schedule, Unreadable> {
    let stored: Stored = serde_json::from_str(settings).map_err(|_| Unreadable)?;
    let id = |text: String| text.parse::<JobId>().map_err(|_| Unreadable);
    Ok(Schedule {
        name: Name::new(name).map_err(|_| Unreadable)?,
        cron: Arc::from(stored.cron),
        timezone: Arc::from(stored.timezone),
        missed: Missed::from_number(stored.missed).ok_or(Unreadable)?,
        paused: stored.paused,
        job: stored.job.get(payload)?,
        revision: stored.revision,
        created_at: Timestamp::from_millis(stored.created_at),
        next_run_at: stored.next_run_at.map(Timestamp::from_millis),
        last_run_at: stored.last_run_at.map(Timestamp::from_millis),
        last_job: stored.last_job.map(id).transpose()?,
    })
}

/// The checksum of a schedule's row.
pub(crate) fn schedule_sum(name: &str, settings: &str, payload: &[u8], checksum: &mut Checksum) -> i64 {
    checksum.row(table::SCHEDULE, 0).text(Some(name)).text(Some(settings)).with_body(payload)
}

impl StoredJob {
    fn of(job: &Submission) -> StoredJob {
        let text = |text: &Arc<str>| text.as_ref().to_owned();
        // All by name, so that what is added to a submission is not left out here. A schedule's job starts when it is
        // made, has no key, and comes after none: those were of one time. Nor is its payload a file, which would go.
        let Submission {
            queue,
            kind,
            payload,
            payload_file: _,
            start: _,
            expires_in,
            priority,
            group,
            max_attempts,
            timeout,
            backoff,
            result_retention,
            key: _,
            tags,
            traceparent,
            callback,
            ordering_key,
            unique,
            after: _,
            on_failure: _,
            flow_key: _,
            then: _,
        } = job;
        StoredJob {
            queue: queue.to_string(),
            kind: kind.as_ref().map(text),
            content_type: written(&payload.content_type).map(str::to_owned),
            expires_in: expires_in.map(millis),
            priority: *priority,
            group: group.as_ref().map(text),
            max_attempts: *max_attempts,
            timeout: timeout.map(millis),
            backoff: backoff.map(StoredBackoff::of),
            result_retention: result_retention.map(millis),
            tags: tags.iter().map(text).collect(),
            traceparent: traceparent.as_ref().map(text),
            callback: callback.as_deref().map(|callback| StoredCallbackRequest {
                url: text(&callback.url),
                events: callback.events.bits(),
                format: callback.format as u8,
                secret: callback.secret.as_ref().map(|secret| secret.expose().to_owned()),
            }),
            ordering_key: ordering_key.as_ref().map(text),
            unique: unique.as_ref().map(|unique| (text(&unique.key), unique.policy as u8)),
        }
    }

    fn get(self, payload: &[u8]) -> Result<Submission, Unreadable> {
        let body = Body { content_type: type_of(self.content_type.as_deref()), bytes: Bytes::copy_from_slice(payload) };
        Ok(Submission {
            queue: Name::new(&self.queue).map_err(|_| Unreadable)?,
            kind: self.kind.map(Arc::from),
            payload: body,
            payload_file: None,
            start: Start::Now,
            expires_in: self.expires_in.map(Duration::from_millis),
            priority: self.priority,
            group: self.group.map(Arc::from),
            max_attempts: self.max_attempts,
            timeout: self.timeout.map(Duration::from_millis),
            backoff: self.backoff.map(StoredBackoff::get).transpose()?,
            result_retention: self.result_retention.map(Duration::from_millis),
            key: None,
            tags: self.tags.into_iter().map(Arc::from).collect(),
            traceparent: self.traceparent.map(Arc::from),
            callback: self.callback.map(StoredCallbackRequest::get).transpose()?.map(Box::new),
            ordering_key: self.ordering_key.map(Arc::from),
            unique: self.unique.map(read_unique).transpose()?,
            after: Vec::new(),
            on_failure: OnFailure::default(),
            flow_key: None,
            then: Vec::new(),
        })
    }
}

fn read_unique((key, policy): (String, u8)) -> Result<Unique, Unreadable> {
    Ok(Unique { key: Arc::from(key), policy: UniquePolicy::from_number(policy).ok_or(Unreadable)? })
}

impl StoredCallbackRequest {
    fn get(self) -> Result<CallbackRequest, Unreadable> {
        Ok(CallbackRequest {
            url: Arc::from(self.url),
            events: WebhookEvents::from_bits(self.events).ok_or(Unreadable)?,
            format: WebhookFormat::from_number(self.format).ok_or(Unreadable)?,
            secret: self.secret.map(Secret::new),
        })
    }
}
