use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::sync::Arc;

use ackd_domain::{Body, Change, Endpoint, File, FileId, Job, Name, Position, Queue, Schedule, Started, Status, Write};

use ackd_ports::{LedgerError, ReadError, cause};

/// What is committed. Every map is ordered, so that whoever walks one walks the same way each time.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The jobs by their acceptance number.
    pub(super) jobs: BTreeMap<u64, Row>,
    /// The numbers of the jobs that have not ended, so that what concerns only them walks only them.
    pub(super) open: BTreeSet<u64>,
    /// The number of the job that holds each idempotency key.
    pub(super) keys: BTreeMap<Arc<str>, u64>,
    /// The number of the unfinished job with each unique key of a queue.
    pub(super) uniques: BTreeMap<(Name, Arc<str>), u64>,
    /// The queues that somebody configured.
    pub(super) queues: BTreeMap<Name, Arc<Queue>>,
    /// When attempts at the jobs of a queue began, where that is limited.
    pub(super) started: BTreeMap<Name, Started>,
    /// The webhook endpoints.
    pub(super) endpoints: BTreeMap<Name, Arc<Endpoint>>,
    /// How far each consumer of the change feed has come.
    pub(super) positions: BTreeMap<Name, Position>,
    /// The schedules.
    pub(super) schedules: BTreeMap<Name, Arc<Schedule>>,
    /// The files that the ledger knows of.
    pub(super) files: BTreeMap<FileId, Arc<File>>,
    /// The number of each job that is delivered, with that of a job that delivers it.
    pub(super) deliveries: BTreeSet<(u64, u64)>,
    /// The unfinished jobs with an ordering key, by queue and key.
    pub(super) lines: BTreeMap<(Name, Arc<str>), BTreeSet<u64>>,
    /// Which job is come after by which.
    pub(super) links: BTreeSet<(u64, u64)>,
    /// The jobs that have ended and whose followers have not all been told.
    pub(super) unresolved: BTreeSet<u64>,
    /// The changes that are still kept, in the order of their positions.
    pub(super) changes: VecDeque<Change>,
    /// The position of the last change that is no longer kept.
    pub(super) purged: Position,
    /// The position of the last change.
    pub(super) head: Position,
    /// Whether the next commit works.
    pub(super) health: Health,
    /// The jobs whose results cannot be read.
    pub(super) damaged_results: BTreeSet<u64>,
}

/// A job and its bytes.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) job: Arc<Job>,
    pub(super) payload: Body,
    pub(super) result: Option<Body>,
}

/// Whether commits work.
#[derive(Debug, Default)]
pub(super) enum Health {
    /// They do.
    #[default]
    Sound,
    /// The next one fails so.
    Next(LedgerError),
    /// One has failed so that none may follow.
    Failed(String),
}

impl State {
    /// The result of this job.
    pub(super) fn result(&self, number: u64) -> Result<Option<Body>, ReadError> {
        if self.damaged_results.contains(&number) {
            return Err(ReadError::Damaged(format!("the result of job {number}")));
        }
        Ok(self.jobs.get(&number).and_then(|row| row.result.clone()))
    }

    /// Refuses everything after a failure: what is stored cannot be trusted any more.
    pub(super) fn check(&self) -> Result<(), LedgerError> {
        match &self.health {
            Health::Failed(why) => Err(LedgerError::Failed(why.clone())),
            Health::Sound | Health::Next(_) => Ok(()),
        }
    }

    /// Writes all of it, or, at a fault, nothing.
    pub(super) fn commit(&mut self, writes: Vec<Write>, changes: &[Change]) -> Result<(), LedgerError> {
        if let Health::Next(error) = mem::take(&mut self.health) {
            if let LedgerError::Failed(why) = &error {
                self.health = Health::Failed(why.clone());
            }
            return Err(error);
        }
        self.restore(writes, changes);
        Ok(())
    }

    /// Writes what was committed before.
    pub(super) fn restore(&mut self, writes: Vec<Write>, changes: &[Change]) {
        // First, so that what the batch itself erases or forgets is among them.
        self.changes.extend(changes.iter().cloned());
        self.head = changes.last().map_or(self.head, |change| change.position);
        for write in writes {
            self.write(write);
        }
    }

    fn write(&mut self, write: Write) {
        match write {
            Write::Copy { from, job } => {
                // Only what is there dies.
                let payload = self.jobs.get(&from).map(|row| row.payload.clone());
                payload.into_iter().for_each(|payload| self.write(Write::Insert(Arc::clone(&job), payload)));
            }
            Write::Insert(job, payload) => {
                let number = job.id.number();
                if let Some(key) = &job.spec.key {
                    self.keys.insert(Arc::clone(&key.text), number);
                }
                if let Some(delivery) = &job.spec.delivery {
                    self.deliveries.insert((delivery.source.number(), number));
                }
                self.stand_in_line(&job);
                self.carry_key(&job);
                self.open.insert(number);
                self.jobs.insert(number, Row { job, payload, result: None });
            }
            Write::Replace(job, payload) => {
                let number = job.id.number();
                self.update(job, None);
                // Only what was inserted is ever replaced.
                if let Some(row) = self.jobs.get_mut(&number) {
                    row.payload = payload;
                }
            }
            Write::Update(job) => self.update(job, None),
            Write::Finish(job, result) => self.update(job, Some(result)),
            Write::Erase(job) => self.erase(&job),
            // All that have ended are looked at.
            Write::Overdue(_) => {}
            Write::Forget(position) => self.purge(position),
            Write::Queue(queue) => {
                self.queues.insert(queue.name.clone(), queue);
            }
            Write::Started(queue, started) => drop(self.started.insert(queue, started)),
            Write::Endpoint(endpoint) => {
                self.endpoints.insert(endpoint.name.clone(), endpoint);
            }
            Write::NoEndpoint(name) => drop(self.endpoints.remove(&name)),
            Write::Position(consumer, position) => drop(self.positions.insert(consumer, position)),
            Write::Schedule(schedule) => {
                self.schedules.insert(schedule.name.clone(), schedule);
            }
            Write::NoSchedule(name) => drop(self.schedules.remove(&name)),
            Write::Link(from, to) => drop(self.links.insert((from, to))),
            Write::Unlink(from, to) => drop(self.links.remove(&(from, to))),
            Write::Unresolved(number) => drop(self.unresolved.insert(number)),
            Write::Resolved(number) => drop(self.unresolved.remove(&number)),
            Write::File(file) => drop(self.files.insert(file.id, file)),
            Write::NoFile(id) => drop(self.files.remove(&id)),
        }
    }

    fn update(&mut self, job: Arc<Job>, result: Option<Body>) {
        let number = job.id.number();
        self.stand_in_line(&job);
        self.carry_key(&job);
        if job.status.is_terminal() {
            self.open.remove(&number);
        } else {
            self.open.insert(number);
        }
        // Only what was inserted is ever updated.
        if let Some(row) = self.jobs.get_mut(&number) {
            row.job = job;
            row.result = result.or(row.result.take());
        }
    }

    /// The jobs that `follower` waits for, by number.
    pub(super) fn predecessors(&self, follower: u64) -> impl Iterator<Item = u64> {
        self.links.iter().filter(move |(_, to)| *to == follower).map(|(from, _)| *from)
    }

    fn carry_key(&mut self, job: &Job) {
        let Some(key) = &job.spec.unique else { return };
        let (name, number) = ((job.spec.queue.clone(), Arc::clone(key)), job.id.number());
        if !job.status.is_terminal() {
            self.uniques.insert(name, number);
        } else if self.uniques.get(&name) == Some(&number) {
            self.uniques.remove(&name);
        }
    }

    fn stand_in_line(&mut self, job: &Job) {
        let Some(key) = &job.spec.ordering_key else { return };
        let line = self.lines.entry((job.spec.queue.clone(), Arc::clone(key))).or_default();
        if job.status.is_terminal() {
            line.remove(&job.id.number());
        } else {
            line.insert(job.id.number());
        }
    }

    /// The job's changes stay, without its bytes.
    fn erase(&mut self, job: &Job) {
        let number = job.id.number();
        self.jobs.remove(&number);
        if let Some(key) = &job.spec.key
            && self.keys.get(&key.text) == Some(&number)
        {
            self.keys.remove(&key.text);
        }
        if let Some(delivery) = &job.spec.delivery {
            self.deliveries.remove(&(delivery.source.number(), number));
        }
        self.unresolved.remove(&number);
        self.links.retain(|(from, to)| *from != number && *to != number);
        let mut position = job.changed;
        while let Ok(at) = self.changes.binary_search_by_key(&position, |change| change.position) {
            self.changes[at].body = None;
            position = self.changes[at].previous;
        }
    }

    /// Whether jobs wait for this one.
    pub(super) fn is_waited_for(&self, number: u64) -> bool {
        let waits = |row: &Row| row.job.status == Status::Init && row.job.held.after;
        let mut followers = self.links.range((number, 0)..(number + 1, 0));
        followers.any(|(_, follower)| self.jobs.get(follower).is_some_and(waits))
    }

    /// The dead jobs of the queue, by number, and the cause of each.
    pub(super) fn dead(&self, queue: &Name) -> impl DoubleEndedIterator<Item = (&Job, Arc<str>)> {
        let of_queue = self.jobs.values().map(|row| &*row.job).filter(move |job| job.spec.queue == *queue);
        of_queue.filter_map(|job| Some((job, cause(job)?)))
    }

    /// The jobs that have not ended, by number.
    pub(super) fn open_jobs(&self) -> impl Iterator<Item = &Row> {
        self.open.iter().filter_map(|number| self.jobs.get(number))
    }

    /// The change at `position`, if it is kept.
    pub(super) fn change(&self, position: Position) -> Option<&Change> {
        let at = self.changes.binary_search_by_key(&position, |change| change.position).ok()?;
        self.changes.get(at)
    }

    /// Forgets the changes up to `position`.
    pub(super) fn purge(&mut self, position: Position) {
        self.purged = self.purged.max(position.min(self.head));
        while self.changes.front().is_some_and(|change| change.position <= self.purged) {
            self.changes.pop_front();
        }
    }
}
