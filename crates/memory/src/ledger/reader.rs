use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use ackd_domain::{
    Body, Change, Endpoint, File, FileId, Job, JobId, LeaseState, Name, Position, Queue, Schedule, Started, Status,
    Timestamp,
};

use ackd_ports::{
    ChangeFeed, Counts, DeadCause, FeedError, Filter, Lane, LedgerReader, OldChanges, Outlived, Page, ReadError, Ready,
    Timeline,
};

use super::state::{Health, Row};
use super::{Shared, locked};

/// What can be read of a [`super::MemoryLedger`], and its change feed.
#[derive(Debug)]
pub struct MemoryReader(Shared);

impl MemoryReader {
    pub(super) fn of(state: &Shared) -> MemoryReader {
        MemoryReader(Arc::clone(state))
    }
}

impl LedgerReader for MemoryReader {
    fn job(&self, id: JobId) -> Result<Option<Arc<Job>>, ReadError> {
        let state = locked(&self.0);
        Ok(state.jobs.get(&id.number()).map(|row| &row.job).filter(|job| job.id == id).cloned())
    }

    fn payloads(&self, numbers: &[u64]) -> Result<Vec<Option<Body>>, ReadError> {
        let state = locked(&self.0);
        Ok(numbers.iter().map(|number| state.jobs.get(number).map(|row| row.payload.clone())).collect())
    }

    fn result(&self, number: u64) -> Result<Option<Body>, ReadError> {
        locked(&self.0).result(number)
    }

    fn results(&self, numbers: &[u64], most: u64) -> Result<Vec<Option<Body>>, ReadError> {
        let state = locked(&self.0);
        let small = |body: Option<Body>| body.filter(|body| body.bytes.len() as u64 <= most);
        numbers.iter().map(|number| state.result(*number).map(small)).collect()
    }

    fn list(&self, filter: &Filter, before: Option<u64>, limit: usize) -> Result<Page, ReadError> {
        let state = locked(&self.0);
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = state.jobs.range((Bound::Unbounded, end)).rev();
        let mut matching = rows.map(|(_, row)| &row.job).filter(|job| filter.matches(job));
        let jobs: Vec<Arc<Job>> = matching.by_ref().take(limit).cloned().collect();
        // The number after which the next one stands, if there is a next one at all.
        let next = matching.next().map(|next| next.id.number() + 1);
        Ok(Page { jobs, next })
    }

    fn timeline(&self, id: JobId) -> Result<Option<Timeline>, ReadError> {
        let state = locked(&self.0);
        let Some(row) = state.jobs.get(&id.number()).filter(|row| row.job.id == id) else { return Ok(None) };
        let mut changes = Vec::new();
        let mut position = row.job.changed;
        while let Some(change) = state.change(position) {
            changes.push(change.clone());
            position = change.previous;
        }
        changes.reverse();
        Ok(Some(Timeline { changes, truncated: position != Position::START }))
    }

    fn lanes(&self) -> Result<Vec<Lane>, ReadError> {
        let state = locked(&self.0);
        let lanes: BTreeSet<Lane> = state.open_jobs().filter(|row| waits(row)).map(|row| Lane::of(&row.job)).collect();
        Ok(lanes.into_iter().collect())
    }

    fn eligible(&self, lane: &Lane, after: Option<(Timestamp, u64)>, limit: usize) -> Result<Vec<Ready>, ReadError> {
        let state = locked(&self.0);
        let waiting = state.open_jobs().filter(|row| waits(row) && Lane::of(&row.job) == *lane);
        let place = |row: &Row| (row.job.run_at, row.job.id.number());
        let order: BTreeMap<(Timestamp, u64), &Row> = waiting.map(|row| (place(row), row)).collect();
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let ready = |row: &Row| Ready { job: Arc::clone(&row.job), payload: Some(row.payload.clone()) };
        Ok(order.range((start, Bound::Unbounded)).take(limit).map(|(_, row)| ready(row)).collect())
    }

    fn leased(&self) -> Result<Vec<Arc<Job>>, ReadError> {
        let state = locked(&self.0);
        let live = |job: &Job| job.lease.as_ref().is_some_and(|lease| lease.state == LeaseState::Live);
        Ok(state.open_jobs().map(|row| &row.job).filter(|job| live(job)).cloned().collect())
    }

    fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<u64>, ReadError> {
        let state = locked(&self.0);
        let expired = state.open_jobs().filter(|row| row.job.expires_at <= now);
        Ok(expired.take(limit).map(|row| row.job.id.number()).collect())
    }

    fn outlived(&self, now: Timestamp, limit: usize) -> Result<Outlived, ReadError> {
        let state = locked(&self.0);
        let due = state.jobs.iter().filter(|(number, row)| {
            row.job.kept_until().is_some_and(|until| until <= now) && !state.is_waited_for(**number)
        });
        let mut numbers: Vec<u64> = due.take(limit.saturating_add(1)).map(|(number, _)| *number).collect();
        let more = numbers.len() > limit;
        numbers.truncate(limit);
        Ok(Outlived { numbers, more })
    }

    fn changes_before(&self, old: Timestamp, ancient: Timestamp, limit: usize) -> Result<OldChanges, ReadError> {
        let state = locked(&self.0);
        let kept = || state.changes.iter().take(limit);
        // Whatever a clock says, changes are as old as those that follow them, or older.
        let before = |time| {
            let found = kept().rev().find(|change| change.at < time);
            found.map_or(Position::START, |change| change.position)
        };
        let old = before(old);
        let more = state.changes.len() > limit && kept().last().is_some_and(|last| last.position == old);
        Ok(OldChanges { old, ancient: before(ancient), more })
    }

    fn counts(&self) -> Result<Vec<Counts>, ReadError> {
        let state = locked(&self.0);
        let mut queues: BTreeMap<&Name, [u64; Status::ALL.len()]> = BTreeMap::new();
        for row in state.jobs.values() {
            queues.entry(&row.job.spec.queue).or_default()[row.job.status as usize] += 1;
        }
        Ok(queues.into_iter().map(|(queue, by_status)| Counts { queue: queue.clone(), by_status }).collect())
    }

    fn queues(&self) -> Result<Vec<Arc<Queue>>, ReadError> {
        Ok(locked(&self.0).queues.values().cloned().collect())
    }

    fn endpoints(&self) -> Result<Vec<Arc<Endpoint>>, ReadError> {
        Ok(locked(&self.0).endpoints.values().cloned().collect())
    }

    fn started(&self) -> Result<Vec<(Name, Started)>, ReadError> {
        Ok(locked(&self.0).started.iter().map(|(name, started)| (name.clone(), started.clone())).collect())
    }

    fn position_of(&self, consumer: &Name) -> Result<Option<Position>, ReadError> {
        Ok(locked(&self.0).positions.get(consumer).copied())
    }

    fn deliveries(&self, source: u64, before: Option<u64>, limit: usize) -> Result<Vec<Arc<Job>>, ReadError> {
        let state = locked(&self.0);
        let numbers = state.deliveries.range((source, 0)..(source, before.unwrap_or(u64::MAX))).rev();
        let rows = numbers.filter_map(|(_, number)| state.jobs.get(number));
        Ok(rows.take(limit).map(|row| Arc::clone(&row.job)).collect())
    }

    fn schedules(&self) -> Result<Vec<Arc<Schedule>>, ReadError> {
        Ok(locked(&self.0).schedules.values().cloned().collect())
    }

    fn unresolved(&self) -> Result<Vec<u64>, ReadError> {
        Ok(locked(&self.0).unresolved.iter().copied().collect())
    }

    fn dead_causes(&self, queue: &Name, limit: usize, examples: usize) -> Result<Vec<DeadCause>, ReadError> {
        let state = locked(&self.0);
        let mut causes: BTreeMap<Arc<str>, DeadCause> = BTreeMap::new();
        for (job, cause) in state.dead(queue).rev() {
            let known = causes.entry(Arc::clone(&cause));
            let known = known.or_insert_with(|| DeadCause { cause, count: 0, examples: Vec::new() });
            known.count += 1;
            if known.examples.len() < examples {
                known.examples.push(job.id);
            }
        }
        let mut causes: Vec<DeadCause> = causes.into_values().collect();
        causes.sort_by_key(|cause| Reverse(cause.count));
        causes.truncate(limit);
        Ok(causes)
    }

    fn dead_count(&self, queue: &Name, cause: Option<&str>) -> Result<u64, ReadError> {
        let state = locked(&self.0);
        Ok(state.dead(queue).filter(|(_, of)| cause.is_none_or(|cause| *cause == **of)).count() as u64)
    }

    fn dead(&self, queue: &Name, cause: Option<&str>, after: u64, limit: usize) -> Result<Vec<u64>, ReadError> {
        let state = locked(&self.0);
        let dead = state.dead(queue).filter(|(_, of)| cause.is_none_or(|cause| *cause == **of));
        Ok(dead.map(|(job, _)| job.id.number()).filter(|number| *number > after).take(limit).collect())
    }

    fn predecessors(&self, follower: u64, limit: usize) -> Result<Vec<Arc<Job>>, ReadError> {
        let state = locked(&self.0);
        let rows = state.predecessors(follower).filter_map(|number| state.jobs.get(&number));
        Ok(rows.take(limit).map(|row| Arc::clone(&row.job)).collect())
    }

    fn holder(&self, queue: &Name, key: &str) -> Result<Option<Arc<Job>>, ReadError> {
        let state = locked(&self.0);
        let line = state.lines.get(&(queue.clone(), Arc::from(key))).into_iter().flatten();
        let mut jobs = line.filter_map(|number| state.jobs.get(number)).map(|row| &row.job);
        Ok(jobs.find(|job| !job.held.behind).map(Arc::clone))
    }

    fn file(&self, id: FileId) -> Result<Option<Arc<File>>, ReadError> {
        Ok(locked(&self.0).files.get(&id).cloned())
    }

    fn file_named(&self, name: &Name) -> Result<Option<Arc<File>>, ReadError> {
        Ok(locked(&self.0).files.values().find(|file| file.name.as_ref() == Some(name)).cloned())
    }

    fn unused_files(
        &self,
        now: Timestamp,
        after: Option<(Timestamp, FileId)>,
        limit: usize,
    ) -> Result<Vec<Arc<File>>, ReadError> {
        let state = locked(&self.0);
        let place = |file: &Arc<File>| (file.expires_at, file.id);
        let is_meant = |file: &&Arc<File>| file.is_unused(now) && Some(place(file)) > after;
        let mut files: Vec<_> = state.files.values().filter(is_meant).cloned().collect();
        files.sort_unstable_by_key(place);
        files.truncate(limit);
        Ok(files)
    }

    fn trouble(&self) -> Vec<String> {
        match &locked(&self.0).health {
            Health::Failed(why) => vec![format!("the ledger has failed: {why}")],
            Health::Sound | Health::Next(_) => Vec::new(),
        }
    }
}

impl ChangeFeed for MemoryReader {
    fn changes(&self, after: Position, limit: usize) -> Result<Vec<Change>, FeedError> {
        let state = locked(&self.0);
        if after < state.purged {
            return Err(FeedError::Purged(state.purged));
        }
        if after > state.head {
            return Err(FeedError::Beyond(state.head));
        }
        let start = state.changes.partition_point(|change| change.position <= after);
        Ok(state.changes.range(start..).take(limit).cloned().collect())
    }

    fn head(&self) -> Result<Position, ReadError> {
        Ok(locked(&self.0).head)
    }

    fn earliest(&self) -> Result<Position, ReadError> {
        Ok(locked(&self.0).purged)
    }
}

/// Whether the job waits for a worker.
fn waits(row: &Row) -> bool {
    row.job.is_ready()
}
