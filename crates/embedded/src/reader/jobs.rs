use std::sync::Arc;

use ackd_domain::Job;
use rusqlite::{Connection, Row};

use crate::checksum::Checksum;
use crate::fault::Fault;
use crate::integer::{limited, saturated};
use crate::lane::Lanes;
use crate::missing;
use crate::pool::Reading;
use crate::rows::{Columns, Loaded, select_job};

pub(super) fn by_number(reading: &mut Reading, lanes: &Lanes, number: u64) -> Result<Option<Arc<Job>>, Fault> {
    const BY_NUMBER: &str = concat!(select_job!(), "WHERE job.id = ?1");
    let Reading { connection, checksum } = reading;
    let mut statement = connection.prepare_cached(BY_NUMBER)?;
    let mut rows = statement.query([number.cast_signed()])?;
    if let Some(row) = rows.next()? {
        return Ok(Some(loaded(row, connection, checksum, lanes)?.job));
    }
    missing::check(connection, checksum, lanes, number)?;
    Ok(None)
}

/// The numbers of the leased jobs, as the index has them.
pub(super) fn leased(reading: &Reading) -> Result<Vec<u64>, Fault> {
    let mut statement =
        reading.connection.prepare_cached("SELECT id FROM job INDEXED BY job_leased WHERE status = 1")?;
    let mut rows = statement.query([])?;
    let mut numbers = Vec::new();
    while let Some(row) = rows.next()? {
        numbers.push(row.get::<_, i64>(0)?.cast_unsigned());
    }
    Ok(numbers)
}

/// The numbers of the jobs that deliver what became of the job `source`, newest first.
pub(super) fn deliveries(reading: &Reading, source: u64, before: Option<u64>, limit: usize) -> Result<Vec<u64>, Fault> {
    const OF_SOURCE: &str = "SELECT job FROM delivery WHERE source = ?1 AND job < ?2 ORDER BY job DESC LIMIT ?3";
    let mut statement = reading.connection.prepare_cached(OF_SOURCE)?;
    let before = before.map_or(i64::MAX, saturated);
    let mut rows = statement.query([saturated(source), before, limited(limit)])?;
    let mut numbers = Vec::new();
    while let Some(row) = rows.next()? {
        numbers.push(row.get::<_, i64>(0)?.cast_unsigned());
    }
    Ok(numbers)
}

/// The job in a row of [`select_job`].
pub(crate) fn loaded(
    row: &Row<'_>,
    connection: &Connection,
    checksum: &mut Checksum,
    lanes: &Lanes,
) -> Result<Loaded, Fault> {
    Loaded::read(&mut Columns::from(row, 0), checksum, |id| lanes.by_id(connection, id))
        .map_err(|fault: Fault| fault.of(|| format!("job {}", row.get::<_, i64>(0).unwrap_or_default())))
}
