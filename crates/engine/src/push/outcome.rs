use std::time::Duration;

use ackd_domain::{Body, Command, Failure, Job, LeaseToken, Push};
use ackd_ports::{BodyEnd, OutboundError, Reply};
use serde::Deserialize;

use crate::posting::{LONGEST_PAUSE, Logged};

/// The media type of a result for which the target names none.
const UNNAMED: &str = "application/octet-stream";

/// A job was posted, and this came of it after it took so long: the command that writes it down. A result has at most
/// `most` bytes.
pub(super) fn posted(
    push: &Push,
    lease: LeaseToken,
    reply: Result<Reply, OutboundError>,
    took: Duration,
    most: usize,
) -> Command {
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => {
            let title = error.to_string();
            let kind = match &error {
                OutboundError::Body(_) => "/problems/push-unsendable",
                _ => "/problems/push-unanswered",
            };
            let kind = Some(kind);
            let logged = Logged { kind, title: Some(&title), took: Some(took), ..Logged::default() };
            return fail(lease, logged.failure(), !error.is_permanent(), None);
        }
    };
    if reply.status == 202 && push.is_async {
        // From now on the lease is the target's.
        return Command::Heartbeat { lease, ttl: Some(push.timeout()), progress: None, checkpoint: None };
    }
    if !reply.is_success() {
        let kind = problem_type(&reply);
        let error = Logged::answered(kind.as_deref(), &format!("the target answered {}", reply.status), &reply);
        let asked = reply.retry_after.filter(|asked| !asked.is_zero());
        let retryable = !push.fail_on().contains(&reply.status);
        return fail(lease, error, retryable, asked.map(|asked| asked.min(LONGEST_PAUSE)));
    }
    match reply.end {
        BodyEnd::Whole => Command::Complete { lease, result: result(reply) },
        // Another attempt would do the work again, and its result would be as large.
        BodyEnd::Cut => {
            let title = format!("the target's answer is larger than {most} bytes, the most that a result may be");
            fail(lease, Logged::answered(Some("/problems/push-too-large"), &title, &reply), false, None)
        }
        BodyEnd::Lost => {
            let title = "the target's answer broke off, or took too long";
            fail(lease, Logged::answered(Some("/problems/push-unanswered"), title, &reply), true, None)
        }
    }
}

/// The `type` of the problem that the target answered (RFC 9457), where it is one: dead jobs are told apart by it.
fn problem_type(reply: &Reply) -> Option<String> {
    #[derive(Deserialize)]
    struct Typed {
        #[serde(rename = "type")]
        kind: String,
    }
    let media_type = reply.content_type.as_ref()?.split(';').next()?.trim();
    let is_problem = media_type.eq_ignore_ascii_case("application/problem+json");
    let typed: Typed = is_problem.then(|| serde_json::from_slice(&reply.body).ok())??;
    Some(typed.kind).filter(|kind| !kind.is_empty())
}

/// What the target answered, as a result. Nothing of no type is none.
fn result(reply: Reply) -> Option<Body> {
    let content_type = reply.content_type.or_else(|| (!reply.body.is_empty()).then(|| UNNAMED.into()))?;
    Some(Body { content_type, bytes: reply.body })
}

/// The post was dropped because somebody asked for the job to be cancelled.
pub(super) fn cancelled(lease: LeaseToken) -> Command {
    let logged = Logged {
        kind: Some("/problems/push-cancelled"),
        title: Some("the post was dropped: a cancel was asked for"),
        ..Logged::default()
    };
    Command::Fail { lease, error: logged.failure(), retryable: false, retry_after: None, cancelled: true }
}

/// Nothing was posted, and will not be.
pub(super) fn unsendable(lease: LeaseToken, job: &Job) -> Command {
    let title = format!("the payload of {} bytes is not at hand", job.spec.payload.size);
    let logged = Logged { kind: Some("/problems/push-unsendable"), title: Some(&title), ..Logged::default() };
    fail(lease, logged.failure(), false, None)
}

fn fail(lease: LeaseToken, error: Failure, retryable: bool, retry_after: Option<Duration>) -> Command {
    Command::Fail { lease, error, retryable, retry_after, cancelled: false }
}

#[cfg(test)]
mod tests;
