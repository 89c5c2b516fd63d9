//! How a job goes, with everything of it but what the feed still needs.

use std::sync::atomic::Ordering;

use ackd_domain::{Job, Timestamp};
use rusqlite::{Connection, OptionalExtension};

use super::places::Places;
use super::touched::TouchedJob;
use crate::block::Block;
use crate::checksum::Checksum;
use crate::fault::Fault;
use crate::integer::saturated;
use crate::lane::LaneNames;
use crate::meta;
use crate::rows::{ERASED_COLUMNS, bind_erased};
use crate::shared::Shared;

/// The most changes of one job that are looked at for texts which it had before. What is older goes with its changes.
const LOOKED_AT: usize = 1000;

/// A life without a former text has no more versions: accepted, leased, done.
const PLAIN_LIFE: u64 = 3;

/// The statements that write many rows at once.
#[derive(Debug)]
pub(super) struct Statements {
    submissions: Block,
    erased: Block,
}

impl Statements {
    pub(super) fn new() -> Statements {
        Statements {
            submissions: Block::update("submission", ERASED_COLUMNS),
            erased: Block::new("erased", "changed, job"),
        }
    }
}

/// Erases those of `jobs` that are to be, which are in the order of their numbers. They were written before, whatever the
/// batch made of them.
pub(super) fn erase(
    connection: &Connection,
    jobs: &[TouchedJob],
    statements: &Statements,
    leavings: &Places,
    lanes: &mut LaneNames,
    shared: &Shared,
    checksum: &mut Checksum,
) -> Result<(), Fault> {
    let purged = meta::purged(connection)?;
    let gone: Vec<&TouchedJob> = jobs.iter().filter(|job| job.erased).collect();
    let highest = gone.last().map_or(0, |job| job.number);
    for run in gone.chunk_by(|job, next| next.number == job.number + 1) {
        erase_run(connection, run)?;
    }
    // Should they be among those that go at a time of their own.
    let leaves = |job: &TouchedJob| (job.job.kept_until().map(Timestamp::millis), None);
    leavings.write(connection, gone.iter().map(|job| (job.number.cast_signed(), leaves(job))))?;
    // Of the others the feed tells no more.
    let (told, untold): (Vec<&TouchedJob>, Vec<&TouchedJob>) = gone.iter().partition(|job| job.job.changed.0 > purged);
    statements.submissions.write(connection, &told, |statement, first, job| {
        bind_erased(statement, first, &job.job, job.lane_id(), checksum)
    })?;
    statements.erased.write(connection, &told, |statement, first, job| {
        statement.raw_bind_parameter(first, saturated(job.job.changed.0))?;
        statement.raw_bind_parameter(first + 1, job.number.cast_signed())
    })?;
    for job in &untold {
        delete(connection, "DELETE FROM submission WHERE id = ?1", job.number.cast_signed())?;
    }
    const NO_MORE: &str = "DELETE FROM count WHERE init = 0 AND processing = 0 AND done = 0 AND failed = 0 \
                           AND cancelled = 0 AND expired = 0 AND queue = ?1";
    let mut queues: Vec<i64> = gone.iter().filter_map(|job| Some(job.lane?.queue)).collect();
    queues.sort_unstable();
    queues.dedup();
    for queue in queues {
        delete(connection, NO_MORE, queue)?;
    }
    lanes.leave(connection, untold.iter().map(|job| job.lane_id()))?;
    meta::set_erased(connection, highest)?;
    meta::set_ends_seen(connection, shared.ends_seen.load(Ordering::Relaxed).cast_unsigned())?;
    Ok(())
}

/// Erases the rows of jobs whose numbers follow one another, so that those of a table are one range of it.
fn erase_run(connection: &Connection, run: &[&TouchedJob]) -> rusqlite::Result<()> {
    let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(()) };
    let delete_range = |sql: &str| -> rusqlite::Result<()> {
        connection.prepare_cached(sql)?.execute([first.number.cast_signed(), last.number.cast_signed()])?;
        Ok(())
    };
    let any = |has: fn(&Job) -> bool| run.iter().any(|job| has(&job.job));
    delete_range("DELETE FROM job WHERE id BETWEEN ?1 AND ?2")?;
    if any(|job| job.result.is_some()) {
        delete_range("DELETE FROM result WHERE id BETWEEN ?1 AND ?2")?;
    }
    if any(|job| job.spec.key.is_some() || job.spec.unique.is_some()) {
        delete_range("DELETE FROM key WHERE id BETWEEN ?1 AND ?2")?;
    }
    delete_range("DELETE FROM unresolved WHERE job BETWEEN ?1 AND ?2")?;
    // Nobody waits for them any more, nor they for anybody; links of those that ended while they waited may be left.
    delete_range("DELETE FROM link WHERE job BETWEEN ?1 AND ?2")?;
    run.iter().try_for_each(|job| erase_others(connection, job))
}

/// Erases the rows of a job that stand in no order of numbers.
fn erase_others(connection: &Connection, job: &TouchedJob) -> rusqlite::Result<()> {
    let number = job.number.cast_signed();
    if let Some(delivery) = &job.job.spec.delivery {
        connection
            .prepare_cached("DELETE FROM delivery WHERE source = ?1 AND job = ?2")?
            .execute([delivery.source.number().cast_signed(), number])?;
    }
    // One that came to run in its first run waits for nobody any more.
    if job.job.held.after || job.job.run > 1 {
        for predecessor in &job.job.spec.after {
            connection
                .prepare_cached("DELETE FROM link WHERE job = ?1 AND follower = ?2")?
                .execute([predecessor.id.number().cast_signed(), number])?;
        }
    }
    delete_texts(connection, job.refs.error, job.refs.checkpoint)?;
    if job.job.version > PLAIN_LIFE {
        delete_former_texts(connection, saturated(job.job.changed.0))?;
    }
    Ok(())
}

/// Follows the chain of a job's changes from the latest, at `seq`, and deletes the texts that it had until each.
fn delete_former_texts(connection: &Connection, mut seq: i64) -> rusqlite::Result<()> {
    const CHANGE: &str = "SELECT previous, old_error, old_checkpoint FROM change WHERE seq = ?1";
    for _ in 0..LOOKED_AT {
        let change: Option<(i64, Option<i64>, Option<i64>)> = connection
            .prepare_cached(CHANGE)?
            .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((previous, error, checkpoint)) = change else { break };
        delete_texts(connection, error, checkpoint)?;
        seq = previous;
    }
    Ok(())
}

fn delete_texts(connection: &Connection, error: Option<i64>, checkpoint: Option<i64>) -> rusqlite::Result<()> {
    if let Some(seq) = error {
        delete(connection, "DELETE FROM failure WHERE seq = ?1", seq)?;
    }
    if let Some(seq) = checkpoint {
        delete(connection, "DELETE FROM checkpoint WHERE seq = ?1", seq)?;
    }
    Ok(())
}

fn delete(connection: &Connection, sql: &str, key: i64) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([key])?;
    Ok(())
}
