use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use ackd_domain::{
    Draws, Endpoint, File, FileId, IdempotencyKey, Job, Name, Position, Queue, Schedule, Started, Write,
};

use ackd_ports::{LedgerError, ReadError, Rows};

use super::state::State;
use super::{Drawn, locked};

/// What a batch has written so far, over what is committed.
pub(super) struct Batch<'a> {
    state: &'a Mutex<State>,
    drawn: &'a mut Drawn,
    /// `None` where the batch has erased it.
    jobs: BTreeMap<u64, Option<Arc<Job>>>,
    keys: BTreeMap<Arc<str>, u64>,
    /// The jobs of the batch by queue and unique key, as far as it knows the latest.
    uniques: BTreeMap<(Name, Arc<str>), u64>,
    queues: BTreeMap<Name, Arc<Queue>>,
    started: BTreeMap<Name, Started>,
    /// `None` where the batch has deleted it.
    endpoints: BTreeMap<Name, Option<Arc<Endpoint>>>,
    positions: BTreeMap<Name, Position>,
    /// `None` where the batch has deleted it.
    schedules: BTreeMap<Name, Option<Arc<Schedule>>>,
    /// `None` where the batch has forgotten it.
    files: BTreeMap<FileId, Option<Arc<File>>>,
    writes: Vec<Write>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(state: &'a Mutex<State>, drawn: &'a mut Drawn) -> Batch<'a> {
        Batch {
            state,
            drawn,
            jobs: BTreeMap::new(),
            keys: BTreeMap::new(),
            uniques: BTreeMap::new(),
            queues: BTreeMap::new(),
            started: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            positions: BTreeMap::new(),
            schedules: BTreeMap::new(),
            files: BTreeMap::new(),
            writes: Vec::new(),
        }
    }

    /// The rows to commit, in the order in which they were written.
    pub(super) fn into_writes(self) -> Vec<Write> {
        self.writes
    }
}

impl Draws for Batch<'_> {
    fn number(&mut self) -> u64 {
        self.drawn.number += 1;
        self.drawn.number
    }

    fn position(&mut self) -> Position {
        self.drawn.position = self.drawn.position.next();
        self.drawn.position
    }

    fn random(&mut self) -> u64 {
        self.drawn.entropy.random()
    }
}

impl Rows for Batch<'_> {
    fn job(&mut self, number: u64) -> Result<Option<Arc<Job>>, ReadError> {
        let written = self.jobs.get(&number).cloned();
        Ok(written.unwrap_or_else(|| locked(self.state).jobs.get(&number).map(|row| Arc::clone(&row.job))))
    }

    fn holder(&mut self, key: &IdempotencyKey) -> Result<Option<Arc<Job>>, ReadError> {
        let written = self.keys.get(&key.text).copied();
        match written.or_else(|| locked(self.state).keys.get(&key.text).copied()) {
            Some(number) => self.job(number),
            None => Ok(None),
        }
    }

    fn rival(&mut self, queue: &Name, key: &Arc<str>) -> Result<Option<Arc<Job>>, ReadError> {
        let name = (queue.clone(), Arc::clone(key));
        let written = self.uniques.get(&name).copied();
        let Some(number) = written.or_else(|| locked(self.state).uniques.get(&name).copied()) else { return Ok(None) };
        Ok(self.job(number)?.filter(|job| !job.status.is_terminal()))
    }

    fn queue(&mut self, name: &Name) -> Result<Option<Arc<Queue>>, ReadError> {
        let written = self.queues.get(name).cloned();
        Ok(written.or_else(|| locked(self.state).queues.get(name).cloned()))
    }

    fn started(&mut self, queue: &Name) -> Result<Option<Started>, ReadError> {
        let written = self.started.get(queue).cloned();
        Ok(written.or_else(|| locked(self.state).started.get(queue).cloned()))
    }

    fn endpoint(&mut self, name: &Name) -> Result<Option<Arc<Endpoint>>, ReadError> {
        let written = self.endpoints.get(name).cloned();
        Ok(written.unwrap_or_else(|| locked(self.state).endpoints.get(name).cloned()))
    }

    fn endpoints(&mut self) -> Result<usize, ReadError> {
        let state = locked(self.state);
        let others = state.endpoints.keys().filter(|name| !self.endpoints.contains_key(*name)).count();
        Ok(others + self.endpoints.values().flatten().count())
    }

    fn position_of(&mut self, consumer: &Name) -> Result<Option<Position>, ReadError> {
        let written = self.positions.get(consumer).copied();
        Ok(written.or_else(|| locked(self.state).positions.get(consumer).copied()))
    }

    fn schedule(&mut self, name: &Name) -> Result<Option<Arc<Schedule>>, ReadError> {
        let written = self.schedules.get(name).cloned();
        Ok(written.unwrap_or_else(|| locked(self.state).schedules.get(name).cloned()))
    }

    fn schedules(&mut self) -> Result<usize, ReadError> {
        let state = locked(self.state);
        let others = state.schedules.keys().filter(|name| !self.schedules.contains_key(*name)).count();
        Ok(others + self.schedules.values().flatten().count())
    }

    fn first_in_line(&mut self, queue: &Name, key: &str, but: &[u64]) -> Result<Option<u64>, ReadError> {
        let state = locked(self.state);
        let line = state.lines.get(&(queue.clone(), Arc::from(key)));
        let mut numbers: BTreeSet<u64> = line.into_iter().flatten().copied().collect();
        for (number, job) in &self.jobs {
            // What is erased has ended.
            let Some(job) = job else {
                numbers.remove(number);
                continue;
            };
            if job.spec.queue != *queue || job.spec.ordering_key.as_deref() != Some(key) {
                continue;
            }
            if job.status.is_terminal() {
                numbers.remove(number);
            } else {
                numbers.insert(*number);
            }
        }
        Ok(numbers.into_iter().find(|number| !but.contains(number)))
    }

    fn followers(&mut self, number: u64, told: u64, limit: usize) -> Result<Vec<u64>, ReadError> {
        let state = locked(self.state);
        let range = (number, told + 1)..(number + 1, 0);
        let mut found: BTreeSet<u64> = state.links.range(range).map(|(_, follower)| *follower).collect();
        for write in &self.writes {
            match write {
                Write::Link(from, to) if *from == number && *to > told => drop(found.insert(*to)),
                Write::Unlink(from, to) if *from == number => drop(found.remove(to)),
                _ => {}
            }
        }
        Ok(found.into_iter().take(limit).collect())
    }

    fn waits_for_another(&mut self, follower: &Job, but: u64) -> Result<bool, ReadError> {
        let follower = follower.id.number();
        let state = locked(self.state);
        let mut found: BTreeSet<u64> = state.predecessors(follower).collect();
        for write in &self.writes {
            match write {
                Write::Link(from, to) if *to == follower => drop(found.insert(*from)),
                Write::Unlink(from, to) if *to == follower => drop(found.remove(from)),
                _ => {}
            }
        }
        Ok(found.into_iter().any(|predecessor| predecessor != but))
    }

    fn file(&mut self, id: FileId) -> Result<Option<Arc<File>>, ReadError> {
        let written = self.files.get(&id).cloned();
        Ok(written.unwrap_or_else(|| locked(self.state).files.get(&id).cloned()))
    }

    fn file_named(&mut self, name: &Name) -> Result<Option<Arc<File>>, ReadError> {
        let has_name = |file: &&Arc<File>| file.name.as_ref() == Some(name);
        let written = self.files.values().flatten().find(has_name).cloned();
        Ok(written.or_else(|| {
            let state = locked(self.state);
            state.files.values().find(|file| has_name(file) && !self.files.contains_key(&file.id)).cloned()
        }))
    }

    fn slowest(&mut self) -> Result<Option<Position>, ReadError> {
        let state = locked(self.state);
        let others = state.positions.iter().filter(|(name, _)| !self.positions.contains_key(*name));
        Ok(others.map(|(_, position)| position).chain(self.positions.values()).min().copied())
    }

    fn write(&mut self, write: Write) -> Result<(), LedgerError> {
        match &write {
            Write::Insert(job, _)
            | Write::Copy { job, .. }
            | Write::Replace(job, _)
            | Write::Update(job)
            | Write::Finish(job, _) => {
                let number = job.id.number();
                if let (Write::Insert(..), Some(key)) = (&write, &job.spec.key) {
                    self.keys.insert(Arc::clone(&key.text), number);
                }
                if let (Some(key), false) = (&job.spec.unique, job.status.is_terminal()) {
                    self.uniques.insert((job.spec.queue.clone(), Arc::clone(key)), number);
                }
                self.jobs.insert(number, Some(Arc::clone(job)));
            }
            Write::Erase(job) => {
                self.jobs.insert(job.id.number(), None);
            }
            Write::Overdue(_) | Write::Forget(_) => {}
            Write::Queue(queue) => {
                self.queues.insert(queue.name.clone(), Arc::clone(queue));
            }
            Write::Started(queue, started) => {
                self.started.insert(queue.clone(), started.clone());
            }
            Write::Endpoint(endpoint) => {
                self.endpoints.insert(endpoint.name.clone(), Some(Arc::clone(endpoint)));
            }
            Write::NoEndpoint(name) => {
                self.endpoints.insert(name.clone(), None);
            }
            Write::Position(consumer, position) => {
                self.positions.insert(consumer.clone(), *position);
            }
            Write::Schedule(schedule) => {
                self.schedules.insert(schedule.name.clone(), Some(Arc::clone(schedule)));
            }
            Write::NoSchedule(name) => {
                self.schedules.insert(name.clone(), None);
            }
            Write::File(file) => drop(self.files.insert(file.id, Some(Arc::clone(file)))),
            Write::NoFile(id) => drop(self.files.insert(*id, None)),
            // They are looked up among the writes.
            Write::Link(..) | Write::Unlink(..) | Write::Unresolved(_) | Write::Resolved(_) => {}
        }
        self.writes.push(write);
        Ok(())
    }
}
