use ackd_domain::{Name, Position};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::checksum::Checksum;
use crate::fault::Fault;
use crate::rows::{Columns, Unreadable, consumer_sum};

/// How far each consumer of the changes has come.
pub(crate) fn all(connection: &Connection) -> Result<Vec<(Name, Position)>, Fault> {
    let mut statement = connection.prepare_cached("SELECT name, position, crc FROM consumer")?;
    let mut rows = statement.query([])?;
    let mut positions = Vec::new();
    while let Some(row) = rows.next()? {
        positions.push(read(row).map_err(|_| damaged())?);
    }
    Ok(positions)
}

/// How far this one has come, if it has begun.
pub(crate) fn position(connection: &Connection, consumer: &Name) -> Result<Option<Position>, Fault> {
    let mut statement = connection.prepare_cached("SELECT name, position, crc FROM consumer WHERE name = ?1")?;
    let found = statement.query_row([consumer.as_str()], |row| Ok(read(row))).optional()?;
    Ok(found.transpose().map_err(|_| damaged())?.map(|(_, position)| position))
}

fn read(row: &Row<'_>) -> Result<(Name, Position), Unreadable> {
    let mut columns = Columns::from(row, 0);
    let (name, position) = (columns.text()?.ok_or(Unreadable)?, columns.int()?);
    if consumer_sum(name, position, &mut Checksum::default()) != columns.int()? {
        return Err(Unreadable);
    }
    Ok((Name::new(name).map_err(|_| Unreadable)?, Position(position.cast_unsigned())))
}

fn damaged() -> Fault {
    Fault::Damaged("the positions of the feed's consumers".to_owned())
}

/// Writes how far the consumer has come.
pub(crate) fn write(connection: &Connection, consumer: &Name, position: Position) -> Result<(), Fault> {
    let (name, position) = (consumer.as_str(), position.0.cast_signed());
    let sum = consumer_sum(name, position, &mut Checksum::default());
    connection
        .prepare_cached("INSERT OR REPLACE INTO consumer (name, position, crc) VALUES (?1, ?2, ?3)")?
        .execute((name, position, sum))?;
    Ok(())
}
