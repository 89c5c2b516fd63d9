//! What was sent to whom of a job's end, and sending it again.

use ackd_api::{Code, DeliveryAttempt, DeliveryDocument, DeliveryList, Problem};
use ackd_domain::{Job, Status};
use ackd_engine::{DeliveryRecord, ReplayError};
use http::StatusCode;

use crate::answer;
use crate::app::time;
use crate::call::{Call, Outcome};
use crate::document;
use crate::list::{OTHER_LIST, page_size};
use crate::problem::Rejection;
use crate::token;
use crate::visible;

/// `GET /v1/jobs/{id}/deliveries`.
pub(crate) async fn of_job(mut call: Call) -> Outcome {
    call.no_body().await?;
    let id = call.job_id()?;
    let size = page_size(&call.query)?;
    let shape = format!("deliveries of {id}");
    let before =
        call.query.read("page_token", |text| token::read_page(text, &shape).ok_or_else(|| OTHER_LIST.to_owned()))?;
    // One more than is shown says whether more follow.
    let mut records = call.engine().deliveries(id, before, size + 1).await?;
    // They are found by the job's number, which is only a part of its id.
    records.retain(|record| record.job.spec.delivery.as_ref().is_some_and(|delivery| delivery.source == id));
    if records.is_empty() {
        // They may outlive their job, which may go at its end.
        visible::job(call.engine(), id).await?;
    }
    let more = records.len() > size;
    records.truncate(size);
    let last = records.last().filter(|_| more).map(|record| record.job.id.number());
    answer::passing(&DeliveryList {
        deliveries: records.iter().filter_map(shown).collect(),
        next_page_token: last.map(|before| token::page(before, &shape).to_string().into()),
    })
}

/// `POST /v1/deliveries/{id}/replay`.
pub(crate) async fn replay(mut call: Call) -> Outcome {
    call.no_body().await?;
    let job = call.engine().replay(call.id_of("delivery")?).await?;
    // It will be sent, whatever can be read of what was sent before.
    let read = call.engine().delivery(job.id).await.unwrap_or_default();
    let record = read.unwrap_or_else(|| DeliveryRecord { job, attempts: Vec::new() });
    let mut response = answer::json(StatusCode::ACCEPTED, &shown(&record).ok_or_else(no_such_delivery)?)?;
    answer::may_change(response.headers_mut());
    Ok(response)
}

/// A delivery as clients see it; `None` of a job that delivers nothing.
fn shown(record: &DeliveryRecord) -> Option<DeliveryDocument<'_>> {
    let DeliveryRecord { job, attempts } = record;
    let delivery = job.spec.delivery.as_ref()?;
    Some(DeliveryDocument {
        id: job.id.to_string().into(),
        target: delivery.target.shown().into(),
        event: delivery.event.as_str().into(),
        status: document::status(job.status),
        attempts: attempts.iter().map(attempt).collect(),
        next_attempt_at: waits(job).then(|| time(job.run_at)),
        created_at: time(job.created_at()),
    })
}

fn waits(job: &Job) -> bool {
    job.status == Status::Init
}

fn attempt(attempt: &ackd_engine::DeliveryAttempt) -> DeliveryAttempt<'_> {
    DeliveryAttempt {
        at: time(attempt.at),
        status_code: attempt.status_code,
        took: attempt.took.map(Into::into),
        error: attempt.error.as_deref().map(Into::into),
    }
}

fn no_such_delivery() -> Problem {
    Problem::new(Code::NotFound, "there is no delivery with this id, or no longer")
}

impl From<ReplayError> for Rejection {
    fn from(error: ReplayError) -> Rejection {
        match error {
            ReplayError::NotFound => no_such_delivery().into(),
            ReplayError::UnderWay => {
                let detail = "the delivery is still under way; it can be made again once it has ended";
                Rejection::new(Code::NotFinished, detail)
            }
            ReplayError::Read(error) => error.into(),
            ReplayError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}
