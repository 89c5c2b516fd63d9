//! Which unfinished jobs with a unique key are not in their first run, and so perhaps not the newest with it.

use ackd_domain::{Job, Name};
use rusqlite::{Connection, OptionalExtension};

use crate::lines::line_of;

/// Where the job stands among those: under a hash of queue and key, which others may share.
pub(crate) fn of(job: &Job) -> Option<i64> {
    let key = job.spec.unique.as_deref().filter(|_| job.run > 1 && !job.status.is_terminal())?;
    Some(line_of(&job.spec.queue, key))
}

/// The jobs under this key, and perhaps others.
pub(crate) fn find(connection: &Connection, queue: &Name, key: &str) -> rusqlite::Result<Vec<u64>> {
    let mut statement = connection.prepare_cached("SELECT job FROM again WHERE key = ?1 ORDER BY job")?;
    let rows = statement.query_map([line_of(queue, key)], |row| row.get::<_, i64>(0))?;
    rows.map(|number| number.map(i64::cast_unsigned)).collect()
}

/// Whether there is any.
pub(crate) fn any(connection: &Connection) -> rusqlite::Result<bool> {
    let found: Option<i64> = connection.query_row("SELECT 1 FROM again LIMIT 1", [], |row| row.get(0)).optional()?;
    Ok(found.is_some())
}
