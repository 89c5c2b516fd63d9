use std::sync::Arc;

use ackd_domain::{File, FileId, Name, Timestamp};
use rusqlite::{Connection, Params};

use crate::checksum::Checksum;
use crate::fault::Fault;
use crate::rows::{FILE_COLUMNS, file_sum, read_file};
use crate::trouble::Trouble;

/// The file of this id.
pub(crate) fn by_id(connection: &Connection, id: FileId) -> Result<Option<Arc<File>>, Fault> {
    select_one(connection, "WHERE id = ?1", [id.to_string()])
}

/// The file of this name.
pub(crate) fn by_name(connection: &Connection, name: &Name) -> Result<Option<Arc<File>>, Fault> {
    select_one(connection, "WHERE name = ?1", [name.as_str()])
}

/// The files behind `after` that nobody needs at `now`, those first that are due longest.
pub(crate) fn unused(
    connection: &Connection,
    trouble: &Trouble,
    now: Timestamp,
    after: Option<(Timestamp, FileId)>,
    limit: usize,
) -> Result<Vec<Arc<File>>, Fault> {
    // The index has both.
    const UNUSED: &str = "WHERE refs = 0 AND expires_at <= ?1 AND (expires_at, id) > (?2, ?3) ORDER BY expires_at, id";
    // No id is as short as none.
    let (at, id) = after.map_or((i64::MIN, String::new()), |(at, id)| (at.millis(), id.to_string()));
    let mut files = Vec::new();
    select(connection, UNUSED, (now.millis(), at, id), |file| {
        if files.len() == limit {
            return Ok(false);
        }
        match file {
            Ok(file) => files.push(file),
            // It stays until somebody looks after it; those behind it go all the same.
            Err(what) => trouble.damaged(&what),
        }
        Ok(true)
    })?;
    Ok(files)
}

fn select_one(connection: &Connection, condition: &str, params: impl Params) -> Result<Option<Arc<File>>, Fault> {
    let mut found = None;
    select(connection, condition, params, |file| {
        found = Some(file.map_err(Fault::Damaged)?);
        Ok(true)
    })?;
    Ok(found)
}

/// Hands the files of this condition to `each`, or what of them is damaged, for as long as it wants more.
fn select(
    connection: &Connection,
    condition: &str,
    params: impl Params,
    mut each: impl FnMut(Result<Arc<File>, String>) -> Result<bool, Fault>,
) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(&format!("SELECT {FILE_COLUMNS}, crc FROM file {condition}"))?;
    let mut rows = statement.query(params)?;
    while let Some(row) = rows.next()? {
        let file = read_file(row, &mut Checksum::default()).map(Arc::new).map_err(|_| {
            let id: String = row.get(0).unwrap_or_default();
            format!("file {id}")
        });
        if !each(file)? {
            break;
        }
    }
    Ok(())
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
