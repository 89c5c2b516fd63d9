use ackd_domain::Position;
use ackd_ports::LedgerError;
use rusqlite::Connection;

use super::EmbeddedLedger;
use crate::fault::Fault;
use crate::integer::{limited, saturated};
use crate::meta;

impl EmbeddedLedger {
    /// Forgets changes up to `through`, the oldest first and at most so many of them, in a commit of
    /// its own. Returns how many; fewer than `at_most` where no more are left to forget.
    ///
    /// # Errors
    /// As for a batch; the changes are still there then.
    pub fn purge_changes(&mut self, through: Position, at_most: usize) -> Result<usize, LedgerError> {
        self.check()?;
        let purged = self.begin().and_then(|()| delete(&self.connection, through, at_most));
        let committed = purged.and_then(|purged| self.commit().map(|()| purged));
        committed.map_err(|fault| {
            let error = self.failed(fault);
            self.roll_back();
            error
        })
    }
}

/// Deletes changes, and the long texts that jobs had until one of these. Returns how many changes.
pub(crate) fn delete(connection: &Connection, through: Position, at_most: usize) -> Result<usize, Fault> {
    const LAST: &str = "SELECT max(seq), count(*) FROM \
                        (SELECT seq FROM change WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3)";
    const FAILURES: &str = "DELETE FROM failure WHERE seq IN \
                            (SELECT old_error FROM change WHERE seq > ?1 AND seq <= ?2 AND old_error IS NOT NULL)";
    const CHECKPOINTS: &str = "DELETE FROM checkpoint WHERE seq IN (SELECT old_checkpoint FROM change \
                               WHERE seq > ?1 AND seq <= ?2 AND old_checkpoint IS NOT NULL)";
    const CHANGES: &str = "DELETE FROM change WHERE seq > ?1 AND seq <= ?2";
    let purged = saturated(meta::purged(connection)?);
    let (last, changes): (Option<i64>, i64) = connection
        .prepare_cached(LAST)?
        .query_row([purged, saturated(through.0), limited(at_most)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some(last) = last else { return Ok(0) };
    for sql in [FAILURES, CHECKPOINTS, CHANGES] {
        connection.prepare_cached(sql)?.execute([purged, last])?;
    }
    meta::set_purged(connection, last.cast_unsigned())?;
    Ok(usize::try_from(changes).unwrap_or(usize::MAX))
}
