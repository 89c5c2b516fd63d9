use ackd_domain::{Name, Status};
use ackd_ports::{Filter, Page};
use rusqlite::Connection;

use super::jobs;
use crate::fault::Fault;
use crate::integer::saturated;
use crate::lane::Lanes;
use crate::pool::Reading;
use crate::rows::{Columns, Unreadable};

/// The most rows that one page examines.
const EXAMINED: i64 = 10_000;

/// One page of a list.
///
/// Rows are looked at in two steps: queue, type and status stand in the narrow table or follow from its
/// lane; only what passes them is read whole.
pub(super) fn page(
    reading: &mut Reading,
    lanes: &Lanes,
    filter: &Filter,
    before: Option<u64>,
    limit: usize,
) -> Result<Page, Fault> {
    let end = match before {
        Some(before) => saturated(before),
        None => crate::meta::last_number(&reading.connection)?.cast_signed() + 1,
    };
    let start = end.saturating_sub(EXAMINED);
    let mut page = Page::default();
    for number in candidates(&reading.connection, lanes, filter, start, end)? {
        if page.jobs.len() == limit {
            page.next = Some(number.cast_unsigned() + 1);
            return Ok(page);
        }
        let job = jobs::by_number(reading, lanes, number.cast_unsigned())?;
        page.jobs.extend(job.filter(|job| filter.matches(job)));
    }
    // Acceptance numbers start at 1.
    page.next = (start > 1).then(|| start.cast_unsigned());
    Ok(page)
}

/// The numbers from `start` to below `end`, downwards, of which lane and status pass the filter.
fn candidates(
    connection: &Connection,
    lanes: &Lanes,
    filter: &Filter,
    start: i64,
    end: i64,
) -> Result<Vec<i64>, Fault> {
    const ROWS: &str = "SELECT id, lane, status FROM job WHERE id >= ?1 AND id < ?2 ORDER BY id DESC";
    let mut statement = connection.prepare_cached(ROWS)?;
    let mut rows = statement.query([start, end])?;
    let mut numbers = Vec::new();
    // Thousands of rows share a lane, mostly with their neighbour.
    let mut last: Option<(i64, bool)> = None;
    while let Some(row) = rows.next()? {
        let mut columns = Columns::from(row, 0);
        let id = columns.int()?;
        let damaged = |_: Unreadable| Fault::Damaged(format!("job {id}"));
        let (lane, status) = (columns.int().map_err(damaged)?, columns.int().map_err(damaged)?);
        let passes = match last {
            Some((known, passes)) if known == lane => passes,
            _ => {
                let passes = lane_passes(connection, lanes, filter, lane)?;
                last = Some((lane, passes));
                passes
            }
        };
        let wanted = |wanted: &Status| *wanted as i64 == status;
        if passes && (filter.statuses.is_empty() || filter.statuses.iter().any(wanted)) {
            numbers.push(id);
        }
    }
    Ok(numbers)
}

fn lane_passes(connection: &Connection, lanes: &Lanes, filter: &Filter, id: i64) -> Result<bool, Fault> {
    let row = lanes.by_id(connection, id)?;
    let lane = &row.lane;
    let queue = |wanted: &Name| *wanted == lane.queue;
    Ok(!lane.queue.is_reserved()
        && (filter.queues.is_empty() || filter.queues.iter().any(queue))
        && (filter.kinds.is_empty() || lane.kind.as_ref().is_some_and(|kind| filter.kinds.contains(kind))))
}
