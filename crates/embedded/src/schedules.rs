use std::sync::Arc;

use ackd_domain::{Name, Schedule};
use rusqlite::Connection;

use crate::checksum::Checksum;
use crate::fault::Fault;
use crate::rows::{Columns, Unreadable, read_schedule, schedule_sum, write_schedule};

/// The schedules, by name.
pub(crate) fn all(connection: &Connection) -> Result<Vec<Arc<Schedule>>, Fault> {
    let mut statement = connection.prepare_cached("SELECT name, settings, crc, payload FROM schedule ORDER BY name")?;
    let mut rows = statement.query([])?;
    let mut schedules = Vec::new();
    while let Some(row) = rows.next()? {
        let schedule = read(&mut Columns::from(row, 0));
        schedules.push(Arc::new(schedule.map_err(|_| {
            let name: String = row.get(0).unwrap_or_default();
            Fault::Damaged(format!("schedule {name}"))
        })?));
    }
    Ok(schedules)
}

fn read(columns: &mut Columns<'_>) -> Result<Schedule, Unreadable> {
    let (name, settings) = (columns.text()?.ok_or(Unreadable)?, columns.text()?.ok_or(Unreadable)?);
    let (sum, payload) = (columns.int()?, columns.blob()?.ok_or(Unreadable)?);
    if schedule_sum(name, settings, payload, &mut Checksum::default()) != sum {
        return Err(Unreadable);
    }
    read_schedule(name, settings, payload)
}

/// Writes the schedule, or that there is none of this name any more.
pub(crate) fn write(connection: &Connection, name: &Name, schedule: Option<&Schedule>) -> Result<(), Fault> {
    let name = name.as_str();
    let Some(schedule) = schedule else {
        connection.prepare_cached("DELETE FROM schedule WHERE name = ?1")?.execute([name])?;
        return Ok(());
    };
    let settings = write_schedule(schedule).ok_or_else(|| Fault::Damaged(format!("schedule {name}")))?;
    let payload = &schedule.job.payload.bytes[..];
    let sum = schedule_sum(name, &settings, payload, &mut Checksum::default());
    connection
        .prepare_cached("INSERT OR REPLACE INTO schedule (name, settings, crc, payload) VALUES (?1, ?2, ?3, ?4)")?
        .execute((name, settings, sum, payload))?;
    Ok(())
}
