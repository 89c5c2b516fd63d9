//! Jobs that failed or expired: why, and running them again.

use std::borrow::Cow;
use std::time::Duration as StdDuration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Faults, Rate, Request, limits};

/// The dead jobs of a queue, those that are `FAILED` or `EXPIRED`, by cause: `GET /v1/queues/{q}/dead`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadList<'a> {
    /// The causes, those of most jobs first; at most 100.
    pub causes: Vec<DeadCause<'a>>,
}

/// The jobs that died of one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadCause<'a> {
    /// The `type` of their `error`, else its title, at most 255 bytes of it; `/problems/expired` of what expired.
    pub cause: Cow<'a, str>,
    /// How many jobs they are.
    pub count: u64,
    /// The ids of the latest of them, newest first; at most 5.
    pub examples: Vec<Cow<'a, str>>,
}

/// Which dead jobs of a queue to run again: the body of `POST /v1/queues/{q}/redrive`. All of them, where it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RedriveRequest {
    /// Only those that died of this, as `GET …/dead` names it. Not with `ids`.
    pub cause: Option<String>,
    /// Only these, at most 1000. One that is not dead, or of another queue, is left out. Not with `cause`.
    #[schemars(length(min = 1, max = 1000))]
    pub ids: Option<Vec<String>>,
    /// How fast at most; default as fast as others leave room.
    pub rate: Option<Rate>,
}

impl Request<'_> for RedriveRequest {
    fn check(&self, faults: &mut Faults) {
        if let Some(cause) = &self.cause {
            match cause.len() {
                0 => faults.add("/cause", "is empty; leave it out for all causes"),
                size if size > limits::FAILURE_BYTES => faults.add("/cause", "is longer than an error can be"),
                _ => {}
            }
        }
        if let Some(ids) = &self.ids {
            if ids.is_empty() {
                faults.add("/ids", "names no job; leave it out for all");
            }
            faults.count("/ids", ids.len(), 1000);
            if self.cause.is_some() {
                faults.add("/ids", "cannot be given together with `cause`");
            }
        }
        if let Some(rate) = &self.rate {
            faults.range("/rate/limit", Some(rate.limit), 1, limits::RATE);
            faults.span("/rate/per", Some(rate.per), StdDuration::from_millis(1), limits::DURATION);
        }
    }
}

/// What a redrive comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Redriven<'a> {
    /// How many jobs run again, or would; where `job` is not done yet, how many it was found to be about.
    pub redriven: u64,
    /// The id of the job that does it and reports progress; null where there was nothing to do.
    pub job: Option<Cow<'a, str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_holds_at_its_edge_and_breaks_one_beyond() {
        let pointer = |body: &str| {
            crate::parse_or_default::<RedriveRequest>(body.as_bytes()).err().map(|it| it.errors[0].pointer.clone())
        };
        let ids = |count| format!(r#"{{"ids":{:?}}}"#, vec!["a"; count]);
        let long = |bytes| format!(r#"{{"cause":"{}"}}"#, "x".repeat(bytes));
        for (good, bad, at) in [
            (String::new(), r#"{"causes":"x"}"#.to_owned(), "/causes"),
            (ids(1), ids(0), "/ids"),
            (ids(1000), ids(1001), "/ids"),
            (long(1), long(0), "/cause"),
            (long(16 << 10), long((16 << 10) + 1), "/cause"),
            (ids(1), r#"{"cause":"x","ids":["a"]}"#.to_owned(), "/ids"),
            (
                r#"{"rate":{"limit":1,"per":"1ms"}}"#.to_owned(),
                r#"{"rate":{"limit":0,"per":"1ms"}}"#.to_owned(),
                "/rate/limit",
            ),
            (r#"{"rate":null}"#.to_owned(), r#"{"rate":{"limit":1,"per":"0s"}}"#.to_owned(), "/rate/per"),
        ] {
            assert_eq!(pointer(&good), None, "{good}");
            assert_eq!(pointer(&bad).as_deref(), Some(at), "{bad}");
        }
    }
}
