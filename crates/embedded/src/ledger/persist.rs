//! How what a batch has decided becomes rows: table after table, so that each table's pages are visited
//! once. However often a batch wrote a job, it becomes one row; each of its changes keeps its own.

use std::sync::Arc;

use ackd_domain::{Change, Queue, Status};
use rusqlite::Connection;
use rustc_hash::FxHashMap;

use super::EmbeddedLedger;
use super::batch::Batch;
use super::touched::{Touched, TouchedJob};
use crate::checksum::Checksum;
use crate::fault::Fault;
use crate::lane::queue_id;
use crate::rows::{BodyRow, ChangeRow, JobRow, KeyRow, Refs, Settings, StateBinder, SubmissionRow, TextRow, queue_sum};

/// Writes everything that `batch` has decided. Where that is nothing, no transaction is begun.
pub(super) fn persist(batch: &mut Batch<'_>, changes: &[Change]) -> Result<(), Fault> {
    let Batch { ledger, touched, queues, .. } = batch;
    if changes.is_empty() && queues.is_empty() && touched.jobs.iter().all(|job| !job.written) {
        return Ok(());
    }
    ledger.begin()?;
    let EmbeddedLedger { connection, checksum, lanes, .. } = &mut **ledger;
    for queue in queues.iter() {
        write_queue(connection, queue)?;
    }
    write_changes(connection, touched, changes, checksum)?;
    for job in touched.jobs.iter_mut().filter(|job| job.lane.is_none()) {
        job.lane = Some(lanes.of(connection, &job.job.spec)?);
    }
    touched.sort();
    insert_jobs(connection, &touched.jobs, checksum)?;
    insert_submissions(connection, &touched.jobs, checksum)?;
    update_jobs(connection, &touched.jobs, checksum)?;
    insert_results(connection, &touched.jobs, checksum)?;
    count(connection, &touched.jobs)
}

fn write_queue(connection: &Connection, queue: &Queue) -> Result<(), Fault> {
    let id = queue_id(connection, &queue.name)?;
    let settings = Settings::to_json(&queue.settings);
    let paused = i64::from(queue.paused);
    let sum = queue_sum(id, queue.name.as_str(), settings.as_deref(), Some(paused), &mut Checksum::default());
    connection
        .prepare_cached("UPDATE queue SET settings = ?2, paused = ?3, crc = ?4 WHERE id = ?1")?
        .execute((id, settings, paused, sum))?;
    Ok(())
}

fn write_changes(
    connection: &Connection,
    touched: &mut Touched,
    changes: &[Change],
    checksum: &mut Checksum,
) -> Result<(), Fault> {
    const INSERT: &str = "INSERT INTO change (seq, job, previous, at, kind, crc, status, version, run, attempt, run_at, \
                          started_at, finished_at, worker, result_size, result_type, expires_at, cancel_requested_at, \
                          progress, error, checkpoint) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, \
                          ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)";
    let mut statement = connection.prepare_cached(INSERT)?;
    let mut binder = StateBinder::default();
    for change in changes {
        let refs = write_texts(connection, touched, change, checksum)?;
        ChangeRow::bind(&mut statement, &mut binder, change, refs, checksum)?;
        statement.raw_execute()?;
    }
    Ok(())
}

/// Writes the long texts that `change` brings, and says where those of its job stand.
fn write_texts(
    connection: &Connection,
    touched: &mut Touched,
    change: &Change,
    checksum: &mut Checksum,
) -> Result<Refs, Fault> {
    const FAILURE: &str = "INSERT INTO failure (seq, job, crc, problem) VALUES (?1, ?2, ?3, ?4)";
    const CHECKPOINT: &str = "INSERT INTO checkpoint (seq, job, crc, state) VALUES (?1, ?2, ?3, ?4)";
    let mut refs = Refs::default();
    let (error, checkpoint) = (&change.job.error, &change.job.checkpoint);
    if error.is_none() && checkpoint.is_none() {
        return Ok(refs);
    }
    let (number, seq) = (change.job.id.number(), change.position.0.cast_signed());
    let Some(job) = touched.get(number) else { return Ok(refs) };
    let mut insert = |sql: &str, row: TextRow<'_>| -> Result<(), Fault> {
        let sum = row.sum(checksum);
        connection.prepare_cached(sql)?.execute((row.seq, row.job, sum, row.text))?;
        Ok(())
    };
    if let Some(error) = error {
        if job.refs.error.is_none() || job.texts.error.as_ref() != Some(&error.problem) {
            insert(FAILURE, TextRow::failure(seq, number.cast_signed(), &error.problem))?;
            job.refs.error = Some(seq);
            job.texts.error = Some(Arc::clone(&error.problem));
        }
        refs.error = job.refs.error;
    }
    if let Some(checkpoint) = checkpoint {
        if job.refs.checkpoint.is_none() || job.texts.checkpoint.as_ref() != Some(checkpoint) {
            insert(CHECKPOINT, TextRow::checkpoint(seq, number.cast_signed(), checkpoint))?;
            job.refs.checkpoint = Some(seq);
            job.texts.checkpoint = Some(Arc::clone(checkpoint));
        }
        refs.checkpoint = job.refs.checkpoint;
    }
    Ok(refs)
}

fn insert_jobs(connection: &Connection, jobs: &[TouchedJob], checksum: &mut Checksum) -> Result<(), Fault> {
    const INSERT: &str = "INSERT INTO job (id, lane, changed, crc, lease, status, version, run, attempt, run_at, started_at, \
                          finished_at, worker, result_size, result_type, expires_at, cancel_requested_at, progress, \
                          error, checkpoint) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, \
                          ?15, ?16, ?17, ?18, ?19, ?20)";
    write_jobs(connection, INSERT, jobs.iter().filter(|job| job.before.is_none()), checksum)
}

fn update_jobs(connection: &Connection, jobs: &[TouchedJob], checksum: &mut Checksum) -> Result<(), Fault> {
    const UPDATE: &str = "UPDATE job SET changed = ?3, crc = ?4, lease = ?5, status = ?6, version = ?7, run = ?8, \
                          attempt = ?9, run_at = ?10, started_at = ?11, finished_at = ?12, worker = ?13, \
                          result_size = ?14, result_type = ?15, expires_at = ?16, cancel_requested_at = ?17, \
                          progress = ?18, error = ?19, checkpoint = ?20 WHERE id = ?1 AND lane = ?2";
    write_jobs(connection, UPDATE, jobs.iter().filter(|job| job.before.is_some() && job.written), checksum)
}

fn write_jobs<'a>(
    connection: &Connection,
    sql: &str,
    jobs: impl Iterator<Item = &'a TouchedJob>,
    checksum: &mut Checksum,
) -> Result<(), Fault> {
    let mut jobs = jobs.peekable();
    if jobs.peek().is_none() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(sql)?;
    let mut binder = StateBinder::default();
    for job in jobs {
        let lane = job.lane.as_ref().map_or(0, |lane| lane.id);
        JobRow::bind(&mut statement, &mut binder, &job.job, lane, job.refs(), checksum)?;
        if statement.raw_execute()? != 1 {
            return Err(Fault::Damaged(format!("job {}", job.number)));
        }
    }
    Ok(())
}

fn insert_submissions(connection: &Connection, jobs: &[TouchedJob], checksum: &mut Checksum) -> Result<(), Fault> {
    const INSERT: &str = "INSERT INTO submission (id, created_at, salt, lane, crc, keyed, content_type, more, body) \
                          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    const KEY: &str = "INSERT INTO key (id, text, fingerprint, crc) VALUES (?1, ?2, ?3, ?4)";
    let mut jobs = jobs.iter().filter_map(|job| job.payload.as_ref().map(|body| (job, body))).peekable();
    if jobs.peek().is_none() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(INSERT)?;
    let mut key_statement = connection.prepare_cached(KEY)?;
    for (job, body) in jobs {
        let row = SubmissionRow::of(&job.job, job.lane.as_ref().map_or(0, |lane| lane.id));
        let sum = row.sum(BodyRow::payload(row.number, body).sum(checksum), checksum);
        statement.raw_bind_parameter(1, row.number)?;
        statement.raw_bind_parameter(2, row.created_at)?;
        statement.raw_bind_parameter(3, row.salt)?;
        statement.raw_bind_parameter(4, row.lane)?;
        statement.raw_bind_parameter(5, sum)?;
        statement.raw_bind_parameter(6, row.keyed)?;
        statement.raw_bind_parameter(7, row.content_type)?;
        statement.raw_bind_parameter(8, row.more.as_deref())?;
        statement.raw_bind_parameter(9, &body.bytes[..])?;
        statement.raw_execute()?;
        if let Some(key) = &job.job.spec.key {
            let key = KeyRow::of(row.number, key);
            let sum = key.sum(checksum);
            key_statement.execute((key.number, key.text, key.fingerprint, sum))?;
        }
    }
    Ok(())
}

fn insert_results(connection: &Connection, jobs: &[TouchedJob], checksum: &mut Checksum) -> Result<(), Fault> {
    const INSERT: &str = "INSERT INTO result (id, crc, content_type, body) VALUES (?1, ?2, ?3, ?4)";
    let mut jobs = jobs.iter().filter_map(|job| job.result.as_ref().map(|body| (job, body))).peekable();
    if jobs.peek().is_none() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(INSERT)?;
    for (job, body) in jobs {
        let row = BodyRow::result(job.number.cast_signed(), body);
        statement.raw_bind_parameter(1, row.number)?;
        statement.raw_bind_parameter(2, row.sum(checksum))?;
        statement.raw_bind_parameter(3, row.content_type)?;
        statement.raw_bind_parameter(4, row.bytes)?;
        statement.raw_execute()?;
    }
    Ok(())
}

/// Keeps the counts of jobs per queue and status.
fn count(connection: &Connection, jobs: &[TouchedJob]) -> Result<(), Fault> {
    const ADD: &str = "INSERT INTO count (queue, init, processing, done, failed, cancelled, expired) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (queue) DO UPDATE SET \
                       init = init + excluded.init, processing = processing + excluded.processing, \
                       done = done + excluded.done, failed = failed + excluded.failed, \
                       cancelled = cancelled + excluded.cancelled, expired = expired + excluded.expired";
    let mut queues: FxHashMap<i64, [i64; Status::ALL.len()]> = FxHashMap::default();
    for job in jobs.iter().filter(|job| job.before != Some(job.job.status)) {
        let Some(lane) = &job.lane else { continue };
        let counts = queues.entry(lane.queue).or_default();
        counts[job.job.status as usize] += 1;
        if let Some(before) = job.before {
            counts[before as usize] -= 1;
        }
    }
    if queues.is_empty() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(ADD)?;
    for (queue, [init, processing, done, failed, cancelled, expired]) in queues {
        statement.execute((queue, init, processing, done, failed, cancelled, expired))?;
    }
    Ok(())
}
