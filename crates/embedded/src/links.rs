//! Which unfinished job stands behind which, and which comes after which.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use ackd_domain::{Job, Name};
use rusqlite::{Connection, OptionalExtension};
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

/// What a batch has changed of the lines and links that are committed.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// The jobs that have come into each line, and those that have left it.
    lines: FxHashMap<i64, Moved>,
    /// The links that were made (true) and undone.
    links: BTreeMap<(u64, u64), bool>,
    /// The same by follower: those that were made and not undone.
    back: BTreeSet<(u64, u64)>,
    /// The jobs whose followers remain to be told (true) and those that have none to tell any more.
    unresolved: BTreeMap<u64, bool>,
}

#[derive(Debug, Default)]
struct Moved {
    come: BTreeSet<u64>,
    left: BTreeSet<u64>,
}

impl Links {
    pub(crate) fn is_empty(&self) -> bool {
        self.links.is_empty() && self.unresolved.is_empty()
    }

    /// Notes where `job` stands as it is now.
    pub(crate) fn stand(&mut self, job: &Job) {
        let Some(key) = &job.spec.ordering_key else { return };
        let moved = self.lines.entry(line_of(&job.spec.queue, key)).or_default();
        let number = job.id.number();
        let (to, from) = if job.status.is_terminal() {
            (&mut moved.left, &mut moved.come)
        } else {
            (&mut moved.come, &mut moved.left)
        };
        from.remove(&number);
        to.insert(number);
    }

    pub(crate) fn link(&mut self, job: u64, follower: u64, made: bool) {
        self.links.insert((job, follower), made);
        if made {
            self.back.insert((follower, job));
        } else {
            self.back.remove(&(follower, job));
        }
    }

    pub(crate) fn resolve(&mut self, job: u64, open: bool) {
        self.unresolved.insert(job, open);
    }

    /// Whether a link was made.
    pub(crate) fn has_made(&self) -> bool {
        self.links.values().any(|made| *made)
    }

    /// The first job of the line but for `but`.
    pub(crate) fn first(&self, connection: &Connection, line: i64, but: u64) -> rusqlite::Result<Option<u64>> {
        let moved = self.lines.get(&line);
        let come = moved.and_then(|moved| moved.come.iter().find(|number| **number != but)).copied();
        let gone = |number: u64| number == but || moved.is_some_and(|moved| moved.left.contains(&number));
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

    /// The followers of `job` with numbers above `told`, at most `limit`. Where no link is stored (`stored`), none is
    /// looked for.
    pub(crate) fn followers(
        &self,
        connection: &Connection,
        stored: bool,
        (job, told): (u64, u64),
        limit: usize,
    ) -> rusqlite::Result<Vec<u64>> {
        let range = (Bound::Excluded((job, told)), Bound::Included((job, u64::MAX)));
        let mut found: BTreeSet<u64> =
            self.links.range(range).filter(|(_, made)| **made).map(|((_, follower), _)| *follower).collect();
        if stored {
            let mut statement = connection
                .prepare_cached("SELECT follower FROM link WHERE job = ?1 AND follower > ?2 ORDER BY follower")?;
            let mut rows = statement.query([job.cast_signed(), told.cast_signed()])?;
            let mut read = 0;
            while let Some(row) = rows.next()?.filter(|_| read < limit) {
                let follower = row.get::<_, i64>(0)?.cast_unsigned();
                if self.links.get(&(job, follower)) != Some(&false) {
                    read += 1;
                    found.insert(follower);
                }
            }
        }
        Ok(found.into_iter().take(limit).collect())
    }

    /// The jobs that `follower` waits for, at most `limit`.
    pub(crate) fn predecessors(
        &self,
        connection: &Connection,
        follower: u64,
        limit: usize,
    ) -> rusqlite::Result<Vec<u64>> {
        let of_follower = self.back.range((follower, 0)..=(follower, u64::MAX));
        let mut found: BTreeSet<u64> = of_follower.map(|(_, job)| *job).take(limit).collect();
        if found.len() == limit {
            return Ok(found.into_iter().collect());
        }
        let mut statement = connection.prepare_cached("SELECT job FROM link WHERE follower = ?1 ORDER BY job")?;
        let mut rows = statement.query([follower.cast_signed()])?;
        let mut read = 0;
        while let Some(row) = rows.next()?.filter(|_| read < limit) {
            let job = row.get::<_, i64>(0)?.cast_unsigned();
            if self.links.get(&(job, follower)) != Some(&false) {
                read += 1;
                found.insert(job);
            }
        }
        Ok(found.into_iter().take(limit).collect())
    }

    /// Writes links, and which jobs have followers to tell. The lines are written by the jobs that stand in them.
    pub(crate) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        for ((job, follower), made) in &self.links {
            let statement = if *made {
                "INSERT OR IGNORE INTO link (job, follower) VALUES (?1, ?2)"
            } else {
                "DELETE FROM link WHERE job = ?1 AND follower = ?2"
            };
            connection.prepare_cached(statement)?.execute([job.cast_signed(), follower.cast_signed()])?;
        }
        for (job, open) in &self.unresolved {
            let statement = if *open {
                "INSERT OR IGNORE INTO unresolved (job) VALUES (?1)"
            } else {
                "DELETE FROM unresolved WHERE job = ?1"
            };
            connection.prepare_cached(statement)?.execute([job.cast_signed()])?;
        }
        Ok(())
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

/// Whether any job comes after another.
pub(crate) fn any(connection: &Connection) -> rusqlite::Result<bool> {
    let found: Option<i64> = connection.query_row("SELECT 1 FROM link LIMIT 1", [], |row| row.get(0)).optional()?;
    Ok(found.is_some())
}

/// The jobs whose followers have not all been told.
pub(crate) fn unresolved(connection: &Connection) -> rusqlite::Result<Vec<u64>> {
    let mut statement = connection.prepare_cached("SELECT job FROM unresolved ORDER BY job")?;
    let rows = statement.query_map([], |row| row.get::<_, i64>(0))?;
    rows.map(|number| number.map(i64::cast_unsigned)).collect()
}
