use ackd_domain::{Name, Status, limits};
use ackd_ports::{Filter, Page};
use rusqlite::Connection;

use super::jobs;
use crate::fault::Fault;
use crate::integer::{limited, saturated};
use crate::lane::Lanes;
use crate::pool::Reading;
use crate::rows::{Columns, Unreadable};

/// The most rows that one page examines.
const EXAMINED: i64 = 10_000;

/// The most keys that one page examines.
const KEYS_EXAMINED: i64 = 200_000;

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
    let table = if filter.key.is_some() { Table::Key } else { Table::Job };
    let mut page = Page::default();
    let mut end = before.map_or(i64::MAX, saturated);
    // The numbers of a flow's jobs follow one another.
    let mut floor = i64::MIN;
    if let Some(flow) = filter.flow {
        let (first, size) = match jobs::by_number(reading, lanes, flow.number())? {
            Some(job) => match &job.spec.flow {
                Some(flow) => (flow.id.number(), i64::from(flow.size)),
                None => return Ok(page),
            },
            // It may be gone before the others.
            None => (flow.number(), limited(limits::FLOW_JOBS)),
        };
        floor = first.cast_signed();
        end = end.min(floor.saturating_add(size));
    }
    let Some(newest) = table.newest_below(&reading.connection, end)? else { return Ok(page) };
    let (start, candidates) = match &filter.key {
        Some(key) => with_key(&reading.connection, key, newest + 1)?,
        None => with_lane_and_status(&reading.connection, lanes, filter, newest + 1)?,
    };
    for number in candidates.into_iter().take_while(|number| *number >= floor) {
        if page.jobs.len() == limit {
            page.next = Some(number.cast_unsigned() + 1);
            return Ok(page);
        }
        let job = jobs::by_number(reading, lanes, number.cast_unsigned())?;
        page.jobs.extend(job.filter(|job| filter.matches(job)));
    }
    // Where no row is left below, there is no next page, however far below that is.
    let next = table.newest_below(&reading.connection, start)?.filter(|next| *next >= floor);
    page.next = next.map(|number| number.cast_unsigned() + 1);
    Ok(page)
}

/// Whose rows are examined.
#[derive(Clone, Copy)]
enum Table {
    Job,
    Key,
}

impl Table {
    /// The highest number of a row below `end`. Numbers without a row are stepped over so, however many.
    fn newest_below(self, connection: &Connection, end: i64) -> rusqlite::Result<Option<i64>> {
        let sql = match self {
            Table::Job => "SELECT max(id) FROM job WHERE id < ?1",
            Table::Key => "SELECT max(id) FROM key WHERE id < ?1",
        };
        connection.prepare_cached(sql)?.query_row([end], |row| row.get(0))
    }
}

/// Where the examined numbers begin, and those of them that may be in the list, downwards.
type Candidates = (i64, Vec<i64>);

/// The rows below `end` that have the key. A key's row is short: many are examined in the same time.
fn with_key(connection: &Connection, key: &str, end: i64) -> Result<Candidates, Fault> {
    const ROWS: &str = "SELECT id FROM key WHERE id >= ?1 AND id < ?2 AND text = ?3 ORDER BY id DESC";
    let start = end.saturating_sub(KEYS_EXAMINED);
    let mut statement = connection.prepare_cached(ROWS)?;
    let numbers = statement.query_map((start, end, key), |row| row.get(0))?;
    Ok((start, numbers.collect::<rusqlite::Result<_>>()?))
}

/// The rows below `end` of which lane and status pass the filter.
fn with_lane_and_status(
    connection: &Connection,
    lanes: &Lanes,
    filter: &Filter,
    end: i64,
) -> Result<Candidates, Fault> {
    const ROWS: &str = "SELECT id, lane, status FROM job WHERE id >= ?1 AND id < ?2 ORDER BY id DESC";
    let start = end.saturating_sub(EXAMINED);
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
    Ok((start, numbers))
}

fn lane_passes(connection: &Connection, lanes: &Lanes, filter: &Filter, id: i64) -> Result<bool, Fault> {
    let row = lanes.by_id(connection, id)?;
    let lane = &row.lane;
    let queue = |wanted: &Name| *wanted == lane.queue;
    Ok(!lane.queue.is_reserved()
        && (filter.queues.is_empty() || filter.queues.iter().any(queue))
        && (filter.kinds.is_empty() || lane.kind.as_ref().is_some_and(|kind| filter.kinds.contains(kind))))
}
