//! Which unfinished job of an ordering key stands behind which.

use std::collections::BTreeSet;

use ackd_domain::{Job, Name};
use rusqlite::Connection;
use rustc_hash::FxHashMap;
use xxhash_rust::xxh3::xxh3_64;

/// The line in which a job stands, if it does: that of its queue and ordering key, as long as it is unfinished.
pub(crate) fn line(job: &Job) -> Option<i64> {
    let key = job.spec.ordering_key.as_deref().filter(|_| !job.status.is_terminal())?;
    Some(line_of(&job.spec.queue, key))
}

/// The line of a queue and ordering key. Two keys of one hash would share a line and wait for each other, no more; part
/// of the stored format.
pub(crate) fn line_of(queue: &Name, key: &str) -> i64 {
    let parts = [queue.as_str().as_bytes(), b"\0", key.as_bytes()];
    // It is asked for several times a job, and both are short.
    let mut room = [0; 512];
    let mut end = 0;
    for part in parts {
        let Some(place) = room.get_mut(end..end + part.len()) else {
            return xxh3_64(&parts.concat()).cast_signed();
        };
        place.copy_from_slice(part);
        end += part.len();
    }
    xxh3_64(&room[..end]).cast_signed()
}

/// The most jobs of a line that are looked at for the one that holds it.
const LOOKED_AT: i64 = 10_000;

/// The job that holds the line, if it is one of the first [`LOOKED_AT`]: all others stand behind.
pub(crate) fn holder(connection: &Connection, line: i64) -> rusqlite::Result<Option<u64>> {
    const FIRST: &str = "SELECT line.job, coalesce(job.held, 0) & 1 FROM line JOIN job ON job.id = line.job \
                         WHERE line.key = ?1 ORDER BY line.job LIMIT ?2";
    let mut statement = connection.prepare_cached(FIRST)?;
    let mut rows = statement.query([line, LOOKED_AT])?;
    // Row by row: it is the first of them, most often, and there may be thousands behind it.
    while let Some(row) = rows.next()? {
        if !row.get::<_, bool>(1)? {
            return Ok(Some(row.get::<_, i64>(0)?.cast_unsigned()));
        }
    }
    Ok(None)
}

/// What a batch has changed of the lines that are committed.
#[derive(Debug, Default)]
pub(crate) struct Lines(FxHashMap<i64, Moved>);

/// The jobs that have come into a line, and those that have left it.
#[derive(Debug, Default)]
struct Moved {
    come: BTreeSet<u64>,
    left: BTreeSet<u64>,
}

impl Lines {
    /// Notes where `job` stands as it is now.
    pub(crate) fn stand(&mut self, job: &Job) {
        let Some(key) = &job.spec.ordering_key else { return };
        let moved = self.0.entry(line_of(&job.spec.queue, key)).or_default();
        let number = job.id.number();
        let (to, from) = if job.status.is_terminal() {
            (&mut moved.left, &mut moved.come)
        } else {
            (&mut moved.come, &mut moved.left)
        };
        from.remove(&number);
        to.insert(number);
    }

    /// The first job of the line but for those of `but`.
    pub(crate) fn first(&self, connection: &Connection, line: i64, but: &[u64]) -> rusqlite::Result<Option<u64>> {
        let moved = self.0.get(&line);
        let come = moved.and_then(|moved| moved.come.iter().find(|number| !but.contains(number))).copied();
        let gone = |number: u64| but.contains(&number) || moved.is_some_and(|moved| moved.left.contains(&number));
        let mut statement = connection.prepare_cached("SELECT job FROM line WHERE key = ?1 ORDER BY job")?;
        let mut rows = statement.query([line])?;
        while let Some(row) = rows.next()? {
            let number = row.get::<_, i64>(0)?.cast_unsigned();
            if !gone(number) {
                return Ok(Some(come.map_or(number, |come| come.min(number))));
            }
        }
        Ok(come)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_the_hash_of_queue_and_key_however_long() {
        let queue = Name::new("orders").unwrap();
        for bytes in [0, 1, 100, 504, 505, 506, 5000] {
            let key = "k".repeat(bytes);
            let whole = format!("orders\0{key}");
            assert_eq!(line_of(&queue, &key), xxh3_64(whole.as_bytes()).cast_signed(), "{bytes}");
        }
    }
}
