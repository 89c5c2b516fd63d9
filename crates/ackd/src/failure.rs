//! Why a command did not do what it was asked for, as it is told to people.

use std::io;

use ackd_client::api::{Code, Problem};
use ackd_client::{Error, ResultError, SubmissionError, WorkerError};

use crate::exit::Exit;
use crate::words::{shown, title};

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was asked wrongly; nothing was sent.
    Usage(String),
    /// The server refused, or could not be asked.
    Server(Error),
    /// Standard output cannot be written to.
    Output(io::Error),
    /// Something else; the text says what.
    Other(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Server(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

impl From<SubmissionError> for Failure {
    fn from(error: SubmissionError) -> Failure {
        Failure::Usage(error.to_string())
    }
}

impl From<ResultError> for Failure {
    fn from(error: ResultError) -> Failure {
        match error {
            ResultError::Failed(problem) | ResultError::Cancelled(problem) | ResultError::Expired(problem) => {
                Failure::Server(Error::Refused { problem, retry_after: None })
            }
            ResultError::Request(error) => Failure::Server(error),
            ResultError::Unreadable(error) => Failure::Other(error.to_string()),
        }
    }
}

impl From<WorkerError> for Failure {
    fn from(error: WorkerError) -> Failure {
        match error {
            WorkerError::Lease(error) => Failure::Server(error),
            error @ WorkerError::NoQueue => Failure::Other(error.to_string()),
        }
    }
}

impl Failure {
    /// The exit code to end with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Failure::Usage(_) | Failure::Server(Error::BadRequest(_)) => Exit::WrongUse,
            // Who reads has seen enough, as `head` has.
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Fine,
            Failure::Server(_) | Failure::Output(_) | Failure::Other(_) => Exit::Failed,
        }
    }

    /// Says on stderr what went wrong, and what to do about it.
    pub(crate) fn tell(&self, url: &str) {
        if let Some(text) = self.text(url) {
            eprintln!("ackd: {text}");
        }
    }

    fn text(&self, url: &str) -> Option<String> {
        Some(match self {
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return None,
            Failure::Output(error) => format!("cannot write the output: {error}"),
            Failure::Usage(text) => format!("{text}\nTry `ackd help`, or a command with `--help`."),
            Failure::Other(text) => text.clone(),
            Failure::Server(error) => explained(error, url),
        })
    }
}

/// What a server's refusal, or its silence, means.
fn explained(error: &Error, url: &str) -> String {
    match error {
        Error::Refused { problem, retry_after } => {
            let mut text = refused(problem);
            if let Some(wait) = retry_after {
                text.push_str(&format!("\nTry again in {} s.", wait.as_secs().max(1)));
            }
            text
        }
        Error::Unreachable(_) => {
            format!("{error}\nIs it running at {url}? Start one by `ackd serve`, or name another by --url or ACKD_URL.")
        }
        Error::Timeout(_) => format!("{error} from {url}\nWhether the request had any effect is not known."),
        Error::BadAnswer { .. } => format!("{error}\nIs {url} an ackd server? Name another by --url or ACKD_URL."),
        Error::Local(error) => format!("cannot read or write here: {error}"),
        Error::BadRequest(text) => text.clone(),
    }
}

/// A problem's title and detail, and each field at fault where there are several.
fn refused(problem: &Problem) -> String {
    let mut text = headline(problem);
    if problem.errors.len() > 1 {
        for fault in &problem.errors {
            text.push_str(&format!("\n  {} {}", shown(&fault.pointer), shown(&fault.detail)));
        }
    }
    // A job that ended badly says why in a problem of its own.
    if matches!(problem.code(), Some(Code::JobFailed | Code::JobCancelled | Code::Expired))
        && let Some(cause) = problem.extensions.get("error")
        && let Ok(cause) = serde_json::from_value::<Problem>(cause.clone())
    {
        text.push_str(&format!("\n{}", headline(&cause)));
    }
    text
}

/// A problem's title and detail on one line, or the more lines that its detail has.
pub(crate) fn headline(problem: &Problem) -> String {
    let title = shown(title(problem));
    if problem.detail.is_empty() {
        return title.into_owned();
    }
    let detail: Vec<_> = problem.detail.lines().map(shown).collect();
    // The detail that is made of a text begins with the title.
    match detail.split_first() {
        Some((first, rest)) if *first == title => {
            let rest: String = rest.iter().map(|line| format!("\n  {line}")).collect();
            format!("{title}{rest}")
        }
        _ => format!("{title}: {}", detail.join("\n  ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(error: Error) -> String {
        Failure::Server(error).text("http://h").unwrap()
    }

    fn refusal(problem: Problem) -> Error {
        Error::Refused { problem, retry_after: None }
    }

    #[test]
    fn a_refusal_says_title_detail_and_every_field_at_fault() {
        let problem = Problem::at("/priority", "must be 0 to 9");
        assert_eq!(text(refusal(problem.clone())), "The request is not valid: `/priority` must be 0 to 9");
        let problem = problem.with_error("/queue", "is\x1b[31m bad");
        assert_eq!(
            text(refusal(problem)),
            "The request is not valid: `/priority` must be 0 to 9\n  /priority must be 0 to 9\n  /queue is\u{fffd}[31m bad"
        );
        let busy = Error::Refused {
            problem: Problem::new(Code::Overloaded, "too much"),
            retry_after: Some(std::time::Duration::from_secs(3)),
        };
        assert_eq!(text(busy), "The server is overloaded: too much\nTry again in 3 s.");
    }

    #[test]
    fn a_job_that_failed_says_why() {
        let cause = serde_json::json!({"title": "exit code 3", "detail": "exit code 3\nboom\nbang"});
        let problem = Problem::new(Code::JobFailed, "the job ended as FAILED").with_extension("error", cause);
        assert_eq!(text(refusal(problem)), "The job failed: the job ended as FAILED\nexit code 3\n  boom\n  bang");
    }

    #[test]
    fn a_server_that_is_not_there_says_how_to_start_one() {
        let text = text(Error::Unreachable("Connection refused".into()));
        assert!(text.contains("http://h") && text.contains("ackd serve") && text.contains("ACKD_URL"), "{text}");
    }

    #[test]
    fn exit_codes_tell_wrong_use_from_failure() {
        assert_eq!(Failure::Usage(String::new()).exit(), Exit::WrongUse);
        assert_eq!(Failure::Server(Error::BadRequest(String::new())).exit(), Exit::WrongUse);
        assert_eq!(Failure::Server(refusal(Problem::at("/x", "y"))).exit(), Exit::Failed);
        let gone = Failure::Output(io::ErrorKind::BrokenPipe.into());
        assert_eq!((gone.exit(), gone.text("")), (Exit::Fine, None));
    }
}
