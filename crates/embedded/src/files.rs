use std::sync::Arc;

use ackd_domain::{File, FileId, Name, Timestamp};
use rusqlite::{Connection, Params};

use crate::checksum::Checksum;
use crate::fault::Fault;
use crate::rows::{FILE_COLUMNS, file_sum, read_file};

/// The file of this id.
pub(crate) fn by_id(connection: &Connection, id: FileId) -> Result<Option<Arc<File>>, Fault> {
    Ok(select(connection, "WHERE id = ?1", [id.to_string()])?.pop())
}

/// The file of this name.
pub(crate) fn by_name(connection: &Connection, name: &Name) -> Result<Option<Arc<File>>, Fault> {
    Ok(select(connection, "WHERE name = ?1", [name.as_str()])?.pop())
}

/// The files that nobody needs at `now`, those first that are due longest.
pub(crate) fn unused(connection: &Connection, now: Timestamp, limit: usize) -> Result<Vec<Arc<File>>, Fault> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    select(connection, "WHERE refs = 0 AND expires_at <= ?1 ORDER BY expires_at LIMIT ?2", [now.millis(), limit])
}

fn select(connection: &Connection, condition: &str, params: impl Params) -> Result<Vec<Arc<File>>, Fault> {
    let mut statement = connection.prepare_cached(&format!("SELECT {FILE_COLUMNS}, crc FROM file {condition}"))?;
    let mut rows = statement.query(params)?;
    let mut files = Vec::new();
    while let Some(row) = rows.next()? {
        let file = read_file(row, &mut Checksum::default());
        files.push(Arc::new(file.map_err(|_| {
            let id: String = row.get(0).unwrap_or_default();
            Fault::Damaged(format!("file {id}"))
        })?));
    }
    Ok(files)
}

/// Writes what became of files; `None` where one is no longer.
pub(crate) fn write<'f>(
    connection: &Connection,
    files: impl Iterator<Item = (FileId, Option<&'f File>)> + Clone,
) -> Result<(), Fault> {
    // Before a name is given it is taken away.
    let is_named = |file: &Option<&File>| file.is_some_and(|file| file.name.is_some());
    let unnamed = files.clone().filter(|(_, file)| !is_named(file));
    for (id, file) in unnamed.chain(files.filter(|(_, file)| is_named(file))) {
        let id = id.to_string();
        let Some(file) = file else {
            connection.prepare_cached("DELETE FROM file WHERE id = ?1")?.execute([id])?;
            continue;
        };
        let sum = file_sum(file, &mut Checksum::default());
        let numbers = (
            file.size.cast_signed(),
            i64::from(file.sum),
            file.created_at.millis(),
            file.expires_at.millis(),
            file.references.cast_signed(),
            i64::from(file.condemned),
        );
        let (size, bytes_sum, created_at, expires_at, refs, condemned) = numbers;
        let name = file.name.as_ref().map(Name::as_str);
        connection
            .prepare_cached(&format!(
                "INSERT OR REPLACE INTO file ({FILE_COLUMNS}, crc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
            ))?
            .execute((id, name, &*file.content_type, size, bytes_sum, created_at, expires_at, refs, condemned, sum))?;
    }
    Ok(())
}
