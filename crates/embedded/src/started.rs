//! When attempts at the jobs of queues began that limit how many do in a period.

use ackd_domain::{Name, Started, Timestamp};
use rusqlite::{Connection, Row};

use crate::checksum::Checksum;
use crate::fault::Fault;
use crate::rows::{Columns, Unreadable, started_sum};

/// What was written last of each queue.
pub(crate) fn all(connection: &Connection) -> Result<Vec<(Name, Started)>, Fault> {
    let mut statement = connection.prepare_cached("SELECT queue, times, crc FROM started ORDER BY queue")?;
    let mut rows = statement.query([])?;
    let mut started = Vec::new();
    while let Some(row) = rows.next()? {
        started.push(read(row).map_err(|_| Fault::Damaged("what began in a queue with a rate".to_owned()))?);
    }
    Ok(started)
}

fn read(row: &Row<'_>) -> Result<(Name, Started), Unreadable> {
    let mut columns = Columns::from(row, 0);
    let (queue, times) = (columns.text()?.ok_or(Unreadable)?, columns.text()?.ok_or(Unreadable)?);
    if started_sum(queue, times, &mut Checksum::default()) != columns.int()? {
        return Err(Unreadable);
    }
    let times: Vec<(i64, u32)> = serde_json::from_str(times).map_err(|_| Unreadable)?;
    let times = times.into_iter().map(|(at, many)| (Timestamp::from_millis(at), many)).collect();
    Ok((Name::new(queue).map_err(|_| Unreadable)?, Started::of(times)))
}

/// Writes it down.
pub(crate) fn write(connection: &Connection, queue: &Name, started: &Started) -> Result<(), Fault> {
    let times: Vec<(i64, u32)> = started.times().iter().map(|(at, many)| (at.millis(), *many)).collect();
    // Pairs of numbers can always be written.
    let times = serde_json::to_string(&times).unwrap_or_default();
    let sum = started_sum(queue.as_str(), &times, &mut Checksum::default());
    connection.prepare_cached("INSERT OR REPLACE INTO started (queue, times, crc) VALUES (?1, ?2, ?3)")?.execute((
        queue.as_str(),
        times,
        sum,
    ))?;
    Ok(())
}
