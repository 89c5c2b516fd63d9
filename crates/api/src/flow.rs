//! Flows: jobs that are accepted together, some of which come after others.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Envelope, Faults, Request, limits};

/// The body of `POST /v1/flows`: all jobs are accepted, or none.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlowRequest<'a> {
    /// The jobs, 1 to 10 000. Each has a `key` of its own; its `after` names keys of others.
    #[serde(borrow)]
    #[schemars(length(min = 1, max = 10_000))]
    pub jobs: Vec<Envelope<'a>>,
}

impl<'a> Request<'a> for FlowRequest<'a> {
    fn check(&self, faults: &mut Faults) {
        if self.jobs.is_empty() {
            faults.add("/jobs", "names no job");
        }
        faults.count("/jobs", self.jobs.len(), limits::FLOW_JOBS);
        let mut keys = BTreeSet::new();
        for (at, job) in self.jobs.iter().enumerate().take(limits::FLOW_JOBS) {
            faults.within(
                || format!("/jobs/{at}"),
                |faults| {
                    job.check(faults);
                    match &job.key {
                        None => faults.add("/key", "is missing; each job of a flow has one"),
                        Some(key) if !keys.insert(&**key) => {
                            faults.add("/key", "is that of another job of the flow too")
                        }
                        Some(_) => {}
                    }
                    if job.idempotency_key.is_some() {
                        faults.add(
                            "/idempotency_key",
                            "is for a job by itself; a flow takes the header `Idempotency-Key`",
                        );
                    }
                    if !job.then.is_empty() {
                        faults.add("/then", "is for a job by itself; in a flow a job comes `after` another");
                    }
                },
            );
        }
    }
}

/// A flow that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlowDocument<'a> {
    /// Its id; `GET /v1/jobs?flow=` lists its jobs.
    pub flow: Cow<'a, str>,
    /// The ids of its jobs, by their keys.
    pub jobs: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
}

/// What became of the jobs of a flow that was cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlowCancelled<'a> {
    /// The flow's id.
    pub flow: Cow<'a, str>,
    /// The jobs that had not begun, and are `CANCELLED`.
    pub cancelled: usize,
    /// The jobs that run, and whose workers are asked to stop.
    pub asked: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(text: &str) -> Vec<String> {
        match crate::parse::<FlowRequest<'_>>(text.as_bytes()) {
            Ok(_) => Vec::new(),
            Err(problem) => problem.errors.iter().map(|fault| fault.pointer.clone()).collect(),
        }
    }

    #[test]
    fn each_job_has_a_key_of_its_own() {
        assert!(pointers(r#"{"jobs":[{"key":"a","queue":"q"},{"key":"b","queue":"q","after":["a"]}]}"#).is_empty());
        assert_eq!(pointers(r#"{"jobs":[]}"#), ["/jobs"]);
        assert_eq!(pointers(r#"{"jobs":[{"queue":"q"}]}"#), ["/jobs/0/key"]);
        assert_eq!(pointers(r#"{"jobs":[{"key":"a","queue":"q"},{"key":"a","queue":"q"}]}"#), ["/jobs/1/key"]);
        assert_eq!(
            pointers(r#"{"jobs":[{"key":"a","queue":"q","idempotency_key":"k"}]}"#),
            ["/jobs/0/idempotency_key"]
        );
        assert_eq!(pointers(r#"{"jobs":[{"key":"a","queue":"q","then":[{"queue":"q"}]}]}"#), ["/jobs/0/then"]);
        assert_eq!(pointers(r#"{"jobs":[{"key":"a","queue":""}]}"#), ["/jobs/0/queue"]);
    }

    #[test]
    fn keys_and_jobs_are_counted_at_their_edges() {
        let key = |bytes: usize| format!(r#"{{"jobs":[{{"key":"{}","queue":"q"}}]}}"#, "k".repeat(bytes));
        assert!(pointers(&key(255)).is_empty());
        assert_eq!(pointers(&key(256)), ["/jobs/0/key"]);
        let jobs = |many: usize| {
            let jobs: Vec<String> = (0..many).map(|at| format!(r#"{{"key":"{at}","queue":"q"}}"#)).collect();
            format!(r#"{{"jobs":[{}]}}"#, jobs.join(","))
        };
        assert!(pointers(&jobs(10_000)).is_empty());
        assert_eq!(pointers(&jobs(10_001)), ["/jobs"]);
    }
}
