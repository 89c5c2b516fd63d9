use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{
    Answer, Change, Command, Decision, Draws, Endpoint, File, FileId, Job, LeaseToken, LookedAt, Name, Position, Queue,
    QueuePatch, Refusal, Schedule, Started, Status, Stepped, Submission, Timestamp, View, Write, decide,
};

use crate::samples::START;

/// The smallest ledger there is: it keeps what decisions write, and nothing else.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    pub(crate) now: Timestamp,
    pub(crate) jobs: BTreeMap<u64, Arc<Job>>,
    pub(crate) queues: BTreeMap<Name, Arc<Queue>>,
    pub(crate) started: BTreeMap<Name, Started>,
    pub(crate) endpoints: BTreeMap<Name, Arc<Endpoint>>,
    pub(crate) positions: BTreeMap<Name, Position>,
    pub(crate) schedules: BTreeMap<Name, Arc<Schedule>>,
    pub(crate) files: BTreeMap<FileId, Arc<File>>,
    /// Which job is come after by which.
    pub(crate) links: BTreeSet<(u64, u64)>,
    pub(crate) changes: Vec<Change>,
    pub(crate) drawn: Drawn,
    pub(crate) stepped: Stepped,
}

/// What was drawn last.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Drawn {
    pub(crate) number: u64,
    pub(crate) position: u64,
    pub(crate) random: u64,
}

impl Draws for Drawn {
    fn number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    fn position(&mut self) -> Position {
        // With gaps, as they are left by batches that failed.
        self.position += 3;
        Position(self.position)
    }

    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random
    }
}

impl Book {
    pub(crate) fn new() -> Book {
        Book {
            now: START,
            jobs: BTreeMap::new(),
            queues: BTreeMap::new(),
            started: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            positions: BTreeMap::new(),
            schedules: BTreeMap::new(),
            files: BTreeMap::new(),
            links: BTreeSet::new(),
            changes: Vec::new(),
            drawn: Drawn::default(),
            stepped: Stepped::default(),
        }
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    /// Decides `command`, and keeps nothing of it.
    pub(crate) fn decide(&mut self, command: Command) -> Result<Decision, Refusal> {
        let view = self.view(&command);
        decide(&view, command, self.now, &mut self.drawn)
    }

    /// Decides `command` and writes what comes of it.
    pub(crate) fn apply(&mut self, command: Command) -> Result<Answer, Refusal> {
        let decision = self.decide(command)?;
        for write in decision.writes {
            match write {
                Write::Insert(job, _)
                | Write::Copy { job, .. }
                | Write::Replace(job, _)
                | Write::Update(job)
                | Write::Finish(job, _) => {
                    self.jobs.insert(job.id.number(), job);
                }
                Write::Erase(job) => drop(self.jobs.remove(&job.id.number())),
                Write::Overdue(_) => {}
                Write::Forget(position) => self.changes.retain(|change| change.position > position),
                Write::Queue(queue) => {
                    self.queues.insert(queue.name.clone(), queue);
                }
                Write::Started(queue, started) => drop(self.started.insert(queue, started)),
                Write::Endpoint(endpoint) => {
                    self.endpoints.insert(endpoint.name.clone(), endpoint);
                }
                Write::NoEndpoint(name) => drop(self.endpoints.remove(&name)),
                Write::Position(consumer, position) => drop(self.positions.insert(consumer, position)),
                Write::Schedule(schedule) => drop(self.schedules.insert(schedule.name.clone(), schedule)),
                Write::NoSchedule(name) => drop(self.schedules.remove(&name)),
                Write::Link(from, to) => drop(self.links.insert((from, to))),
                Write::Unlink(from, to) => drop(self.links.remove(&(from, to))),
                Write::Unresolved(_) | Write::Resolved(_) => {}
                Write::File(file) => drop(self.files.insert(file.id, file)),
                Write::NoFile(id) => drop(self.files.remove(&id)),
            }
        }
        self.changes.extend(decision.changes);
        for command in decision.follow_ups {
            self.apply(command)?;
        }
        Ok(decision.answer)
    }

    /// Applies a command that answers with a job.
    pub(crate) fn job(&mut self, command: Command) -> Arc<Job> {
        match self.apply(command) {
            Ok(Answer::Job(job)) => job,
            other => panic!("no job: {other:?}"),
        }
    }

    pub(crate) fn submit(&mut self, submission: Submission) -> Arc<Job> {
        match self.apply(Command::Submit(vec![submission])) {
            Ok(Answer::Accepted(accepted)) => Arc::clone(&accepted[0].job),
            other => panic!("not accepted: {other:?}"),
        }
    }

    /// Leases the job.
    pub(crate) fn lease(&mut self, number: u64) -> LeaseToken {
        let job = self.job(Command::Lease { number, worker: Some("worker-1".into()), ttl: None });
        job.lease.as_ref().unwrap().token(number)
    }

    /// A job that a worker has.
    pub(crate) fn leased(&mut self, submission: Submission) -> LeaseToken {
        let number = self.submit(submission).id.number();
        self.lease(number)
    }

    pub(crate) fn configure(&mut self, patch: QueuePatch) -> Arc<Queue> {
        let queue = crate::samples::name("video");
        match self.apply(Command::Configure { queue, patch: Box::new(patch) }) {
            Ok(Answer::Queue(queue)) => queue,
            other => panic!("no queue: {other:?}"),
        }
    }

    fn view(&self, command: &Command) -> View {
        let needs = command.needs();
        let job = needs.job.and_then(|number| self.jobs.get(&number)).cloned();
        let named = needs.queue.or(job.as_ref().map(|job| &job.spec.queue));
        let mut queues: Vec<_> = named.into_iter().map(|name| self.queues.get(name).cloned()).collect();
        queues.extend(needs.submissions.iter().map(|submission| self.queues.get(&submission.queue).cloned()));
        let holders = needs.submissions.iter().map(|submission| {
            let key = &submission.key.as_ref()?.text;
            self.jobs.values().find(|job| job.spec.key.as_ref().is_some_and(|held| held.text == *key)).cloned()
        });
        let number = job.as_ref().map_or(0, |job| job.id.number());
        let links =
            || self.links.iter().filter(|(from, to)| *from == number && needs.followers.is_none_or(|told| *to > told));
        let is_last = |follower| self.links.iter().all(|(from, to)| *to != follower || *from == number);
        let in_line = |queue: &Name, key: &Option<Arc<str>>| {
            let key = key.as_ref()?;
            let same = |other: &&Arc<Job>| other.spec.queue == *queue && other.spec.ordering_key.as_ref() == Some(key);
            self.jobs.values().filter(same).find(|it| !it.status.is_terminal() && it.id.number() != number).cloned()
        };
        let rival = |queue: &Name, key: Option<&Arc<str>>| {
            let key = key?;
            let same = |other: &&Arc<Job>| other.spec.queue == *queue && other.spec.unique.as_ref() == Some(key);
            self.jobs.values().filter(same).find(|it| !it.status.is_terminal() && it.id.number() != number).cloned()
        };
        let mut rivals: Vec<_> =
            needs.submissions.iter().map(|it| rival(&it.queue, it.unique.as_ref().map(|unique| &unique.key))).collect();
        if let (Some(job), true) = (&job, needs.rival) {
            rivals.push(rival(&job.spec.queue, job.spec.unique.as_ref()));
        }
        let behind = needs.submissions.iter().filter(|it| in_line(&it.queue, &it.ordering_key).is_some());
        View {
            rivals,
            started: named.filter(|_| needs.starts).and_then(|queue| self.started.get(queue)).cloned(),
            predecessors: self.jobs.clone(),
            behind: behind.filter_map(|it| Some((it.queue.clone(), it.ordering_key.clone()?))).collect(),
            later_queues: self.queues.clone(),
            next_in_line: job.as_ref().and_then(|job| in_line(&job.spec.queue, &job.spec.ordering_key)),
            followed: links().next().is_some(),
            looked_at: links().map(|(_, to)| *to).max().map(|last| LookedAt { last, is_all: true }),
            awaited: links().any(|(_, to)| self.jobs[to].status == Status::Init && self.jobs[to].held.after),
            followers: links().map(|(_, to)| (Arc::clone(&self.jobs[to]), is_last(*to))).collect(),
            holders: holders.collect(),
            job: job.clone(),
            queues,
            endpoint: needs.endpoint.and_then(|name| self.endpoints.get(name)).cloned(),
            endpoints: self.endpoints.len(),
            position: if needs.slowest {
                self.positions.values().min().copied()
            } else {
                needs.consumer.and_then(|name| self.positions.get(name)).copied()
            },
            schedule: needs.schedule.and_then(|name| self.schedules.get(name)).cloned(),
            schedules: self.schedules.len(),
            bulk: needs.bulk.and_then(|number| self.jobs.get(&number)).cloned(),
            stepped: self.stepped,
            named_files: self.files.values().filter_map(|file| Some((file.name.clone()?, Arc::clone(file)))).collect(),
            files: self.files.clone(),
        }
    }
}
