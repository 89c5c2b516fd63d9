//! The ended jobs that are found by when they are to go.
//!
//! Those that go at the usual time after their end are found by the feed, which has the ends in their order, and stand here
//! only once the feed has forgotten their end, or the search has passed it while others waited for them.

use rusqlite::Connection;

/// Has the job found by when it is to go, if it is not already.
pub(crate) fn note(connection: &Connection, at: i64, job: u64) -> rusqlite::Result<()> {
    const NOTE: &str = "INSERT OR IGNORE INTO leaving (at, job) VALUES (?1, ?2)";
    connection.prepare_cached(NOTE)?.execute([at, job.cast_signed()])?;
    Ok(())
}

/// Whether the job is found by when it is to go.
pub(crate) fn is_noted(connection: &Connection, at: i64, job: u64) -> rusqlite::Result<bool> {
    const NOTED: &str = "SELECT EXISTS (SELECT 1 FROM leaving WHERE at = ?1 AND job = ?2)";
    connection.prepare_cached(NOTED)?.query_row([at, job.cast_signed()], |row| row.get(0))
}
