//! The one writer: load, decide, persist, in one commit.

mod batch;
mod cache;
mod counters;
mod erase;
mod forget;
mod holders;
mod persist;
mod places;
mod room;
mod texts;
mod touched;
mod written;

use std::fmt;
use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ackd_domain::{Command, Endpoint, Name, Position, Queue, Schedule, Started, Timestamp};
use ackd_ports::{Applied, Entropy, Ledger, LedgerError, Reactor, decide_batch};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::checkpoint::{Checkpointer, Gate};
use crate::checksum::Checksum;
use crate::error::OpenError;
use crate::fault::Fault;
use crate::integer::saturated;
use crate::lane::LaneNames;
use crate::links::Awaited;
use crate::options::Options;
use crate::reader::loaded;
use crate::rows::{Loaded, select_job};
use crate::scrub::Scrubber;
use crate::shared::Shared;
use crate::{again, consumers, endpoints, links, meta, missing, queues, schedules, started};
use batch::{Batch, Outcome};
use cache::Cache;
use counters::Counters;
use holders::Holders;
use persist::{Statements, persist};
use room::Room;
use written::Written;

/// What runs beside the writer and ends with it.
#[derive(Debug)]
pub(crate) struct Background {
    pub(crate) gate: Arc<Gate>,
    pub(crate) _checkpointer: Checkpointer,
    pub(crate) _scrubber: Scrubber,
}

/// The ledger on SQLite. It belongs to one thread; everybody else reads.
pub struct EmbeddedLedger {
    // Ends before the connection closes, which copies the rest of the write-ahead log.
    background: Background,
    connection: Connection,
    /// Whether a transaction is open.
    begun: bool,
    counters: Counters,
    cache: Cache,
    written: Written,
    lanes: LaneNames,
    /// Every queue that somebody configured.
    queues: FxHashMap<Name, Arc<Queue>>,
    /// When attempts at the jobs of queues began that limit how many do.
    started: FxHashMap<Name, Started>,
    /// Every webhook endpoint.
    endpoints: FxHashMap<Name, Arc<Endpoint>>,
    schedules: FxHashMap<Name, Arc<Schedule>>,
    /// How far each consumer of the change feed has come.
    positions: FxHashMap<Name, Position>,
    /// Whether any job comes after another, or did since the ledger was opened.
    linked: bool,
    awaited: Awaited,
    /// The jobs of which it is written that they have followers to tell.
    unresolved: FxHashSet<u64>,
    /// Whether any unfinished job with a unique key is in a further run, or was since the ledger was opened.
    again: bool,
    holders: Holders,
    checksum: Checksum,
    statements: Statements,
    room: Room,
    /// What kept the batch at hand from a row.
    read_failure: Option<LedgerError>,
    shared: Arc<Shared>,
}

impl EmbeddedLedger {
    pub(crate) fn open(
        connection: Connection,
        directory: &Path,
        options: &Options,
        mut entropy: Box<dyn Entropy>,
        background: Background,
        shared: Arc<Shared>,
    ) -> Result<EmbeddedLedger, OpenError> {
        let position = meta::head(&connection)?;
        let number = meta::last_number(&connection)?;
        let first = meta::first_number(&connection)?.unwrap_or(number + 1);
        shared.ends_seen.store(saturated(meta::ends_seen(&connection)?), Ordering::Relaxed);
        let secret = meta::key_secret(&connection, &mut *entropy)?;
        let holders = Holders::open(
            &directory.join("keys"),
            &connection,
            secret,
            first..number + 1,
            options.keys.clone(),
            &shared.trouble,
        )?;
        let queues = queues::all(&connection)?;
        let started = started::all(&connection)?;
        let endpoints = endpoints::all(&connection)?;
        let schedules = schedules::all(&connection)?;
        let positions = consumers::all(&connection)?;
        let lanes = LaneNames::open(&connection)?;
        let linked = links::any(&connection)?;
        let unresolved = links::unresolved(&connection)?.into_iter().collect();
        let again = again::any(&connection)?;
        Ok(EmbeddedLedger {
            background,
            connection,
            begun: false,
            counters: Counters { number, position: Position(position), entropy },
            cache: Cache::new(options.job_cache),
            written: Written::new(),
            lanes,
            queues: queues.into_iter().map(|queue| (queue.name.clone(), queue)).collect(),
            started: started.into_iter().collect(),
            endpoints: endpoints.into_iter().map(|endpoint| (endpoint.name.clone(), endpoint)).collect(),
            schedules: schedules.into_iter().map(|schedule| (schedule.name.clone(), schedule)).collect(),
            positions: positions.into_iter().collect(),
            linked,
            awaited: Awaited::default(),
            unresolved,
            again,
            holders,
            checksum: Checksum::default(),
            statements: Statements::new(),
            room: Room::new(directory, options.reserve),
            read_failure: None,
            shared,
        })
    }

    /// The writer's connection, to make it fail.
    #[cfg(test)]
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Refuses everything after a failure.
    fn check(&self) -> Result<(), LedgerError> {
        self.shared.trouble.failure().map_or(Ok(()), |why| Err(LedgerError::Failed(why)))
    }

    /// Begins the batch's transaction, unless that was done. A batch that neither reads nor writes rows
    /// needs none.
    fn begin(&mut self) -> Result<(), Fault> {
        if !self.begun {
            self.background.gate.enter();
            self.begun = true;
            // Whatever keeps it from beginning fails the batch: as damage it would refuse a command, and the rest of the
            // batch would be written outside of a transaction.
            let begin = self.connection.prepare_cached("BEGIN IMMEDIATE");
            begin.and_then(|mut begin| begin.execute([])).map_err(Fault::Sqlite)?;
        }
        Ok(())
    }

    /// The job as it is committed.
    fn load(&mut self, number: u64) -> Result<Option<Loaded>, Fault> {
        if let Some(loaded) = self.cache.take(number) {
            return Ok(Some(loaded));
        }
        let paged = self.shared.paged.take(number);
        if let Some(paged) = paged.filter(|paged| !self.written.since(number, Position(paged.as_of))) {
            return Ok(Some(paged.loaded));
        }
        self.begin()?;
        let mut statement = self.connection.prepare_cached(concat!(select_job!(), "WHERE job.id = ?1"))?;
        let mut rows = statement.query([number.cast_signed()])?;
        let lanes = &self.shared.lanes;
        let Some(row) = rows.next()? else {
            let checked = missing::check(&self.connection, &mut self.checksum, lanes, number);
            return checked.map(|()| None).map_err(|fault| self.shared.trouble.note(fault));
        };
        let loaded = loaded(row, &self.connection, &mut self.checksum, lanes);
        loaded.map(Some).map_err(|fault| self.shared.trouble.note(fault))
    }

    /// The number of the job that holds the idempotency key `text`.
    fn holder(&mut self, text: &str) -> Result<Option<u64>, Fault> {
        self.begin()?;
        let found = self.holders.find(&self.connection, text, &self.shared.trouble);
        found.map_err(|fault| self.shared.trouble.note(fault))
    }

    /// The jobs that may carry the unique key, as [`Holders::rivals`] gives them.
    fn rivals(&mut self, queue: &Name, key: &str) -> Result<Vec<u64>, Fault> {
        self.begin()?;
        let found = self.holders.rivals(&self.connection, (queue, key), &self.shared.trouble);
        found.map_err(|fault| self.shared.trouble.note(fault))
    }

    /// Makes what the batch wrote durable, and ends its transaction also where it only read.
    fn commit(&mut self) -> Result<(), Fault> {
        #[cfg(test)]
        if let Some(error) = self.shared.fail_next.lock().unwrap().take() {
            return Err(error.into());
        }
        if self.begun {
            self.connection.prepare_cached("COMMIT")?.execute([])?;
            self.begun = false;
            self.background.gate.leave();
        }
        Ok(())
    }

    /// Undoes a failed batch. Where even that fails, nothing can be trusted any more.
    fn roll_back(&mut self) {
        self.lanes.forget();
        if !mem::take(&mut self.begun) {
            return;
        }
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            self.shared.trouble.fail(&format!("a failed commit cannot be undone: {error}"));
        }
        self.background.gate.leave();
    }

    /// Why the batch failed, and whether anything may follow.
    fn failed(&mut self, fault: Fault) -> LedgerError {
        let error = self.room.explain(fault);
        self.shared.trouble.passing("room", self.room.trouble());
        if let LedgerError::Failed(why) = &error {
            self.shared.trouble.fail(why);
            // To copy the log is to write and to sync, and to read what may not be on the disk.
            let no_copy = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            if let Err(error) = self.connection.set_db_config(no_copy, true) {
                tracing::error!("the write-ahead log will be copied at the end: {error}");
            }
        }
        error
    }

    /// Decides and writes, all but the commit.
    fn prepare(
        &mut self,
        commands: Vec<Command>,
        now: Timestamp,
        reactor: &mut dyn Reactor,
    ) -> Result<(Applied, Outcome), LedgerError> {
        let jobs = commands.iter().map(|command| command.makes().max(1));
        let mut batch = Batch::new(self, jobs.sum());
        let applied = decide_batch(&mut batch, commands, now, reactor)?;
        let persisted = persist(&mut batch, &applied.changes);
        let mut outcome = batch.into_outcome();
        persisted.map_err(|fault| self.failed(fault))?;
        if outcome.touched.jobs.iter().any(|job| job.erased) {
            let first = meta::first_number(&self.connection).map_err(|error| self.failed(error.into()))?;
            let last = meta::last_number(&self.connection).map_err(|error| self.failed(error.into()))?;
            outcome.first = Some(first.unwrap_or(last + 1));
        }
        let new = outcome.touched.jobs.iter().filter(|job| job.before.is_none()).map(|job| &job.job.spec);
        let keys = new.map(|spec| usize::from(spec.key.is_some()) + usize::from(spec.unique.is_some()));
        if !self.holders.has_room(keys.sum()) {
            return Err(LedgerError::Full("the index of keys cannot be written".to_owned()));
        }
        Ok((applied, outcome))
    }

    /// Remembers what a batch wrote, now that it is durable.
    fn remember(&mut self, outcome: Outcome) {
        self.lanes.keep();
        self.shared.trouble.passing("keys", self.holders.trouble());
        self.holders.committed(&outcome.touched.jobs, &outcome.renewed, self.counters.number + 1);
        if let Some(first) = outcome.first {
            self.holders.retire(first);
        }
        for queue in outcome.queues {
            self.queues.insert(queue.name.clone(), queue);
        }
        self.started.extend(outcome.started);
        for (name, endpoint) in outcome.endpoints {
            match endpoint {
                Some(endpoint) => self.endpoints.insert(name, endpoint),
                None => self.endpoints.remove(&name),
            };
        }
        for (name, schedule) in outcome.schedules {
            match schedule {
                Some(schedule) => self.schedules.insert(name, schedule),
                None => self.schedules.remove(&name),
            };
        }
        self.positions.extend(outcome.positions);
        self.linked |= outcome.linked;
        for (job, open) in outcome.resolved {
            if open {
                self.unresolved.insert(job);
            } else {
                self.unresolved.remove(&job);
            }
        }
        self.again |= outcome.touched.jobs.iter().any(|job| job.again().1.is_some());
        for job in outcome.touched.jobs {
            let (number, refs) = (job.number, job.refs);
            // A reader cannot have seen a new job before this batch.
            if job.before.is_some() && job.written {
                self.written.note(number, self.counters.position);
            }
            if job.erased {
                self.unresolved.remove(&number);
            }
            if let Some(lane) = job.lane.filter(|_| !job.erased) {
                self.cache.put(number, Loaded { job: job.job, lane, refs });
            }
        }
    }
}

impl Ledger for EmbeddedLedger {
    fn apply(
        &mut self,
        commands: Vec<Command>,
        now: Timestamp,
        reactor: &mut dyn Reactor,
    ) -> Result<Applied, LedgerError> {
        self.check()?;
        let submits = commands.iter().any(|command| command.makes() > 0);
        let admitted = self.room.admit(submits);
        self.shared.trouble.passing("room", self.room.trouble());
        admitted?;
        let prepared = self.prepare(commands, now, reactor);
        let committed = prepared.and_then(|prepared| match self.commit() {
            Ok(()) => Ok(prepared),
            Err(fault) => Err(self.failed(fault)),
        });
        match committed {
            Ok((applied, outcome)) => {
                self.remember(outcome);
                Ok(applied)
            }
            Err(error) => {
                self.roll_back();
                self.shared.trouble.passing("room", self.room.trouble());
                // What failed while a row was read is known better than the decision could tell.
                Err(self.read_failure.take().unwrap_or(error))
            }
        }
    }
}

impl fmt::Debug for EmbeddedLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedLedger")
            .field("number", &self.counters.number)
            .field("position", &self.counters.position)
            .finish_non_exhaustive()
    }
}
