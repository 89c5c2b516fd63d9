//! Workers telling what became of a lease.

use std::sync::Arc;
use std::time::Duration;

use ackd_api::{
    Code, Complete, Fail, FailError, Heartbeat, HeartbeatAnswer, Problem, Release, Released, Secret, SettleAnswer,
    SettleLine, SettleVerb, Settled, limits, ndjson,
};
use ackd_domain::{Answer, Body, Command, Failure, LeaseToken, Progress, Refusal};
use bytes::Bytes;
use http::StatusCode;
use serde_json::value::RawValue;

use crate::answer;
use crate::app::time;
use crate::call::{Call, Outcome, unsupported};
use crate::document;
use crate::files;
use crate::headers::{self, Media};
use crate::intake::{Arrived, Flow, Whole};
use crate::problem::{Rejection, lease_lost, problem_of};
use crate::submission::too_large;
use crate::submit::{LINES_A_TURN, too_many_lines};
use crate::token;

/// `POST /v1/leases/{lease}/heartbeat`.
pub(crate) async fn heartbeat(mut call: Call) -> Outcome {
    let whole = call.json().await?;
    let request = ackd_api::parse_or_default::<Heartbeat<'_>>(whole.bytes())?;
    let command = beat(&call, token_of(&call)?, &request);
    drop(whole);
    settled(&call, command).await
}

/// `POST /v1/leases/{lease}/complete`.
pub(crate) async fn complete(mut call: Call) -> Outcome {
    let whole = call.json().await?;
    let request = ackd_api::parse_or_default::<Complete<'_>>(whole.bytes())?;
    let command = completion(&call, token_of(&call)?, &request, "/result", &whole)?;
    drop(whole);
    settled(&call, command).await
}

/// `POST /v1/leases/{lease}/result`.
pub(crate) async fn result(mut call: Call) -> Outcome {
    let content_type: Arc<str> = headers::content_type(call.headers())?.into();
    let lease = token_of(&call)?;
    let whole = match call.arrived(call.shared().limits.claim_check).await? {
        Arrived::Whole(whole) => whole,
        Arrived::Part(flow) => return Box::pin(large_result(&call, lease, flow, content_type)).await,
    };
    let body = Body { content_type, bytes: whole.keep(whole.bytes()) };
    drop(whole);
    settled(&call, Command::Complete { lease, result: Some(body) }).await
}

/// The result becomes a file.
async fn large_result(call: &Call, lease: LeaseToken, flow: Flow, content_type: Arc<str>) -> Outcome {
    let received = files::receive(call, flow, content_type).await?;
    let command = Command::CompleteByFile { lease, file: received.file().clone() };
    told(call, received.commit(command).await?)
}

/// `POST /v1/leases/{lease}/fail`.
pub(crate) async fn fail(mut call: Call) -> Outcome {
    let whole = call.json().await?;
    let request = ackd_api::parse_or_default::<Fail<'_>>(whole.bytes())?;
    let command = failure(token_of(&call)?, &request);
    drop(whole);
    settled(&call, command).await
}

/// `POST /v1/leases/{lease}/release`.
pub(crate) async fn release(mut call: Call) -> Outcome {
    let whole = call.json().await?;
    let request = ackd_api::parse_or_default::<Release<'_>>(whole.bytes())?;
    let command = giving_back(token_of(&call)?, &request);
    drop(whole);
    settled(&call, command).await
}

/// The lease in the path. A text that was never given out is a lease that never existed.
fn token_of(call: &Call) -> Result<LeaseToken, Rejection> {
    Ok(token::read_lease(&call.parameter()?).ok_or_else(lease_lost)?)
}

/// Runs a command on a lease and answers with what it came to.
async fn settled(call: &Call, command: Command) -> Outcome {
    told(call, call.engine().run(vec![command]).await?)
}

fn told(call: &Call, answers: Vec<Result<Answer, Refusal>>) -> Outcome {
    match answers.into_iter().next() {
        Some(Ok(Answer::Job(job))) => {
            let settled =
                Settled { id: job.id.to_string().into(), status: document::status(job.status), version: job.version };
            answer::json(StatusCode::OK, &settled)
        }
        Some(Ok(Answer::Beat { ttl, cancel_requested })) => {
            answer::json(StatusCode::OK, &beaten(call, ttl, cancel_requested))
        }
        Some(Err(refusal)) => Err(refusal.into()),
        _ => Err(lost_answer().into()),
    }
}

fn lost_answer() -> Problem {
    Problem::new(Code::Internal, "the lease was settled, and the answer lost; settle it again by the same verb")
}

fn beaten(call: &Call, ttl: Duration, cancel_requested: bool) -> HeartbeatAnswer {
    let deadline = time(call.engine().clock().wall().after(ttl));
    HeartbeatAnswer { deadline, expires_in: ttl.into(), cancel_requested }
}

fn beat(call: &Call, lease: LeaseToken, request: &Heartbeat<'_>) -> Command {
    let progress = request.progress.as_ref().map(|progress| Progress {
        percent: progress.percent,
        message: progress.message.as_deref().map(Arc::from),
        at: call.engine().clock().now(),
    });
    let checkpoint = checkpoint(request.checkpoint);
    Command::Heartbeat { lease, ttl: request.ttl.map(Duration::from), progress, checkpoint }
}

fn checkpoint(json: Option<&RawValue>) -> Option<Arc<str>> {
    json.map(|json| Arc::from(json.get()))
}

/// The result stands in `whole`, and, for people, at `pointer`.
fn completion(
    call: &Call,
    lease: LeaseToken,
    request: &Complete<'_>,
    pointer: &str,
    whole: &Whole,
) -> Result<Command, Problem> {
    let most = call.shared().limits.payload;
    let result = match request.result.map(RawValue::get) {
        Some(json) if json.len() > most => return Err(too_large(pointer, json.len(), most)),
        Some(json) => Some(kept(call, whole.keep(json.as_bytes()))),
        None => None,
    };
    Ok(Command::Complete { lease, result })
}

fn kept(call: &Call, bytes: Bytes) -> Body {
    Body { content_type: Arc::clone(&call.link.json), bytes }
}

fn failure(lease: LeaseToken, request: &Fail<'_>) -> Command {
    let problem = match &request.error {
        Some(error) => Arc::from(&*error.to_problem()),
        None => Arc::from(FailError::WITHOUT),
    };
    Command::Fail {
        lease,
        error: Failure { problem },
        retryable: request.retryable.unwrap_or(true),
        retry_after: request.retry_after.map(Duration::from),
        cancelled: request.cancelled.unwrap_or(false),
    }
}

fn giving_back(lease: LeaseToken, request: &Release<'_>) -> Command {
    Command::Release { lease, delay: request.delay.map(Duration::from), checkpoint: checkpoint(request.checkpoint) }
}

/// `POST /v1/leases/settle`.
pub(crate) async fn many(mut call: Call) -> Outcome {
    match call.media()? {
        Media::Unnamed | Media::Ndjson => {}
        other => return Err(unsupported(other, headers::NDJSON)),
    }
    let whole = call.body(limits::BATCH_BYTES).await?;
    let (texts, commands) = read(&call, &whole).await?;
    drop(whole);
    let mut answers = if commands.is_empty() { Vec::new() } else { call.engine().run(commands).await? }.into_iter();
    let mut bytes = Vec::with_capacity(192 * texts.len());
    for (text, is_token) in &texts {
        let secret = Secret::new(text.as_str());
        let answer = if *is_token { answers.next() } else { Some(Err(Refusal::LeaseLost)) };
        let line = match answer {
            Some(Ok(Answer::Job(job))) => SettleAnswer::settled(
                secret,
                Settled { id: job.id.to_string().into(), status: document::status(job.status), version: job.version },
            ),
            Some(Ok(Answer::Beat { ttl, cancel_requested })) => {
                SettleAnswer::heartbeat(secret, beaten(&call, ttl, cancel_requested))
            }
            Some(Err(refusal)) => SettleAnswer::refused(secret, call.shared().addressed(problem_of(refusal))),
            _ => SettleAnswer::refused(secret, call.shared().addressed(lost_answer())),
        };
        serde_json::to_writer(&mut bytes, &line)?;
        bytes.push(b'\n');
    }
    Ok(answer::ndjson(StatusCode::OK, bytes))
}

/// The lines' leases, each with whether it is a token at all, and what is asked of those that are.
type Lines = (Vec<(String, bool)>, Vec<Command>);

async fn read(call: &Call, whole: &Whole) -> Result<Lines, Rejection> {
    let (mut texts, mut commands) = (Vec::new(), Vec::new());
    for (number, line) in ndjson::lines(whole.bytes()) {
        if texts.len() == limits::BATCH_LINES {
            return Err(too_many_lines());
        }
        if texts.len() % LINES_A_TURN == LINES_A_TURN - 1 {
            tokio::task::yield_now().await;
        }
        let line: SettleLine<'_> = ackd_api::parse_line(number, line)?;
        let text = line.lease.expose();
        let token = token::read_lease(text);
        texts.push((text.to_owned(), token.is_some()));
        let Some(lease) = token else { continue };
        commands.push(match &line.verb {
            SettleVerb::Heartbeat(request) => beat(call, lease, request),
            SettleVerb::Complete(request) => completion(call, lease, request, "/complete/result", whole)
                .map_err(|problem| problem.on_line(number))?,
            SettleVerb::Fail(request) => failure(lease, request),
            SettleVerb::Release(request) => giving_back(lease, request),
        });
    }
    if texts.is_empty() {
        return Err(Rejection::new(Code::InvalidRequest, "the body has no lines; one lease a line was expected"));
    }
    Ok((texts, commands))
}

/// `POST /v1/workers/{worker}/release`.
pub(crate) async fn worker(mut call: Call) -> Outcome {
    call.no_body().await?;
    let name = call.name()?;
    let released = call.engine().release_worker(Arc::from(name.as_str())).await?;
    answer::json(StatusCode::OK, &Released { released: released as u64 })
}
