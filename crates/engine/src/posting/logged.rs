use std::sync::Arc;
use std::time::Duration;

use ackd_domain::Failure;
use ackd_ports::Reply;
use serde::Serialize;

/// What is kept of an attempt: with a title, the problem of one that failed (RFC 9457).
#[derive(Debug, Default, Serialize)]
pub(crate) struct Logged<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status_code: Option<u16>,
    #[serde(rename = "took_us", skip_serializing_if = "Option::is_none", serialize_with = "micros")]
    pub(crate) took: Option<Duration>,
    /// The beginning of what the receiver said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) answer: Option<&'a str>,
}

fn micros<S: serde::Serializer>(took: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    took.map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX)).serialize(serializer)
}

impl Logged<'_> {
    pub(crate) fn to_json(&self) -> String {
        // Numbers and texts can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Why an attempt failed.
    pub(crate) fn failure(&self) -> Failure {
        Failure { problem: Arc::from(self.to_json()) }
    }

    /// The failure of one that `reply` answered, of this kind and title.
    pub(crate) fn answered(kind: Option<&str>, title: &str, reply: &Reply) -> Failure {
        let answer = String::from_utf8_lossy(&reply.body[..reply.body.len().min(Reply::BODY_BYTES)]);
        let answer = Some(&*answer).filter(|answer| !answer.is_empty());
        let (status_code, took) = (Some(reply.status), Some(reply.took));
        Logged { kind, title: Some(title), status_code, took, answer }.failure()
    }
}
