//! Doing the same to many jobs, as a job of the server's own that clients see by its id.

use std::time::Duration;

use ackd_api::{BulkRequest, Problem, Purged, query_value};
use ackd_domain::{BulkAction, Status};
use ackd_engine::{BulkOf, BulkOrder, Filter, Record};
use http::StatusCode;
use http::header::{self, HeaderValue};

use crate::answer;
use crate::call::{Call, Outcome};
use crate::list;
use crate::problem::Rejection;
use crate::query::Query;
use crate::queues::counts_of;

/// How long an answer is held for what is done at once: most of it is, and who asks next sees it done.
const AT_ONCE: Duration = Duration::from_secs(5);

/// `POST /v1/jobs/bulk`.
pub(crate) async fn submit(mut call: Call) -> Outcome {
    let order = {
        let whole = call.json().await?;
        order(&ackd_api::parse(whole.bytes())?)?
    };
    let record = call.engine().bulk(&order).await??;
    let mut response = answer::job(StatusCode::ACCEPTED, call.engine(), &record).await?;
    response.headers_mut().insert(header::LOCATION, location(&record));
    Ok(response)
}

fn order(request: &BulkRequest) -> Result<BulkOrder, Problem> {
    let pairs = request.filter.iter().filter_map(|(name, value)| Some((name.clone(), query_value(value)?)));
    let search = list::search(&Query::of(pairs)).map_err(|problem| problem.within("/filter"))?;
    let action = match request.action {
        ackd_api::BulkAction::Cancel => BulkAction::Cancel,
        ackd_api::BulkAction::Retry => BulkAction::Retry,
    };
    Ok(BulkOrder { action, of: BulkOf::Search(search), pace: None })
}

/// `POST /v1/queues/{queue}/purge`.
pub(crate) async fn purge(mut call: Call) -> Outcome {
    call.no_body().await?;
    let queue = call.name()?;
    if call.query.get("confirm") != Some(queue.as_str()) {
        let detail = format!("must be the name of the queue whose waiting jobs are to be cancelled, {queue}");
        return Err(Problem::at("/confirm", detail).into());
    }
    let waiting = counts_of(call.engine(), &queue).await?.init;
    if waiting == 0 {
        return answer::json(StatusCode::OK, &Purged { purged: 0, job: None });
    }
    let filter = Filter { queues: vec![queue], statuses: vec![Status::Init], ..Filter::default() };
    let order = BulkOrder { action: BulkAction::Purge, of: BulkOf::Search(filter.into()), pace: None };
    let record = begun(&call, &order).await?;
    let done = BulkOrder::changed_by(&record.job);
    let status = if done.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let purged = Purged { purged: done.unwrap_or(waiting), job: Some(record.job.id.to_string()) };
    let mut response = answer::json(status, &purged)?;
    response.headers_mut().insert(header::LOCATION, location(&record));
    Ok(response)
}

/// Has `order` carried out, and waits a moment for its end unless it is to take its time.
pub(crate) async fn begun(call: &Call, order: &BulkOrder) -> Result<Record, Rejection> {
    let record = call.engine().bulk(order).await??;
    Ok(if order.pace.is_some() { record } else { call.engine().wait_for_bulk(record, AT_ONCE).await })
}

/// Where the job is to be seen.
pub(crate) fn location(record: &Record) -> HeaderValue {
    let path = format!("/v1/jobs/{}", record.job.id);
    HeaderValue::try_from(path).unwrap_or_else(|_| HeaderValue::from_static("/v1/jobs"))
}
