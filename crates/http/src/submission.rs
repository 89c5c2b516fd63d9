//! What a client asks for, as the domain understands it.

use std::sync::Arc;
use std::time::Duration;

use ackd_api::{Code, Envelope, Fault, Problem};
use ackd_domain::{
    After, Backoff, BackoffError, Body, JSON, Name, OnFailure, PayloadFile, Start, Submission, Timestamp, Unique,
    UniquePolicy, limits,
};
use bytes::Bytes;
use serde_json::value::RawValue;

use crate::app::Shared;
use crate::call::reserved;
use crate::problem::NOT_YET;
use crate::targets::Targets;

/// What an envelope is held against, beside the limits that are everybody's.
pub(crate) struct Terms<'a> {
    /// Where callbacks may go.
    pub(crate) targets: &'a Targets,
    /// The most bytes of a payload in `then`.
    pub(crate) payload: usize,
    /// What the wall clock shows, by which clients name times; asked only where it matters.
    pub(crate) wall: &'a dyn Fn() -> Timestamp,
}

/// What `envelope` asks for, with `payload` for its payload.
///
/// # Errors
/// A problem that names what is not supported yet, is the server's own, or does not fit together or `terms`.
pub(crate) fn submission(envelope: &Envelope<'_>, payload: Body, terms: &Terms<'_>) -> Result<Submission, Problem> {
    if envelope.key.is_some() {
        return Err(Problem::at("/key", "is for the jobs of a flow; see `/v1/flows`"));
    }
    let after = after(envelope)?;
    let submission = Submission { then: then(envelope, terms)?, ..alone(envelope, payload, terms)? };
    let submission = Submission { after, ..submission };
    Ok(match &envelope.idempotency_key {
        Some(key) => submission.keyed(Arc::from(&**key)),
        None => submission,
    })
}

impl Shared {
    /// What `envelope` asks of this server; see [`submission`].
    pub(crate) fn submission(&self, envelope: &Envelope<'_>, payload: Body) -> Result<Submission, Problem> {
        let wall = || self.engine.clock().wall();
        submission(envelope, payload, &Terms { targets: &self.targets, payload: self.limits.payload, wall: &wall })
    }

    /// What `envelope` asks of this server as the job of a flow that comes after these.
    ///
    /// # Errors
    /// As [`submission`].
    pub(crate) fn in_flow(
        &self,
        envelope: &Envelope<'_>,
        payload: Body,
        after: Vec<After>,
    ) -> Result<Submission, Problem> {
        not_unique(envelope)?;
        let flow_key = envelope.key.as_deref().map(Arc::from);
        let wall = || self.engine.clock().wall();
        let terms = Terms { targets: &self.targets, payload: self.limits.payload, wall: &wall };
        Ok(Submission { after, flow_key, ..alone(envelope, payload, &terms)? })
    }
}

/// When the job starts: no later than it could by a delay, and not after it has expired.
fn start(envelope: &Envelope<'_>, terms: &Terms<'_>) -> Result<Start, Problem> {
    let (start, wait) = match (envelope.delay, envelope.run_at) {
        (Some(delay), _) => (Start::After(delay.get()), delay.get()),
        (None, Some(at)) => {
            let at = Timestamp::from_millis(at.0);
            (Start::At(at), at.since((terms.wall)()))
        }
        (None, None) => return Ok(Start::Now),
    };
    if wait > limits::DURATION {
        return Err(Problem::at("/run_at", "is more than 3650 days (10 years) from now"));
    }
    if envelope.expires_in.is_some_and(|expires_in| expires_in.get() <= wait) {
        return Err(Problem::at("/expires_in", "is over before the job is due; it counts from the acceptance"));
    }
    Ok(start)
}

/// The most jobs that one submission makes, all that come after it included.
const FAMILY: usize = 1000;

/// What comes after a job by its `then`.
fn then(envelope: &Envelope<'_>, terms: &Terms<'_>) -> Result<Vec<Submission>, Problem> {
    let mut made = Vec::with_capacity(envelope.then.len());
    for (at, next) in envelope.then.iter().enumerate() {
        made.push(next_of(next, terms).map_err(|problem| problem.within(&format!("/then/{at}")))?);
    }
    if made.iter().map(|next| next.with_all_after().count()).sum::<usize>() >= FAMILY {
        return Err(Problem::at("/then", format!("makes more than {FAMILY} jobs in all")));
    }
    Ok(made)
}

fn next_of(envelope: &Envelope<'_>, terms: &Terms<'_>) -> Result<Submission, Problem> {
    if envelope.idempotency_key.is_some() {
        return Err(Problem::at("/idempotency_key", "is for the job that it comes after, and holds for both"));
    }
    not_unique(envelope)?;
    let mut submission = submission(envelope, payload_apart(envelope.payload, terms.payload)?, terms)?;
    secret_is_given(&submission)?;
    if envelope.on_failure.is_none() {
        // It is for when the other is done, however often that must be tried.
        submission.on_failure = OnFailure::Wait;
    }
    Ok(submission)
}

/// What `envelope` asks for, without what it comes after and what comes after it.
fn alone(envelope: &Envelope<'_>, payload: Body, terms: &Terms<'_>) -> Result<Submission, Problem> {
    supported(envelope)?;
    let queue = Name::new(&envelope.queue).map_err(|error| Problem::at("/queue", error.to_string()))?;
    if queue.is_reserved() {
        return Err(reserved("/queue"));
    }
    let start = start(envelope, terms)?;
    let payload_file = match &envelope.payload_file {
        Some(name) => Some(file_named(name)?.into()),
        None => None,
    };
    let backoff = match &envelope.backoff {
        Some(backoff) => Some(self::backoff(backoff).map_err(|error| misfit("/backoff", error))?),
        None => None,
    };
    let callback = match &envelope.callback {
        Some(callback) => Some(terms.targets.callback(callback)?.into()),
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

    /// 2026-11-20T10:00:00Z.
    const NOW: Timestamp = Timestamp::from_millis(1_795_168_800_000);

    fn read(text: &str) -> Result<Submission, Problem> {
        let envelope: Envelope<'_> = ackd_api::parse(text.as_bytes())?;
        let terms = Terms { targets: &Targets::new(Outbounds::nowhere()), payload: 16, wall: &|| NOW };
        submission(&envelope, no_payload(), &terms)
    }

    #[test]
    fn a_job_is_due_in_ten_years_at_the_latest() {
        let at = |time: &str| read(&format!(r#"{{"queue":"q","then":[{{"queue":"q","run_at":"{time}"}}]}}"#));
        assert_eq!(at("2036-11-17T10:00:00Z").unwrap().then[0].start, Start::At(NOW.after(limits::DURATION)));
        let problem = at("2036-11-17T10:00:00.001Z").unwrap_err();
        assert_eq!((problem.status, &*problem.errors[0].pointer), (400, "/then/0/run_at"));
        // One in the past means now.
        assert!(at("1970-01-01T00:00:00Z").is_ok());
    }

    #[test]
    fn a_job_that_would_expire_before_it_is_due_is_refused() {
        for start in [r#""delay":"1h""#, r#""run_at":"2026-11-20T11:00:00Z""#] {
            let expiring = |time: &str| read(&format!(r#"{{"queue":"q",{start},"expires_in":"{time}"}}"#));
            assert!(expiring("3600001ms").is_ok());
            let problem = expiring("1h").unwrap_err();
            assert_eq!((problem.status, &*problem.errors[0].pointer), (400, "/expires_in"));
        }
        assert!(read(r#"{"queue":"q","delay":"3650d"}"#).is_ok());
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
