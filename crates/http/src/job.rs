//! Reading one job: its document, its bytes and its timeline.

use ackd_api::{Code, Duration, Hop, Problem, TimelineEntry, TimelineEvent, limits};
use ackd_domain::{Change, ChangeKind, Job, Status};
use ackd_engine::{Record, Until};
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};

use crate::accept::{self, Form};
use crate::answer;
use crate::app::time;
use crate::call::{Call, Outcome};
use crate::document;
use crate::files;
use crate::headers;
use crate::outlet::Outlet;
use crate::problem::{Rejection, no_such_job};
use crate::submit::applied;
use crate::token;
use crate::visible;

/// How long a read may be held back, and whether a preference said so.
struct Wait {
    patience: Option<Duration>,
    preferred: Option<Duration>,
}

impl Wait {
    /// The query says it before the preference does.
    fn of(call: &Call) -> Result<Wait, Problem> {
        let asked = call.query.duration("wait")?.map(|wait| wait.min(Duration::new(limits::WAIT)));
        let preferred = if asked.is_none() { headers::prefer_wait(call.headers())? } else { None };
        Ok(Wait { patience: asked.or(preferred), preferred })
    }
}

/// `GET /v1/jobs/{id}`.
pub(crate) async fn get(mut call: Call) -> Outcome {
    call.no_body().await?;
    let id = call.job_id()?;
    let wait = Wait::of(&call)?;
    let mut record = visible::record(call.engine(), id).await?;
    let mut known = headers::none_match(call.headers(), record.job.version)?;
    if let Some(patience) = wait.patience
        && known != Some(false)
    {
        let version = record.job.version;
        let until = if known.is_some() { Until::VersionIsNot(version) } else { Until::Terminal };
        record = call.engine().wait(record, until, patience.get()).await?;
        known = known.map(|_| record.job.version == version);
    }
    let mut response = if known == Some(true) {
        let mut response = Response::new(Outlet::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        let waiting = call.engine().waiting(&record.job);
        answer::follow(response.headers_mut(), call.engine(), &record.job, waiting.as_ref());
        response
    } else {
        let waiting = call.engine().explain(&record.job).await;
        let source = match accept::form(call.headers()) {
            Form::Document => None,
            Form::CloudEvent => Some(call.shared().public_url.as_deref().unwrap_or_default()),
        };
        answer::told(StatusCode::OK, call.engine(), &record, waiting, source, None)?
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    applied(&mut response, wait.preferred);
    Ok(response)
}

/// The answer that shows `record`.
pub(crate) async fn document_of(call: &Call, record: &Record, status: StatusCode) -> Outcome {
    answer::job(status, call.engine(), record).await
}

/// `GET /v1/jobs/{id}/payload`.
pub(crate) async fn payload(mut call: Call) -> Outcome {
    call.no_body().await?;
    let (job, payload) = visible::payload(call.engine(), call.job_id()?).await?;
    if let Some(file) = job.spec.payload_file {
        return files::of_job(&call, file).await;
    }
    match payload {
        Some(payload) if !payload.content_type.is_empty() => {
            let mut response = answer::stored(&payload);
            answer::may_change(response.headers_mut());
            Ok(response)
        }
        // The job has none.
        _ => Ok(answer::no_content()),
    }
}

/// `GET /v1/jobs/{id}/result`.
pub(crate) async fn result(mut call: Call) -> Outcome {
    call.no_body().await?;
    let id = call.job_id()?;
    let wait = Wait::of(&call)?;
    let mut record = visible::record(call.engine(), id).await?;
    if let Some(patience) = wait.patience {
        record = call.engine().wait(record, Until::Terminal, patience.get()).await?;
    }
    let Record { job, result, .. } = record;
    if job.status != Status::Done {
        return Err(no_result(&call, &job));
    }
    if let Some(file) = job.result_file {
        let mut response = files::of_job(&call, file).await?;
        applied(&mut response, wait.preferred);
        return Ok(response);
    }
    let known = headers::none_match(call.headers(), job.version)?;
    let mut response = match result {
        Some(_) if known == Some(true) => {
            let mut response = Response::new(Outlet::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        }
        Some(result) => answer::stored(&result),
        // It was completed without one.
        None => answer::no_content(),
    };
    answer::may_change(response.headers_mut());
    response.headers_mut().insert(header::ETAG, answer::etag(job.version));
    applied(&mut response, wait.preferred);
    Ok(response)
}

/// Why there is no result.
fn no_result(call: &Call, job: &Job) -> Rejection {
    let code = match job.status {
        Status::Failed => Code::JobFailed,
        Status::Cancelled => Code::JobCancelled,
        Status::Expired => Code::Expired,
        Status::Init | Status::Processing | Status::Done => {
            let detail = format!("the job is {}; ask again later, or with `?wait=30s`", job.status);
            let waiting = call.engine().waiting(job);
            let pause = answer::pause(call.engine(), job, waiting.as_ref());
            return Rejection::new(Code::NotFinished, detail).retry_after(pause);
        }
    };
    let mut problem = Problem::new(code, format!("the job ended as {}, without a result", job.status));
    if let Some(error) = job.error.as_ref().and_then(document::failure)
        && let Ok(error) = serde_json::from_str::<serde_json::Value>(error.get())
    {
        problem = problem.with_extension("error", error);
    }
    problem.into()
}

/// `GET /v1/jobs/{id}/timeline`.
pub(crate) async fn timeline(mut call: Call) -> Outcome {
    call.no_body().await?;
    let id = call.job_id()?;
    visible::job(call.engine(), id).await?;
    let timeline = call.engine().timeline(id).await?.ok_or_else(no_such_job)?;
    let entries = timeline.changes.iter().map(entry).collect();
    answer::passing(&ackd_api::Timeline { entries, truncated: timeline.truncated })
}

fn entry(change: &Change) -> TimelineEntry<'_> {
    let job = &change.job;
    let (event, hop) = match change.kind {
        ChangeKind::Submitted => (TimelineEvent::Submitted, Hop::Submit),
        ChangeKind::Leased => (TimelineEvent::Leased, Hop::Dispatch),
        ChangeKind::Progressed => (TimelineEvent::Progress, Hop::Work),
        ChangeKind::Checkpointed => (TimelineEvent::Checkpoint, Hop::Work),
        ChangeKind::Completed => (TimelineEvent::Completed, Hop::Work),
        ChangeKind::Failed => (TimelineEvent::Failed, Hop::Work),
        ChangeKind::Released => (TimelineEvent::Released, Hop::Work),
        ChangeKind::Lapsed => (TimelineEvent::Lapsed, Hop::Clock),
        ChangeKind::CancelRequested => (TimelineEvent::CancelRequested, Hop::Control),
        ChangeKind::Cancelled => (TimelineEvent::Cancelled, Hop::Control),
        ChangeKind::Expired => (TimelineEvent::Expired, Hop::Clock),
        ChangeKind::Retried => (TimelineEvent::Retried, Hop::Control),
        ChangeKind::Redriven => (TimelineEvent::Redriven, Hop::Control),
        ChangeKind::Unblocked => (TimelineEvent::Unblocked, Hop::Dispatch),
        ChangeKind::Blocked => (TimelineEvent::Blocked, Hop::Control),
        ChangeKind::Replaced => (TimelineEvent::Replaced, Hop::Submit),
    };
    let ended_badly = matches!(change.kind, ChangeKind::Failed | ChangeKind::Lapsed | ChangeKind::Expired);
    TimelineEntry {
        at: time(change.at),
        event,
        status: document::status(job.status),
        version: job.version,
        run: job.run,
        attempt: job.attempt,
        worker: job.worker.as_deref().map(Into::into),
        hop,
        error: job.error.as_ref().filter(|_| ended_badly).and_then(document::failure),
        position: token::position(change.position).to_string().into(),
    }
}
