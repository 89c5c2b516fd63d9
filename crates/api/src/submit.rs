//! The answer to an NDJSON submission, a line for each envelope.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CallbackSecret, Problem};

/// What became of one line, in the order of the lines: `{"status":202,"id":…}`, or, with `?partial=true`,
/// `{"status":4xx,"problem":{…}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SubmitLine<'a> {
    /// The HTTP status that the envelope alone would have been answered with.
    pub status: u16,
    /// The job's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Cow<'a, str>>,
    /// Whether the idempotency key was known, so that this is the job of an earlier request.
    #[serde(default, skip_serializing_if = "is_false")]
    pub replayed: bool,
    /// Whether a job with the same unique key was there and stays as it is, so that this is that one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub kept: bool,
    /// Whether a job with the same unique key was there, waited, and took payload and time of this submission.
    #[serde(default, skip_serializing_if = "is_false")]
    pub replaced: bool,
    /// The callback, where a secret was made for it. It is shown nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<CallbackSecret<'a>>,
    /// Why the line was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl<'a> SubmitLine<'a> {
    /// The line was accepted as a new job; set `replayed`, `kept` or `replaced` where it was not.
    pub fn accepted(id: impl Into<Cow<'a, str>>) -> SubmitLine<'a> {
        SubmitLine {
            status: 202,
            id: Some(id.into()),
            replayed: false,
            kept: false,
            replaced: false,
            callback: None,
            problem: None,
        }
    }

    /// The line was refused.
    #[must_use]
    pub fn refused(problem: Problem) -> SubmitLine<'a> {
        SubmitLine {
            status: problem.status,
            id: None,
            replayed: false,
            kept: false,
            replaced: false,
            callback: None,
            problem: Some(problem),
        }
    }

    /// The job's id, or why there is none.
    ///
    /// # Errors
    /// The problem that the line was refused with.
    pub fn into_result(self) -> Result<String, Problem> {
        match (self.id, self.problem) {
            (Some(id), None) => Ok(id.into_owned()),
            (_, Some(problem)) => Err(problem),
            (None, None) => {
                Err(Problem::new(crate::Code::Internal, format!("a line with status {} and no id", self.status)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    #[test]
    fn lines_are_what_the_contract_says() {
        let line = SubmitLine::accepted("a");
        assert_eq!(serde_json::to_string(&line).unwrap(), r#"{"status":202,"id":"a"}"#);
        let line = SubmitLine { replayed: true, ..line };
        assert_eq!(serde_json::to_string(&line).unwrap(), r#"{"status":202,"id":"a","replayed":true}"#);
        assert_eq!(line.into_result(), Ok("a".into()));
        let line = SubmitLine { kept: true, ..SubmitLine::accepted("a") };
        assert_eq!(serde_json::to_string(&line).unwrap(), r#"{"status":202,"id":"a","kept":true}"#);
        let callback = CallbackSecret { url: "http://x".into(), secret: crate::Secret::new("whsec_x") };
        let line = SubmitLine { callback: Some(callback), ..SubmitLine::accepted("a") };
        let text = r#"{"status":202,"id":"a","callback":{"url":"http://x","secret":"whsec_x"}}"#;
        assert_eq!(serde_json::to_string(&line).unwrap(), text);
        let line = SubmitLine::refused(Problem::new(Code::IdempotencyMismatch, "d"));
        let text = serde_json::to_string(&line).unwrap();
        assert!(text.starts_with(r#"{"status":422,"problem":{"type":"#), "{text}");
        assert_eq!(serde_json::from_str::<SubmitLine<'static>>(&text).unwrap(), line);
        assert!(line.into_result().unwrap_err().is(Code::IdempotencyMismatch));
    }
}
