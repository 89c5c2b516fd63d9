//! Why a job waits.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::Time;
use crate::raw::Json;

/// Why an `INIT` job waits: the first that holds, in this order. It is computed when the job is read.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Waiting<'a> {
    /// It comes after jobs that have not ended.
    Blocked {
        /// The ids of these jobs.
        jobs: Vec<Cow<'a, str>>,
    },
    /// Its queue is paused.
    Paused,
    /// Its time has not come.
    Scheduled {
        /// When it may begin.
        run_at: Time,
    },
    /// An attempt failed, and the next one has to wait.
    Retrying {
        /// When the next attempt may begin.
        run_at: Time,
        /// The problem document of the attempt that failed (RFC 9457).
        #[schemars(with = "Option<crate::problem::Fields>")]
        error: Option<Json<'a>>,
    },
    /// As many jobs run as are allowed to.
    Limited {
        /// Which limit it is: `concurrency`, `group_concurrency`, `rate` or `ordering_key`.
        limit: Cow<'a, str>,
    },
    /// No worker has asked for jobs of its queue for 60 s.
    NoWorker,
    /// It stands in line.
    Queued,
    /// A reason of a newer server, which this version does not know. Never written by a server.
    #[schemars(skip)]
    Unknown,
}

/// Every field of every reason. serde's own reading of tagged enums puts the JSON into a buffer that can hold no raw
/// JSON, and so no `error`.
#[derive(Deserialize)]
struct Fields<'a> {
    reason: Cow<'a, str>,
    #[serde(default)]
    jobs: Vec<Cow<'a, str>>,
    run_at: Option<Time>,
    error: Option<Json<'a>>,
    limit: Option<Cow<'a, str>>,
}

impl<'de, 'a> Deserialize<'de> for Waiting<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Waiting<'a>, D::Error> {
        let Fields { reason, jobs, run_at, error, limit } = Fields::deserialize(deserializer)?;
        Ok(match (reason.as_ref(), run_at, limit) {
            ("blocked", ..) => Waiting::Blocked { jobs },
            ("paused", ..) => Waiting::Paused,
            ("scheduled", Some(run_at), _) => Waiting::Scheduled { run_at },
            ("retrying", Some(run_at), _) => Waiting::Retrying { run_at, error },
            ("limited", _, Some(limit)) => Waiting::Limited { limit },
            ("no_worker", ..) => Waiting::NoWorker,
            ("queued", ..) => Waiting::Queued,
            _ => Waiting::Unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_written_and_read_back() {
        for text in [
            r#"{"reason":"blocked","jobs":["a","b"]}"#,
            r#"{"reason":"paused"}"#,
            r#"{"reason":"scheduled","run_at":"2026-11-20T10:00:00.000Z"}"#,
            r#"{"reason":"retrying","run_at":"2026-11-20T10:00:00.000Z","error":{"title" : "x"}}"#,
            r#"{"reason":"limited","limit":"rate"}"#,
            r#"{"reason":"no_worker"}"#,
            r#"{"reason":"queued"}"#,
        ] {
            let waiting: Waiting<'static> = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&waiting).unwrap(), text);
        }
    }

    #[test]
    fn what_a_newer_server_says_is_no_error() {
        for text in [r#"{"reason":"moon","phase":3}"#, r#"{"reason":"scheduled"}"#] {
            assert!(matches!(serde_json::from_str(text), Ok(Waiting::Unknown)), "{text}");
        }
        assert!(matches!(serde_json::from_str(r#"{"reason":"queued","place":3}"#), Ok(Waiting::Queued)));
    }
}
