//! Whether a job that is not found is not there.

use rusqlite::Connection;

use crate::checksum::Checksum;
use crate::fault::Fault;
use crate::lane::Lanes;
use crate::reader::loaded;
use crate::rows::select_job;

/// Looks at the jobs between which this one would be. SQLite's pages have no checksum: a bit that turns in the numbers by which
/// it searches leads past a job that is there, and then a neighbour is not what it was, or not where it belongs.
pub(crate) fn check(connection: &Connection, checksum: &mut Checksum, lanes: &Lanes, number: u64) -> Result<(), Fault> {
    const BELOW: &str = concat!(select_job!(), "WHERE job.id < ?1 ORDER BY job.id DESC LIMIT 1");
    const ABOVE: &str = concat!(select_job!(), "WHERE job.id > ?1 ORDER BY job.id LIMIT 1");
    // None has a number beyond SQLite's.
    let Ok(searched) = i64::try_from(number) else { return Ok(()) };
    for (neighbour, lies_there) in [(BELOW, u64::lt as fn(&u64, &u64) -> bool), (ABOVE, u64::gt)] {
        let mut statement = connection.prepare_cached(neighbour)?;
        let mut rows = statement.query([searched])?;
        let Some(row) = rows.next()? else { continue };
        if !lies_there(&loaded(row, connection, checksum, lanes)?.job.id.number(), &number) {
            return Err(Fault::Damaged(format!("the order of jobs about {number}")));
        }
    }
    Ok(())
}
