use std::sync::Arc;

use ackd_domain::{Name, Queue};
use rusqlite::Connection;

use crate::checksum::Checksum;
use crate::fault::Fault;
use crate::rows::{Columns, Settings, Unreadable, queue_sum};

/// The queues that somebody configured, by name.
pub(crate) fn all(connection: &Connection) -> Result<Vec<Arc<Queue>>, Fault> {
    const ALL: &str = "SELECT id, name, settings, paused, crc FROM queue WHERE settings IS NOT NULL ORDER BY name";
    let mut statement = connection.prepare_cached(ALL)?;
    let mut rows = statement.query([])?;
    let mut queues = Vec::new();
    while let Some(row) = rows.next()? {
        let queue = read(&mut Columns::from(row, 0));
        queues.push(Arc::new(queue.map_err(|_| {
            let name: String = row.get(1).unwrap_or_default();
            Fault::Damaged(format!("queue {name}"))
        })?));
    }
    Ok(queues)
}

fn read(columns: &mut Columns<'_>) -> Result<Queue, Unreadable> {
    let (id, name, settings) = (columns.int()?, columns.text()?.ok_or(Unreadable)?, columns.text()?.ok_or(Unreadable)?);
    let (paused, sum) = (columns.int()?, columns.int()?);
    if queue_sum(id, name, Some(settings), Some(paused), &mut Checksum::default()) != sum {
        return Err(Unreadable);
    }
    Ok(Queue {
        name: Name::new(name).map_err(|_| Unreadable)?,
        settings: Settings::from_json(settings)?,
        paused: paused & 1 != 0,
        draining: paused & 2 != 0,
    })
}
