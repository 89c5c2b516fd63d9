//! The few values that stand alone, and where the counters stand.

use ackd_ports::Entropy;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, ffi};

use crate::checksum::Checksum;
use crate::rows::meta_sum;

/// The position of the last change that is no longer kept.
const PURGED: &str = "feed_purged";

/// The number of the last job that was erased, of which there is no row to tell it.
const ERASED: &str = "erased_number";

/// Up to which position no job is to be found any more by its end.
const ENDS_SEEN: &str = "ends_seen";

/// The number of the last lane that was deleted, of which there is no row to tell it.
const LANE: &str = "deleted_lane";

/// The number of the last job whose submission is counted in the row of its lane.
const LANES_COUNTED: &str = "lanes_counted";

/// The secret of the hashes of idempotency keys.
const KEY_SECRET: &str = "key_secret";

/// Looks whether all of them are what was written: where one is not found by its name it is taken for never written.
pub(crate) fn check(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT name, value, crc FROM meta")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        verified(&row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)?;
    }
    Ok(())
}

/// The position of the last change, also where no change is kept.
pub(crate) fn head(connection: &Connection) -> rusqlite::Result<u64> {
    let last: Option<i64> =
        connection.prepare_cached("SELECT max(seq) FROM change")?.query_row([], |row| row.get(0))?;
    match last {
        Some(last) => Ok(last.cast_unsigned()),
        None => purged(connection),
    }
}

/// The position of the last change that is no longer kept; 0 while all are.
pub(crate) fn purged(connection: &Connection) -> rusqlite::Result<u64> {
    number(connection, PURGED)
}

/// Remembers the position of the last change that is no longer kept.
pub(crate) fn set_purged(connection: &Connection, position: u64) -> rusqlite::Result<()> {
    set_number(connection, PURGED, position)
}

/// Up to which position no job is to be found any more by its end, as far as was written down.
pub(crate) fn ends_seen(connection: &Connection) -> rusqlite::Result<u64> {
    number(connection, ENDS_SEEN)
}

/// Writes down up to which position no job is to be found any more by its end.
pub(crate) fn set_ends_seen(connection: &Connection, position: u64) -> rusqlite::Result<()> {
    set_number(connection, ENDS_SEEN, position)
}

/// The number of the job that was accepted last.
pub(crate) fn last_number(connection: &Connection) -> rusqlite::Result<u64> {
    let last: Option<i64> = connection.query_row("SELECT max(id) FROM job", [], |row| row.get(0))?;
    Ok(last.unwrap_or(0).cast_unsigned().max(number(connection, ERASED)?))
}

/// Remembers the number of a job that is erased, if it is the highest of all that were.
pub(crate) fn set_erased(connection: &Connection, highest: u64) -> rusqlite::Result<()> {
    if highest > number(connection, ERASED)? { set_number(connection, ERASED, highest) } else { Ok(()) }
}

/// The highest number that a lane ever had: readers remember lanes by their numbers, so none is given out again.
pub(crate) fn last_lane(connection: &Connection) -> rusqlite::Result<i64> {
    let last: Option<i64> = connection.prepare_cached("SELECT max(id) FROM lane")?.query_row([], |row| row.get(0))?;
    Ok(last.unwrap_or(0).max(number(connection, LANE)?.cast_signed()))
}

/// Remembers the number of a lane that is deleted, if it is the highest of all that were.
pub(crate) fn set_deleted_lane(connection: &Connection, lane: i64) -> rusqlite::Result<()> {
    let lane = lane.cast_unsigned();
    if lane > number(connection, LANE)? { set_number(connection, LANE, lane) } else { Ok(()) }
}

/// The number of the last job whose submission is counted in the row of its lane.
pub(crate) fn lanes_counted(connection: &Connection) -> rusqlite::Result<u64> {
    number(connection, LANES_COUNTED)
}

/// Writes down that the submissions up to this job's are counted in the rows of their lanes.
pub(crate) fn set_lanes_counted(connection: &Connection, last: u64) -> rusqlite::Result<()> {
    set_number(connection, LANES_COUNTED, last)
}

/// The number of the first job that there is.
pub(crate) fn first_number(connection: &Connection) -> rusqlite::Result<Option<u64>> {
    let first: Option<i64> = connection.prepare_cached("SELECT min(id) FROM job")?.query_row([], |row| row.get(0))?;
    Ok(first.map(i64::cast_unsigned))
}

/// The secret of this store's hashes of idempotency keys, which is made at the first start.
pub(crate) fn key_secret(connection: &Connection, entropy: &mut dyn Entropy) -> rusqlite::Result<[u8; 16]> {
    match value(connection, KEY_SECRET)? {
        Some(Value::Blob(secret)) => secret.try_into().map_err(|_| damaged(KEY_SECRET)),
        Some(_) => Err(damaged(KEY_SECRET)),
        None => {
            let secret = (u128::from(entropy.random()) << 64 | u128::from(entropy.random())).to_le_bytes();
            set(connection, KEY_SECRET, Value::Blob(secret.to_vec()))?;
            Ok(secret)
        }
    }
}

fn number(connection: &Connection, name: &str) -> rusqlite::Result<u64> {
    match value(connection, name)? {
        None => Ok(0),
        Some(Value::Integer(number)) => Ok(number.cast_unsigned()),
        Some(_) => Err(damaged(name)),
    }
}

fn set_number(connection: &Connection, name: &str, number: u64) -> rusqlite::Result<()> {
    set(connection, name, Value::Integer(number.cast_signed()))
}

fn value(connection: &Connection, name: &str) -> rusqlite::Result<Option<Value>> {
    let mut statement = connection.prepare_cached("SELECT value, crc FROM meta WHERE name = ?1")?;
    let found = statement.query_row([name], |row| verified(name, row.get(0)?, row.get(1)?));
    found.optional()
}

fn set(connection: &Connection, name: &str, value: Value) -> rusqlite::Result<()> {
    let sum = meta_sum(name, &value, &mut Checksum::default());
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta (name, value, crc) VALUES (?1, ?2, ?3)")?
        .execute((name, value, sum))?;
    Ok(())
}

fn verified(name: &str, value: Value, sum: Value) -> rusqlite::Result<Value> {
    let is_whole = sum == Value::Integer(meta_sum(name, &value, &mut Checksum::default()));
    if is_whole { Ok(value) } else { Err(damaged(name)) }
}

/// As SQLite says it of what it finds damaged by itself.
fn damaged(name: &str) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(
        ffi::Error::new(ffi::SQLITE_CORRUPT),
        Some(format!("the value of {name:?} is damaged")),
    )
}
