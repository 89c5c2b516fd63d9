//! What a client may do to a job that was accepted: cancel it, have it run again, or erase it.

use std::sync::Arc;

use ackd_api::Code;
use ackd_domain::{Answer, Command, Job, Status};
use ackd_engine::Record;
use http::StatusCode;

use crate::answer;
use crate::call::{Call, Outcome};
use crate::job::document_of;
use crate::problem::Rejection;
use crate::visible;

/// `POST /v1/jobs/{id}/cancel`.
pub(crate) async fn cancel(mut call: Call) -> Outcome {
    call.no_body().await?;
    let id = visible::job(call.engine(), call.job_id()?).await?.id;
    let job = changed(&call, Command::Cancel { id }).await?;
    // Its worker learns it by the next heartbeat; till then it is not known how the job will end.
    let status = if job.status == Status::Cancelled { StatusCode::OK } else { StatusCode::ACCEPTED };
    shown(&call, job, status).await
}

/// `POST /v1/jobs/{id}/retry`.
pub(crate) async fn retry(mut call: Call) -> Outcome {
    call.no_body().await?;
    let id = visible::job(call.engine(), call.job_id()?).await?.id;
    let job = changed(&call, Command::Retry { id }).await?;
    shown(&call, job, StatusCode::OK).await
}

/// `DELETE /v1/jobs/{id}`.
pub(crate) async fn delete(mut call: Call) -> Outcome {
    call.no_body().await?;
    let id = visible::job(call.engine(), call.job_id()?).await?.id;
    match call.engine().run(vec![Command::Delete { id }]).await?.into_iter().next() {
        Some(Ok(Answer::Erased(_))) => Ok(answer::no_content()),
        Some(Err(refusal)) => Err(refusal.into()),
        _ => Err(Rejection::new(Code::Internal, "the job was erased, and the answer lost")),
    }
}

async fn changed(call: &Call, command: Command) -> Result<Arc<Job>, Rejection> {
    match call.engine().run(vec![command]).await?.into_iter().next() {
        Some(Ok(Answer::Job(job))) => Ok(job),
        Some(Err(refusal)) => Err(refusal.into()),
        _ => Err(Rejection::new(Code::Internal, "the job was changed, and the answer lost")),
    }
}

/// The job as the command left it, whatever happened to it since.
async fn shown(call: &Call, job: Arc<Job>, status: StatusCode) -> Outcome {
    // What was asked for is done, whether or not its payload can be read.
    let payload = call.engine().payload(job.id).await.unwrap_or_default().and_then(|(_, payload)| payload);
    document_of(call, &Record { job, payload, result: None, inputs: Vec::new() }, status).await
}
