//! What a worker asks for, and what it gets.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Duration, FailError, Faults, JobDocument, Request, Secret, Time, fail_error, limits, number, raw, text};

/// `POST /v1/leases`: a worker asks for jobs.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaseRequest<'a> {
    /// The queues to take jobs from, 1 to 100 names.
    #[serde(borrow, deserialize_with = "text::list")]
    #[schemars(length(min = 1, max = 100))]
    pub queues: Vec<Cow<'a, str>>,
    /// Take only jobs of these types, at most 100; absent or empty: any.
    #[serde(borrow, default, deserialize_with = "text::list_or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<String>>", length(max = 100))]
    pub types: Vec<Cow<'a, str>>,
    /// How many jobs at most, 1 to 1000; default 1.
    #[serde(default, deserialize_with = "number::option", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub max: Option<u16>,
    /// How long to hold the answer while there is nothing; default 0 s, more than 55 s is clamped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Duration>,
    /// The worker's name, under which its leases are shown and released together.
    #[serde(borrow, default, deserialize_with = "text::option", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"))]
    pub worker: Option<Cow<'a, str>>,
    /// How long a lease lasts without a heartbeat, 1 s to 1 h; default the queue's `lease_ttl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Duration>,
}

impl<'a> Request<'a> for LeaseRequest<'a> {
    fn check(&self, faults: &mut Faults) {
        if self.queues.is_empty() {
            faults.add("/queues", "names no queue");
        }
        faults.count("/queues", self.queues.len(), limits::LEASE_QUEUES);
        for (index, queue) in self.queues.iter().enumerate().take(limits::LEASE_QUEUES) {
            faults.within(|| format!("/queues/{index}"), |faults| faults.name("", queue));
        }
        faults.count("/types", self.types.len(), limits::LEASE_QUEUES);
        for (index, kind) in self.types.iter().enumerate().take(limits::LEASE_QUEUES) {
            faults.within(|| format!("/types/{index}"), |faults| faults.text("", kind, limits::TYPE_BYTES));
        }
        faults.range("/max", self.max.map(usize::from), 1, limits::LEASES);
        if let Some(worker) = &self.worker {
            faults.name("/worker", worker);
        }
        check_ttl(self.ttl, faults);
    }
}

fn check_ttl(ttl: Option<Duration>, faults: &mut Faults) {
    faults.span("/ttl", ttl, limits::LEASE_TTL_MIN, limits::LEASE_TTL_MAX);
}

/// The jobs that a worker was granted.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Leases<'a> {
    /// At least one; an answer without any is 204.
    pub leases: Vec<Lease<'a>>,
}

/// The right to work on one job until a deadline.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Lease<'a> {
    /// The token that heartbeats and settles it. It is a secret, and appears nowhere else.
    pub lease: Secret<'a>,
    /// When it lapses without a heartbeat, or its attempt times out, whichever is earlier, by the server's clock.
    pub deadline: Time,
    /// How long that is from now on, for a worker whose clock differs.
    pub expires_in: Duration,
    /// The job, with its payload.
    pub job: JobDocument<'a>,
}

/// How far a worker has come, as it tells it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgressReport<'a> {
    /// 0 to 100, where the worker knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub percent: Option<f64>,
    /// A line for people, at most 1024 bytes.
    #[serde(borrow, default, deserialize_with = "text::option", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<Cow<'a, str>>,
}

impl ProgressReport<'_> {
    fn check(&self, faults: &mut Faults) {
        faults.range("/percent", self.percent, 0.0, 100.0);
        if let Some(message) = &self.message
            && message.len() > limits::MESSAGE_BYTES
        {
            faults.add(
                "/message",
                format_args!("has {} bytes; at most {} are allowed", message.len(), limits::MESSAGE_BYTES),
            );
        }
    }
}

/// `POST /v1/leases/{lease}/heartbeat`: the worker is alive. All fields, and the body itself, may be left out.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat<'a> {
    /// How long the lease lasts from now on, 1 s to 1 h; default as it was granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Duration>,
    /// How far the worker has come.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressReport<'a>>,
    /// What a next attempt should know: any JSON of at most 64 KiB, handed over as the job's `checkpoint`. A written
    /// `null` clears it.
    #[serde(borrow, default, deserialize_with = "raw::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub checkpoint: Option<&'a RawValue>,
}

impl<'a> Request<'a> for Heartbeat<'a> {
    fn check(&self, faults: &mut Faults) {
        check_ttl(self.ttl, faults);
        if let Some(progress) = &self.progress {
            faults.within(|| "/progress".into(), |faults| progress.check(faults));
        }
        faults.small("/checkpoint", self.checkpoint, limits::CHECKPOINT_BYTES);
    }
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeartbeatAnswer {
    /// When the lease lapses without another heartbeat, or its attempt times out, whichever is earlier, by the server's clock.
    pub deadline: Time,
    /// How long that is from now on.
    pub expires_in: Duration,
    /// Whether a client asked for the job's cancellation: the worker should stop and settle.
    pub cancel_requested: bool,
}

/// `POST /v1/leases/{lease}/complete`: the job is done. The body may be left out.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Complete<'a> {
    /// The result: any JSON, byte for byte, nested at most 100 deep. Absent: there is none.
    #[serde(borrow, default, deserialize_with = "raw::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub result: Option<&'a RawValue>,
}

impl<'a> Request<'a> for Complete<'a> {
    fn check(&self, faults: &mut Faults) {
        faults.readable("/result", self.result);
    }
}

/// `POST /v1/leases/{lease}/fail`: the attempt failed. All fields, and the body itself, may be left out.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fail<'a> {
    /// Why.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub error: Option<FailError<'a>>,
    /// Whether another attempt may do better; default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
    /// How long to wait before the next attempt, instead of the back-off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
    /// Whether the worker stopped because it was asked to: the job ends as `CANCELLED`. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<bool>,
}

impl<'a> Request<'a> for Fail<'a> {
    fn check(&self, faults: &mut Faults) {
        if let Some(FailError::Problem(problem)) = &self.error {
            faults.small("/error", Some(problem), limits::FAILURE_BYTES);
            if let Some(name) = fail_error::given_twice(problem) {
                faults.add("/error", format_args!("has `{name}` twice"));
            }
        }
    }
}

/// `POST /v1/leases/{lease}/release`: the job goes back, and the attempt does not count. All fields, and the body
/// itself, may be left out.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Release<'a> {
    /// How long to wait before the next attempt; default 0 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Duration>,
    /// What the next attempt should know: any JSON of at most 64 KiB. A written `null` clears it.
    #[serde(borrow, default, deserialize_with = "raw::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub checkpoint: Option<&'a RawValue>,
}

impl<'a> Request<'a> for Release<'a> {
    fn check(&self, faults: &mut Faults) {
        faults.small("/checkpoint", self.checkpoint, limits::CHECKPOINT_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parse, parse_or_default};

    fn pointer<'a, T: Request<'a>>(body: &'a str) -> Option<String> {
        parse::<T>(body.as_bytes())
            .err()
            .map(|problem| problem.errors.first().map(|fault| fault.pointer.clone()).unwrap_or_default())
    }

    #[test]
    fn a_lease_request_is_the_contract_s() {
        let body = r#"{"queues":["video"],"types":["t"],"max":1000,"wait":"20s","worker":"host-1","ttl":"30s"}"#;
        let request: LeaseRequest<'_> = parse(body.as_bytes()).unwrap();
        assert!(matches!(request.queues[0], Cow::Borrowed("video")));
        assert_eq!(serde_json::to_string(&request).unwrap(), body);
    }

    #[test]
    fn a_lease_request_s_limits_hold_at_their_edges() {
        let list = |name: &str, entries: usize| format!("{name}:[{}]", vec!["\"x\""; entries].join(","));
        let with = |field: &str| format!(r#"{{"queues":["q"],{field}}}"#);
        let queues = |entries: usize| format!("{{{}}}", list("\"queues\"", entries));
        for (good, bad, at) in [
            (with(r#""max":1"#), with(r#""max":0"#), "/max"),
            (with(r#""max":1000"#), with(r#""max":1001"#), "/max"),
            (with(r#""ttl":"1s""#), with(r#""ttl":"999ms""#), "/ttl"),
            (with(r#""ttl":"1h""#), with(r#""ttl":"1h1ms""#), "/ttl"),
            (with(&list("\"types\"", 100)), with(&list("\"types\"", 101)), "/types"),
            (queues(1), queues(0), "/queues"),
            (queues(100), queues(101), "/queues"),
            (with(r#""worker":"w""#), with(r#""worker":"w w""#), "/worker"),
            (with(r#""wait":"1h""#), with(r#""wait":7"#), "/wait"),
            (with(r#""types":["x"]"#), with(r#""types":[""]"#), "/types/0"),
        ] {
            assert_eq!(pointer::<LeaseRequest<'_>>(&good), None, "{good}");
            assert_eq!(pointer::<LeaseRequest<'_>>(&bad).as_deref(), Some(at), "{bad}");
        }
        assert_eq!(pointer::<LeaseRequest<'_>>(r#"{"queues":["a b"]}"#).as_deref(), Some("/queues/0"));
        assert_eq!(pointer::<LeaseRequest<'_>>("{}").as_deref(), Some("/queues"));
    }

    #[test]
    fn a_heartbeat_s_limits_hold_at_their_edges() {
        let message = |bytes: usize| format!(r#"{{"progress":{{"message":"{}"}}}}"#, "x".repeat(bytes));
        let checkpoint = |bytes: usize| format!(r#"{{"checkpoint":"{}"}}"#, "x".repeat(bytes - 2));
        for (good, bad, at) in [
            (message(1024), message(1025), "/progress/message"),
            (checkpoint(64 << 10), checkpoint((64 << 10) + 1), "/checkpoint"),
            (r#"{"progress":{"percent":0}}"#.into(), r#"{"progress":{"percent":-0.1}}"#.into(), "/progress/percent"),
            (
                r#"{"progress":{"percent":100.0}}"#.into(),
                r#"{"progress":{"percent":100.1}}"#.into(),
                "/progress/percent",
            ),
            (r#"{"ttl":"1s"}"#.into(), r#"{"ttl":"2h"}"#.into(), "/ttl"),
            ("{}".into(), r#"{"progress":{"percnt":1}}"#.into(), "/progress/percnt"),
        ] {
            assert_eq!(pointer::<Heartbeat<'_>>(&good), None, "{good}");
            assert_eq!(pointer::<Heartbeat<'_>>(&bad).as_deref(), Some(at), "{bad}");
        }
        let cleared: Heartbeat<'_> = parse(br#"{"checkpoint":null}"#).unwrap();
        assert_eq!(cleared.checkpoint.map(RawValue::get), Some("null"));
    }

    #[test]
    fn results_are_any_json_and_not_too_deep() {
        assert!(parse_or_default::<Complete<'_>>(b"").unwrap().result.is_none());
        assert_eq!(parse::<Complete<'_>>(br#"{"result":null}"#).unwrap().result.map(RawValue::get), Some("null"));
        let nested = |depth: usize| format!(r#"{{"result":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_eq!(pointer::<Complete<'_>>(&nested(limits::DEPTH)), None);
        assert_eq!(pointer::<Complete<'_>>(&nested(limits::DEPTH + 1)).as_deref(), Some("/result"));
    }

    #[test]
    fn a_failure_is_a_problem_or_a_text() {
        let problem =
            |body: &str| parse::<Fail<'_>>(body.as_bytes()).unwrap().error.map(|error| error.to_problem().into_owned());
        assert_eq!(problem("{}"), None);
        assert_eq!(problem(r#"{"error":null}"#), None);
        assert_eq!(
            problem(r#"{"error":{"title" : "boom","x":[1]}}"#).as_deref(),
            Some(r#"{"title" : "boom","x":[1]}"#)
        );
        assert_eq!(problem(r#"{"error":"boom"}"#).as_deref(), Some(r#"{"title":"boom"}"#));
        assert_eq!(
            problem(r#"{"error":"\nboom\r\nat 7\n"}"#).as_deref(),
            Some(r#"{"title":"boom","detail":"boom\r\nat 7"}"#)
        );
        assert_eq!(problem(r#"{"error":""}"#).as_deref(), Some(r#"{"title":"failed"}"#));
        for bad in [r#"{"error":7}"#, r#"{"error":["x"]}"#, r#"{"error":{"title":"a","title":"b"}}"#] {
            assert_eq!(pointer::<Fail<'_>>(bad).as_deref(), Some("/error"), "{bad}");
        }
    }

    #[test]
    fn a_problem_s_members_of_a_wrong_type_are_ignored() {
        let problem = |error: &str| {
            let body = format!(r#"{{"error":{error}}}"#);
            let fail: Fail<'_> = parse(body.as_bytes()).unwrap();
            fail.error.unwrap().to_problem().into_owned()
        };
        for (given, kept) in [
            (r#"{"title":"t" ,"status":"500","x":[1 ]}"#, r#"{"title":"t","x":[1 ]}"#),
            (r#"{"title":"t","status":70000}"#, r#"{"title":"t"}"#),
            (r#"{"title":"t","status":500.5}"#, r#"{"title":"t"}"#),
            (r#"{"type":"u","title":7,"detail":null,"instance":[]}"#, r#"{"type":"u"}"#),
            (r#"{"type":{},"title":7}"#, r#"{"title":"failed"}"#),
            (r#"{"t\u0079pe":7,"title":"t"}"#, r#"{"title":"t"}"#),
            // Extensions are of any type.
            (r#"{"title":"t","code":7,"errors":"x"}"#, r#"{"title":"t","code":7,"errors":"x"}"#),
        ] {
            assert_eq!(problem(given), kept, "{given}");
        }
    }

    #[test]
    fn a_failure_is_cut_where_it_is_a_text_and_refused_where_it_is_a_problem() {
        let detail = |bytes: usize| format!(r#"{{"error":{{"detail":"{}"}}}}"#, "x".repeat(bytes - 13));
        assert_eq!(pointer::<Fail<'_>>(&detail(limits::FAILURE_BYTES)), None);
        assert_eq!(pointer::<Fail<'_>>(&detail(limits::FAILURE_BYTES + 1)).as_deref(), Some("/error"));
        for text in ["é\u{1}\"".repeat(50_000), "x".repeat(50_000), "\u{1}".repeat(100_000), "é\n".repeat(8_200)] {
            let problem = FailError::Text(text.as_str().into()).to_problem().into_owned();
            assert!(
                problem.len() <= limits::FAILURE_BYTES && problem.len() > limits::FAILURE_BYTES - 20,
                "{}",
                problem.len()
            );
            let problem: crate::Problem = serde_json::from_str(&problem).unwrap();
            assert!(!problem.title.is_empty() && problem.title.len() <= FailError::TITLE_BYTES);
            assert!(!problem.detail.is_empty() && text.trim().ends_with(&problem.detail));
        }
    }

    #[test]
    fn a_lease_s_token_is_not_shown_by_debug() {
        let lease = Secret::new("token");
        assert!(!format!("{lease:?}").contains("token"));
    }
}
