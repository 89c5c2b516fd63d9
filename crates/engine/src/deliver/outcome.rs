use std::time::Duration;

use ackd_domain::{Body, Command, Delivery, Disabled, Failure, JSON, Job, LeaseToken, PostOutcome};
use ackd_ports::{OutboundError, Reply};

use crate::posting::{LONGEST_PAUSE, Logged};

/// What becomes of a delivery after an attempt.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    /// Settles its lease.
    pub(super) settle: Command,
    /// What it says of the endpoint.
    pub(super) post: PostOutcome,
}

/// Why nothing is posted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Void {
    /// There is no such endpoint any more.
    Deleted,
    /// Nothing is sent to the endpoint any more.
    Disabled(Disabled),
    /// What is stored as its secret is no key.
    Unsigned,
    /// It is no delivery, or its body is gone.
    Unreadable,
}

/// An attempt of `job` was made, and this came of it after it took so long.
pub(super) fn posted(job: &Job, lease: LeaseToken, reply: Result<Reply, OutboundError>, took: Duration) -> Outcome {
    match reply {
        Ok(reply) if reply.is_success() => {
            let logged = Logged { status_code: Some(reply.status), took: Some(reply.took), ..Logged::default() };
            let result = Body { content_type: JSON.into(), bytes: logged.to_json().into() };
            Outcome { settle: Command::Complete { lease, result: Some(result) }, post: PostOutcome::Taken }
        }
        Ok(reply) => {
            let gone = reply.status == 410;
            let title = format!("the receiver answered {}", reply.status);
            let error = Logged::answered(Some("/problems/delivery-failed"), &title, &reply);
            // Where it asks for less than the schedule's pause, it would use up its attempts sooner than it means.
            let asked = reply.retry_after.map(|asked| asked.min(LONGEST_PAUSE));
            let retry_after = asked.filter(|asked| *asked > Delivery::pause(job.attempt, 0));
            let post = if gone { PostOutcome::Gone } else { PostOutcome::Failed };
            Outcome { settle: fail(lease, error, !gone, retry_after), post }
        }
        Err(error) => {
            let title = error.to_string();
            let logged = Logged {
                kind: Some("/problems/delivery-failed"),
                title: Some(&title),
                took: Some(took),
                ..Logged::default()
            };
            let settle = fail(lease, logged.failure(), !error.is_permanent(), None);
            Outcome { settle, post: PostOutcome::Failed }
        }
    }
}

/// Nothing was posted, and will not be.
pub(super) fn void(lease: LeaseToken, why: Void) -> Command {
    let title = match why {
        Void::Deleted => "the endpoint is no longer".to_owned(),
        Void::Disabled(disabled) => format!("the endpoint is disabled: {}", disabled.reason.as_str()),
        Void::Unsigned => "the secret of the target cannot sign".to_owned(),
        Void::Unreadable => "what was to be sent cannot be read".to_owned(),
    };
    let logged = Logged { kind: Some("/problems/delivery-void"), title: Some(&title), ..Logged::default() };
    fail(lease, logged.failure(), false, None)
}

fn fail(lease: LeaseToken, error: Failure, retryable: bool, retry_after: Option<Duration>) -> Command {
    Command::Fail { lease, error, retryable, retry_after, cancelled: false }
}

#[cfg(test)]
mod tests;
