//! The jobs that clients may know of: those of the server's own queues are as absent by their ids as they are from lists
//! and feeds.

use std::sync::Arc;

use ackd_domain::{Body, Job, JobId, Name, Position};
use ackd_engine::{Engine, Events, EventsStart, Record};

use crate::problem::{Rejection, no_such_job};

/// The job with this id.
///
/// # Errors
/// `not-found`, also where it is the server's own; or it cannot be read. So for all of these.
pub(crate) async fn job(engine: &Engine, id: JobId) -> Result<Arc<Job>, Rejection> {
    let job = engine.job(id).await?.filter(|job| is_visible(job));
    Ok(job.ok_or_else(no_such_job)?)
}

/// The job with this id, its payload and its result.
pub(crate) async fn record(engine: &Engine, id: JobId) -> Result<Record, Rejection> {
    let record = engine.record(id).await?.filter(|record| is_visible(&record.job));
    Ok(record.ok_or_else(no_such_job)?)
}

/// The job with this id, and its payload.
pub(crate) async fn payload(engine: &Engine, id: JobId) -> Result<(Arc<Job>, Option<Body>), Rejection> {
    let read = engine.payload(id).await?.filter(|(job, _)| is_visible(job));
    Ok(read.ok_or_else(no_such_job)?)
}

/// The events of the job with this id, after `after`; `None` where nothing will ever follow.
pub(crate) async fn events(
    engine: &Engine,
    id: JobId,
    after: Option<Position>,
) -> Result<Option<Box<Events>>, Rejection> {
    job(engine, id).await?;
    match engine.events(id, after).await? {
        EventsStart::NotFound => Err(no_such_job().into()),
        EventsStart::Over => Ok(None),
        EventsStart::Events(events) => Ok(Some(events)),
    }
}

/// A bulk job is seen by whoever was told its id, so that its progress can be followed.
fn is_visible(job: &Job) -> bool {
    !job.spec.queue.is_reserved() || job.spec.queue == *Name::bulk()
}
