use std::sync::Arc;

use ackd_domain::Job;
use rusqlite::{Connection, Row};

use crate::checksum::Checksum;
use crate::fault::Fault;
use crate::lane::Lanes;
use crate::pool::Reading;
use crate::rows::{Columns, Loaded, select_job};
use crate::trouble::Trouble;

/// The most leased jobs that are read at once.
const LEASED_AT_ONCE: i64 = 4096;

/// Some of the leased jobs.
pub(super) struct LeasedPage {
    pub(super) jobs: Vec<Arc<Job>>,
    /// The number after which more may stand.
    pub(super) next: Option<i64>,
}

pub(super) fn by_number(reading: &mut Reading, lanes: &Lanes, number: u64) -> Result<Option<Arc<Job>>, Fault> {
    const BY_NUMBER: &str = concat!(select_job!(), "WHERE job.id = ?1");
    let Reading { connection, checksum } = reading;
    let mut statement = connection.prepare_cached(BY_NUMBER)?;
    let mut rows = statement.query([number.cast_signed()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(loaded(row, connection, checksum, lanes)?.job))
}

/// The leased jobs after number `after`. One that is damaged is noted and left out, so that the others
/// still lapse when their workers die.
pub(super) fn leased(reading: &mut Reading, lanes: &Lanes, trouble: &Trouble, after: i64) -> Result<LeasedPage, Fault> {
    const LEASED: &str = concat!(
        select_job!("INDEXED BY job_leased", ""),
        "WHERE job.status = 1 AND job.id > ?1 ORDER BY job.id LIMIT ?2"
    );
    let Reading { connection, checksum } = reading;
    let mut statement = connection.prepare_cached(LEASED)?;
    let mut rows = statement.query([after, LEASED_AT_ONCE])?;
    let mut page = LeasedPage { jobs: Vec::new(), next: None };
    let mut seen = 0;
    while let Some(row) = rows.next()? {
        seen += 1;
        page.next = (seen == LEASED_AT_ONCE).then_some(row.get(0)?);
        match loaded(row, connection, checksum, lanes) {
            Ok(loaded) => page.jobs.push(loaded.job),
            Err(fault @ Fault::Damaged(_)) => drop(trouble.note(fault)),
            Err(fault) => return Err(fault),
        }
    }
    Ok(page)
}

/// The job in a row of [`select_job`].
pub(super) fn loaded(
    row: &Row<'_>,
    connection: &Connection,
    checksum: &mut Checksum,
    lanes: &Lanes,
) -> Result<Loaded, Fault> {
    Loaded::read(&mut Columns::from(row, 0), checksum, |id| lanes.by_id(connection, id))
        .map_err(|fault: Fault| fault.of(|| format!("job {}", row.get::<_, i64>(0).unwrap_or_default())))
}
