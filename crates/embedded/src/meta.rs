//! The few values that stand alone, and where the counters stand.

use ackd_ports::Entropy;
use rusqlite::{Connection, OptionalExtension};

/// The position of the last change that is no longer kept.
const PURGED: &str = "feed_purged";

/// The secret of the hashes of idempotency keys.
const KEY_SECRET: &str = "key_secret";

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
    let position: Option<i64> = value(connection, PURGED)?;
    Ok(position.unwrap_or(0).cast_unsigned())
}

/// Remembers the position of the last change that is no longer kept.
pub(crate) fn set_purged(connection: &Connection, position: u64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
        .execute((PURGED, position.cast_signed()))?;
    Ok(())
}

/// The number of the job that was accepted last.
pub(crate) fn last_number(connection: &Connection) -> rusqlite::Result<u64> {
    let last: Option<i64> = connection.query_row("SELECT max(id) FROM job", [], |row| row.get(0))?;
    Ok(last.unwrap_or(0).cast_unsigned())
}

/// The secret of this store's hashes of idempotency keys, which is made at the first start.
pub(crate) fn key_secret(connection: &Connection, entropy: &mut dyn Entropy) -> rusqlite::Result<[u8; 16]> {
    if let Some(secret) = value(connection, KEY_SECRET)? {
        return Ok(secret);
    }
    let secret = (u128::from(entropy.random()) << 64 | u128::from(entropy.random())).to_le_bytes();
    connection.execute("INSERT INTO meta (name, value) VALUES (?1, ?2)", (KEY_SECRET, secret))?;
    Ok(secret)
}

fn value<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> rusqlite::Result<Option<T>> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    statement.query_row([name], |row| row.get(0)).optional()
}
