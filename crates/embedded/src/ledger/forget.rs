//! How old changes go, with what was kept for their sake.

use ackd_domain::{Position, Timestamp};
use rusqlite::Connection;

use crate::checksum::Checksum;
use crate::fault::Fault;
use crate::integer::saturated;
use crate::lane::LaneNames;
use crate::leaving;
use crate::meta;
use crate::rows::{Columns, Loaded, select_job};
use crate::shared::Shared;

/// Deletes the changes up to `through`, the long texts that jobs had until one of these, and what is left of jobs that
/// were erased.
pub(super) fn changes(
    connection: &Connection,
    through: Position,
    lanes: &mut LaneNames,
    shared: &Shared,
    checksum: &mut Checksum,
) -> Result<(), Fault> {
    const LAST: &str = "SELECT max(seq) FROM change WHERE seq > ?1 AND seq <= ?2";
    const FAILURES: &str = "DELETE FROM failure WHERE seq IN \
                            (SELECT old_error FROM change WHERE seq > ?1 AND seq <= ?2 AND old_error IS NOT NULL)";
    const CHECKPOINTS: &str = "DELETE FROM checkpoint WHERE seq IN (SELECT old_checkpoint FROM change \
                               WHERE seq > ?1 AND seq <= ?2 AND old_checkpoint IS NOT NULL)";
    const SUBMISSIONS: &str =
        "DELETE FROM submission WHERE id IN (SELECT job FROM erased WHERE changed > ?1 AND changed <= ?2)";
    const LANES: &str = "SELECT submission.lane FROM erased JOIN submission ON submission.id = erased.job \
                         WHERE erased.changed > ?1 AND erased.changed <= ?2";
    const ERASED: &str = "DELETE FROM erased WHERE changed > ?1 AND changed <= ?2";
    const CHANGES: &str = "DELETE FROM change WHERE seq > ?1 AND seq <= ?2";
    let purged = saturated(meta::purged(connection)?);
    let last: Option<i64> =
        connection.prepare_cached(LAST)?.query_row([purged, saturated(through.0)], |row| row.get(0))?;
    let Some(last) = last else { return Ok(()) };
    note_ends(connection, purged, last, shared, checksum)?;
    let left: Vec<i64> = {
        let mut statement = connection.prepare_cached(LANES)?;
        statement.query_map([purged, last], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
    };
    for sql in [FAILURES, CHECKPOINTS, SUBMISSIONS, ERASED, CHANGES] {
        connection.prepare_cached(sql)?.execute([purged, last])?;
    }
    lanes.leave(connection, left.into_iter())?;
    meta::set_purged(connection, last.cast_unsigned())?;
    Ok(())
}

/// Jobs that are still there, and whose ends are about to be forgotten, are found by their time from now on.
fn note_ends(
    connection: &Connection,
    after: i64,
    through: i64,
    shared: &Shared,
    checksum: &mut Checksum,
) -> Result<(), Fault> {
    const ENDED: &str = concat!(
        select_job!(),
        "JOIN change ON change.job = job.id AND change.seq = job.changed \
         WHERE change.seq > ?1 AND change.seq <= ?2 AND change.status >= 2"
    );
    let mut statement = connection.prepare_cached(ENDED)?;
    let mut rows = statement.query([after, through])?;
    while let Some(row) = rows.next()? {
        let lanes = &shared.lanes;
        let read = Loaded::read(&mut Columns::from(row, 0), checksum, |id| lanes.by_id(connection, id));
        let job = match read
            .map_err(|fault: Fault| fault.of(|| format!("job {}", row.get::<_, i64>(0).unwrap_or_default())))
        {
            Ok(loaded) => loaded.job,
            // Nobody can say when it is to go.
            Err(fault @ Fault::Damaged(_)) => {
                drop(shared.trouble.note(fault));
                continue;
            }
            Err(fault) => return Err(fault),
        };
        if let Some(until) = job.kept_until().map(Timestamp::millis) {
            leaving::note(connection, until, job.id.number())?;
        }
    }
    Ok(())
}
