//! What a client asks for, as the domain understands it.

use std::sync::Arc;
use std::time::Duration;

use ackd_api::{Code, Envelope, Fault, Problem};
use ackd_domain::{
    After, Backoff, BackoffError, Body, JSON, Name, OnFailure, PayloadFile, Start, Submission, Timestamp, Unique,
    UniquePolicy,
};
use bytes::Bytes;
use serde_json::value::RawValue;

use crate::app::Shared;
use crate::call::reserved;
use crate::problem::NOT_YET;
use crate::targets::Targets;

/// What `envelope` asks for, with `payload` for its payload. Its callback must be one that `targets` lets pass, and each
/// payload in its `then` has at most `most` bytes.
///
/// # Errors
/// A problem that names what is not supported yet, is the server's own, or does not fit together.
pub(crate) fn submission(
    envelope: &Envelope<'_>,
    payload: Body,
    targets: &Targets,
    most: usize,
) -> Result<Submission, Problem> {
    if envelope.key.is_some() {
        return Err(Problem::at("/key", "is for the jobs of a flow; see `/v1/flows`"));
    }
    let after = after(envelope)?;
    let submission = Submission { then: then(envelope, targets, most)?, ..alone(envelope, payload, targets)? };
    let submission = Submission { after, ..submission };
    Ok(match &envelope.idempotency_key {
        Some(key) => submission.keyed(Arc::from(&**key)),
        None => submission,
    })
}

impl Shared {
    /// What `envelope` asks of this server; see [`submission`].
    pub(crate) fn submission(&self, envelope: &Envelope<'_>, payload: Body) -> Result<Submission, Problem> {
        submission(envelope, payload, &self.targets, self.limits.payload)
    }
}

/// What `envelope` asks for as the job of a flow that comes after these.
///
/// # Errors
/// As [`submission`].
pub(crate) fn in_flow(
    envelope: &Envelope<'_>,
    payload: Body,
    targets: &Targets,
    after: Vec<After>,
) -> Result<Submission, Problem> {
    not_unique(envelope)?;
    let flow_key = envelope.key.as_deref().map(Arc::from);
    Ok(Submission { after, flow_key, ..alone(envelope, payload, targets)? })
}

/// The most jobs that one submission makes, all that come after it included.
const FAMILY: usize = 1000;

/// What comes after a job by its `then`.
fn then(envelope: &Envelope<'_>, targets: &Targets, most: usize) -> Result<Vec<Submission>, Problem> {
    let mut made = Vec::with_capacity(envelope.then.len());
    for (at, next) in envelope.then.iter().enumerate() {
        made.push(next_of(next, targets, most).map_err(|problem| problem.within(&format!("/then/{at}")))?);
    }
    if made.iter().map(|next| next.with_all_after().count()).sum::<usize>() >= FAMILY {
        return Err(Problem::at("/then", format!("makes more than {FAMILY} jobs in all")));
    }
    Ok(made)
}

fn next_of(envelope: &Envelope<'_>, targets: &Targets, most: usize) -> Result<Submission, Problem> {
    if envelope.idempotency_key.is_some() {
        return Err(Problem::at("/idempotency_key", "is for the job that it comes after, and holds for both"));
    }
    not_unique(envelope)?;
    let mut submission = submission(envelope, payload_apart(envelope.payload, most)?, targets, most)?;
    secret_is_given(&submission)?;
    if envelope.on_failure.is_none() {
        // It is for when the other is done, however often that must be tried.
        submission.on_failure = OnFailure::Wait;
    }
    Ok(submission)
}

/// What `envelope` asks for, without what it comes after and what comes after it.
fn alone(envelope: &Envelope<'_>, payload: Body, targets: &Targets) -> Result<Submission, Problem> {
    supported(envelope)?;
    let queue = Name::new(&envelope.queue).map_err(|error| Problem::at("/queue", error.to_string()))?;
    if queue.is_reserved() {
        return Err(reserved("/queue"));
    }
    let start = match (envelope.delay, envelope.run_at) {
        (Some(delay), _) => Start::After(delay.get()),
        (None, Some(at)) => Start::At(Timestamp::from_millis(at.0)),
        (None, None) => Start::Now,
    };
    let payload_file = match &envelope.payload_file {
        Some(name) => Some(file_named(name)?.into()),
        None => None,
    };
    let backoff = match &envelope.backoff {
        Some(backoff) => Some(self::backoff(backoff).map_err(|error| misfit("/backoff", error))?),
        None => None,
    };
    let callback = match &envelope.callback {
        Some(callback) => Some(targets.callback(callback)?.into()),
        None => None,
    };
    Ok(Submission {
        queue,
        kind: envelope.kind.as_deref().map(Arc::from),
        payload,
        payload_file,
        start,
        expires_in: envelope.expires_in.map(Duration::from),
        priority: envelope.priority,
        group: envelope.group.as_deref().map(Arc::from),
        max_attempts: envelope.max_attempts,
        timeout: envelope.timeout.map(Duration::from),
        backoff,
        result_retention: envelope.result_retention.map(Duration::from),
        key: None,
        tags: envelope.tags.iter().map(|tag| Arc::from(&**tag)).collect(),
        traceparent: envelope.traceparent.as_deref().map(Arc::from),
        callback,
        ordering_key: envelope.ordering_key.as_deref().map(Arc::from),
        unique: envelope.unique.as_ref().map(unique),
        after: Vec::new(),
        on_failure: envelope.on_failure.map(on_failure).unwrap_or_default(),
        flow_key: None,
        then: Vec::new(),
    })
}

fn unique(unique: &ackd_api::Unique<'_>) -> Unique {
    let policy = match unique.policy.unwrap_or_default() {
        ackd_api::UniquePolicy::Keep => UniquePolicy::Keep,
        ackd_api::UniquePolicy::Replace => UniquePolicy::Replace,
        ackd_api::UniquePolicy::Debounce => UniquePolicy::Debounce,
    };
    Unique { key: Arc::from(&*unique.key), policy }
}

/// Refuses a unique key where the job that carries it already could not take the place of the new one.
fn not_unique(envelope: &Envelope<'_>) -> Result<(), Problem> {
    match envelope.unique {
        Some(_) => Err(Problem::at("/unique", "is for a job by itself, not for one of a flow or of a `then`")),
        None => Ok(()),
    }
}

fn file_named(text: &str) -> Result<PayloadFile, Problem> {
    let name = Name::new(text).map_err(|error| Problem::at("/payload_file", error.to_string()))?;
    if name.is_reserved() { Err(reserved("/payload_file")) } else { Ok(PayloadFile::Named(name)) }
}

/// The jobs that it is to come after. What is no id cannot be the id of any.
fn after(envelope: &Envelope<'_>) -> Result<Vec<After>, Problem> {
    let ids = envelope.after.iter().enumerate().map(|(at, text)| match text.parse() {
        Ok(id) => Ok(After::Job(id)),
        Err(_) => Err(Problem::at(format!("/after/{at}"), "is the id of no job")),
    });
    ids.collect()
}

const fn on_failure(on_failure: ackd_api::OnFailure) -> OnFailure {
    match on_failure {
        ackd_api::OnFailure::Cancel => OnFailure::Cancel,
        ackd_api::OnFailure::Continue => OnFailure::Continue,
        ackd_api::OnFailure::Wait => OnFailure::Wait,
    }
}

/// Whether the server will make a secret for the job's callback, which its client must be told.
pub(crate) fn makes_secret(submission: &Submission) -> bool {
    submission.callback.as_ref().is_some_and(|callback| callback.secret.is_none())
}

/// Refuses a submission whose callback's secret would be made, and shown to nobody.
pub(crate) fn secret_is_given(submission: &Submission) -> Result<(), Problem> {
    if makes_secret(submission) {
        return Err(Problem::at("/callback/secret", "must be given: the answer shows that of a single job only"));
    }
    Ok(())
}

/// The payload in `json`, of at most `most` bytes, apart from the body that it came in.
pub(crate) fn payload_apart(json: Option<&RawValue>, most: usize) -> Result<Body, Problem> {
    match json.map(RawValue::get) {
        None => Ok(no_payload()),
        Some(json) if json.len() > most => Err(too_large("/payload", json.len(), most)),
        Some(json) => Ok(Body { content_type: Arc::from(JSON), bytes: Bytes::copy_from_slice(json.as_bytes()) }),
    }
}

/// The body of a job that has no payload: one that was sent always has a type.
pub(crate) fn no_payload() -> Body {
    Body { content_type: Arc::from(""), bytes: Bytes::new() }
}

/// The payload or result at `pointer` has more bytes than this server takes.
pub(crate) fn too_large(pointer: &str, size: usize, most: usize) -> Problem {
    let detail = format!("has {size} bytes; at most {most} are allowed");
    Problem::new(Code::TooLarge, format!("`{pointer}` {detail}")).with_error(pointer, detail)
}

/// A back-off with the defaults for what the client left out.
pub(crate) fn backoff(backoff: &ackd_api::Backoff) -> Result<Backoff, BackoffError> {
    let default = Backoff::default();
    let (base, max) = (backoff.base.map(Duration::from), backoff.max.map(Duration::from));
    // Of base and max the one that is left out follows the one that is given, where the default would not fit it.
    let (base, max) = match (base, max) {
        (Some(base), None) => (base, default.max().max(base)),
        (None, Some(max)) => (default.base().min(max), max),
        (base, max) => (base.unwrap_or(default.base()), max.unwrap_or(default.max())),
    };
    let jitter = backoff.jitter.unwrap_or(default.jitter());
    Backoff::new(base, backoff.factor.unwrap_or(default.factor()), max, jitter)
}

/// The problem of a back-off whose parts do not fit together.
pub(crate) fn misfit(pointer: &str, error: BackoffError) -> Problem {
    let part = match error {
        BackoffError::Factor => "factor",
        BackoffError::Jitter => "jitter",
        BackoffError::Max | BackoffError::TooLong => "max",
    };
    Problem::at(format!("{pointer}/{part}"), error.to_string())
}

fn supported(envelope: &Envelope<'_>) -> Result<(), Problem> {
    let given = [("/reply_to", envelope.reply_to.is_some())];
    if given.iter().all(|(_, is_given)| !is_given) {
        return Ok(());
    }
    let fault = |pointer: &str| Fault { pointer: pointer.to_owned(), detail: NOT_YET.to_owned() };
    Err(Problem::invalid(given.iter().filter(|(_, is_given)| *is_given).map(|(pointer, _)| fault(pointer)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::Outbounds;

    fn read(text: &str) -> Result<Submission, Problem> {
        let envelope: Envelope<'_> = ackd_api::parse(text.as_bytes())?;
        submission(&envelope, no_payload(), &Targets::new(Outbounds::nowhere()), 16)
    }

    #[test]
    fn what_is_left_out_of_a_backoff_follows_what_is_given() {
        let backoff = |text: &str| {
            let submission = read(&format!(r#"{{"queue":"q","backoff":{text}}}"#)).unwrap();
            let backoff = submission.backoff.unwrap();
            (backoff.base().as_secs(), backoff.max().as_secs())
        };
        assert_eq!(backoff("{}"), (1, 3600));
        assert_eq!(backoff(r#"{"base":"2h"}"#), (7200, 7200));
        assert_eq!(backoff(r#"{"max":"500ms"}"#), (0, 0));
        assert_eq!(backoff(r#"{"base":"2s","max":"10s"}"#), (2, 10));
    }

    #[test]
    fn what_comes_later_is_refused_by_name() {
        let problem = read(r#"{"queue":"q","reply_to":"t"}"#).unwrap_err();
        assert_eq!((problem.status, &*problem.errors[0].pointer), (400, "/reply_to"));
        assert!(problem.detail.contains("not supported yet"), "{problem}");
        assert_eq!(read(r#"{"queue":"ackd.x"}"#).unwrap_err().status, 403);
    }

    #[test]
    fn what_comes_next_is_bounded_as_the_job_is() {
        let next = |payload: &str| read(&format!(r#"{{"queue":"q","then":[{{"queue":"q","payload":"{payload}"}}]}}"#));
        assert!(next(&"x".repeat(14)).is_ok());
        let problem = next(&"x".repeat(15)).unwrap_err();
        assert_eq!((problem.status, &*problem.errors[0].pointer), (413, "/then/0/payload"));
        let deeper = r#"{"queue":"q","then":[{"queue":"q","then":[{"queue":"q","payload":"0123456789abcdef"}]}]}"#;
        assert_eq!(read(deeper).unwrap_err().errors[0].pointer, "/then/0/then/0/payload");
    }
}
