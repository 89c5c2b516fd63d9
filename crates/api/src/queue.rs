//! Queues and their settings.

use std::time::Duration as StdDuration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::envelope::{Backoff, check_url};
use crate::{Duration, Faults, Problem, QueuePatch, Status, limits, number, parse};

/// The settings of a queue: the body of `PUT /v1/queues/{q}`, which replaces them all. What is absent or null follows
/// the server's default.
///
/// As an answer it ignores the fields of a newer server; a server reads requests, which may hold no unknown field, with
/// [`QueueSettings::parse`] and [`crate::QueuePatch`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct QueueSettings {
    /// How long a lease lasts without a heartbeat, where the worker names no time; 1 s to 1 h, default 30 s.
    pub lease_ttl: Option<Duration>,
    /// The attempts of a run, for jobs that name none; 1 to 10 000, default 20.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_attempts: Option<u32>,
    /// The wait between attempts, for jobs that name none.
    pub backoff: Option<Backoff>,
    /// The longest time of one attempt, heartbeats or not, for jobs that name none; more than 0 s, default none.
    pub timeout: Option<Duration>,
    /// How many jobs run at once; 1 to 1 000 000, default no limit.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub concurrency: Option<u32>,
    /// How many jobs of one group run at once; 1 to 1 000 000, default no limit.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub group_concurrency: Option<u32>,
    /// How many jobs begin in a period; default no limit.
    pub rate: Option<Rate>,
    /// How long after it is due a job that was not done ends as `EXPIRED`, for jobs that name no time; more than 0 s,
    /// default 14 days.
    pub expires_in: Option<Duration>,
    /// How long a job is kept after its end, for jobs that name no time; default 7 days.
    pub result_retention: Option<Duration>,
    /// The queue in which a job is made of each one that failed for good or expired here, with its payload; it stays here as
    /// it is. Default none.
    pub dead_letter: Option<String>,
    /// Where the server takes the jobs to by itself; default nowhere: workers come for them.
    pub push: Option<Push>,
}

impl QueueSettings {
    /// Reads and checks the body of a `PUT`.
    ///
    /// # Errors
    /// An `invalid-request` that points at the fields at fault.
    pub fn parse(body: &[u8]) -> Result<QueueSettings, Problem> {
        // Replacing is merging into nothing.
        parse::<QueuePatch>(body)?.apply(&QueueSettings::default())
    }

    /// Notes what breaks a limit.
    pub fn check(&self, faults: &mut Faults) {
        faults.span("/lease_ttl", self.lease_ttl, limits::LEASE_TTL_MIN, limits::LEASE_TTL_MAX);
        faults.range("/max_attempts", self.max_attempts, 1, limits::ATTEMPTS);
        if let Some(backoff) = &self.backoff {
            faults.within(|| "/backoff".into(), |faults| backoff.check(faults));
        }
        faults.positive("/timeout", self.timeout);
        faults.range("/concurrency", self.concurrency, 1, limits::CONCURRENCY);
        faults.range("/group_concurrency", self.group_concurrency, 1, limits::CONCURRENCY);
        if let Some(rate) = &self.rate {
            faults.range("/rate/limit", Some(rate.limit), 1, limits::RATE);
            faults.span("/rate/per", Some(rate.per), StdDuration::from_millis(1), limits::DURATION);
        }
        faults.positive("/expires_in", self.expires_in);
        if let Some(queue) = &self.dead_letter {
            faults.name("/dead_letter", queue);
        }
        if let Some(push) = &self.push {
            faults.within(|| "/push".into(), |faults| push.check(faults));
        }
    }
}

/// How many jobs begin in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rate {
    /// The number of jobs, 1 to 1 000 000.
    #[serde(deserialize_with = "number::whole")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub limit: u32,
    /// The period, more than 0 s.
    pub per: Duration,
}

/// Where the server takes the jobs of a queue to by itself: each is POSTed to a URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Push {
    /// An `http` or `https` URL, at most 2048 bytes.
    #[schemars(url, length(max = 2048))]
    pub url: String,
    /// How many posts are under way at once; 1 to 1 000, default 10.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000))]
    pub concurrency: Option<u32>,
    /// How long a post may take, and a lease lasts that the target settles later; 1 s to 1 h, default 30 s.
    #[serde(default)]
    pub timeout: Option<Duration>,
    /// Whether a 202 means that the target settles the lease later; default false: each 2xx means done.
    #[serde(rename = "async", default)]
    #[schemars(with = "Option<bool>")]
    pub is_async: bool,
    /// The statuses, 400 to 599, that fail a job for good; absent: 400, 410, 413, 415 and 422.
    #[serde(default)]
    pub fail_on: Option<Vec<u16>>,
}

impl Push {
    fn check(&self, faults: &mut Faults) {
        check_url("/url", &self.url, faults);
        faults.range("/concurrency", self.concurrency, 1, limits::PUSH_CONCURRENCY);
        faults.span("/timeout", self.timeout, limits::PUSH_TIMEOUT_MIN, limits::PUSH_TIMEOUT_MAX);
        let statuses = self.fail_on.as_deref().unwrap_or_default();
        faults.count("/fail_on", statuses.len(), 200);
        for (index, status) in statuses.iter().enumerate().take(200) {
            faults.within(|| format!("/fail_on/{index}"), |faults| faults.range("", Some(*status), 400, 599));
        }
    }
}

/// How many jobs of a queue there are in each status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE", default)]
pub struct Counts {
    /// Waiting.
    pub init: u64,
    /// Under way.
    pub processing: u64,
    /// Done, and still kept.
    pub done: u64,
    /// Failed, and still kept.
    pub failed: u64,
    /// Cancelled, and still kept.
    pub cancelled: u64,
    /// Expired, and still kept.
    pub expired: u64,
}

impl Counts {
    /// The number of one status.
    #[must_use]
    pub const fn get(&self, status: Status) -> u64 {
        match status {
            Status::Init => self.init,
            Status::Processing => self.processing,
            Status::Done => self.done,
            Status::Failed => self.failed,
            Status::Cancelled => self.cancelled,
            Status::Expired => self.expired,
        }
    }
}

/// A queue as it is: `GET /v1/queues/{q}`, and an entry of [`QueueList`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QueueDocument {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The settings in force, with the server's defaults in place of what was not set.
    pub settings: QueueSettings,
    /// How many jobs there are in each status.
    pub counts: Counts,
    /// Whether no leases are granted until it is resumed.
    pub paused: bool,
    /// Whether no new jobs are accepted until it is resumed.
    #[serde(default)]
    pub draining: bool,
}

/// The queues that have jobs or settings, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QueueList {
    /// The queues.
    pub queues: Vec<QueueDocument>,
    /// What to ask the next page with; null at the end.
    pub next_page_token: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(body: &str) -> Option<String> {
        QueueSettings::parse(body.as_bytes()).err().map(|problem| problem.errors[0].pointer.clone())
    }

    const ALL: &str = r#"{"lease_ttl":"1m","max_attempts":3,"backoff":{"base":"1s","factor":2.0,"max":"1m","jitter":0.5},"timeout":"10m","concurrency":4,"group_concurrency":2,"rate":{"limit":100,"per":"1s"},"expires_in":"24h","result_retention":"1h","dead_letter":"graveyard","push":{"url":"http://127.0.0.1:9/x","concurrency":8,"timeout":"1m","async":true,"fail_on":[400,404]}}"#;

    #[test]
    fn every_setting_is_read_and_written_back() {
        let settings = QueueSettings::parse(ALL.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&settings).unwrap(), ALL);
        assert_eq!(QueueSettings::parse(b"{}").unwrap(), QueueSettings::default());
        assert_eq!(QueueSettings::parse(br#"{"lease_ttl":null}"#).unwrap(), QueueSettings::default());
    }

    #[test]
    fn each_limit_holds_at_its_edge_and_breaks_one_beyond() {
        for (good, bad, at) in [
            (r#"{"lease_ttl":"1s"}"#, r#"{"lease_ttl":"999ms"}"#, "/lease_ttl"),
            (r#"{"lease_ttl":"1h"}"#, r#"{"lease_ttl":"3601s"}"#, "/lease_ttl"),
            (r#"{"max_attempts":10000}"#, r#"{"max_attempts":10001}"#, "/max_attempts"),
            (r#"{"max_attempts":1}"#, r#"{"max_attempts":0}"#, "/max_attempts"),
            (r#"{"backoff":{"factor":1}}"#, r#"{"backoff":{"factor":0.5}}"#, "/backoff/factor"),
            (r#"{"timeout":"1ms"}"#, r#"{"timeout":"0s"}"#, "/timeout"),
            (r#"{"concurrency":1}"#, r#"{"concurrency":0}"#, "/concurrency"),
            (r#"{"concurrency":1}"#, r#"{"concurrency":-1}"#, "/concurrency"),
            (r#"{"concurrency":1}"#, r#"{"concurrency":4294967296}"#, "/concurrency"),
            (r#"{"concurrency":1000000}"#, r#"{"concurrency":1000001}"#, "/concurrency"),
            (r#"{"group_concurrency":1000000}"#, r#"{"group_concurrency":1000001}"#, "/group_concurrency"),
            (r#"{"rate":{"limit":1,"per":"1ms"}}"#, r#"{"rate":{"limit":0,"per":"1ms"}}"#, "/rate/limit"),
            (r#"{"rate":{"limit":1000000,"per":"1s"}}"#, r#"{"rate":{"limit":1,"per":"0s"}}"#, "/rate/per"),
            (r#"{"rate":null}"#, r#"{"rate":{"limit":1}}"#, "/rate/per"),
            (r#"{"expires_in":"1ms"}"#, r#"{"expires_in":"0s"}"#, "/expires_in"),
            (r#"{"dead_letter":"q"}"#, r#"{"dead_letter":"q q"}"#, "/dead_letter"),
            (r#"{"push":{"url":"http://x"}}"#, r#"{"push":{"url":"x"}}"#, "/push/url"),
            (
                r#"{"push":{"url":"http://x","concurrency":1000}}"#,
                r#"{"push":{"url":"http://x","concurrency":1001}}"#,
                "/push/concurrency",
            ),
            (
                r#"{"push":{"url":"http://x","concurrency":1}}"#,
                r#"{"push":{"url":"http://x","concurrency":0}}"#,
                "/push/concurrency",
            ),
            (
                r#"{"push":{"url":"http://x","timeout":"1s"}}"#,
                r#"{"push":{"url":"http://x","timeout":"999ms"}}"#,
                "/push/timeout",
            ),
            (
                r#"{"push":{"url":"http://x","timeout":"1h"}}"#,
                r#"{"push":{"url":"http://x","timeout":"3600001ms"}}"#,
                "/push/timeout",
            ),
            (
                r#"{"push":{"url":"http://x","fail_on":[]}}"#,
                r#"{"push":{"url":"http://x","fail_on":[600]}}"#,
                "/push/fail_on/0",
            ),
            (r#"{"push":null}"#, r#"{"push":{}}"#, "/push/url"),
            (
                r#"{"push":{"url":"http://x","fail_on":[400,599]}}"#,
                r#"{"push":{"url":"http://x","fail_on":[400,399]}}"#,
                "/push/fail_on/1",
            ),
            ("{}", r#"{"paused":true}"#, "/paused"),
            ("{}", r#"{"backoff":{"bas":"1s"}}"#, "/backoff/bas"),
        ] {
            assert_eq!(pointer(good), None, "{good}");
            assert_eq!(pointer(bad).as_deref(), Some(at), "{bad}");
        }
    }

    #[test]
    fn documents_ignore_what_a_newer_server_says() {
        let text = r#"{"name":"q","settings":{"lease_ttl":"30s","mood":1,"backoff":{"base":"1s","mood":1}},"counts":{"INIT":1,"MOOD":2},"paused":true,"mood":1}"#;
        let queue: QueueDocument = serde_json::from_str(text).unwrap();
        assert_eq!(queue.settings.backoff.and_then(|backoff| backoff.base), "1s".parse().ok());
        assert_eq!(queue.counts.get(Status::Init), 1);
        let counts = serde_json::to_string(&queue.counts).unwrap();
        assert_eq!(counts, r#"{"INIT":1,"PROCESSING":0,"DONE":0,"FAILED":0,"CANCELLED":0,"EXPIRED":0}"#);
    }
}
