//! Schedules: jobs that are made at certain times.

use std::sync::Arc;

use ackd_api::raw::Json;
use ackd_api::{
    Callback, CallbackEvent, Code, Envelope, MissedRuns, Problem, ScheduleDocument, ScheduleList, ScheduleRequest,
    Unique, WebhookFormat,
};
use ackd_domain::{
    Answer, CallbackRequest, Command, Missed, Name, Refusal, Schedule, Submission, UniquePolicy, WebhookEvent, limits,
};
use ackd_engine::{Calendar, CalendarError};
use http::StatusCode;
use http::header::{self, HeaderValue};
use serde_json::value::{RawValue, to_raw_value};

use crate::answer;
use crate::app::{Shared, time};
use crate::call::{Call, Outcome};
use crate::list::{OTHER_LIST, page_size};
use crate::problem::{NOT_YET, Rejection};
use crate::queues::shown_backoff;
use crate::submission::payload_apart;

/// `GET /v1/schedules`.
pub(crate) async fn list(mut call: Call) -> Outcome {
    call.no_body().await?;
    let size = page_size(&call.query)?;
    // The token is the last name of the page before: it says itself whether it is one.
    let after = call.query.read("page_token", |text| Name::new(text).map_err(|_| OTHER_LIST.to_owned()))?;
    let schedules = call.engine().schedules();
    let mut shown = schedules.iter().filter(|schedule| after.as_ref().is_none_or(|after| schedule.name > *after));
    let page: Result<Vec<_>, _> = shown.by_ref().take(size).map(|schedule| document(schedule, false)).collect();
    let (page, more) = (page?, shown.next().is_some());
    let next_page_token = page.last().filter(|_| more).map(|schedule| schedule.name.clone());
    answer::passing(&ScheduleList { schedules: page, next_page_token })
}

/// `GET /v1/schedules/{name}`.
pub(crate) async fn get(mut call: Call) -> Outcome {
    call.no_body().await?;
    let schedule = call.engine().schedule(&call.name()?).ok_or_else(no_such_schedule)?;
    answer::passing(&document(&schedule, true)?)
}

/// `PUT /v1/schedules/{name}`.
pub(crate) async fn put(mut call: Call) -> Outcome {
    let name = call.name()?;
    let whole = call.json().await?;
    let (request, calendar) = wanted(&ackd_api::parse(whole.bytes())?, call.shared())?;
    drop(whole);
    let (schedule, created) = call.engine().put_schedule(&name, &request, &calendar).await??;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = answer::json(status, &document(&schedule, true)?)?;
    let headers = response.headers_mut();
    answer::may_change(headers);
    if created && let Ok(location) = HeaderValue::try_from(format!("/v1/schedules/{name}")) {
        headers.insert(header::LOCATION, location);
    }
    Ok(response)
}

/// `DELETE /v1/schedules/{name}`.
pub(crate) async fn delete(mut call: Call) -> Outcome {
    call.no_body().await?;
    let name = call.name()?;
    match call.engine().run(vec![Command::DeleteSchedule { name }]).await?.into_iter().next() {
        Some(Ok(Answer::NoSchedule(_))) => Ok(answer::no_content()),
        Some(Err(Refusal::NotFound)) => Err(no_such_schedule().into()),
        Some(Err(refusal)) => Err(refusal.into()),
        _ => Err(Rejection::new(Code::Internal, "the schedule was deleted, and the answer lost")),
    }
}

/// What is asked for, and the times that it means.
fn wanted(request: &ScheduleRequest<'_>, shared: &Shared) -> Result<(ackd_domain::ScheduleRequest, Calendar), Problem> {
    let timezone = request.timezone.as_deref().unwrap_or("UTC");
    let calendar = Calendar::new(&request.cron, timezone).map_err(|error| match error {
        CalendarError::Cron(error) => Problem::at("/cron", error.to_string()),
        CalendarError::Zone(error) => Problem::at("/timezone", error.to_string()),
    })?;
    let most = limits::SCHEDULE_PAYLOAD_BYTES;
    let payload = payload_apart(request.job.payload, most).map_err(|problem| problem.within("/job"))?;
    if request.job.payload_file.is_some() {
        return Err(Problem::at("/job/payload_file", "is not for schedules: the file would go before its time comes"));
    }
    let job = shared.submission(&request.job, payload).map_err(|problem| problem.within("/job"))?;
    if !job.then.is_empty() {
        return Err(Problem::at("/job/then", format!("{NOT_YET} in a schedule")));
    }
    let wanted = ackd_domain::ScheduleRequest {
        cron: Arc::from(&*request.cron),
        timezone: Arc::from(calendar.timezone()),
        missed: match request.missed.unwrap_or_default() {
            MissedRuns::Skip => Missed::Skip,
            MissedRuns::One => Missed::One,
            MissedRuns::All => Missed::All,
        },
        paused: request.paused.unwrap_or_default(),
        job,
    };
    Ok((wanted, calendar))
}

/// A schedule as clients see it.
fn document(schedule: &Schedule, with_payload: bool) -> Result<ScheduleDocument<'_>, serde_json::Error> {
    let missed = match schedule.missed {
        Missed::Skip => MissedRuns::Skip,
        Missed::One => MissedRuns::One,
        Missed::All => MissedRuns::All,
    };
    Ok(ScheduleDocument {
        name: schedule.name.as_str().into(),
        cron: (&*schedule.cron).into(),
        timezone: (&*schedule.timezone).into(),
        missed: missed.as_str().into(),
        paused: schedule.paused,
        job: Json::Owned(envelope(&schedule.job, with_payload)?),
        created_at: time(schedule.created_at),
        next_run_at: schedule.next_run_at.map(time),
        last_run_at: schedule.last_run_at.map(time),
        last_job: schedule.last_job.map(|id| id.to_string().into()),
    })
}

/// The job that a schedule makes, as it was asked for.
fn envelope(job: &Submission, with_payload: bool) -> Result<Box<RawValue>, serde_json::Error> {
    let has_payload = with_payload && !job.payload.bytes.is_empty();
    let payload = has_payload.then(|| serde_json::from_slice(&job.payload.bytes)).transpose()?;
    to_raw_value(&Envelope {
        queue: job.queue.as_str().into(),
        kind: job.kind.as_deref().map(Into::into),
        payload,
        expires_in: job.expires_in.map(Into::into),
        priority: job.priority,
        max_attempts: job.max_attempts,
        timeout: job.timeout.map(Into::into),
        backoff: job.backoff.map(shown_backoff),
        result_retention: job.result_retention.map(Into::into),
        ordering_key: job.ordering_key.as_deref().map(Into::into),
        unique: job.unique.as_ref().map(shown_unique),
        group: job.group.as_deref().map(Into::into),
        tags: job.tags.iter().map(|tag| (&**tag).into()).collect(),
        callback: job.callback.as_deref().map(callback),
        traceparent: job.traceparent.as_deref().map(Into::into),
        ..Envelope::default()
    })
}

fn shown_unique(unique: &ackd_domain::Unique) -> Unique<'_> {
    let policy = match unique.policy {
        UniquePolicy::Keep => None,
        UniquePolicy::Replace => Some(ackd_api::UniquePolicy::Replace),
        UniquePolicy::Debounce => Some(ackd_api::UniquePolicy::Debounce),
    };
    Unique { key: (&*unique.key).into(), policy }
}

/// A callback without its secret.
fn callback(callback: &CallbackRequest) -> Callback<'_> {
    let event = |event: WebhookEvent| match event {
        WebhookEvent::Done => CallbackEvent::Done,
        WebhookEvent::Failed => CallbackEvent::Failed,
        WebhookEvent::Cancelled => CallbackEvent::Cancelled,
        WebhookEvent::Expired => CallbackEvent::Expired,
    };
    Callback {
        url: (&*callback.url).into(),
        events: callback.events.iter().map(event).collect(),
        secret: None,
        format: Some(match callback.format {
            ackd_domain::WebhookFormat::Standard => WebhookFormat::Standard,
            ackd_domain::WebhookFormat::CloudEvents => WebhookFormat::CloudEvents,
        }),
    }
}

fn no_such_schedule() -> Problem {
    Problem::new(Code::NotFound, "there is no schedule of this name")
}
