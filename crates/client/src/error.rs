//! What can go wrong between client and server.

use std::time::Duration;

use ackd_api::{Code, Problem};

/// Why a call has no answer, or not the one that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refused the request, which has changed nothing.
    #[error("{problem}")]
    Refused {
        /// What the server said, whole.
        problem: Problem,
        /// When to come again, where the server said so (`Retry-After`, RFC 9110, section 10.2.3).
        retry_after: Option<Duration>,
    },
    /// There is no connection, or it broke. Whether the request had any effect is not known, unless it could not
    /// connect at all.
    #[error("cannot reach the server: {}", root(&**.0))]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer took longer than the client's timeout. Whether the request had any effect is not known.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// Something answered that does not speak the API: a proxy, or another server.
    #[error("an answer that cannot be read, with HTTP status {status}: {detail}")]
    BadAnswer {
        /// The HTTP status.
        status: u16,
        /// What was wrong with it.
        detail: String,
    },
    /// What was to be sent cannot be read here, or what was received cannot be written.
    #[error("{0}")]
    Local(#[source] std::io::Error),
    /// The request itself cannot be written.
    #[error("the request cannot be written: {0}")]
    BadRequest(String),
}

impl Error {
    /// Whether the same call may succeed later: the server cannot be reached, is stopping or overloaded, has no room,
    /// or has had too many requests.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Refused { problem, .. } => is_transient_status(problem.status),
            Error::BadAnswer { status, .. } => is_transient_status(*status),
            Error::Unreachable(_) | Error::Timeout(_) => true,
            Error::Local(_) | Error::BadRequest(_) => false,
        }
    }

    /// What the server said, where it refused the request.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Error::Refused { problem, .. } => Some(problem),
            _ => None,
        }
    }

    /// Whether the server refused the request with this code.
    #[must_use]
    pub fn is(&self, code: Code) -> bool {
        self.problem().is_some_and(|problem| problem.is(code))
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// The first cause of an error: "Connection refused" says more than "client error (Connect)", which wraps it.
fn root<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    error.source().map_or(error, root)
}

/// Whether an HTTP status says that the same request may succeed later.
pub(crate) const fn is_transient_status(status: u16) -> bool {
    matches!(status, 408 | 429 | 502 | 503 | 504 | 507)
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// The job failed.
    #[error("{0}")]
    Failed(Problem),
    /// The job was cancelled.
    #[error("{0}")]
    Cancelled(Problem),
    /// The job was not done in time.
    #[error("{0}")]
    Expired(Problem),
    /// There is a result, but not of the type that was asked for.
    #[error("the result is not of the type that was asked for: {0}")]
    Unreadable(#[source] serde_json::Error),
    /// The server could not be asked.
    #[error(transparent)]
    Request(Error),
}

impl From<Error> for ResultError {
    fn from(error: Error) -> ResultError {
        match error {
            Error::Refused { problem, .. } if problem.is(Code::JobFailed) => ResultError::Failed(problem),
            Error::Refused { problem, .. } if problem.is(Code::JobCancelled) => ResultError::Cancelled(problem),
            Error::Refused { problem, .. } if problem.is(Code::Expired) => ResultError::Expired(problem),
            error => ResultError::Request(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        let refused = |code| Error::Refused { problem: Problem::new(code, ""), retry_after: None };
        for code in [Code::Draining, Code::Overloaded, Code::StorageFull, Code::RateLimited, Code::Timeout] {
            assert!(refused(code).is_transient(), "{code}");
        }
        for code in [Code::InvalidRequest, Code::NotFound, Code::LeaseLost, Code::Damaged, Code::TooLarge] {
            assert!(!refused(code).is_transient(), "{code}");
        }
        assert!(Error::BadAnswer { status: 502, detail: String::new() }.is_transient());
        assert!(!Error::BadAnswer { status: 200, detail: String::new() }.is_transient());
        assert!(Error::Timeout(Duration::ZERO).is_transient());
        assert!(refused(Code::NotFound).is(Code::NotFound));
    }

    #[test]
    fn the_ends_of_a_job_without_a_result_are_told_apart() {
        let end = |code| ResultError::from(Error::Refused { problem: Problem::new(code, ""), retry_after: None });
        assert!(matches!(end(Code::JobFailed), ResultError::Failed(_)));
        assert!(matches!(end(Code::JobCancelled), ResultError::Cancelled(_)));
        assert!(matches!(end(Code::Expired), ResultError::Expired(_)));
        assert!(matches!(end(Code::NotFound), ResultError::Request(_)));
    }
}
