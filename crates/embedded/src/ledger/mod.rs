//! The one writer: load, decide, persist, in one commit.

mod batch;
mod block;
mod cache;
mod counters;
mod holders;
mod persist;
mod room;
mod touched;

use std::fmt;
use std::mem;
use std::path::Path;
use std::sync::Arc;

use ackd_domain::{Command, Name, Position, Queue, Timestamp};
use ackd_ports::{Applied, Entropy, Ledger, LedgerError, Reactor, decide_batch};
use rusqlite::Connection;
use rustc_hash::FxHashMap;

use crate::checkpoint::{Checkpointer, Gate};
use crate::checksum::Checksum;
use crate::error::OpenError;
use crate::fault::Fault;
use crate::lane::LaneNames;
use crate::options::Options;
use crate::rows::{Columns, Loaded, select_job};
use crate::shared::Shared;
use crate::{meta, queues};
use batch::{Batch, Written};
use cache::Cache;
use counters::Counters;
use holders::Holders;
use persist::{Statements, persist};
use room::Room;

/// What runs beside the writer and ends with it.
#[derive(Debug)]
pub(crate) struct Background {
    pub(crate) gate: Arc<Gate>,
    pub(crate) _checkpointer: Checkpointer,
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
    lanes: LaneNames,
    /// Every queue that somebody configured.
    queues: FxHashMap<Name, Arc<Queue>>,
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
        let secret = meta::key_secret(&connection, &mut *entropy)?;
        let holders = Holders::open(
            &directory.join("keys"),
            &connection,
            secret,
            number + 1,
            options.keys.clone(),
            &shared.trouble,
        )?;
        let queues = queues::all(&connection)?;
        Ok(EmbeddedLedger {
            background,
            connection,
            begun: false,
            counters: Counters { number, position: Position(position), entropy },
            cache: Cache::new(options.job_cache),
            lanes: LaneNames::default(),
            queues: queues.into_iter().map(|queue| (queue.name.clone(), queue)).collect(),
            holders,
            checksum: Checksum::default(),
            statements: Statements::new(),
            room: Room::new(directory, options.reserve),
            read_failure: None,
            shared,
        })
    }

    /// Begins the batch's transaction, unless that was done. A batch that neither reads nor writes rows
    /// needs none.
    fn begin(&mut self) -> Result<(), Fault> {
        if !self.begun {
            self.background.gate.enter();
            self.begun = true;
            self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        }
        Ok(())
    }

    /// The job as it is committed.
    fn load(&mut self, number: u64) -> Result<Option<Loaded>, Fault> {
        if let Some(loaded) = self.cache.get(number) {
            return Ok(Some(loaded.clone()));
        }
        self.begin()?;
        let mut statement = self.connection.prepare_cached(concat!(select_job!(), "WHERE job.id = ?1"))?;
        let mut rows = statement.query([number.cast_signed()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let lanes = &self.shared.lanes;
        let loaded =
            Loaded::read(&mut Columns::from(row, 0), &mut self.checksum, |id| lanes.by_id(&self.connection, id))
                .map_err(|fault: Fault| self.shared.trouble.note(fault.of(|| format!("job {number}"))))?;
        Ok(Some(loaded))
    }

    /// The number of the job that holds the idempotency key `text`.
    fn holder(&mut self, text: &str) -> Result<Option<u64>, Fault> {
        self.begin()?;
        let found = self.holders.find(&self.connection, text, &self.shared.trouble);
        found.map_err(|fault| self.shared.trouble.note(fault))
    }

    /// Makes the batch durable, if it wrote anything.
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
        if let LedgerError::Failed(why) = &error {
            self.shared.trouble.fail(why);
        }
        error
    }

    /// Decides and writes, all but the commit.
    fn prepare(
        &mut self,
        commands: Vec<Command>,
        now: Timestamp,
        reactor: &mut dyn Reactor,
    ) -> Result<(Applied, Written), LedgerError> {
        let mut batch = Batch::new(self);
        let applied = decide_batch(&mut batch, commands, now, reactor)?;
        let persisted = persist(&mut batch, &applied.changes);
        let written = batch.into_written();
        persisted.map_err(|fault| self.failed(fault))?;
        let keys = written.touched.jobs.iter().filter(|job| job.before.is_none() && job.job.spec.key.is_some());
        if !self.holders.has_room(keys.count()) {
            return Err(LedgerError::Full("the index of idempotency keys cannot be written".to_owned()));
        }
        Ok((applied, written))
    }

    /// Remembers what a batch wrote, now that it is durable.
    fn remember(&mut self, written: Written) {
        self.lanes.keep();
        self.shared.trouble.passing("keys", self.holders.trouble());
        self.holders.committed(&written.touched.jobs, self.counters.number + 1);
        for queue in written.queues {
            self.queues.insert(queue.name.clone(), queue);
        }
        for job in written.touched.jobs {
            let (number, refs) = (job.number, job.refs());
            if let Some(lane) = job.lane {
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
        if let Some(why) = self.shared.trouble.failure() {
            return Err(LedgerError::Failed(why));
        }
        let submits = commands.iter().any(|command| matches!(command, Command::Submit(_)));
        let admitted = self.room.admit(submits);
        self.shared.trouble.passing("room", self.room.trouble());
        admitted?;
        let prepared = self.prepare(commands, now, reactor);
        let committed = prepared.and_then(|prepared| match self.commit() {
            Ok(()) => Ok(prepared),
            Err(fault) => Err(self.failed(fault)),
        });
        match committed {
            Ok((applied, written)) => {
                self.remember(written);
                Ok(applied)
            }
            Err(error) => {
                self.roll_back();
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
