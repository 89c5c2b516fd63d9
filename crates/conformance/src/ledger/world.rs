use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{
    Acceptance, Accepted, Answer, Body, Change, ChangeKind, Command, Endpoint, File, FileId, Job, JobId, LeaseToken,
    Name, Position, Queue, Refusal, Schedule, Status, Submission, Timestamp,
};

use ackd_ports::{Applied, Idle, LedgerError, LedgerReader, Reactor};

use super::Fixture;
use super::recorder::Recorder;
use super::samples::START;

/// A ledger under test, and what it must hold by all that it said so far. Every batch is checked
/// against that when it is applied, and everything by [`World::audit`].
pub(super) struct World {
    pub(super) fixture: Fixture,
    pub(super) now: Timestamp,
    pub(super) jobs: BTreeMap<u64, Arc<Job>>,
    /// Those that are no longer, as they were last.
    pub(super) erased: BTreeMap<u64, Arc<Job>>,
    /// The number of the job that was accepted last.
    pub(super) last_number: u64,
    pub(super) payloads: BTreeMap<u64, Body>,
    /// The first result of each completed job, which is the one that counts.
    pub(super) results: BTreeMap<u64, Option<Body>>,
    pub(super) queues: BTreeMap<Name, Arc<Queue>>,
    pub(super) endpoints: BTreeMap<Name, Arc<Endpoint>>,
    pub(super) positions: BTreeMap<Name, Position>,
    pub(super) schedules: BTreeMap<Name, Arc<Schedule>>,
    /// Those that were answered with; the references of a file are counted anew.
    pub(super) files: BTreeMap<FileId, Arc<File>>,
    pub(super) changes: Vec<Change>,
    /// The position of the last change that is no longer kept.
    pub(super) purged: Position,
    /// A commit has failed so that none may follow.
    pub(super) failed: bool,
}

impl World {
    pub(super) fn new(fixture: Fixture) -> World {
        World {
            fixture,
            now: START,
            jobs: BTreeMap::new(),
            erased: BTreeMap::new(),
            last_number: 0,
            payloads: BTreeMap::new(),
            results: BTreeMap::new(),
            queues: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            positions: BTreeMap::new(),
            schedules: BTreeMap::new(),
            files: BTreeMap::new(),
            changes: Vec::new(),
            purged: Position::START,
            failed: false,
        }
    }

    pub(super) fn reader(&self) -> &dyn LedgerReader {
        &**self.fixture.reader()
    }

    pub(super) fn head(&self) -> Position {
        self.changes.last().map_or(Position::START, |change| change.position)
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    /// What the ledger must hold of the job now.
    pub(super) fn latest(&self, job: &Job) -> Arc<Job> {
        Arc::clone(&self.jobs[&job.id.number()])
    }

    /// Closes the ledger and opens it again; everything must still be there.
    pub(super) fn reopen(&mut self) {
        if self.fixture.reopen() {
            self.failed = false;
            self.audit();
        }
    }

    /// Forgets the changes up to `position`.
    pub(super) fn purge(&mut self, position: Position) {
        let answer = self.one(Command::PurgeChanges { old: position, ancient: position });
        assert!(matches!(answer, Ok(Answer::Forgotten { through, .. }) if through == position), "{answer:?}");
    }

    pub(super) fn apply(&mut self, commands: Vec<Command>) -> Applied {
        self.apply_with(commands, &mut Idle)
    }

    pub(super) fn apply_with(&mut self, commands: Vec<Command>, reactor: &mut dyn Reactor) -> Applied {
        self.try_apply(commands, reactor).unwrap_or_else(|error| panic!("a batch was not committed: {error}"))
    }

    pub(super) fn try_apply(
        &mut self,
        commands: Vec<Command>,
        reactor: &mut dyn Reactor,
    ) -> Result<Applied, LedgerError> {
        let mut recorder = Recorder::new(commands.clone(), reactor);
        let applied = self.fixture.ledger().apply(commands, self.now, &mut recorder)?;
        recorder.check(&applied);
        self.check_changes(&applied);
        self.remember(&recorder.commands, &applied);
        Ok(applied)
    }

    /// Applies one command.
    pub(super) fn one(&mut self, command: Command) -> Result<Answer, Refusal> {
        let mut answers = self.apply(vec![command]).answers;
        answers.pop().expect("one answer for one command")
    }

    /// Applies one command that answers with a job.
    pub(super) fn job(&mut self, command: Command) -> Arc<Job> {
        match self.one(command.clone()) {
            Ok(Answer::Job(job)) => job,
            other => panic!("{command:?} did not answer with a job but {other:?}"),
        }
    }

    /// Applies one command that is refused, and checks that nothing came of it.
    pub(super) fn refused(&mut self, command: Command, why: &Refusal) {
        let head = self.head();
        assert_eq!(self.one(command.clone()).as_ref(), Err(why), "{command:?}");
        assert_eq!(self.head(), head, "{command:?} was refused and made a change");
        assert_eq!(self.fixture.feed().head(), Ok(head), "{command:?} was refused and moved the feed");
    }

    pub(super) fn submit_all(&mut self, submissions: Vec<Submission>) -> Vec<Accepted> {
        match self.one(Command::Submit(submissions)) {
            Ok(Answer::Accepted(accepted)) => accepted,
            other => panic!("submissions were not accepted: {other:?}"),
        }
    }

    pub(super) fn submit(&mut self, submission: Submission) -> Arc<Job> {
        let mut accepted = self.submit_all(vec![submission]);
        accepted.pop().expect("one is accepted for one submission").job
    }

    /// Leases the job to a worker, with the queue's time to live.
    pub(super) fn lease(&mut self, job: &Job) -> (Arc<Job>, LeaseToken) {
        let number = job.id.number();
        let job = self.job(Command::Lease { number, worker: Some("worker-1".into()), ttl: None });
        let token = job.lease.as_ref().map(|lease| lease.token(number)).expect("a leased job has a lease");
        (job, token)
    }

    /// The job as it is now.
    pub(super) fn known(&self, job: &Job) -> Arc<Job> {
        Arc::clone(&self.jobs[&job.id.number()])
    }

    /// A job that a worker has.
    pub(super) fn leased(&mut self, submission: Submission) -> (Arc<Job>, LeaseToken) {
        let job = self.submit(submission);
        self.lease(&job)
    }

    /// Checks what must hold of any batch's changes, before they are remembered.
    fn check_changes(&self, applied: &Applied) {
        let changes = &applied.changes[..];
        let feed = self.fixture.feed();
        let mut jobs: BTreeMap<u64, Arc<Job>> = BTreeMap::new();
        let mut head = self.head();
        for change in changes {
            let number = change.job.id.number();
            let before = jobs.get(&number).or_else(|| self.jobs.get(&number));
            let (version, previous) = before.map_or((0, Position::START), |job| (job.version, job.changed));
            assert!(change.position > head, "positions do not grow: {:?} follows {head:?}", change.position);
            assert_eq!(change.job.changed, change.position, "a job does not name its own change");
            assert_eq!(change.previous, previous, "the chain of a job's changes is broken at {:?}", change.position);
            assert_eq!(change.job.version, version + 1, "a change is not one version: {change:?}");
            assert_eq!(change.at, self.now, "a change was not at the time of its batch");
            head = change.position;
            jobs.insert(number, Arc::clone(&change.job));
        }
        assert_eq!(feed.head(), Ok(head), "the feed's head is not the last committed change");
        let erased: Vec<JobId> = applied.answers.iter().filter_map(erased).collect();
        let read = feed.changes(self.head(), changes.len() + 1).expect("the changes of a batch can be read");
        assert_eq!(read.len(), changes.len(), "the feed does not have the changes of the batch");
        for (read, told) in read.iter().zip(changes.iter()) {
            same_change(read, told, erased.contains(&told.job.id));
        }
        for job in jobs.values().filter(|job| !erased.contains(&job.id)) {
            let read = self.reader().job(job.id).expect("a job can be read");
            assert_eq!(read.as_ref().map(|read| read.version), Some(job.version), "a reader sees an older job");
        }
    }

    /// Remembers what the ledger said, and so what it must hold.
    fn remember(&mut self, commands: &[Command], applied: &Applied) {
        for change in applied.changes.iter() {
            let number = change.job.id.number();
            let new = self.jobs.insert(number, Arc::clone(&change.job)).is_none();
            assert_eq!(new, change.kind == ChangeKind::Submitted, "{:?} of job {number}", change.kind);
            // What comes after a submission has no line of its own in the command.
            if let (true, Some(body)) = (new || change.kind == ChangeKind::Replaced, &change.body) {
                self.payloads.insert(number, body.clone());
            }
            assert!(!new || number > self.last_number, "the number {number} is given out again");
            self.last_number = self.last_number.max(number);
        }
        for (command, answer) in commands.iter().zip(&applied.answers) {
            match (command, answer) {
                (Command::Submit(submissions), Ok(Answer::Accepted(accepted))) => {
                    assert_eq!(accepted.len(), submissions.len(), "not every submission has its answer");
                    let fresh =
                        submissions.iter().zip(accepted).filter(|(_, accepted)| accepted.how == Acceptance::Made);
                    for (submission, accepted) in fresh {
                        // It may have been replaced in the same batch.
                        if accepted.job.spec.payload_file.is_none() {
                            self.payloads.entry(accepted.job.id.number()).or_insert_with(|| submission.payload.clone());
                        }
                    }
                }
                (Command::ForgetFile { id }, Ok(_)) => drop(self.files.remove(id)),
                (_, Ok(Answer::File { file, .. })) => {
                    self.take_name(file);
                    self.files.insert(file.id, Arc::clone(file));
                }
                (Command::Deliver { advance, deliveries }, Ok(Answer::Accepted(accepted))) => {
                    assert_eq!(accepted.len(), deliveries.len(), "not every delivery has its job");
                    for (delivery, accepted) in deliveries.iter().zip(accepted) {
                        assert_eq!(accepted.job.spec.delivery.as_deref(), Some(&delivery.delivery));
                        self.payloads.insert(accepted.job.id.number(), delivery.body.clone());
                    }
                    if let Some(advance) = advance {
                        self.positions.insert(advance.consumer.clone(), advance.to);
                    }
                }
                (Command::Complete { lease, result }, Ok(_)) => {
                    self.results.entry(lease.number).or_insert_with(|| result.clone());
                }
                (Command::BulkPart { .. }, Ok(Answer::Job(job))) if job.status == Status::Done => {
                    let end = applied.changes.iter().find(|change| change.position == job.changed);
                    self.results.insert(job.id.number(), end.and_then(|end| end.body.clone()));
                }
                // A time to live is no change of the job, and stands in its row all the same.
                (Command::Heartbeat { lease, .. }, Ok(Answer::Beat { ttl, .. })) => {
                    let job = self.jobs.get_mut(&lease.number).map(Arc::make_mut);
                    let held = job.and_then(|job| job.lease.as_mut()).filter(|held| held.is_named_by(lease));
                    if let Some(held) = held {
                        held.ttl = *ttl;
                    }
                }
                (_, Ok(Answer::Erased(id))) => {
                    let job = self.jobs.remove(&id.number()).expect("what is erased was there");
                    self.erased.insert(id.number(), job);
                    self.payloads.remove(&id.number());
                    self.results.remove(&id.number());
                }
                (_, Ok(Answer::Forgotten { through, .. })) => self.purged = self.purged.max(*through),
                (_, Ok(Answer::Queue(queue))) => {
                    self.queues.insert(queue.name.clone(), Arc::clone(queue));
                }
                (_, Ok(Answer::Endpoint { endpoint, .. })) => {
                    self.endpoints.insert(endpoint.name.clone(), Arc::clone(endpoint));
                }
                (_, Ok(Answer::NoEndpoint(name))) => drop(self.endpoints.remove(name)),
                (Command::Fire(firing), Ok(Answer::Fired { schedule, accepted })) => {
                    assert_eq!(accepted.len(), firing.jobs.len(), "not every time has its job");
                    for (submission, accepted) in firing.jobs.iter().zip(accepted) {
                        self.payloads.insert(accepted.job.id.number(), submission.payload.clone());
                    }
                    self.schedules.insert(schedule.name.clone(), Arc::clone(schedule));
                }
                (_, Ok(Answer::Schedule { schedule, .. })) => {
                    self.schedules.insert(schedule.name.clone(), Arc::clone(schedule));
                }
                (_, Ok(Answer::NoSchedule(name))) => drop(self.schedules.remove(name)),
                _ => {}
            }
        }
        for change in applied.changes.iter().filter(|change| change.kind == ChangeKind::Submitted) {
            let of = change.job.spec.dead_letter_of.map(|it| it.of.number());
            if let Some(payload) = of.and_then(|of| self.payloads.get(&of)).cloned() {
                self.payloads.insert(change.job.id.number(), payload);
            }
        }
        self.changes.extend_from_slice(&applied.changes);
    }
}

impl World {
    /// The name of `file` is no other file's any more.
    fn take_name(&mut self, file: &File) {
        let had = |other: &&mut Arc<File>| other.id != file.id && other.name.is_some() && other.name == file.name;
        for other in self.files.values_mut().filter(had) {
            *other = Arc::new(File { name: None, expires_at: self.now, ..(**other).clone() });
        }
    }
}

/// The job that is no longer by this answer.
fn erased(answer: &Result<Answer, Refusal>) -> Option<JobId> {
    match answer {
        Ok(Answer::Erased(id)) => Some(*id),
        _ => None,
    }
}

/// Checks that a change is read as it was told. Its body and its job's lease may be left out, but never
/// be others; and of a job that was erased its key, its error and its checkpoint too.
pub(super) fn same_change(read: &Change, told: &Change, erased: bool) {
    let mut read = read.clone();
    if erased {
        assert_eq!(read.body, None, "the bytes of an erased job are told");
        let job = Arc::make_mut(&mut read.job);
        let spec = Arc::make_mut(&mut job.spec);
        spec.key.clone_from(&told.job.spec.key);
        spec.unique.clone_from(&told.job.spec.unique);
        job.error = job.error.take().or_else(|| told.job.error.clone());
        job.checkpoint = job.checkpoint.take().or_else(|| told.job.checkpoint.clone());
    }
    if read.body.is_none() {
        read.body.clone_from(&told.body);
    }
    read.was_due = told.was_due;
    if told.job.spec.unique.is_some() {
        // What its payload is stands in one place, and may have been replaced since.
        let spec = Arc::make_mut(&mut Arc::make_mut(&mut read.job).spec);
        spec.payload = told.job.spec.payload.clone();
        spec.payload_file = told.job.spec.payload_file;
    }
    if read.job.lease.is_none() {
        Arc::make_mut(&mut read.job).lease.clone_from(&told.job.lease);
    }
    assert_eq!(read, *told, "a change is read otherwise than it was told");
}
