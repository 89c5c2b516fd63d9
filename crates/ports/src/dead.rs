use std::sync::Arc;

use ackd_domain::{Job, JobId, Status};
use serde_json::Value;

/// The most bytes of a cause; a longer one is cut.
pub const CAUSE_BYTES: usize = 255;

/// The cause of jobs that expired, whatever their last attempt failed of.
pub const EXPIRED: &str = "/problems/expired";

/// The cause where an error says none, as one that was stored before each had to have a title. It stays, for what is
/// stored of such jobs is found and deleted by it.
const UNKNOWN: &str = "unknown";

/// The `type` of a problem that is said by its title alone (RFC 9457, section 4.2.1).
const NO_TYPE: &str = "about:blank";

/// Jobs of a queue that failed or expired of one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadCause {
    /// See [`cause`].
    pub cause: Arc<str>,
    /// How many they are.
    pub count: u64,
    /// The latest that were accepted of them, newest first.
    pub examples: Vec<JobId>,
}

/// Why the job is dead, that is `FAILED` or `EXPIRED`: the `type` of its error, else the title, at most [`CAUSE_BYTES`];
/// [`EXPIRED`] of what expired. `None` of what is not dead, and of the server's own.
#[must_use]
pub fn cause(job: &Job) -> Option<Arc<str>> {
    let is_dead = matches!(job.status, Status::Failed | Status::Expired);
    if !is_dead || job.spec.queue.is_reserved() {
        return None;
    }
    Some(match &job.error {
        _ if job.status == Status::Expired => Arc::from(EXPIRED),
        Some(error) => of_problem(&error.problem),
        None => Arc::from(UNKNOWN),
    })
}

fn of_problem(problem: &str) -> Arc<str> {
    let problem: Value = serde_json::from_str(problem).unwrap_or_default();
    let text = |name: &str| problem.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let named = text("type").filter(|text| *text != NO_TYPE).or_else(|| text("title"));
    Arc::from(cut_cause(named.unwrap_or(UNKNOWN)))
}

/// As much of `text` as a cause has.
#[must_use]
pub fn cut_cause(text: &str) -> &str {
    &text[..text.floor_char_boundary(CAUSE_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_the_type_of_the_problem_or_its_title() {
        let long = "ä".repeat(200);
        for (problem, cause) in [
            (r#"{"type":"https://x.example/quota","title":"no more"}"#.to_owned(), "https://x.example/quota"),
            (r#"{"type":"about:blank","title":"no more"}"#.to_owned(), "no more"),
            (r#"{"title":" no more "}"#.to_owned(), "no more"),
            (r#"{"type":7,"title":""}"#.to_owned(), UNKNOWN),
            ("[".to_owned(), UNKNOWN),
            (format!(r#"{{"title":"{long}"}}"#), &long[..254]),
        ] {
            assert_eq!(&*of_problem(&problem), cause);
        }
    }
}
