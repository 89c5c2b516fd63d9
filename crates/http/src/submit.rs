//! Accepting jobs: one, many as lines, or one whose payload is the body itself.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use ackd_api::{CallbackSecret, Code, Duration, Envelope, Problem, QueryEnvelope, SubmitLine, limits, ndjson};
use ackd_domain::{
    Acceptance, Accepted, Answer, Body, Command, FileId, JobId, Name, NewFile, PayloadFile, Refusal, Submission,
};
use ackd_engine::{Engine, Record, Until};
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};

use crate::answer;
use crate::call::{Call, Outcome, unsupported};
use crate::cloud_event;
use crate::document;
use crate::files;
use crate::headers::{self, IDEMPOTENT_REPLAYED, Media, PREFERENCE_APPLIED, UNIQUE_KEPT, UNIQUE_REPLACED};
use crate::intake::{Arrived, Flow, Whole};
use crate::outlet::Outlet;
use crate::problem::{self, Rejection};
use crate::submission::{makes_secret, no_payload, too_large};

/// `POST /v1/jobs`.
pub(crate) async fn jobs(mut call: Call) -> Outcome {
    // Lines and events stand apart in boxes, so that every single job is not made to carry what only they need.
    match call.media()? {
        // Of the two forms of an event that which the body has goes first (HTTP protocol binding, section 3).
        Media::CloudEvent => Box::pin(event(call, true)).await,
        Media::OtherEvents(other) => Err(unsupported(Media::Other(other), EXPECTED)),
        _ if cloud_event::is_binary(call.headers()) => Box::pin(event(call, false)).await,
        Media::Unnamed | Media::Json => {
            single(&call)?;
            let whole = call.body(call.shared().limits.json()).await?;
            let submission = [one(&call, &whole)?].into();
            // It need not be held while the client waits.
            drop(whole);
            accept(&call, submission).await
        }
        Media::Ndjson => Box::pin(many(call)).await,
        other => Err(unsupported(other, EXPECTED)),
    }
}

/// What is read here.
const EXPECTED: &str = "application/json, application/x-ndjson or application/cloudevents+json";

/// Refuses what only lines may ask for.
fn single(call: &Call) -> Result<(), Problem> {
    match call.query.get("partial") {
        Some(_) => Err(Problem::at("/partial", "is for bodies of application/x-ndjson")),
        None => Ok(()),
    }
}

/// A CloudEvent, in a document or by its headers.
async fn event(mut call: Call, is_structured: bool) -> Outcome {
    single(&call)?;
    let submission =
        if is_structured { cloud_event::structured(&mut call).await? } else { cloud_event::binary(&mut call).await? };
    accept(&call, [submission].into()).await
}

fn one(call: &Call, whole: &Whole) -> Result<Submission, Problem> {
    let mut envelope: Envelope<'_> = ackd_api::parse(whole.bytes())?;
    from_headers(call, &mut envelope)?;
    call.shared().submission(&envelope, payload(call, &envelope, whole)?)
}

/// `POST /v1/queues/{queue}/jobs`.
pub(crate) async fn raw(mut call: Call) -> Outcome {
    let queue = call.name()?;
    let content_type: Arc<str> = headers::content_type(call.headers())?.into();
    let whole = match call.arrived(call.shared().limits.claim_check).await? {
        Arrived::Whole(whole) => whole,
        Arrived::Part(flow) => return Box::pin(large(&call, &queue, flow, content_type)).await,
    };
    let payload = Body { content_type, bytes: whole.keep(whole.bytes()) };
    let submission: Vec<Submission> = [of_raw(&call, &queue, payload)?].into();
    drop(whole);
    let (wait, asked) = (headers::prefer_wait(call.headers())?, Asked::of(&submission[0]));
    let payload = submission[0].key.is_some().then(|| submission[0].payload.clone());
    let answers = call.engine().run(vec![Command::Submit(submission)]).await?;
    if let Some(payload) = payload
        && holder_of_another(&answers).is_some()
    {
        return Box::pin(as_file(&call, &queue, payload, wait)).await;
    }
    answered(&call, answers, asked, wait).await
}

/// What is asked for by a raw body.
fn of_raw(call: &Call, queue: &Name, payload: Body) -> Result<Submission, Problem> {
    let query = QueryEnvelope::parse(call.query.pairs())?;
    let mut envelope = query.into_envelope(Cow::Borrowed(queue.as_str()))?;
    from_headers(call, &mut envelope)?;
    call.shared().submission(&envelope, payload)
}

/// The job that has the key of the one submission, which is said to be another request.
fn holder_of_another(answers: &[Result<Answer, Refusal>]) -> Option<JobId> {
    match answers {
        [Err(Refusal::KeyMismatch(mismatches))] => mismatches.first()?.1,
        _ => None,
    }
}

/// Accepts what may have been accepted as a file before, when fewer bytes became one: then it is the same request as that.
async fn as_file(call: &Call, queue: &Name, payload: Body, wait: Option<Duration>) -> Outcome {
    let Body { content_type, bytes } = &payload;
    let (size, digest) = (bytes.len() as u64, NewFile::digest_of(bytes));
    // Neither its id nor its sum is a part of the request.
    let file = NewFile { id: FileId::new(0), content_type: Arc::clone(content_type), size, sum: 0, digest };
    let mut submission = with_file(of_raw(call, queue, no_payload())?, file);
    let asked = Asked { payload: None, ..Asked::of(&submission) };
    // Should that job be gone by now, this is one like any other.
    (submission.payload, submission.payload_file) = (payload, None);
    let answers = call.engine().run(vec![Command::Submit([submission].into())]).await?;
    answered(call, answers, asked, wait).await
}

/// The job of `holder` with its payload, as it is asked for now, if that is what came as `file`: it may have been accepted
/// when more bytes than these became none.
async fn not_as_file(call: &Call, queue: &Name, holder: JobId, file: &NewFile) -> Option<Submission> {
    let job = call.engine().job(holder).await.ok()??;
    let info = &job.spec.payload;
    // Before it is read for nothing.
    if job.spec.payload_file.is_some() || info.size != file.size || info.content_type != file.content_type {
        return None;
    }
    let (_, payload) = call.engine().payload(holder).await.ok()??;
    let payload = payload.filter(|payload| NewFile::digest_of(&payload.bytes) == file.digest)?;
    of_raw(call, queue, payload).ok()
}

/// `submission` with this file for its payload.
fn with_file(mut submission: Submission, file: NewFile) -> Submission {
    submission.payload_file = Some(PayloadFile::New(file).into());
    match submission.key.take() {
        Some(key) => submission.keyed(key.text),
        None => submission,
    }
}

/// A payload that becomes a file.
async fn large(call: &Call, queue: &Name, flow: Flow, content_type: Arc<str>) -> Outcome {
    // Whatever is wrong is said before the body is taken.
    let (submission, wait) = (of_raw(call, queue, no_payload())?, headers::prefer_wait(call.headers())?);
    let received = files::receive(call, flow, content_type).await?;
    let file = received.file().clone();
    let submission = with_file(submission, file.clone());
    let asked = Asked::of(&submission);
    let answers = received.commit(Command::Submit([submission].into())).await?;
    if let Some(holder) = holder_of_another(&answers)
        && let Some(same) = not_as_file(call, queue, holder, &file).await
    {
        return accept(call, [same].into()).await;
    }
    answered(call, answers, asked, wait).await
}

/// The fields of an envelope that may come as headers.
fn from_headers<'e>(call: &'e Call, envelope: &mut Envelope<'e>) -> Result<(), Problem> {
    if let Some(key) = headers::idempotency_key(call.headers())? {
        match &envelope.idempotency_key {
            Some(field) if *field != key => {
                let detail = "differs from the header `Idempotency-Key`; give it once";
                return Err(Problem::at("/idempotency_key", detail));
            }
            _ => envelope.idempotency_key = Some(key),
        }
    }
    headers::trace(call.headers(), envelope);
    Ok(())
}

/// The payload of an envelope that stands in `whole`.
pub(crate) fn payload(call: &Call, envelope: &Envelope<'_>, whole: &Whole) -> Result<Body, Problem> {
    let Some(json) = envelope.payload else { return Ok(no_payload()) };
    let (size, most) = (json.get().len(), call.shared().limits.payload);
    if size > most {
        return Err(too_large("/payload", size, most));
    }
    Ok(Body { content_type: Arc::clone(&call.link.json), bytes: whole.keep(json.get().as_bytes()) })
}

/// Accepts the one job of `submission`, a list so that it is not moved about: it is large.
async fn accept(call: &Call, submission: Vec<Submission>) -> Outcome {
    let (wait, asked) = (headers::prefer_wait(call.headers())?, Asked::of(&submission[0]));
    let answers = call.engine().run(vec![Command::Submit(submission)]).await?;
    answered(call, answers, asked, wait).await
}

/// Says what came of the one submission that asked for this.
async fn answered(call: &Call, answers: Vec<Result<Answer, Refusal>>, asked: Asked, wait: Option<Duration>) -> Outcome {
    let mut committed = committed(answers, asked)?;
    if committed.how != Acceptance::Made || committed.record.payload.is_none() {
        Box::pin(committed.fill(call.engine())).await;
    }
    let Committed { mut record, how, has_secret } = committed;
    let mut status = StatusCode::ACCEPTED;
    if let Some(wait) = wait {
        match Box::pin(call.engine().wait(record.clone(), Until::Terminal, wait.get())).await {
            Ok(waited) => record = waited,
            // The job is accepted, whatever can be read of it now.
            Err(error) => tracing::warn!(%error, "a job that was accepted cannot be followed"),
        }
        if record.job.status.is_terminal() {
            status = StatusCode::OK;
        }
    }
    let mut response = answer::accepted(status, call.engine(), &record, has_secret).await?;
    let headers = response.headers_mut();
    let location = location(&record);
    headers.insert(header::LOCATION, location.clone());
    headers.insert(header::CONTENT_LOCATION, location);
    let known = match how {
        Acceptance::Made => None,
        Acceptance::Replayed => Some(IDEMPOTENT_REPLAYED),
        Acceptance::Kept => Some(UNIQUE_KEPT),
        Acceptance::Replaced => Some(UNIQUE_REPLACED),
    };
    if let Some(name) = known {
        headers.insert(name, HeaderValue::from_static("true"));
    }
    applied(&mut response, wait);
    Ok(response)
}

/// A job that was accepted, and is durable.
pub(crate) struct Committed {
    /// The job and its payload.
    pub(crate) record: Record,
    /// How the request came by it.
    pub(crate) how: Acceptance,
    /// A secret was made for its callback, and is to be shown this once.
    pub(crate) has_secret: bool,
}

impl Committed {
    /// Reads what a job has that was there before, and is to be shown. It is accepted, whatever can be read of it now.
    pub(crate) async fn fill(&mut self, engine: &Engine) {
        let record = &mut self.record;
        if record.job.result.is_some() {
            record.result = engine.result(record.job.id.number()).await.unwrap_or_default();
        }
        if record.payload.is_none() {
            let read = engine.payload(record.job.id).await.unwrap_or_default();
            record.payload = read.and_then(|(_, payload)| payload);
        }
    }
}

/// What of a submission is needed for its answer.
pub(crate) struct Asked {
    /// `None` where it is to be read.
    payload: Option<Body>,
    makes_secret: bool,
}

impl Asked {
    pub(crate) fn of(submission: &Submission) -> Asked {
        Asked { payload: Some(submission.payload.clone()), makes_secret: makes_secret(submission) }
    }
}

/// What came of the one submission that asked for this.
pub(crate) fn committed(answers: Vec<Result<Answer, Refusal>>, asked: Asked) -> Result<Committed, Rejection> {
    let Accepted { job, how } = match answers.into_iter().next() {
        Some(Ok(Answer::Accepted(mut accepted))) if !accepted.is_empty() => accepted.swap_remove(0),
        Some(Err(refusal)) => return Err(refusal.into()),
        _ => return Err(Rejection::new(Code::Internal, "the job was accepted, and the answer lost")),
    };
    let Asked { payload, makes_secret } = asked;
    // Under an idempotency key it is the same to the byte, or the key would have been refused.
    let payload = payload.filter(|_| how != Acceptance::Kept);
    let record = Record { job, payload, result: None, inputs: Vec::new() };
    Ok(Committed { record, how, has_secret: makes_secret && how == Acceptance::Made })
}

fn location(record: &Record) -> HeaderValue {
    // Just as long as it becomes: it is handed on without being copied.
    let mut text = String::with_capacity("/v1/jobs/".len() + 36);
    // Writing to a text does not fail.
    let _ = write!(text, "/v1/jobs/{}", record.job.id);
    HeaderValue::from_maybe_shared(Bytes::from(text)).unwrap_or_else(|_| HeaderValue::from_static("/v1/jobs"))
}

/// Lines of envelopes.
async fn many(mut call: Call) -> Outcome {
    let partial = call.query.flag("partial")?;
    if call.headers().contains_key(headers::IDEMPOTENCY_KEY) {
        return Err(
            headers::bad(&headers::IDEMPOTENCY_KEY, "is for one job; give each line its `idempotency_key`").into()
        );
    }
    let whole = call.body(limits::BATCH_BYTES).await?;
    let lines = read(&call, &whole).await?;
    drop(whole);
    if partial { each(&call, lines).await } else { all(&call, lines).await }
}

/// A line: its number and what it asks for.
type Line = (usize, Result<Submission, Problem>);

/// So many lines are read before others on the same thread have their turn.
pub(crate) const LINES_A_TURN: usize = 500;

async fn read(call: &Call, whole: &Whole) -> Result<Vec<Line>, Rejection> {
    let mut lines = Vec::new();
    for (number, line) in ndjson::lines(whole.bytes()) {
        if lines.len() == limits::BATCH_LINES {
            return Err(too_many_lines());
        }
        if lines.len() % LINES_A_TURN == LINES_A_TURN - 1 {
            tokio::task::yield_now().await;
        }
        let read = || {
            let envelope: Envelope<'_> = ackd_api::parse(line)?;
            call.shared().submission(&envelope, payload(call, &envelope, whole)?)
        };
        lines.push((number, read().map_err(|problem| problem.on_line(number))));
    }
    if lines.is_empty() {
        return Err(Rejection::new(Code::InvalidRequest, "the body has no lines; one envelope a line was expected"));
    }
    Ok(lines)
}

pub(crate) fn too_many_lines() -> Rejection {
    Rejection::new(
        Code::TooLarge,
        format!("the body has more than {} lines; send them in several requests", limits::BATCH_LINES),
    )
}

/// All lines or none.
async fn all(call: &Call, lines: Vec<Line>) -> Outcome {
    let numbers: Vec<usize> = lines.iter().map(|(number, _)| *number).collect();
    let mut submissions = Vec::with_capacity(lines.len());
    let mut problems = Vec::new();
    for (_, line) in lines {
        match line {
            Ok(submission) => submissions.push(submission),
            Err(problem) => problems.push(problem),
        }
    }
    if let Some(problem) = joined(problems) {
        return Err(problem.into());
    }
    let make_secrets: Vec<bool> = submissions.iter().map(makes_secret).collect();
    let answers = call.engine().run(vec![Command::Submit(submissions)]).await?;
    match answers.into_iter().next() {
        Some(Ok(Answer::Accepted(accepted))) => {
            let lines = accepted.iter().zip(make_secrets).map(|(accepted, makes)| line_of(accepted, makes));
            Ok(written(StatusCode::ACCEPTED, lines)?)
        }
        Some(Err(refusal)) => {
            let number = |line: usize| numbers.get(line).copied().unwrap_or_default();
            let problems = problem::by_line(refusal)?.into_iter();
            let problems = problems.map(|(line, problem)| problem.on_line(number(line))).collect();
            let lost = || Problem::new(Code::Internal, "the jobs were refused, and the reason lost");
            Err(joined(problems).unwrap_or_else(lost).into())
        }
        _ => Err(Rejection::new(Code::Internal, "the jobs were accepted, and the answer lost")),
    }
}

/// One problem of several lines' problems; `None` where there is none.
fn joined(problems: Vec<Problem>) -> Option<Problem> {
    let count = problems.len();
    let alike = problems.windows(2).all(|pair| pair[0].code == pair[1].code);
    let mut problems = problems.into_iter();
    let mut first = problems.next()?;
    for problem in problems {
        let room = ackd_api::Faults::MAX.saturating_sub(first.errors.len());
        first.errors.extend(problem.errors.iter().take(room).cloned());
    }
    if count > 1 {
        first.detail = format!("{} ({} lines are at fault in all; nothing was accepted)", first.detail, count);
    }
    if !alike {
        let mut problem = Problem::new(Code::InvalidRequest, first.detail.clone());
        problem.errors = std::mem::take(&mut first.errors);
        return Some(problem);
    }
    Some(first)
}

/// The good lines.
async fn each(call: &Call, lines: Vec<Line>) -> Outcome {
    let mut commands = Vec::with_capacity(lines.len());
    let mut lines_read = Vec::with_capacity(lines.len());
    for (number, line) in lines {
        match line {
            Ok(submission) => {
                lines_read.push(Ok((number, makes_secret(&submission))));
                commands.push(Command::Submit(vec![submission]));
            }
            Err(problem) => lines_read.push(Err(problem)),
        }
    }
    let mut answers = if commands.is_empty() { Vec::new() } else { call.engine().run(commands).await? }.into_iter();
    let mut all_good = true;
    let lines: Vec<SubmitLine<'static>> = lines_read
        .into_iter()
        .map(|read| {
            let accepted = match read {
                Err(problem) => Err(problem),
                Ok((number, makes_secret)) => match answers.next() {
                    Some(Ok(Answer::Accepted(accepted))) if !accepted.is_empty() => {
                        Ok(line_of(&accepted[0], makes_secret))
                    }
                    Some(Err(refusal)) => Err(problem::of_one(refusal).on_line(number)),
                    _ => Err(Problem::new(Code::Internal, "the job was accepted, and the answer lost")),
                },
            };
            accepted.unwrap_or_else(|problem| {
                all_good = false;
                SubmitLine::refused(call.shared().addressed(problem))
            })
        })
        .collect();
    let status = if all_good { StatusCode::ACCEPTED } else { StatusCode::MULTI_STATUS };
    Ok(written(status, lines.into_iter())?)
}

fn line_of(accepted: &Accepted, makes_secret: bool) -> SubmitLine<'static> {
    let Accepted { job, how } = accepted;
    let callback = match how {
        Acceptance::Made if makes_secret => document::callback(job).map(CallbackSecret::into_owned),
        _ => None,
    };
    SubmitLine {
        replayed: *how == Acceptance::Replayed,
        kept: *how == Acceptance::Kept,
        replaced: *how == Acceptance::Replaced,
        callback,
        ..SubmitLine::accepted(job.id.to_string())
    }
}

fn written(
    status: StatusCode,
    lines: impl ExactSizeIterator<Item = SubmitLine<'static>>,
) -> Result<Response<Outlet>, serde_json::Error> {
    let mut bytes = Vec::with_capacity(64 * lines.len());
    for line in lines {
        serde_json::to_writer(&mut bytes, &line)?;
        bytes.push(b'\n');
    }
    Ok(answer::ndjson(status, bytes))
}

/// What a client that asked to wait is told of it.
pub(crate) fn applied(response: &mut Response<Outlet>, wait: Option<Duration>) {
    if let Some(wait) = wait {
        response.headers_mut().insert(PREFERENCE_APPLIED, headers::wait_applied(wait));
    }
}
