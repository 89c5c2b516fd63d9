//! Doing the same to many jobs, as a job of the server's own that clients see by its id.

use std::time::Duration;

use ackd_engine::{BulkOrder, Record};
use http::header::HeaderValue;

use crate::call::Call;
use crate::problem::Rejection;

/// How long an answer is held for what is done at once: most of it is, and who asks next sees it done.
const AT_ONCE: Duration = Duration::from_secs(5);

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
