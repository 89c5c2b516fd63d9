//! How what a batch has decided becomes rows: table after table, so that each table's pages are visited
//! once. However often a batch wrote a job, it becomes one row; each of its changes keeps its own.

use std::iter;

use ackd_domain::{Body, Change, Position, Queue, Status};
use rusqlite::Connection;
use rustc_hash::FxHashMap;

use super::EmbeddedLedger;
use super::batch::Batch;
use super::places::{Moved, Places};
use super::texts;
use super::touched::TouchedJob;
use super::{erase, forget};
use crate::block::Block;
use crate::checksum::Checksum;
use crate::fault::Fault;
use crate::lane::queue_id;
use crate::rows::{
    BodyRow, ChangeRefs, ChangeRow, JobRow, KeyRow, Settings, Shape, SubmissionRow, change_columns, copy_submission,
    job_columns, queue_sum, replace_payload, submission_columns,
};
use crate::{consumers, dead, endpoints, files, leaving, schedules, started};

/// The statements that write, by table and shape.
#[derive(Debug)]
pub(super) struct Statements {
    changes: [(Shape, Block); 5],
    jobs: [(Shape, Block); 5],
    submissions: [(Shape, Block); 2],
    updates: [(Shape, Block); 3],
    expiries: Places,
    leavings: Places,
    lines: Places,
    again: Places,
    keys: Block,
    results: Block,
    links: Block,
    erase: erase::Statements,
}

impl Statements {
    pub(super) fn new() -> Statements {
        let change = |shape| (shape, Block::new("change", change_columns(shape)));
        let job = |shape| (shape, Block::new("job", job_columns(shape)));
        let update = |shape| (shape, Block::update("job", job_columns(shape)));
        let submission = |shape| (shape, Block::new("submission", submission_columns(shape)));
        Statements {
            changes: Shape::ALL.map(change),
            jobs: Shape::ALL.map(job),
            submissions: [Shape::First, Shape::Rare].map(submission),
            updates: [Shape::Plain, Shape::Expiring, Shape::Rare].map(update),
            expiries: Places::new("expiry", "at"),
            leavings: Places::new("leaving", "at"),
            lines: Places::new("line", "key"),
            again: Places::new("again", "key"),
            keys: Block::new("key", "id, text, fingerprint, once, crc"),
            results: Block::new("result", "id, crc, content_type, body"),
            links: Block::unless_there("link", "job, follower"),
            erase: erase::Statements::new(),
        }
    }
}

/// Writes everything that `batch` has decided. Where that is nothing, no transaction is begun.
pub(super) fn persist(batch: &mut Batch<'_>, changes: &[Change]) -> Result<(), Fault> {
    let Batch { ledger, touched, queues, started, endpoints, positions, schedules, files, links, forget, .. } = batch;
    let others = queues.len() + started.len() + endpoints.len() + positions.len() + schedules.len() + files.len();
    let forgets = *forget > Position::START;
    let touches = |job: &TouchedJob| job.written || job.erased || job.overdue;
    if changes.is_empty()
        && others == 0
        && links.is_empty(&ledger.unresolved)
        && !forgets
        && !touched.jobs.iter().any(touches)
    {
        return Ok(());
    }
    ledger.begin()?;
    let EmbeddedLedger { connection, checksum, lanes, statements, shared, unresolved, counters, .. } = &mut **ledger;
    for queue in queues.iter() {
        write_queue(connection, queue)?;
    }
    for (queue, started) in started.iter() {
        started::write(connection, queue, started)?;
    }
    for (name, endpoint) in endpoints.iter() {
        endpoints::write(connection, name, endpoint.as_deref())?;
    }
    for (consumer, position) in positions.iter() {
        consumers::write(connection, consumer, *position)?;
    }
    for (name, schedule) in schedules.iter() {
        schedules::write(connection, name, schedule.as_deref())?;
    }
    files::write(connection, files.iter().map(|(id, file)| (*id, file.as_deref())))?;
    links.write(connection, &statements.links, unresolved)?;
    for job in touched.jobs.iter_mut().filter(|job| job.lane.is_none()) {
        job.lane = Some(lanes.of(connection, &job.job.spec)?);
    }
    let refs = texts::write(connection, touched, changes, checksum)?;
    let mut writer = Writer { connection, checksum, statements };
    writer.changes(changes, &refs)?;
    touched.sort();
    let (new, old): (Vec<&TouchedJob>, Vec<&TouchedJob>) =
        touched.jobs.iter().filter(|job| job.written).partition(|job| job.before.is_none());
    lanes.entered.enter(connection, new.iter().map(|job| job.lane_id()), counters.number)?;
    writer.jobs(&new)?;
    writer.submissions(&new)?;
    writer.deliveries(&new)?;
    writer.updates(&old)?;
    writer.replaced(&old)?;
    writer.copied(&new)?;
    let results: Vec<(&TouchedJob, &Body)> =
        touched.jobs.iter().filter_map(|job| Some((job, job.result.as_ref()?))).collect();
    writer.results(&results)?;
    writer.places(&touched.jobs)?;
    for (job, at) in touched.jobs.iter().filter_map(|job| Some((job.number, job.overdue()?))) {
        leaving::note(connection, at, job)?;
    }
    count(connection, &touched.jobs)?;
    dead::write(connection, touched.jobs.iter().filter_map(TouchedJob::dead_move))?;
    if touched.jobs.iter().any(|job| job.erased) {
        erase::erase(connection, &touched.jobs, &statements.erase, &statements.leavings, lanes, shared, checksum)?;
    }
    if forgets {
        forget::changes(connection, *forget, lanes, shared, checksum)?;
    }
    Ok(())
}

fn write_queue(connection: &Connection, queue: &Queue) -> Result<(), Fault> {
    let id = queue_id(connection, &queue.name)?;
    let settings = Settings::to_json(&queue.settings);
    let paused = i64::from(queue.paused) | i64::from(queue.draining) << 1;
    let sum = queue_sum(id, queue.name.as_str(), settings.as_deref(), Some(paused), &mut Checksum::default());
    connection
        .prepare_cached("UPDATE queue SET settings = ?2, paused = ?3, crc = ?4 WHERE id = ?1")?
        .execute((id, settings, paused, sum))?;
    Ok(())
}

/// Writes rows of one table after the other.
struct Writer<'a> {
    connection: &'a Connection,
    checksum: &'a mut Checksum,
    statements: &'a Statements,
}

impl Writer<'_> {
    fn changes(&mut self, changes: &[Change], refs: &[ChangeRefs]) -> rusqlite::Result<()> {
        let refs = refs.iter().copied().chain(iter::repeat(ChangeRefs::default()));
        let rows: Vec<(&Change, ChangeRefs)> = changes.iter().zip(refs).collect();
        let shaped: Vec<(Shape, &(&Change, ChangeRefs))> =
            rows.iter().map(|row| (ChangeRow::shape(row.0, row.1), row)).collect();
        for_each_shape(&self.statements.changes, &shaped, |block, shape, rows| {
            block.write(self.connection, rows, |statement, first, (change, refs)| {
                ChangeRow::of(change, *refs).bind(statement, first, shape, self.checksum)
            })
        })
    }

    fn jobs(&mut self, jobs: &[&TouchedJob]) -> rusqlite::Result<()> {
        let shaped: Vec<(Shape, &TouchedJob)> =
            jobs.iter().map(|job| (JobRow::shape(&job.job, job.refs), *job)).collect();
        for_each_shape(&self.statements.jobs, &shaped, |block, shape, jobs| {
            block.write(self.connection, jobs, |statement, first, job| {
                JobRow::of(&job.job, job.lane_id(), job.refs).bind(statement, first, shape, self.checksum)
            })
        })
    }

    fn updates(&mut self, jobs: &[&TouchedJob]) -> rusqlite::Result<()> {
        let shape = |job: &TouchedJob| {
            // What had something of its own before may have that to take away.
            let now = JobRow::shape_of_update(&job.job, job.refs);
            job.before.map_or(now, |before| now.and(before.shape))
        };
        let shaped: Vec<(Shape, &TouchedJob)> = jobs.iter().map(|job| (shape(job), *job)).collect();
        for_each_shape(&self.statements.updates, &shaped, |block, shape, jobs| {
            block.write(self.connection, jobs, |statement, first, job| {
                JobRow::of(&job.job, job.lane_id(), job.refs).bind(statement, first, shape, self.checksum)
            })
        })
    }

    fn submissions(&mut self, jobs: &[&TouchedJob]) -> rusqlite::Result<()> {
        let rows: Vec<(SubmissionRow<'_>, &Body)> = jobs
            .iter()
            .filter_map(|job| Some((SubmissionRow::of(&job.job, job.lane_id()), job.payload.as_ref()?)))
            .collect();
        let shaped: Vec<(Shape, &(SubmissionRow<'_>, &Body))> = rows.iter().map(|row| (row.0.shape(), row)).collect();
        for_each_shape(&self.statements.submissions, &shaped, |block, shape, rows| {
            block.write(self.connection, rows, |statement, first, (row, body)| {
                row.bind(statement, first, body, shape, self.checksum)
            })
        })?;
        let keys: Vec<KeyRow<'_>> =
            jobs.iter().filter_map(|job| KeyRow::of(job.number.cast_signed(), &job.job.spec)).collect();
        self.statements
            .keys
            .write(self.connection, &keys, |statement, first, row| row.bind(statement, first, self.checksum))
    }

    /// Gives the jobs their new payloads that have some.
    fn replaced(&mut self, jobs: &[&TouchedJob]) -> rusqlite::Result<()> {
        for job in jobs {
            if let Some(payload) = &job.payload {
                replace_payload(self.connection, &job.job, job.lane_id(), payload, self.checksum)?;
            }
        }
        Ok(())
    }

    /// Gives the new jobs their payloads that have those of others. They are in the order of their numbers, so that what is
    /// copied is there, a copy itself too.
    fn copied(&mut self, jobs: &[&TouchedJob]) -> Result<(), Fault> {
        for job in jobs {
            if let Some(from) = job.copied_from {
                copy_submission(self.connection, from.cast_signed(), &job.job, job.lane_id(), self.checksum)?;
            }
        }
        Ok(())
    }

    fn deliveries(&mut self, jobs: &[&TouchedJob]) -> rusqlite::Result<()> {
        for job in jobs {
            let Some(delivery) = &job.job.spec.delivery else { continue };
            self.connection
                .prepare_cached("INSERT INTO delivery (source, job) VALUES (?1, ?2)")?
                .execute([delivery.source.number().cast_signed(), job.number.cast_signed()])?;
        }
        Ok(())
    }

    /// Moves the jobs in every table in which they stand by something of theirs.
    fn places(&mut self, jobs: &[TouchedJob]) -> rusqlite::Result<()> {
        let Statements { expiries, leavings, lines, again, .. } = self.statements;
        let write = |table: &Places, moved: fn(&TouchedJob) -> Moved| {
            table.write(self.connection, jobs.iter().map(|job| (job.number.cast_signed(), moved(job))))
        };
        write(expiries, TouchedJob::expiries)?;
        write(again, TouchedJob::again)?;
        write(lines, TouchedJob::lines)?;
        write(leavings, TouchedJob::leavings)
    }

    fn results(&mut self, jobs: &[(&TouchedJob, &Body)]) -> rusqlite::Result<()> {
        self.statements.results.write(self.connection, jobs, |statement, first, (job, body)| {
            BodyRow::result(job.number.cast_signed(), body).bind(statement, first, self.checksum)
        })
    }
}

/// Hands those of `rows` that have a shape to `write`, shape by shape.
fn for_each_shape<'r, T>(
    blocks: &[(Shape, Block)],
    rows: &[(Shape, &'r T)],
    mut write: impl FnMut(&Block, Shape, &[&'r T]) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    for (shape, block) in blocks {
        let rows: Vec<&T> = rows.iter().filter(|row| row.0 == *shape).map(|row| row.1).collect();
        write(block, *shape, &rows)?;
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
    for job in jobs {
        let (before, now) = (job.before.map(|before| before.status), (!job.erased).then_some(job.job.status));
        let Some(lane) = job.lane.filter(|_| before != now) else { continue };
        let counts = queues.entry(lane.queue).or_default();
        if let Some(now) = now {
            counts[now as usize] += 1;
        }
        if let Some(before) = before {
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
