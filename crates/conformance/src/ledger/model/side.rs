use std::sync::Arc;

use ackd_domain::{
    Accepted, After, Answer, BulkCourse, Change, ChangeKind, Command, Job, JobId, LapseReason, LeaseToken, OnFailure,
    Position, Progress, QueuePatch, Refusal, Start, Submission, Timestamp, Unique, UniquePolicy,
};

use ackd_ports::{Applied, LedgerError, Reactor, cause};

use super::super::Fixture;
use super::super::samples::{FOREIGN, SECOND, failure, json, name, sure_backoff};
use super::super::world::World;
use super::plan::{Batch, Line, NOWHERE, Op, Place, Setting};

const QUEUES: [&str; 3] = ["video", "audio", "ackd.own"];

/// One of the two ledgers, with what a plan's places mean to it.
pub(super) struct Side {
    pub(super) world: World,
    /// The jobs in the order in which they were accepted.
    ids: Vec<JobId>,
    /// The leases in the order in which they were granted.
    leases: Vec<LeaseToken>,
}

impl Side {
    /// A ledger whose queues leave no wait to chance, which each ledger draws for itself.
    pub(super) fn new(fixture: Fixture) -> Side {
        let mut world = World::new(fixture);
        for queue in QUEUES {
            let patch = QueuePatch { backoff: Some(Some(sure_backoff(SECOND))), ..QueuePatch::default() };
            world
                .one(Command::Configure { queue: name(queue), patch: Box::new(patch) })
                .expect("a queue is configured");
        }
        Side { world, ids: Vec::new(), leases: Vec::new() }
    }

    /// Applies the batch; what it came to is told in places, so that two ledgers can be compared.
    pub(super) fn apply(&mut self, batch: &Batch) -> Applied {
        let applied = self.world.apply_with(self.commands(batch), &mut Granting(batch.grant));
        for change in applied.changes.iter() {
            match change.kind {
                ChangeKind::Submitted => self.ids.push(change.job.id),
                ChangeKind::Leased => {
                    let lease = change.job.lease.as_ref().expect("a leased job has a lease");
                    self.leases.push(lease.token(change.job.id.number()));
                }
                _ => {}
            }
        }
        Applied {
            answers: applied.answers.iter().map(|answer| self.placed_answer(answer)).collect(),
            changes: applied.changes.iter().map(|change| self.placed_change(change)).collect(),
            follow_ups: applied.follow_ups,
        }
    }

    /// Applies the batch to a full store.
    pub(super) fn fail(&mut self, batch: &Batch) {
        let failed = self.world.try_apply(self.commands(batch), &mut Granting(batch.grant));
        assert!(matches!(failed, Err(LedgerError::Full(_))), "a full store answers with {failed:?}");
    }

    fn commands(&self, batch: &Batch) -> Vec<Command> {
        batch.ops.iter().map(|op| self.command(op)).collect()
    }

    fn command(&self, op: &Op) -> Command {
        let checkpoint = |is: bool| is.then(|| Arc::from("{}"));
        match op {
            Op::Submit(lines) => {
                let line = |(at, line): (usize, &Line)| self.ordered(at, line, submission(line));
                Command::Submit(lines.iter().enumerate().map(line).collect())
            }
            Op::Lease { job, worker, ttl } => {
                let worker = worker.then(|| Arc::from("worker"));
                Command::Lease { number: self.id(*job).number(), worker, ttl: *ttl }
            }
            Op::Beat { lease, ttl, percent, checkpoint: left } => {
                let progress = percent.map(|percent| Progress {
                    percent: Some(f64::from(percent)),
                    message: None,
                    at: Timestamp::MAX,
                });
                Command::Heartbeat { lease: self.lease(*lease), ttl: *ttl, progress, checkpoint: checkpoint(*left) }
            }
            Op::Complete { lease, result } => {
                Command::Complete { lease: self.lease(*lease), result: result.map(|result| json(&result.to_string())) }
            }
            Op::Fail { lease, retryable, retry_after, cancelled } => Command::Fail {
                lease: self.lease(*lease),
                error: failure("no"),
                retryable: *retryable,
                retry_after: *retry_after,
                cancelled: *cancelled,
            },
            Op::Release { lease, delay, checkpoint: left } => {
                Command::Release { lease: self.lease(*lease), delay: *delay, checkpoint: checkpoint(*left) }
            }
            Op::Lapse { lease, timeout } => {
                let reason = if *timeout { LapseReason::Timeout } else { LapseReason::Silence };
                Command::Lapse { lease: self.lease(*lease), reason }
            }
            Op::Cancel { job } => Command::Cancel { id: self.id(*job) },
            Op::Expire { job } => Command::Expire { number: self.id(*job).number() },
            Op::Retry { job } => Command::Retry { id: self.id(*job) },
            Op::Step { job, action, lease } => Command::BulkStep {
                number: self.dead(*job).unwrap_or_else(|| self.id(*job)).number(),
                action: *action,
                until: Position(u64::MAX),
                bulk: self.live(*lease).unwrap_or_else(|| self.lease(*lease)),
            },
            Op::Part { lease, next } => {
                let counts =
                    BulkCourse { until: Position(1), next: *next, matched: 3, changed: 1, refused: 1, percent: 50.0 };
                Command::BulkPart { bulk: self.lease(*lease), course: counts }
            }
            Op::Delete { job } => Command::Delete { id: self.id(*job) },
            Op::Purge { job } => Command::Purge { number: self.id(*job).number() },
            Op::Forget { change } => {
                let position = self.world.changes.iter().nth_back(usize::from(*change));
                let position = position.map_or(Position::START, |change| change.position);
                Command::PurgeChanges { old: position, ancient: position }
            }
            Op::Configure { queue, setting } => {
                Command::Configure { queue: name(QUEUES[usize::from(*queue)]), patch: Box::new(patch(setting)) }
            }
        }
    }

    fn id(&self, place: Place) -> JobId {
        found(&self.ids, place).unwrap_or_else(|| JobId::new(self.world.now, 1 << 40, 0))
    }

    /// A job that is dead, for every other place: those are few.
    fn dead(&self, place: Place) -> Option<JobId> {
        let jobs = self.ids.iter().filter_map(|id| self.world.jobs.get(&id.number()));
        let dead: Vec<JobId> = jobs.filter(|job| cause(job).is_some()).map(|job| job.id).collect();
        found(&dead, place).filter(|_| place.is_multiple_of(2))
    }

    /// A lease that is live, likewise.
    fn live(&self, place: Place) -> Option<LeaseToken> {
        let live =
            |lease: &&LeaseToken| self.world.jobs.get(&lease.number).is_some_and(|job| job.live_lease(lease).is_some());
        let live: Vec<LeaseToken> = self.leases.iter().filter(live).copied().collect();
        found(&live, place).filter(|_| place.is_multiple_of(2))
    }

    fn lease(&self, place: Place) -> LeaseToken {
        found(&self.leases, place).unwrap_or(FOREIGN)
    }

    /// The submission of a line in the order that it names.
    fn ordered(&self, at: usize, line: &Line, submission: Submission) -> Submission {
        let after = line.after.and_then(|after| match after {
            Some(place) => Some(After::Job(self.id(place))),
            None => at.checked_sub(1).map(After::Line),
        });
        Submission {
            unique: line.unique.map(|(key, policy)| Unique {
                key: format!("unique-{key}").into(),
                policy: UniquePolicy::from_number(policy).unwrap_or_default(),
            }),
            ordering_key: line.order.map(|order| format!("order-{order}").into()),
            after: after.into_iter().collect(),
            on_failure: OnFailure::from_number(line.on_failure).unwrap_or_default(),
            ..submission
        }
    }

    fn placed_answer(&self, answer: &Result<Answer, Refusal>) -> Result<Answer, Refusal> {
        match answer {
            Ok(Answer::Accepted(accepted)) => {
                let placed = |it: &Accepted| Accepted { job: self.placed_job(&it.job), how: it.how };
                Ok(Answer::Accepted(accepted.iter().map(placed).collect()))
            }
            Ok(Answer::Erased(id)) => Ok(Answer::Erased(self.placed_id(*id))),
            Ok(Answer::Forgotten { through, missed_from }) => Ok(Answer::Forgotten {
                through: self.placed_position(*through),
                missed_from: missed_from.map(|position| self.placed_position(position)),
            }),
            Ok(Answer::Job(job)) => Ok(Answer::Job(self.placed_job(job))),
            Err(Refusal::KeyMismatch(lines)) => {
                let placed = |(line, holder): &(usize, Option<JobId>)| (*line, holder.map(|id| self.placed_id(id)));
                Err(Refusal::KeyMismatch(lines.iter().map(placed).collect()))
            }
            Err(Refusal::NotUnique(id)) => Err(Refusal::NotUnique(self.placed_id(*id))),
            Err(Refusal::NoPredecessor(lines)) => {
                let nowhere = JobId::new(Timestamp::default(), 0, 0);
                Err(Refusal::NoPredecessor(lines.iter().map(|(place, _)| (place.clone(), nowhere)).collect()))
            }
            other => other.clone(),
        }
    }

    fn placed_change(&self, change: &Change) -> Change {
        Change {
            position: self.placed_position(change.position),
            previous: self.placed_position(change.previous),
            job: self.placed_job(&change.job),
            body: None,
            ..change.clone()
        }
    }

    fn placed_job(&self, job: &Job) -> Arc<Job> {
        let mut placed = job.clone();
        placed.id = self.placed_id(job.id);
        placed.changed = self.placed_position(job.changed);
        if !job.spec.after.is_empty() {
            let mut spec = (*job.spec).clone();
            spec.after.iter_mut().for_each(|predecessor| predecessor.id = self.placed_id(predecessor.id));
            placed.spec = Arc::new(spec);
            // It names the job whose end cancelled this one.
            placed.error = job.error.clone().filter(|error| !error.problem.contains("predecessor-ended"));
        }
        if let Some(lease) = &mut placed.lease {
            lease.fence = self.placed_position(lease.fence);
            lease.secret = 0;
        }
        Arc::new(placed)
    }

    /// The id with the job's place instead of its number.
    fn placed_id(&self, id: JobId) -> JobId {
        let place = self.ids.iter().position(|known| *known == id).expect("the job was accepted");
        JobId::new(id.accepted_at(), place as u64, 0)
    }

    fn placed_position(&self, position: Position) -> Position {
        match self.world.changes.binary_search_by_key(&position, |change| change.position) {
            Ok(place) => Position(place as u64 + 1),
            Err(_) => {
                assert_eq!(position, Position::START, "a position of no change");
                position
            }
        }
    }
}

/// A worker that waits for every job of the highest priority.
struct Granting(bool);

impl Reactor for Granting {
    fn react(&mut self, _: &[Result<Answer, Refusal>], changes: &[Change]) -> Vec<Command> {
        let wanted = |change: &&Change| {
            self.0 && change.kind == ChangeKind::Submitted && change.job.spec.priority == ackd_domain::limits::PRIORITY
        };
        let lease = |change: &Change| Command::Lease { number: change.job.id.number(), worker: None, ttl: None };
        changes.iter().filter(wanted).map(lease).collect()
    }
}

/// What stands at `place`, counted back from the last.
fn found<T: Copy>(all: &[T], place: Place) -> Option<T> {
    let place = (place != NOWHERE && !all.is_empty()).then(|| usize::from(place) % all.len())?;
    all.iter().rev().nth(place).copied()
}

fn submission(line: &Line) -> Submission {
    let submission = Submission {
        kind: [None, Some("clip".into()), Some("still".into())][usize::from(line.kind)].clone(),
        start: line.delay.map_or(Start::Now, Start::After),
        expires_in: line.expires_in,
        priority: line.priority,
        group: [None, Some("a".into()), Some("b".into())][usize::from(line.group)].clone(),
        max_attempts: line.max_attempts,
        ..Submission::new(name(QUEUES[usize::from(line.queue)]), json(&line.payload.to_string()))
    };
    match line.key {
        Some(key) => submission.keyed(format!("key-{key}").into()),
        None => submission,
    }
}

fn patch(setting: &Setting) -> QueuePatch {
    let patch = QueuePatch::default();
    match setting {
        Setting::Ttl(time) => QueuePatch { lease_ttl: Some(*time), ..patch },
        Setting::Attempts(attempts) => QueuePatch { max_attempts: Some(*attempts), ..patch },
        Setting::Backoff(base) => QueuePatch { backoff: Some(Some(sure_backoff(*base))), ..patch },
        Setting::Timeout(time) => QueuePatch { timeout: Some(*time), ..patch },
        Setting::GroupConcurrency(most) => QueuePatch { group_concurrency: Some(*most), ..patch },
        Setting::Expiry(time) => QueuePatch { expires_in: Some(*time), ..patch },
        Setting::Retention(time) => QueuePatch { result_retention: Some(*time), ..patch },
        Setting::Paused(paused) => QueuePatch::pause(*paused),
    }
}
