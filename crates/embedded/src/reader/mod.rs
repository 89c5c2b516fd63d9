//! What can be read beside the writer.

mod expired;
mod jobs;
mod list;
mod old;
mod outlived;
mod waiting;

pub(crate) use jobs::loaded;

use std::sync::Arc;

use ackd_domain::{
    Body, Endpoint, File, FileId, Job, JobId, Name, Position, Queue, Schedule, Started, Status, Timestamp,
};
use ackd_ports::{
    Counts, DeadCause, Filter, Lane, LedgerReader, OldChanges, Outlived, Page, ReadError, Ready, Timeline,
};
use rusqlite::{Connection, OptionalExtension};

use crate::fault::Fault;
use crate::feed;
use crate::integer::saturated;
use crate::lane::Lanes;
use crate::pool::{Pool, Reading};
use crate::rows::{BodyRow, Columns, Unreadable};
use crate::shared::Shared;
use crate::{consumers, dead, endpoints, files, lines, links, meta, queues, schedules, started};

/// The reader and change feed of the ledger on SQLite. Any number of threads may share it.
#[derive(Debug)]
pub struct EmbeddedReader {
    pool: Pool,
    pub(crate) shared: Arc<Shared>,
    unexpired: expired::Unexpired,
}

impl EmbeddedReader {
    pub(crate) fn new(pool: Pool, shared: Arc<Shared>) -> EmbeddedReader {
        EmbeddedReader { pool, shared, unexpired: expired::Unexpired::default() }
    }

    /// Reads, and notes what turns out to be damaged.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&mut Reading, &Lanes) -> Result<T, Fault>) -> Result<T, ReadError> {
        let read = self.pool.read(|reading| read(reading, &self.shared.lanes));
        read.map_err(|fault| self.shared.trouble.note(fault).into())
    }
}

impl LedgerReader for EmbeddedReader {
    fn job(&self, id: JobId) -> Result<Option<Arc<Job>>, ReadError> {
        let job = self.read(|reading, lanes| jobs::by_number(reading, lanes, id.number()))?;
        Ok(job.filter(|job| job.id == id))
    }

    fn payloads(&self, numbers: &[u64]) -> Result<Vec<Option<Body>>, ReadError> {
        numbers.iter().map(|number| self.read(|reading, _| payload(reading, *number))).collect()
    }

    fn result(&self, number: u64) -> Result<Option<Body>, ReadError> {
        self.read(|reading, _| result(reading, number, u64::MAX))
    }

    fn results(&self, numbers: &[u64], most: u64) -> Result<Vec<Option<Body>>, ReadError> {
        self.read(|reading, _| numbers.iter().map(|number| result(reading, *number, most)).collect())
    }

    fn list(&self, filter: &Filter, before: Option<u64>, limit: usize) -> Result<Page, ReadError> {
        self.read(|reading, lanes| list::page(reading, lanes, filter, before, limit))
    }

    fn timeline(&self, id: JobId) -> Result<Option<Timeline>, ReadError> {
        let Some(job) = self.job(id)? else { return Ok(None) };
        let mut changes = Vec::new();
        let mut position = job.changed;
        // Each is read by itself, so that a long history holds the write-ahead log no longer than a short one.
        while position != Position::START {
            let change = self.read(|reading, lanes| match feed::change(reading, lanes, position)? {
                // Looked at afterwards: what is not purged by now was not then.
                None if position.0 > meta::purged(&reading.connection)? => {
                    Err(Fault::Damaged(format!("change {}", position.0)))
                }
                change => Ok(change),
            });
            let Some(change) = change? else { break };
            position = change.previous;
            changes.push(change);
        }
        changes.reverse();
        Ok(Some(Timeline { changes, truncated: position != Position::START }))
    }

    fn lanes(&self) -> Result<Vec<Lane>, ReadError> {
        self.read(|reading, lanes| waiting::lanes(reading, lanes))
    }

    fn eligible(&self, lane: &Lane, after: Option<(Timestamp, u64)>, limit: usize) -> Result<Vec<Ready>, ReadError> {
        self.read(|reading, _| waiting::eligible(reading, &self.shared, lane, after, limit))
    }

    fn leased(&self) -> Result<Vec<Arc<Job>>, ReadError> {
        let mut numbers = self.read(|reading, _| jobs::leased(reading))?;
        numbers.sort_unstable();
        let mut leased = Vec::with_capacity(numbers.len());
        for number in numbers {
            match self.read(|reading, lanes| jobs::by_number(reading, lanes, number)) {
                // It may have been settled since.
                Ok(job) => leased.extend(job.filter(|job| job.status == Status::Processing)),
                // It is noted as trouble; the others must still lapse when their workers die.
                Err(ReadError::Damaged(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(leased)
    }

    fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<u64>, ReadError> {
        self.read(|reading, _| expired::numbers(reading, &self.unexpired, &self.shared.trouble, now, limit))
    }

    fn outlived(&self, now: Timestamp, limit: usize) -> Result<Outlived, ReadError> {
        self.read(|reading, _| outlived::jobs(reading, &self.shared, now, limit))
    }

    fn changes_before(&self, old: Timestamp, ancient: Timestamp, limit: usize) -> Result<OldChanges, ReadError> {
        self.read(|reading, _| old::changes(&reading.connection, old, ancient, limit))
    }

    fn counts(&self) -> Result<Vec<Counts>, ReadError> {
        self.read(|reading, _| counts(reading))
    }

    fn queues(&self) -> Result<Vec<Arc<Queue>>, ReadError> {
        self.read(|reading, _| queues::all(&reading.connection))
    }

    fn endpoints(&self) -> Result<Vec<Arc<Endpoint>>, ReadError> {
        self.read(|reading, _| endpoints::all(&reading.connection))
    }

    fn started(&self) -> Result<Vec<(Name, Started)>, ReadError> {
        self.read(|reading, _| started::all(&reading.connection))
    }

    fn position_of(&self, consumer: &Name) -> Result<Option<Position>, ReadError> {
        self.read(|reading, _| consumers::position(&reading.connection, consumer))
    }

    fn deliveries(&self, source: u64, before: Option<u64>, limit: usize) -> Result<Vec<Arc<Job>>, ReadError> {
        let numbers = self.read(|reading, _| jobs::deliveries(reading, source, before, limit))?;
        let mut found = Vec::with_capacity(numbers.len());
        for number in numbers {
            found.extend(self.read(|reading, lanes| jobs::by_number(reading, lanes, number))?);
        }
        Ok(found)
    }

    fn file(&self, id: FileId) -> Result<Option<Arc<File>>, ReadError> {
        self.read(|reading, _| files::by_id(&reading.connection, id))
    }

    fn file_named(&self, name: &Name) -> Result<Option<Arc<File>>, ReadError> {
        self.read(|reading, _| files::by_name(&reading.connection, name))
    }

    fn unused_files(
        &self,
        now: Timestamp,
        after: Option<(Timestamp, FileId)>,
        limit: usize,
    ) -> Result<Vec<Arc<File>>, ReadError> {
        self.read(|reading, _| files::unused(&reading.connection, &self.shared.trouble, now, after, limit))
    }

    fn schedules(&self) -> Result<Vec<Arc<Schedule>>, ReadError> {
        self.read(|reading, _| schedules::all(&reading.connection))
    }

    fn unresolved(&self) -> Result<Vec<u64>, ReadError> {
        self.read(|reading, _| Ok(links::unresolved(&reading.connection)?))
    }

    fn predecessors(&self, follower: u64, limit: usize) -> Result<Vec<Arc<Job>>, ReadError> {
        self.read(|reading, lanes| {
            let Some(follower) = jobs::by_number(reading, lanes, follower)? else { return Ok(Vec::new()) };
            let awaited = links::awaited(&reading.connection, &follower, limit)?;
            let jobs = awaited.into_iter().map(|number| jobs::by_number(reading, lanes, number));
            jobs.filter_map(Result::transpose).collect()
        })
    }

    fn holder(&self, queue: &Name, key: &str) -> Result<Option<Arc<Job>>, ReadError> {
        let line = lines::line_of(queue, key);
        self.read(|reading, lanes| {
            let holder = lines::holder(&reading.connection, line)?;
            holder.map_or(Ok(None), |number| jobs::by_number(reading, lanes, number))
        })
    }

    fn dead_causes(&self, queue: &Name, limit: usize, examples: usize) -> Result<Vec<DeadCause>, ReadError> {
        self.read(|reading, _| dead::causes(&reading.connection, queue, limit, examples))
    }

    fn dead_count(&self, queue: &Name, cause: Option<&str>) -> Result<u64, ReadError> {
        match cause {
            Some(cause) => self.read(|reading, _| dead::count_of(&reading.connection, queue, cause)),
            None => {
                let counts = self.counts()?;
                let of_queue = counts.iter().find(|counts| counts.queue == *queue && !queue.is_reserved());
                Ok(of_queue.map_or(0, |counts| counts.of(Status::Failed) + counts.of(Status::Expired)))
            }
        }
    }

    fn dead(&self, queue: &Name, cause: Option<&str>, after: u64, limit: usize) -> Result<Vec<u64>, ReadError> {
        self.read(|reading, _| dead::numbers(&reading.connection, queue, cause, after, limit))
    }

    fn trouble(&self) -> Vec<String> {
        self.shared.trouble.lines()
    }
}

fn payload(reading: &mut Reading, number: u64) -> Result<Option<Body>, Fault> {
    // An erased job's is an integer.
    const PAYLOAD: &str = "SELECT crc, content_type, body FROM submission WHERE id = ?1 AND typeof(body) <> 'integer'";
    let Reading { connection, checksum } = reading;
    let mut statement = connection.prepare_cached(PAYLOAD)?;
    let mut rows = statement.query([number.cast_signed()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut columns = Columns::from(row, 0);
    let mut read = || -> Result<Body, Unreadable> {
        let (sums, content_type) = (columns.int()?, columns.text()?);
        let bytes = columns.blob()?.ok_or(Unreadable)?;
        BodyRow::read_payload(number.cast_signed(), content_type, bytes, sums, checksum)
    };
    read().map(Some).map_err(|_| Fault::Damaged(format!("the payload of job {number}")))
}

fn result(reading: &mut Reading, number: u64, most: u64) -> Result<Option<Body>, Fault> {
    // How long it is is known without reading it.
    const RESULT: &str = "SELECT id, crc, content_type, body FROM result WHERE id = ?1 AND length(body) <= ?2";
    let Reading { connection, checksum } = reading;
    let mut statement = connection.prepare_cached(RESULT)?;
    let body = statement.query_row([number.cast_signed(), saturated(most)], |row| {
        Ok(BodyRow::read_result(&mut Columns::from(row, 0), checksum))
    });
    match body.optional()? {
        Some(body) => body.map(Some).map_err(|_| Fault::Damaged(format!("the result of job {number}"))),
        None if is_hidden(connection, number)? => Err(Fault::Damaged(format!("the result of job {number}"))),
        None => Ok(None),
    }
}

/// Whether the job has a result in the ledger that is not found. Asked in one statement, as of one moment.
fn is_hidden(connection: &Connection, number: u64) -> rusqlite::Result<bool> {
    const HIDDEN: &str = "SELECT 1 FROM job WHERE id = ?1 AND result_size IS NOT NULL AND result_file IS NULL \
                          AND NOT EXISTS (SELECT 1 FROM result WHERE result.id = job.id)";
    connection.prepare_cached(HIDDEN)?.exists([number.cast_signed()])
}

fn counts(reading: &Reading) -> Result<Vec<Counts>, Fault> {
    const COUNTS: &str = "SELECT queue.name, init, processing, done, failed, cancelled, expired \
                          FROM count JOIN queue ON queue.id = count.queue ORDER BY queue.name";
    let mut statement = reading.connection.prepare_cached(COUNTS)?;
    let mut rows = statement.query([])?;
    let mut counts = Vec::new();
    while let Some(row) = rows.next()? {
        let mut columns = Columns::from(row, 0);
        let mut read = || -> Result<Counts, Unreadable> {
            let name = columns.text()?.ok_or(Unreadable)?;
            let queue = Name::new(name).map_err(|_| Unreadable)?;
            let mut by_status = [0; Status::ALL.len()];
            for count in &mut by_status {
                *count = u64::try_from(columns.int()?).map_err(|_| Unreadable)?;
            }
            Ok(Counts { queue, by_status })
        };
        counts.push(read().map_err(|_| Fault::Damaged("the counts of jobs".to_owned()))?);
    }
    Ok(counts)
}
