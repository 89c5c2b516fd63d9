use ackd_domain::{Position, Timestamp};
use ackd_ports::OldChanges;
use rusqlite::{Connection, OptionalExtension};

use crate::fault::Fault;
use crate::integer::{limited, saturated};
use crate::meta;

/// The most changes that are looked at at once.
const LOOKED_AT: i64 = 10_000;

/// How far the kept changes were made before `old`, and before `ancient`.
pub(super) fn changes(
    connection: &Connection,
    old: Timestamp,
    ancient: Timestamp,
    limit: usize,
) -> Result<OldChanges, Fault> {
    const NEXT: &str = "SELECT seq, at FROM change WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    let purged = saturated(meta::purged(connection)?);
    let Some(surely_old) = one_before(connection, purged, old.millis())? else { return Ok(OldChanges::default()) };
    let surely_ancient = one_before(connection, purged, ancient.millis())?.unwrap_or(purged);
    let limit = limited(limit).min(LOOKED_AT);
    let mut statement = connection.prepare_cached(NEXT)?;
    let mut rows = statement.query([purged, limit])?;
    let (mut seen, mut last) = (0, purged);
    let (mut is_old, mut is_ancient) = (0, 0);
    while let Some(row) = rows.next()? {
        let at: i64 = row.get(1)?;
        (seen, last) = (seen + 1, row.get(0)?);
        if last <= surely_old || at < old.millis() {
            is_old = last;
        }
        if last <= surely_ancient || at < ancient.millis() {
            is_ancient = last;
        }
    }
    let position = |seq: i64| Position(seq.cast_unsigned());
    Ok(OldChanges { old: position(is_old), ancient: position(is_ancient), more: seen == limit && is_old == last })
}

/// A change after `start` that was made before `time`, if one is found, and one that is far ahead where there are many.
///
/// All before it are as old, whatever the clock said when they were made. Were each taken by its own time alone, a clock
/// that was a year ahead for an hour would have the feed wait for a year. Those at distances of powers of two are looked
/// at, from `start` and from the last: so the changes of that hour are passed once there are as many before or behind them.
pub(super) fn one_before(connection: &Connection, start: i64, time: i64) -> Result<Option<i64>, Fault> {
    const FROM: &str = "SELECT seq, at FROM change WHERE seq >= ?1 ORDER BY seq LIMIT 1";
    const LAST: &str = "SELECT coalesce(max(seq), 0) FROM change";
    let last: i64 = connection.prepare_cached(LAST)?.query_row([], |row| row.get(0))?;
    let mut statement = connection.prepare_cached(FROM)?;
    let mut found = None;
    let distances = (0..i64::BITS - 2).map(|power| 1i64 << power).take_while(|distance| *distance <= last - start);
    for distance in distances {
        for from in [start + distance, last - distance + 1] {
            let next: Option<(i64, i64)> =
                statement.query_row([from], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            found = found.max(next.filter(|(_, at)| *at < time).map(|(seq, _)| seq));
        }
    }
    Ok(found)
}
