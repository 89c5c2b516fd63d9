use std::sync::Arc;

use ackd_domain::{Body, Job, Timestamp};
use ackd_ports::{Lane, Ready};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params};

use super::jobs::loaded;
use crate::checksum::Checksum;
use crate::fault::Fault;
use crate::integer::{limited, saturated};
use crate::lane::{self, Lanes};
use crate::meta;
use crate::pool::Reading;
use crate::rows::{BodyRow, Columns, JOB_COLUMNS, Loaded, Unreadable, select_job};
use crate::shared::Shared;

/// The lanes in which jobs wait: one seek in the index for each, however many jobs wait in it.
pub(super) fn lanes(reading: &Reading, lanes: &Lanes) -> Result<Vec<Lane>, Fault> {
    const NEXT: &str = "SELECT lane FROM job INDEXED BY job_waiting WHERE status = 0 AND held IS NULL AND lane > ?1 ORDER BY lane LIMIT 1";
    let mut statement = reading.connection.prepare_cached(NEXT)?;
    let mut found = Vec::new();
    let mut last = i64::MIN;
    while let Some(id) = statement.query_row([last], |row| row.get(0)).optional()? {
        found.push(lanes.by_id(&reading.connection, id)?.lane.clone());
        last = id;
    }
    Ok(found)
}

/// A payload that is longer than this is read when it is needed.
macro_rules! with_short_payload {
    () => {
        ", CASE WHEN length(submission.body) <= 65536 THEN submission.body END"
    };
}

/// Rows that are looked at at most, where all before are damaged, to find one job that is not.
const BEYOND_DAMAGED: i64 = 4096;

/// The jobs that wait in `lane`, in the order of its index; their number makes no difference to what a
/// page costs. One that is damaged is noted and left out, so that those behind it are still worked on.
pub(super) fn eligible(
    reading: &mut Reading,
    shared: &Shared,
    lane: &Lane,
    after: Option<(Timestamp, u64)>,
    limit: usize,
) -> Result<Vec<Ready>, Fault> {
    // Two seeks in place of a comparison of pairs: thousands of jobs are due at the same millisecond.
    const SAME_TIME: &str = concat!(
        select_job!("INDEXED BY job_waiting", with_short_payload!()),
        "WHERE job.status = 0 AND job.held IS NULL AND job.lane = ?1 AND job.run_at = ?2 AND job.id > ?3 ORDER BY job.id LIMIT ?4"
    );
    const LATER: &str = concat!(
        select_job!("INDEXED BY job_waiting", with_short_payload!()),
        "WHERE job.status = 0 AND job.held IS NULL AND job.lane = ?1 AND job.run_at > ?2 ORDER BY job.run_at, job.id LIMIT ?3"
    );
    let Reading { connection, checksum } = reading;
    let Some(lane) = lane::find(connection, lane)? else { return Ok(Vec::new()) };
    let mut page = EligiblePage { connection, checksum, shared, seen: 0, loaded: Vec::new(), payloads: Vec::new() };
    let mut limit = limited(limit);
    let snapshot = connection.unchecked_transaction()?;
    loop {
        page.seen = 0;
        let mut time = -1;
        if let Some((run_at, number)) = after {
            time = run_at.millis();
            page.read(connection.prepare_cached(SAME_TIME)?, (lane, time, saturated(number), limit))?;
        }
        let rest = limit - page.seen;
        if rest > 0 {
            page.read(connection.prepare_cached(LATER)?, (lane, time, rest))?;
        }
        // A page without a job would say that none is left: a few damaged ones must not.
        if !page.loaded.is_empty() || page.seen < limit || limit >= BEYOND_DAMAGED {
            break;
        }
        limit *= 8;
    }
    let EligiblePage { loaded, payloads, .. } = page;
    let as_of = meta::head(connection)?;
    snapshot.finish()?;
    let jobs: Vec<Arc<Job>> = loaded.iter().map(|loaded| Arc::clone(&loaded.job)).collect();
    shared.paged.put(loaded.into_iter(), as_of);
    Ok(jobs.into_iter().zip(payloads).map(|(job, payload)| Ready { job, payload }).collect())
}

struct EligiblePage<'a> {
    connection: &'a Connection,
    checksum: &'a mut Checksum,
    shared: &'a Shared,
    /// Rows, damaged ones too.
    seen: i64,
    loaded: Vec<Loaded>,
    payloads: Vec<Option<Body>>,
}

impl EligiblePage<'_> {
    fn read(&mut self, mut statement: CachedStatement<'_>, parameters: impl Params) -> Result<(), Fault> {
        let mut rows = statement.query(parameters)?;
        while let Some(row) = rows.next()? {
            self.seen += 1;
            match self.ready(row) {
                Ok((loaded, payload)) => {
                    self.loaded.push(loaded);
                    self.payloads.push(payload);
                }
                Err(fault @ Fault::Damaged(_)) => drop(self.shared.trouble.note(fault)),
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    fn ready(&mut self, row: &rusqlite::Row<'_>) -> Result<(Loaded, Option<Body>), Fault> {
        let loaded = loaded(row, self.connection, self.checksum, &self.shared.lanes)?;
        let number = loaded.job.id.number();
        let damaged = |_: Unreadable| Fault::Damaged(format!("the payload of job {number}"));
        let bytes = Columns::from(row, JOB_COLUMNS).blob().map_err(damaged)?;
        let payload = match bytes {
            Some(bytes) => {
                let payload = BodyRow::read_payload_of(row, number.cast_signed(), bytes, self.checksum);
                Some(payload.map_err(damaged)?)
            }
            None => None,
        };
        Ok((loaded, payload))
    }
}
