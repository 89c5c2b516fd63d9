use std::collections::BTreeMap;
use std::sync::Arc;

use ackd_domain::{
    Body, Draws, Endpoint, File, FileId, IdempotencyKey, Job, Name, Position, Queue, Schedule, Started, Write,
};
use ackd_ports::{LedgerError, ReadError, Rows};
use foldhash::HashMap;
use rustc_hash::FxHashMap;

use super::EmbeddedLedger;
use super::touched::{Touched, TouchedJob};
use crate::again;
use crate::fault::Fault;
use crate::files;
use crate::lines::{Lines, line_of};
use crate::links::Links;

/// What a batch has read and written so far, over what is committed.
pub(super) struct Batch<'a> {
    pub(super) ledger: &'a mut EmbeddedLedger,
    pub(super) touched: Touched,
    /// The keys of the batch's own jobs.
    keys: HashMap<Arc<str>, u64>,
    /// The latest job of the batch's own with each unique key.
    uniques: HashMap<(Name, Arc<str>), u64>,
    /// The latest ended job of the ledger with each unique key that the batch has looked for.
    ended: HashMap<(Name, Arc<str>), u64>,
    /// The new jobs whose unique key another had before, with its number.
    renewed: FxHashMap<u64, u64>,
    pub(super) queues: Vec<Arc<Queue>>,
    pub(super) started: FxHashMap<Name, Started>,
    /// Those that are written; `None` where it is deleted.
    pub(super) endpoints: FxHashMap<Name, Option<Arc<Endpoint>>>,
    pub(super) positions: FxHashMap<Name, Position>,
    /// As `endpoints`.
    pub(super) schedules: FxHashMap<Name, Option<Arc<Schedule>>>,
    /// As `endpoints`.
    pub(super) files: BTreeMap<FileId, Option<Arc<File>>>,
    pub(super) lines: Lines,
    pub(super) links: Links,
    /// Up to where changes are to be forgotten.
    pub(super) forget: Position,
}

/// What a batch leaves.
pub(super) struct Outcome {
    pub(super) touched: Touched,
    /// As that of the batch.
    pub(super) renewed: FxHashMap<u64, u64>,
    pub(super) queues: Vec<Arc<Queue>>,
    pub(super) started: FxHashMap<Name, Started>,
    pub(super) endpoints: FxHashMap<Name, Option<Arc<Endpoint>>>,
    pub(super) positions: FxHashMap<Name, Position>,
    pub(super) schedules: FxHashMap<Name, Option<Arc<Schedule>>>,
    /// Whether it has made links between jobs.
    pub(super) linked: bool,
    /// The jobs of which it has written that they have followers to tell (true) or no longer.
    pub(super) resolved: Vec<(u64, bool)>,
    /// The number of the first job that is left, where the batch has erased some.
    pub(super) first: Option<u64>,
}

impl<'a> Batch<'a> {
    /// A batch that is about some so many jobs.
    pub(super) fn new(ledger: &'a mut EmbeddedLedger, jobs: usize) -> Batch<'a> {
        Batch {
            ledger,
            touched: Touched::with_capacity(jobs),
            keys: HashMap::default(),
            uniques: HashMap::default(),
            ended: HashMap::default(),
            renewed: FxHashMap::default(),
            queues: Vec::new(),
            started: FxHashMap::default(),
            endpoints: FxHashMap::default(),
            positions: FxHashMap::default(),
            schedules: FxHashMap::default(),
            files: BTreeMap::new(),
            lines: Lines::default(),
            links: Links::default(),
            forget: Position::START,
        }
    }

    /// What the batch leaves, for when it is committed.
    pub(super) fn into_outcome(self) -> Outcome {
        let Batch { ledger, touched, renewed, queues, started, endpoints, positions, schedules, links, .. } = self;
        Outcome {
            touched,
            renewed,
            queues,
            started,
            endpoints,
            positions,
            schedules,
            linked: links.has_made(),
            resolved: links.resolved(&ledger.unresolved).collect(),
            first: None,
        }
    }

    /// Rows are about to be read. Outside of the batch's transaction each look would begin and end one of its own, which
    /// takes locks of the file's.
    fn begin(&mut self) -> Result<(), ReadError> {
        self.ledger.begin().map_err(|fault| self.unread(fault))
    }

    /// A row that is damaged refuses the command; one that cannot be read fails the batch.
    fn unread(&mut self, fault: Fault) -> ReadError {
        match fault {
            Fault::Damaged(what) => ReadError::Damaged(what),
            fault => {
                let error = self.ledger.failed(fault);
                let why = error.to_string();
                self.ledger.read_failure = Some(error);
                ReadError::Failed(why)
            }
        }
    }

    /// Notes that `job` carries its unique key, if it has one and has not ended.
    fn carry(&mut self, job: &Job) {
        let Some(key) = job.spec.unique.as_ref().filter(|_| !job.status.is_terminal()) else { return };
        self.uniques.insert((job.spec.queue.clone(), Arc::clone(key)), job.id.number());
    }

    fn write_job(&mut self, job: Arc<Job>, result: Option<Body>) -> Result<(), LedgerError> {
        let number = job.id.number();
        let Some(touched) = self.touched.get(number) else {
            return Err(LedgerError::Failed(format!("job {number} was to be written before it was read")));
        };
        self.lines.stand(&job);
        touched.job = Arc::clone(&job);
        touched.written = true;
        if result.is_some() {
            touched.result = result;
        }
        self.carry(&job);
        Ok(())
    }
}

impl Draws for Batch<'_> {
    fn number(&mut self) -> u64 {
        let counters = &mut self.ledger.counters;
        counters.number += 1;
        counters.number
    }

    fn position(&mut self) -> Position {
        let counters = &mut self.ledger.counters;
        counters.position = counters.position.next();
        counters.position
    }

    fn random(&mut self) -> u64 {
        self.ledger.counters.entropy.random()
    }
}

impl Rows for Batch<'_> {
    fn job(&mut self, number: u64) -> Result<Option<Arc<Job>>, ReadError> {
        if let Some(touched) = self.touched.get(number) {
            return Ok((!touched.erased).then(|| Arc::clone(&touched.job)));
        }
        let loaded = self.ledger.load(number).map_err(|fault| self.unread(fault))?;
        let Some(loaded) = loaded else { return Ok(None) };
        let job = Arc::clone(&loaded.job);
        self.touched.put(TouchedJob::loaded(loaded));
        Ok(Some(job))
    }

    fn holder(&mut self, key: &IdempotencyKey) -> Result<Option<Arc<Job>>, ReadError> {
        let number = match self.keys.get(&key.text) {
            Some(number) => Some(*number),
            None => self.ledger.holder(&key.text).map_err(|fault| self.unread(fault))?,
        };
        match number {
            Some(number) => self.job(number),
            None => Ok(None),
        }
    }

    fn rival(&mut self, queue: &Name, key: &Arc<str>) -> Result<Option<Arc<Job>>, ReadError> {
        let name = (queue.clone(), Arc::clone(key));
        let carries = |job: &Job| !job.status.is_terminal();
        if let Some(number) = self.uniques.get(&name).copied()
            && let Some(job) = self.job(number)?.filter(|job| carries(job))
        {
            return Ok(Some(job));
        }
        let has_key = |job: &Job| job.spec.queue == *queue && job.spec.unique.as_ref() == Some(key);
        for number in self.ledger.rivals(queue, key).map_err(|fault| self.unread(fault))? {
            // A candidate may be gone, or have another key with the same hash.
            if let Some(job) = self.job(number)?.filter(|job| has_key(job)) {
                if carries(&job) {
                    return Ok(Some(job));
                }
                // It was made when no older one carried the key, but for those that run again.
                self.ended.insert(name, number);
                break;
            }
        }
        if self.ledger.again {
            self.begin()?;
            let again = again::find(&self.ledger.connection, queue, key).map_err(|error| self.unread(error.into()))?;
            for number in again {
                if let Some(job) = self.job(number)?.filter(|job| has_key(job) && carries(job)) {
                    return Ok(Some(job));
                }
            }
        }
        Ok(None)
    }

    fn queue(&mut self, name: &Name) -> Result<Option<Arc<Queue>>, ReadError> {
        let written = self.queues.iter().find(|queue| queue.name == *name);
        Ok(written.or_else(|| self.ledger.queues.get(name)).cloned())
    }

    fn started(&mut self, queue: &Name) -> Result<Option<Started>, ReadError> {
        Ok(self.started.get(queue).or_else(|| self.ledger.started.get(queue)).cloned())
    }

    fn endpoint(&mut self, name: &Name) -> Result<Option<Arc<Endpoint>>, ReadError> {
        let written = self.endpoints.get(name).cloned();
        Ok(written.unwrap_or_else(|| self.ledger.endpoints.get(name).cloned()))
    }

    fn endpoints(&mut self) -> Result<usize, ReadError> {
        let others = self.ledger.endpoints.keys().filter(|name| !self.endpoints.contains_key(*name)).count();
        Ok(others + self.endpoints.values().flatten().count())
    }

    fn position_of(&mut self, consumer: &Name) -> Result<Option<Position>, ReadError> {
        Ok(self.positions.get(consumer).or_else(|| self.ledger.positions.get(consumer)).copied())
    }

    fn schedule(&mut self, name: &Name) -> Result<Option<Arc<Schedule>>, ReadError> {
        let written = self.schedules.get(name).cloned();
        Ok(written.unwrap_or_else(|| self.ledger.schedules.get(name).cloned()))
    }

    fn schedules(&mut self) -> Result<usize, ReadError> {
        let others = self.ledger.schedules.keys().filter(|name| !self.schedules.contains_key(*name)).count();
        Ok(others + self.schedules.values().flatten().count())
    }

    fn first_in_line(&mut self, queue: &Name, key: &str, but: &[u64]) -> Result<Option<u64>, ReadError> {
        self.begin()?;
        let first = self.lines.first(&self.ledger.connection, line_of(queue, key), but);
        first.map_err(|error| self.unread(error.into()))
    }

    fn followers(&mut self, number: u64, told: u64, limit: usize) -> Result<Vec<u64>, ReadError> {
        if self.ledger.linked {
            self.begin()?;
        }
        let EmbeddedLedger { connection, linked, .. } = &*self.ledger;
        let followers = self.links.followers(connection, *linked, (number, told), limit);
        followers.map_err(|error| self.unread(error.into()))
    }

    fn waits_for_another(&mut self, follower: &Job, but: u64) -> Result<bool, ReadError> {
        if self.ledger.linked {
            self.begin()?;
        }
        let EmbeddedLedger { connection, linked, awaited, .. } = &mut *self.ledger;
        let waits = self.links.waits_for_another(connection, *linked, (follower, but), awaited);
        waits.map_err(|error| self.unread(error.into()))
    }

    fn file(&mut self, id: FileId) -> Result<Option<Arc<File>>, ReadError> {
        if let Some(written) = self.files.get(&id) {
            return Ok(written.clone());
        }
        self.begin()?;
        files::by_id(&self.ledger.connection, id).map_err(|fault| self.unread(fault))
    }

    fn file_named(&mut self, name: &Name) -> Result<Option<Arc<File>>, ReadError> {
        if let Some(written) = self.files.values().flatten().find(|file| file.name.as_ref() == Some(name)) {
            return Ok(Some(Arc::clone(written)));
        }
        self.begin()?;
        let stored = files::by_name(&self.ledger.connection, name).map_err(|fault| self.unread(fault))?;
        // One that the batch has written has another name by now, or none.
        Ok(stored.filter(|file| !self.files.contains_key(&file.id)))
    }

    fn slowest(&mut self) -> Result<Option<Position>, ReadError> {
        let others = self.ledger.positions.iter().filter(|(name, _)| !self.positions.contains_key(*name));
        Ok(others.map(|(_, position)| position).chain(self.positions.values()).min().copied())
    }

    fn write(&mut self, write: Write) -> Result<(), LedgerError> {
        match write {
            Write::Insert(job, payload) => {
                if let Some(key) = &job.spec.key {
                    self.keys.insert(Arc::clone(&key.text), job.id.number());
                }
                if let Some(key) = &job.spec.unique
                    && let Some(old) = self.ended.remove(&(job.spec.queue.clone(), Arc::clone(key)))
                {
                    self.renewed.insert(job.id.number(), old);
                }
                self.carry(&job);
                self.lines.stand(&job);
                self.touched.put(TouchedJob::inserted(job, payload));
                Ok(())
            }
            Write::Copy { from, job } => {
                self.lines.stand(&job);
                self.touched.put(TouchedJob::copied(job, from));
                Ok(())
            }
            Write::Replace(job, payload) => {
                let number = job.id.number();
                self.write_job(job, None)?;
                if let Some(touched) = self.touched.get(number) {
                    touched.payload = Some(payload);
                }
                Ok(())
            }
            Write::Update(job) => self.write_job(job, None),
            Write::Finish(job, result) => self.write_job(job, Some(result)),
            Write::Erase(job) => {
                let number = job.id.number();
                let Some(touched) = self.touched.get(number) else {
                    return Err(LedgerError::Failed(format!("job {number} was to be erased before it was read")));
                };
                touched.erased = true;
                Ok(())
            }
            Write::Overdue(job) => {
                if let Some(touched) = self.touched.get(job.id.number()) {
                    touched.overdue = true;
                }
                Ok(())
            }
            Write::Forget(position) => {
                self.forget = self.forget.max(position);
                Ok(())
            }
            Write::Queue(queue) => {
                self.queues.retain(|earlier| earlier.name != queue.name);
                self.queues.push(queue);
                Ok(())
            }
            Write::Started(queue, started) => {
                self.started.insert(queue, started);
                Ok(())
            }
            Write::Endpoint(endpoint) => {
                self.endpoints.insert(endpoint.name.clone(), Some(endpoint));
                Ok(())
            }
            Write::NoEndpoint(name) => {
                self.endpoints.insert(name, None);
                Ok(())
            }
            Write::Position(consumer, position) => {
                self.positions.insert(consumer, position);
                Ok(())
            }
            Write::Schedule(schedule) => {
                self.schedules.insert(schedule.name.clone(), Some(schedule));
                Ok(())
            }
            Write::NoSchedule(name) => {
                self.schedules.insert(name, None);
                Ok(())
            }
            Write::Link(job, follower) => {
                self.links.link(job, follower, true);
                Ok(())
            }
            Write::Unlink(job, follower) => {
                self.links.link(job, follower, false);
                Ok(())
            }
            Write::Unresolved(job) => {
                self.links.resolve(job, true);
                Ok(())
            }
            Write::Resolved(job) => {
                self.links.resolve(job, false);
                Ok(())
            }
            Write::File(file) => {
                self.files.insert(file.id, Some(file));
                Ok(())
            }
            Write::NoFile(id) => {
                self.files.insert(id, None);
                Ok(())
            }
        }
    }
}
