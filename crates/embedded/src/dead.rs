//! The jobs that failed or expired, by queue and cause, with a count of each kept in the commit.

use std::sync::Arc;

use ackd_domain::{JobId, Name};
use ackd_ports::DeadCause;
use rusqlite::{Connection, OptionalExtension};
use rustc_hash::FxHashMap;

use crate::fault::Fault;
use crate::integer::{limited, saturated};

/// How a job moved among the dead: the number of its queue, its own, and its cause before and now.
pub(crate) struct Move {
    pub(crate) queue: i64,
    pub(crate) job: i64,
    pub(crate) before: Option<Arc<str>>,
    pub(crate) now: Option<Arc<str>>,
}

/// Writes what has moved. What lives or died as before costs nothing here.
pub(crate) fn write(connection: &Connection, moves: impl Iterator<Item = Move>) -> rusqlite::Result<()> {
    const OUT: &str = "DELETE FROM dead WHERE queue = ?1 AND job = ?2";
    const IN: &str = "INSERT INTO dead (queue, job, cause) VALUES (?1, ?2, ?3)";
    // By queue and cause, so that a thousand that die of the same count once.
    let mut causes: FxHashMap<(i64, Arc<str>), (i64, i64)> = FxHashMap::default();
    for Move { queue, job, before, now } in moves {
        if before == now {
            continue;
        }
        if let Some(cause) = before {
            connection.prepare_cached(OUT)?.execute([queue, job])?;
            if let Some(known) = causes.get_mut(&(queue, Arc::clone(&cause))) {
                known.1 -= 1;
            } else {
                let id = id_of(connection, queue, &cause)?;
                causes.insert((queue, cause), (id, -1));
            }
        }
        if let Some(cause) = now {
            let known = match causes.get_mut(&(queue, Arc::clone(&cause))) {
                Some(known) => known,
                None => {
                    let id = id_of(connection, queue, &cause)?;
                    causes.entry((queue, cause)).or_insert((id, 0))
                }
            };
            known.1 += 1;
            connection.prepare_cached(IN)?.execute([queue, job, known.0])?;
        }
    }
    for (id, by) in causes.into_values() {
        count(connection, id, by)?;
    }
    Ok(())
}

/// The number of a cause, which it gets now if it has none.
fn id_of(connection: &Connection, queue: i64, cause: &str) -> rusqlite::Result<i64> {
    const KNOWN: &str = "SELECT id FROM cause WHERE queue = ?1 AND text = ?2";
    const NEW: &str = "INSERT INTO cause (queue, text, jobs) VALUES (?1, ?2, 0)";
    let known = connection.prepare_cached(KNOWN)?.query_row((queue, cause), |row| row.get(0)).optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    connection.prepare_cached(NEW)?.execute((queue, cause))?;
    Ok(connection.last_insert_rowid())
}

/// Counts jobs of a cause, which goes with the last of them.
fn count(connection: &Connection, id: i64, by: i64) -> rusqlite::Result<()> {
    const ADD: &str = "UPDATE cause SET jobs = jobs + ?2 WHERE id = ?1";
    const NO_MORE: &str = "DELETE FROM cause WHERE id = ?1 AND jobs <= 0";
    if by != 0 {
        connection.prepare_cached(ADD)?.execute([id, by])?;
    }
    if by <= 0 {
        connection.prepare_cached(NO_MORE)?.execute([id])?;
    }
    Ok(())
}

/// The causes of the queue that most jobs have, with examples of each: so many seeks, however many are dead.
pub(crate) fn causes(
    connection: &Connection,
    queue: &Name,
    limit: usize,
    examples: usize,
) -> Result<Vec<DeadCause>, Fault> {
    const MOST: &str = "SELECT id, text, jobs FROM cause WHERE queue = (SELECT id FROM queue WHERE name = ?1) \
                        ORDER BY jobs DESC LIMIT ?2";
    let mut statement = connection.prepare_cached(MOST)?;
    let mut rows = statement.query((queue.as_str(), limited(limit)))?;
    let mut causes = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, text, jobs): (i64, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let examples = examples_of(connection, id, examples)?;
        causes.push(DeadCause { cause: Arc::from(text), count: jobs.cast_unsigned(), examples });
    }
    Ok(causes)
}

fn examples_of(connection: &Connection, cause: i64, limit: usize) -> Result<Vec<JobId>, Fault> {
    const LATEST: &str = "SELECT submission.id, created_at, salt FROM dead JOIN submission ON submission.id = dead.job \
                          WHERE dead.cause = ?1 ORDER BY dead.job DESC LIMIT ?2";
    let mut statement = connection.prepare_cached(LATEST)?;
    let rows = statement.query_map([cause, limited(limit)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut found = Vec::new();
    for row in rows {
        let (number, created_at, salt): (i64, i64, u32) = row?;
        let accepted_at = ackd_domain::Timestamp::from_millis(created_at);
        found.push(JobId::new(accepted_at, number.cast_unsigned(), salt));
    }
    Ok(found)
}

/// How many jobs of the queue are dead of `cause`.
pub(crate) fn count_of(connection: &Connection, queue: &Name, cause: &str) -> Result<u64, Fault> {
    const OF: &str = "SELECT jobs FROM cause WHERE queue = (SELECT id FROM queue WHERE name = ?1) AND text = ?2";
    let jobs: Option<i64> =
        connection.prepare_cached(OF)?.query_row((queue.as_str(), cause), |row| row.get(0)).optional()?;
    Ok(jobs.unwrap_or_default().cast_unsigned())
}

/// The numbers of the dead jobs of the queue, of `cause` where it is named, above `after`.
pub(crate) fn numbers(
    connection: &Connection,
    queue: &Name,
    cause: Option<&str>,
    after: u64,
    limit: usize,
) -> Result<Vec<u64>, Fault> {
    const ALL: &str = "SELECT job FROM dead WHERE queue = (SELECT id FROM queue WHERE name = ?1) AND job > ?2 \
                       ORDER BY job LIMIT ?3";
    const OF: &str = "SELECT job FROM dead WHERE cause = (SELECT id FROM cause WHERE \
                      queue = (SELECT id FROM queue WHERE name = ?1) AND text = ?4) AND job > ?2 ORDER BY job LIMIT ?3";
    let (after, limit) = (saturated(after), limited(limit));
    let number = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0).map(i64::cast_unsigned);
    let mut statement = connection.prepare_cached(if cause.is_some() { OF } else { ALL })?;
    let numbers = match cause {
        Some(cause) => statement.query_map((queue.as_str(), after, limit, cause), number)?.collect(),
        None => statement.query_map((queue.as_str(), after, limit), number)?.collect::<rusqlite::Result<Vec<u64>>>(),
    };
    Ok(numbers?)
}
