//! Settling leases: one at a time, or many as NDJSON.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    Complete, Fail, Faults, Heartbeat, HeartbeatAnswer, Problem, Release, Request, Secret, Status, limits, secret,
};

/// The job after a lease was completed, failed or released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Settled<'a> {
    /// The job's id.
    pub id: Cow<'a, str>,
    /// Its status now; `INIT` where it will be tried again.
    pub status: Status,
    /// Its version now.
    pub version: u64,
}

/// The answer to `POST /v1/workers/{worker}/release`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Released {
    /// How many leases the worker held.
    pub released: u64,
}

/// A line of `POST /v1/leases/settle`: a lease and exactly one verb.
#[derive(Debug, Clone)]
pub struct SettleLine<'a> {
    /// The lease's token.
    pub lease: Secret<'a>,
    /// What to do with it.
    pub verb: SettleVerb<'a>,
}

/// What to do with a lease.
#[derive(Debug, Clone)]
pub enum SettleVerb<'a> {
    /// The job is done.
    Complete(Complete<'a>),
    /// The attempt failed.
    Fail(Fail<'a>),
    /// The job goes back, and the attempt does not count.
    Release(Release<'a>),
    /// The worker is alive.
    Heartbeat(Heartbeat<'a>),
}

/// What the JSON of [`SettleLine`] holds.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SettleLine", description = "A lease and exactly one verb.")]
struct LineFields<'a> {
    /// The lease's token.
    #[serde(borrow, deserialize_with = "secret::borrowed")]
    lease: Secret<'a>,
    /// The job is done. Exactly one of `complete`, `fail`, `release` and `heartbeat` is given.
    #[serde(borrow, default)]
    complete: Option<Complete<'a>>,
    /// The attempt failed.
    #[serde(borrow, default)]
    fail: Option<Fail<'a>>,
    /// The job goes back, and the attempt does not count.
    #[serde(borrow, default)]
    release: Option<Release<'a>>,
    /// The worker is alive.
    #[serde(borrow, default)]
    heartbeat: Option<Heartbeat<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for SettleLine<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SettleLine<'a>, D::Error> {
        let LineFields { lease, complete, fail, release, heartbeat } = LineFields::deserialize(deserializer)?;
        let verb = match (complete, fail, release, heartbeat) {
            (Some(complete), None, None, None) => SettleVerb::Complete(complete),
            (None, Some(fail), None, None) => SettleVerb::Fail(fail),
            (None, None, Some(release), None) => SettleVerb::Release(release),
            (None, None, None, Some(heartbeat)) => SettleVerb::Heartbeat(heartbeat),
            _ => {
                return Err(serde::de::Error::custom(
                    "needs exactly one of `complete`, `fail`, `release`, `heartbeat`",
                ));
            }
        };
        Ok(SettleLine { lease, verb })
    }
}

impl Serialize for SettleLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_struct("SettleLine", 2)?;
        line.serialize_field("lease", &self.lease)?;
        match &self.verb {
            SettleVerb::Complete(complete) => line.serialize_field("complete", complete)?,
            SettleVerb::Fail(fail) => line.serialize_field("fail", fail)?,
            SettleVerb::Release(release) => line.serialize_field("release", release)?,
            SettleVerb::Heartbeat(heartbeat) => line.serialize_field("heartbeat", heartbeat)?,
        }
        line.end()
    }
}

impl JsonSchema for SettleLine<'_> {
    fn schema_name() -> Cow<'static, str> {
        LineFields::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        LineFields::json_schema(generator)
    }
}

impl<'a> Request<'a> for SettleLine<'a> {
    fn check(&self, faults: &mut Faults) {
        faults.text("/lease", self.lease.expose(), limits::TOKEN_BYTES);
        match &self.verb {
            SettleVerb::Complete(complete) => faults.within(|| "/complete".into(), |faults| complete.check(faults)),
            SettleVerb::Fail(fail) => faults.within(|| "/fail".into(), |faults| fail.check(faults)),
            SettleVerb::Release(release) => faults.within(|| "/release".into(), |faults| release.check(faults)),
            SettleVerb::Heartbeat(heartbeat) => faults.within(|| "/heartbeat".into(), |faults| heartbeat.check(faults)),
        }
    }
}

/// What became of one line, in the order of the lines: the lease, the HTTP status that the call alone would have been
/// answered with, and one of `settled`, `heartbeat` and `problem`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SettleAnswer<'a> {
    /// The lease's token.
    pub lease: Secret<'a>,
    /// 200, or the problem's status.
    pub status: u16,
    /// The job after `complete`, `fail` or `release`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Settled<'a>>,
    /// The answer to `heartbeat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<HeartbeatAnswer>,
    /// Why nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

impl<'a> SettleAnswer<'a> {
    /// The lease was completed, failed or released.
    #[must_use]
    pub fn settled(lease: Secret<'a>, settled: Settled<'a>) -> SettleAnswer<'a> {
        SettleAnswer { lease, status: 200, settled: Some(settled), heartbeat: None, problem: None }
    }

    /// The lease goes on.
    #[must_use]
    pub fn heartbeat(lease: Secret<'a>, answer: HeartbeatAnswer) -> SettleAnswer<'a> {
        SettleAnswer { lease, status: 200, settled: None, heartbeat: Some(answer), problem: None }
    }

    /// Nothing changed.
    #[must_use]
    pub fn refused(lease: Secret<'a>, problem: Problem) -> SettleAnswer<'a> {
        SettleAnswer { lease, status: problem.status, settled: None, heartbeat: None, problem: Some(problem) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Code, Duration, Time, parse, parse_line};

    #[test]
    fn a_line_has_exactly_one_verb() {
        for body in [
            r#"{"lease":"t","complete":{"result":{"a" : 1}}}"#,
            r#"{"lease":"t","fail":{"error":"boom","retryable":false,"retry_after":"10s","cancelled":true}}"#,
            r#"{"lease":"t","release":{"delay":"1s","checkpoint":[1 ]}}"#,
            r#"{"lease":"t","heartbeat":{"ttl":"30s","progress":{"percent":1.5,"message":"m"}}}"#,
        ] {
            let line: SettleLine<'_> = parse(body.as_bytes()).unwrap();
            assert_eq!(serde_json::to_string(&line).unwrap(), body);
        }
        for bad in [r#"{"lease":"t"}"#, r#"{"lease":"t","complete":{},"fail":{}}"#, r#"{"lease":"t","complete":null}"#]
        {
            let problem = parse::<SettleLine<'_>>(bad.as_bytes()).unwrap_err();
            assert!(problem.detail.contains("exactly one of"), "{problem}");
        }
    }

    #[test]
    fn a_line_s_faults_are_pointed_at() {
        for (bad, pointer) in [
            (r#"{"lease":"","complete":{}}"#, "/4/lease"),
            (r#"{"complete":{}}"#, "/4/lease"),
            (r#"{"lease":"t","complete":{"resul":1}}"#, "/4/complete/resul"),
            (r#"{"lease":"t","heartbeat":{"progress":{"percent":101}}}"#, "/4/heartbeat/progress/percent"),
            (r#"{"lease":"t","fail":{"error":[]}}"#, "/4/fail/error"),
        ] {
            let problem = parse_line::<SettleLine<'_>>(4, bad.as_bytes()).unwrap_err();
            assert_eq!(problem.errors[0].pointer, pointer, "{bad}");
        }
    }

    #[test]
    fn answers_are_what_the_contract_says() {
        let settled = Settled { id: "a".into(), status: Status::Done, version: 3 };
        let answer = SettleAnswer::settled(Secret::new("t"), settled.clone());
        assert_eq!(
            serde_json::to_string(&answer).unwrap(),
            r#"{"lease":"t","status":200,"settled":{"id":"a","status":"DONE","version":3}}"#
        );
        let heartbeat = HeartbeatAnswer { deadline: Time(0), expires_in: Duration::ZERO, cancel_requested: true };
        assert_eq!(
            serde_json::to_string(&SettleAnswer::heartbeat(Secret::new("t"), heartbeat)).unwrap(),
            r#"{"lease":"t","status":200,"heartbeat":{"deadline":"1970-01-01T00:00:00.000Z","expires_in":"0s","cancel_requested":true}}"#
        );
        let lost = SettleAnswer::refused(Secret::new("t"), Problem::new(Code::LeaseLost, "d"));
        let text = serde_json::to_string(&lost).unwrap();
        assert!(text.starts_with(r#"{"lease":"t","status":409,"problem":{"#), "{text}");
        assert_eq!(serde_json::from_str::<SettleAnswer<'_>>(&text).unwrap(), lost);
        assert_eq!(serde_json::to_string(&settled).unwrap(), r#"{"id":"a","status":"DONE","version":3}"#);
        assert_eq!(serde_json::to_string(&Released { released: 2 }).unwrap(), r#"{"released":2}"#);
    }
}
