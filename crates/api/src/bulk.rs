//! Doing the same to many jobs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::request::pointer_to;
use crate::{Faults, Request, Status};

/// What to do to which jobs: the body of `POST /v1/jobs/bulk`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkRequest {
    /// The fields of the list's query, at least one: each a text with commas between several values, or a list of texts;
    /// one that begins with `payload.` a text that is one value, whatever commas are in it.
    #[schemars(with = "BulkFilter")]
    pub filter: Map<String, Value>,
    /// What to do to each job that was accepted before, and matches when its turn comes.
    pub action: BulkAction,
}

/// What to do to each job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BulkAction {
    /// As `POST /v1/jobs/{id}/cancel`.
    Cancel,
    /// As `POST /v1/jobs/{id}/retry`.
    Retry,
}

/// Which jobs: what the list's query takes. What is to stand in their payloads has names of the form `payload.<path>`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("patternProperties" = {"^payload\\.": {"type": "string"}}))]
pub struct BulkFilter {
    /// Of these queues.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub queue: Vec<String>,
    /// In these statuses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<Status>,
    /// Of these types.
    #[serde(rename = "type", skip_serializing_if = "Vec::is_empty")]
    pub kind: Vec<String>,
    /// With one of these tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tag: Vec<String>,
    /// Of this flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
    /// With this idempotency key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Accepted at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_after: Option<String>,
    /// Accepted before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_before: Option<String>,
}

impl Request<'_> for BulkRequest {
    fn check(&self, faults: &mut Faults) {
        if self.filter.is_empty() {
            faults.add("/filter", "names nothing, which would be every job; name a queue or a time at least");
        }
        for (name, value) in &self.filter {
            let fault = match name.starts_with(PAYLOAD) {
                true if !value.is_string() => "must be a text: a number as JSON writes it, `true`, `false` or `null`",
                false if !is_filter(name) => "is not a field that is known here",
                false if query_value(value).is_none() => "must be a text, or a list of texts without commas",
                _ => continue,
            };
            faults.add(&format!("/filter{}", pointer_to(name)), fault);
        }
    }
}

/// What the fields of a filter begin with that say what stands in payloads; the path follows.
pub const PAYLOAD: &str = "payload.";

/// Whether `name` is a field of a filter, or a parameter that narrows a list.
#[must_use]
pub fn is_filter(name: &str) -> bool {
    const NAMES: [&str; 8] =
        ["queue", "status", "type", "tag", "flow", "idempotency_key", "created_after", "created_before"];
    NAMES.contains(&name) || name.starts_with(PAYLOAD)
}

/// A field of a filter as a parameter of the list's query.
#[must_use]
pub fn query_value(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(values) => {
            let texts = values.iter().map(|value| value.as_str().filter(|text| !text.contains(',')));
            texts.collect::<Option<Vec<&str>>>().map(|texts| texts.join(","))
        }
        _ => None,
    }
}

/// What a purge comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Purged {
    /// How many jobs were cancelled; where `job` is not done yet, how many waited.
    pub purged: u64,
    /// The id of the job that does it and reports progress; null where nothing waited.
    pub job: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_says_nothing_or_nonsense_is_refused() {
        let pointer =
            |body: &str| crate::parse::<BulkRequest>(body.as_bytes()).err().map(|it| it.errors[0].pointer.clone());
        for (body, at) in [
            (r#"{"filter":{"queue":"a,b","status":["INIT","FAILED"]},"action":"cancel"}"#, None),
            (r#"{"filter":{"queue":["a,b"]},"action":"cancel"}"#, Some("/filter/queue")),
            (r#"{"filter":{"queue":7},"action":"cancel"}"#, Some("/filter/queue")),
            (r#"{"filter":{"payload.a":"x,y"},"action":"cancel"}"#, None),
            (r#"{"filter":{"payload.a":["x"]},"action":"cancel"}"#, Some("/filter/payload.a")),
            (r#"{"filter":{"payload.a":7},"action":"cancel"}"#, Some("/filter/payload.a")),
            (r#"{"filter":{},"action":"cancel"}"#, Some("/filter")),
            (r#"{"action":"cancel"}"#, Some("/filter")),
            (r#"{"filter":{"queue":"a"}}"#, Some("/action")),
            (r#"{"filter":{"queue":"a"},"action":"eat"}"#, Some("/action")),
            (r#"{"filter":{"queue":"a"},"action":"retry","x":1}"#, Some("/x")),
        ] {
            assert_eq!(pointer(body).as_deref(), at, "{body}");
        }
        // What is unknown is told so, whatever its value is; the names are those that the schema knows.
        for value in ["1", "\"1\"", "null"] {
            let body = format!(r#"{{"filter":{{"queue":"q","limit":{value}}},"action":"cancel"}}"#);
            let problem = crate::parse::<BulkRequest>(body.as_bytes()).unwrap_err();
            assert_eq!(problem.detail, "`/filter/limit` is not a field that is known here");
        }
        let schema = schemars::schema_for!(BulkFilter).to_value();
        assert!(schema["properties"].as_object().unwrap().keys().all(|name| is_filter(name)), "{schema}");
        // A name may hold anything, and be of any length.
        assert_eq!(pointer(r#"{"filter":{"a~/b":7},"action":"retry"}"#).as_deref(), Some("/filter/a~0~1b"));
        let long = pointer(&format!(r#"{{"filter":{{"{}":7}},"action":"retry"}}"#, "x".repeat(10_000)));
        assert_eq!(long.map(|pointer| pointer.chars().count()), Some("/filter/".len() + 101));
    }
}
