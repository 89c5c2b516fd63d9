//! How a job ends that is not done.

use std::fmt;
use std::time::Duration;

use ackd_api::raw;
use ackd_api::{Fail, FailError, Problem, Release, limits};
use serde_json::value::RawValue;

use crate::Error;

/// Why a worker stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// It has nothing to do: no queue has a handler.
    #[error("the worker handles no queue")]
    NoQueue,
    /// The server refuses its lease requests for good.
    #[error("cannot lease jobs: {0}")]
    Lease(#[source] Error),
}

/// Why a checkpoint was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The value has no JSON.
    #[error("the checkpoint cannot be written as JSON: {0}")]
    Unwritable(#[from] serde_json::Error),
    /// The server refused it: it is too large, say.
    #[error("{0}")]
    Refused(Problem),
    /// The lease is not held any more, or the server was away until its deadline.
    #[error("the lease is lost")]
    LeaseLost,
}

/// Why a job was not done, as its handler tells it.
///
/// Every error turns into one that is retried, so that `?` works in handlers; [`JobError::permanent`] says that another
/// attempt will not help. For that reason it is no [`std::error::Error`] itself.
#[derive(Debug)]
pub struct JobError {
    kind: Kind,
    error: Explanation,
}

#[derive(Debug)]
enum Kind {
    Retryable { after: Option<Duration> },
    Permanent,
    Cancelled,
    Released { delay: Option<Duration> },
}

#[derive(Debug)]
enum Explanation {
    Text(String),
    Problem(Box<RawValue>),
}

impl Explanation {
    /// A text; one that the server would cut is cut here.
    fn of(text: String) -> Explanation {
        if text.len() <= limits::FAILURE_BYTES {
            return Explanation::Text(text);
        }
        match RawValue::from_string(FailError::Text(text.as_str().into()).to_problem().into_owned()) {
            Ok(problem) => Explanation::Problem(problem),
            Err(_) => Explanation::Text(String::new()),
        }
    }
}

impl JobError {
    /// The attempt failed, and another one may do better. Of the text the first line becomes the title, by which
    /// failures are grouped.
    pub fn retryable(text: impl fmt::Display) -> JobError {
        JobError::of(Kind::Retryable { after: None }, text)
    }

    /// The job cannot be done, and no further attempt is made.
    pub fn permanent(text: impl fmt::Display) -> JobError {
        JobError::of(Kind::Permanent, text)
    }

    /// The job stopped because its [`crate::Context`] said so. If a client asked for that, it ends as `CANCELLED`; if
    /// the worker is stopping, it is given back, and the attempt does not count.
    #[must_use]
    pub fn cancelled() -> JobError {
        JobError::of(Kind::Cancelled, "cancelled")
    }

    /// The job is given back for another attempt, and this one does not count.
    #[must_use]
    pub fn released() -> JobError {
        JobError::of(Kind::Released { delay: None }, "released")
    }

    /// Says how long to wait before the next attempt, instead of the queue's back-off. It means nothing for a job that
    /// is not tried again.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> JobError {
        match &mut self.kind {
            Kind::Retryable { after } => *after = Some(wait),
            Kind::Released { delay } => *delay = Some(wait),
            Kind::Permanent | Kind::Cancelled => {}
        }
        self
    }

    /// Explains it by a problem document (RFC 9457) instead of a text: its `type` is what failures are grouped by. Of
    /// one that has more than 16 KiB as JSON, or is nested deeper than 100 levels, only the text is told.
    #[must_use]
    pub fn with_problem(mut self, problem: &Problem) -> JobError {
        self.error = match serde_json::value::to_raw_value(problem) {
            Ok(json) if json.get().len() <= limits::FAILURE_BYTES && raw::check(&json).is_ok() => {
                Explanation::Problem(json)
            }
            _ => Explanation::of(problem.to_string()),
        };
        self
    }

    fn of(kind: Kind, text: impl fmt::Display) -> JobError {
        JobError { kind, error: Explanation::of(text.to_string()) }
    }

    /// What to tell the server. `is_stopping` says that the worker, and not a client, wants the job to stop.
    pub(crate) fn verdict(&self, is_stopping: bool) -> Verdict<'_> {
        let error = Some(match &self.error {
            Explanation::Text(text) => FailError::Text(text.as_str().into()),
            Explanation::Problem(problem) => FailError::Problem(problem),
        });
        match self.kind {
            Kind::Retryable { after } => {
                Verdict::Fail(Fail { error, retry_after: after.map(Into::into), ..Fail::default() })
            }
            Kind::Permanent => Verdict::Fail(Fail { error, retryable: Some(false), ..Fail::default() }),
            Kind::Cancelled if is_stopping => Verdict::Release(Release::default()),
            Kind::Cancelled => Verdict::Fail(Fail { error, cancelled: Some(true), ..Fail::default() }),
            Kind::Released { delay } => {
                Verdict::Release(Release { delay: delay.map(Into::into), ..Release::default() })
            }
        }
    }
}

/// What to tell the server of a job that was not done.
pub(crate) enum Verdict<'a> {
    Fail(Fail<'a>),
    Release(Release<'a>),
}

impl<E: std::error::Error> From<E> for JobError {
    /// An attempt that failed by an error, with all that caused it, and may succeed another time.
    fn from(error: E) -> JobError {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str("\ncaused by: ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        JobError::retryable(text)
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Explanation::Text(text) => f.write_str(text),
            Explanation::Problem(problem) => f.write_str(problem.get()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ackd_api::Code;

    fn json(error: &JobError, is_stopping: bool) -> String {
        match error.verdict(is_stopping) {
            Verdict::Fail(fail) => format!("fail {}", serde_json::to_string(&fail).unwrap()),
            Verdict::Release(release) => format!("release {}", serde_json::to_string(&release).unwrap()),
        }
    }

    #[test]
    fn errors_become_what_the_api_says() {
        let second = Duration::from_secs(1);
        for (error, expected) in [
            (JobError::retryable("boom"), r#"fail {"error":"boom"}"#),
            (JobError::retryable("boom").after(second), r#"fail {"error":"boom","retry_after":"1s"}"#),
            (JobError::permanent("boom").after(second), r#"fail {"error":"boom","retryable":false}"#),
            (JobError::cancelled(), r#"fail {"error":"cancelled","cancelled":true}"#),
            (JobError::released(), "release {}"),
            (JobError::released().after(second), r#"release {"delay":"1s"}"#),
        ] {
            assert_eq!(json(&error, false), expected);
        }
        assert_eq!(json(&JobError::cancelled(), true), "release {}");
        let problem = JobError::permanent("x").with_problem(&Problem::new(Code::Internal, "d"));
        assert!(json(&problem, true).starts_with(r#"fail {"error":{"type":"/problems/internal""#));
    }

    #[test]
    fn what_is_too_long_for_the_server_is_cut() {
        let most = limits::FAILURE_BYTES;
        for (error, is_text) in [
            (JobError::retryable("x".repeat(most)), true),
            (JobError::retryable("x".repeat(most + 1)), false),
            (JobError::retryable("").with_problem(&Problem::new(Code::Internal, "x".repeat(most))), false),
        ] {
            let text = json(&error, false);
            assert!(text.len() < most + 40, "{}", text.len());
            assert_eq!(text.starts_with(r#"fail {"error":"xx"#), is_text);
            assert!(is_text || text.contains(r#""detail":"xx"#), "{}", &text[..100]);
        }
    }

    #[test]
    fn any_error_turns_into_one_with_its_causes() {
        let error = WorkerError::Lease(Error::BadRequest("x".into()));
        let error: JobError = error.into();
        assert_eq!(
            error.to_string(),
            "cannot lease jobs: the request cannot be written: x\ncaused by: the request cannot be written: x"
        );
    }
}
