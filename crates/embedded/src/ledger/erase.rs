//! How a job goes, with everything of it but what the feed still needs.

use std::sync::atomic::Ordering;

use ackd_domain::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::persist::leave;
use super::touched::TouchedJob;
use crate::checksum::Checksum;
use crate::fault::Fault;
use crate::integer::saturated;
use crate::lane::LaneNames;
use crate::meta;
use crate::rows::erase_submission;
use crate::shared::Shared;

/// The most changes of one job that are looked at for texts which it had before. What is older goes with its changes.
const LOOKED_AT: usize = 1000;

/// A life without a former text has no more versions: accepted, leased, done.
const PLAIN_LIFE: u64 = 3;

/// Erases those of `jobs` that are to be. They were written before, whatever the batch made of them.
pub(super) fn erase(
    connection: &Connection,
    jobs: &[TouchedJob],
    lanes: &mut LaneNames,
    shared: &Shared,
    checksum: &mut Checksum,
) -> Result<(), Fault> {
    let purged = meta::purged(connection)?;
    let mut highest = 0;
    let mut left = Vec::new();
    for job in jobs.iter().filter(|job| job.erased) {
        highest = highest.max(job.number);
        erase_rows(connection, job)?;
        if job.job.changed.0 > purged {
            erase_submission(connection, &job.job, job.lane_id(), checksum)?;
            connection
                .prepare_cached("INSERT INTO erased (changed, job) VALUES (?1, ?2)")?
                .execute([saturated(job.job.changed.0), job.number.cast_signed()])?;
        } else {
            delete(connection, "DELETE FROM submission WHERE id = ?1", job.number.cast_signed())?;
            left.push(job.lane_id());
        }
    }
    const NO_MORE: &str = "DELETE FROM count WHERE init = 0 AND processing = 0 AND done = 0 AND failed = 0 \
                           AND cancelled = 0 AND expired = 0 AND queue = ?1";
    let mut queues: Vec<i64> =
        jobs.iter().filter(|job| job.erased).filter_map(|job| Some(job.lane.as_ref()?.queue)).collect();
    queues.sort_unstable();
    queues.dedup();
    for queue in queues {
        delete(connection, NO_MORE, queue)?;
    }
    lanes.leave(connection, left.into_iter())?;
    meta::set_erased(connection, highest)?;
    meta::set_ends_seen(connection, shared.ends_seen.load(Ordering::Relaxed).cast_unsigned())?;
    Ok(())
}

fn erase_rows(connection: &Connection, job: &TouchedJob) -> rusqlite::Result<()> {
    let number = job.number.cast_signed();
    delete(connection, "DELETE FROM job WHERE id = ?1", number)?;
    if job.job.result.is_some() {
        delete(connection, "DELETE FROM result WHERE id = ?1", number)?;
    }
    if job.job.spec.key.is_some() || job.job.spec.unique.is_some() {
        delete(connection, "DELETE FROM key WHERE id = ?1", number)?;
    }
    if let Some(delivery) = &job.job.spec.delivery {
        connection
            .prepare_cached("DELETE FROM delivery WHERE source = ?1 AND job = ?2")?
            .execute([delivery.source.number().cast_signed(), number])?;
    }
    if let Some(until) = job.job.kept_until().map(Timestamp::millis) {
        leave(connection, until, number)?;
    }
    delete(connection, "DELETE FROM unresolved WHERE job = ?1", number)?;
    // Nobody waits for it any more, nor it for anybody; links of those that ended while they waited may be left.
    delete(connection, "DELETE FROM link WHERE job = ?1", number)?;
    if !job.job.spec.after.is_empty() {
        delete(connection, "DELETE FROM link WHERE follower = ?1", number)?;
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
