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
    xxh3_64(&[queue.as_str().as_bytes(), b"\0", key.as_bytes()].concat()).cast_signed()
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

/// Moves `job` from one line to another.
pub(crate) fn move_in_line(
    connection: &Connection,
    job: i64,
    (before, now): (Option<i64>, Option<i64>),
) -> rusqlite::Result<()> {
    const MOVES: Moves = Moves {
        leave: "DELETE FROM line WHERE key = ?1 AND job = ?2",
        come: "INSERT INTO line (key, job) VALUES (?1, ?2)",
    };
    MOVES.carry_out(connection, job, before, now)
}

/// The statements that keep a table of jobs by key.
pub(crate) struct Moves {
    pub(crate) leave: &'static str,
    pub(crate) come: &'static str,
}

impl Moves {
    /// Moves `job` from one key to another.
    pub(crate) fn carry_out(
        &self,
        connection: &Connection,
        job: i64,
        before: Option<i64>,
        now: Option<i64>,
    ) -> rusqlite::Result<()> {
        if before == now {
            return Ok(());
        }
        if let Some(key) = before {
            connection.prepare_cached(self.leave)?.execute([key, job])?;
        }
        if let Some(key) = now {
            connection.prepare_cached(self.come)?.execute([key, job])?;
        }
        Ok(())
    }
}
