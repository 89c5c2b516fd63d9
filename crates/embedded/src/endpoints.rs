use std::sync::Arc;

use ackd_domain::{Endpoint, Name};
use rusqlite::Connection;

use crate::checksum::Checksum;
use crate::fault::Fault;
use crate::rows::{Columns, Unreadable, endpoint_sum, read_endpoint, write_endpoint};

/// The webhook endpoints, by name.
pub(crate) fn all(connection: &Connection) -> Result<Vec<Arc<Endpoint>>, Fault> {
    let mut statement = connection.prepare_cached("SELECT name, settings, crc FROM endpoint ORDER BY name")?;
    let mut rows = statement.query([])?;
    let mut endpoints = Vec::new();
    while let Some(row) = rows.next()? {
        let endpoint = read(&mut Columns::from(row, 0));
        endpoints.push(Arc::new(endpoint.map_err(|_| {
            let name: String = row.get(0).unwrap_or_default();
            Fault::Damaged(format!("webhook {name}"))
        })?));
    }
    Ok(endpoints)
}

fn read(columns: &mut Columns<'_>) -> Result<Endpoint, Unreadable> {
    let (name, settings) = (columns.text()?.ok_or(Unreadable)?, columns.text()?.ok_or(Unreadable)?);
    if endpoint_sum(name, settings, &mut Checksum::default()) != columns.int()? {
        return Err(Unreadable);
    }
    read_endpoint(name, settings)
}

/// Writes the endpoint, or that there is none of this name any more.
pub(crate) fn write(connection: &Connection, name: &Name, endpoint: Option<&Endpoint>) -> Result<(), Fault> {
    let name = name.as_str();
    let Some(endpoint) = endpoint else {
        connection.prepare_cached("DELETE FROM endpoint WHERE name = ?1")?.execute([name])?;
        return Ok(());
    };
    let settings = write_endpoint(endpoint).ok_or_else(|| Fault::Damaged(format!("webhook {name}")))?;
    let sum = endpoint_sum(name, &settings, &mut Checksum::default());
    connection
        .prepare_cached("INSERT OR REPLACE INTO endpoint (name, settings, crc) VALUES (?1, ?2, ?3)")?
        .execute((name, settings, sum))?;
    Ok(())
}
