//! Dead jobs of a queue: why they died, and running them again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ackd_api::{DeadCause, DeadList, Problem, RedriveRequest, Redriven};
use ackd_domain::{BulkAction, JobId, Name};
use ackd_engine::{BulkOf, BulkOrder, Pace, cut_cause};
use http::StatusCode;

use crate::answer;
use crate::bulk;
use crate::call::{Call, Outcome};

/// The most causes that are shown.
const CAUSES: usize = 100;

/// The most examples of each.
const EXAMPLES: usize = 5;

/// `GET /v1/queues/{queue}/dead`.
pub(crate) async fn causes(mut call: Call) -> Outcome {
    call.no_body().await?;
    let causes = call.engine().dead_causes(call.name()?, CAUSES, EXAMPLES).await?;
    let shown = causes.iter().map(|cause| DeadCause {
        cause: (&*cause.cause).into(),
        count: cause.count,
        examples: cause.examples.iter().map(|id| id.to_string().into()).collect(),
    });
    answer::passing(&DeadList { causes: shown.collect() })
}

/// `POST /v1/queues/{queue}/redrive`.
pub(crate) async fn redrive(mut call: Call) -> Outcome {
    let queue = call.name()?;
    let dry_run = call.query.flag("dry_run")?;
    let request: RedriveRequest = ackd_api::parse_or_default(call.json().await?.bytes())?;
    let mut order = order(queue, &request)?;
    let mut count = call.engine().count_dead(order.of.clone()).await?;
    if let BulkOf::Dead { cause: Some(cause), .. } = &mut order.of
        && count == 0
        && let Some(trimmed) = request.cause.as_deref().map(str::trim).filter(|trimmed| *trimmed != &**cause)
    {
        // It is what stands in an error, blanks and all, and no cause as it is shown.
        *cause = Arc::from(cut_cause(trimmed));
        count = call.engine().count_dead(order.of.clone()).await?;
    }
    if dry_run || count == 0 {
        return answer::json(StatusCode::ACCEPTED, &Redriven { redriven: count, job: None });
    }
    let record = bulk::begun(&call, &order).await?;
    let redriven = BulkOrder::changed_by(&record.job).unwrap_or(count);
    let job = Some(record.job.id.to_string().into());
    let mut response = answer::json(StatusCode::ACCEPTED, &Redriven { redriven, job })?;
    response.headers_mut().insert(http::header::LOCATION, bulk::location(&record));
    Ok(response)
}

fn order(queue: Name, request: &RedriveRequest) -> Result<BulkOrder, Problem> {
    let of = match &request.ids {
        // As it came: a cause that was cut may end in a blank.
        None => BulkOf::Dead { queue, cause: request.cause.as_deref().map(|cause| Arc::from(cut_cause(cause))) },
        Some(given) => {
            let (mut ids, mut seen) = (Vec::with_capacity(given.len()), HashSet::new());
            for (at, text) in given.iter().enumerate() {
                let id: JobId = text.parse().map_err(|error| Problem::at(format!("/ids/{at}"), format!("{error}")))?;
                if seen.insert(id) {
                    ids.push(id);
                }
            }
            BulkOf::Ids { queue, ids }
        }
    };
    let pace = request.rate.map(|rate| Pace { limit: rate.limit, per: Duration::from(rate.per) });
    Ok(BulkOrder { action: BulkAction::Redrive, of, pace })
}
