use ackd_domain::{BulkCourse, Job, Position, Status};
use ackd_ports::{LedgerReader, ReadError};
use serde::Deserialize;

use super::{BulkOf, BulkOrder};

/// The next jobs that a bulk job is about, and where it goes on after them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub(super) numbers: Vec<u64>,
    pub(super) next: Option<u64>,
    /// How much of the way has been gone with them, 0 to 100.
    pub(super) percent: f64,
}

/// The course of a bulk job as its checkpoint has it.
#[derive(Deserialize)]
struct Checkpoint {
    until: u64,
    next: Option<u64>,
    matched: u64,
    changed: u64,
    refused: u64,
}

/// How far the bulk job has come, whose lease was just granted.
pub(super) fn course(job: &Job, order: &BulkOrder) -> BulkCourse {
    let known: Option<Checkpoint> = job.checkpoint.as_deref().and_then(|text| serde_json::from_str(text).ok());
    if let Some(Checkpoint { until, next, matched, changed, refused }) = known {
        return BulkCourse { until: Position(until), next, matched, changed, refused, percent: 0.0 };
    }
    let start = match &order.of {
        // Newest first, and none that was accepted later.
        BulkOf::Search(_) => job.id.number(),
        BulkOf::Dead { .. } | BulkOf::Ids { .. } => 0,
    };
    BulkCourse { until: job.changed, next: Some(start), matched: 0, changed: 0, refused: 0, percent: 0.0 }
}

/// How many jobs the bulk job has changed, once it is done.
pub(super) fn done(job: &Job) -> Option<u64> {
    let checkpoint = job.checkpoint.as_deref().filter(|_| job.status == Status::Done)?;
    serde_json::from_str::<Checkpoint>(checkpoint).ok().map(|course| course.changed)
}

/// Reads the jobs from `next` on, at most `limit`; `bulk` is the number of the bulk job, and `matched` were before.
pub(super) fn read(
    reader: &dyn LedgerReader,
    order: &BulkOrder,
    bulk: u64,
    (next, matched): (u64, u64),
    limit: usize,
) -> Result<Part, ReadError> {
    match &order.of {
        BulkOf::Search(search) => {
            let page = search.page(reader, Some(next), limit)?;
            let numbers = page.jobs.iter().map(|job| job.id.number()).collect();
            let left = page.next.map_or(0.0, |next| ratio(next, bulk));
            Ok(Part { numbers, next: page.next, percent: 100.0 * (1.0 - left) })
        }
        BulkOf::Dead { queue, cause } => {
            let left = reader.dead_count(queue, cause.as_deref())?;
            let numbers = reader.dead(queue, cause.as_deref(), next, limit)?;
            let after = numbers.last().copied().filter(|last| numbers.len() == limit && *last < bulk);
            let done = matched + numbers.len() as u64;
            Ok(Part { percent: 100.0 * ratio(done, matched + left), numbers, next: after })
        }
        BulkOf::Ids { queue, ids } => {
            let start = usize::try_from(next).unwrap_or(usize::MAX).min(ids.len());
            let end = start.saturating_add(limit).min(ids.len());
            let mut numbers = Vec::new();
            for id in &ids[start..end] {
                let job = reader.job(*id)?.filter(|job| job.spec.queue == *queue);
                numbers.extend(job.map(|job| job.id.number()));
            }
            let next = (end < ids.len()).then_some(end as u64);
            Ok(Part { numbers, next, percent: 100.0 * ratio(end as u64, ids.len() as u64) })
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "it is shown to people")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { (part as f64 / whole as f64).min(1.0) }
}
