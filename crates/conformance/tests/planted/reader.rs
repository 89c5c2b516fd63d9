use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{
    Body, Change, Endpoint, File, FileId, JSON, Job, JobId, LeaseState, Name, Position, Queue, QueueSettings, Schedule,
    Started, Status, Timestamp, limits,
};
use ackd_memory::MemoryReader;
use ackd_ports::{
    ChangeFeed, Counts, DeadCause, FeedError, Filter, Lane, LedgerReader, OldChanges, Outlived, Page, ReadError, Ready,
    Timeline,
};

use super::Bug;

/// A reader and feed with a bug.
pub(crate) struct PlantedReader {
    reader: Arc<MemoryReader>,
    bug: Bug,
}

impl PlantedReader {
    pub(crate) fn new(reader: Arc<MemoryReader>, bug: Bug) -> PlantedReader {
        PlantedReader { reader, bug }
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == bug
    }

    fn last_change_of(&self, number: u64) -> Option<Change> {
        let changes = self.reader.changes(self.reader.earliest().unwrap(), usize::MAX).unwrap();
        changes.into_iter().rfind(|change| change.job.id.number() == number)
    }

    /// Every job whose changes are kept, as it is now.
    fn all(&self) -> Vec<Arc<Job>> {
        let changes = self.reader.changes(self.reader.earliest().unwrap(), usize::MAX).unwrap();
        let ids: BTreeMap<u64, JobId> = changes.iter().map(|change| (change.job.id.number(), change.job.id)).collect();
        ids.values().rev().filter_map(|id| self.reader.job(*id).unwrap()).collect()
    }
}

impl LedgerReader for PlantedReader {
    fn job(&self, id: JobId) -> Result<Option<Arc<Job>>, ReadError> {
        if self.has(Bug::SaltIgnored) {
            return Ok(self.all().into_iter().find(|job| job.id.number() == id.number()));
        }
        let mut found = self.reader.job(id)?;
        if found.is_none() && self.has(Bug::ErasedJobFound) {
            found = self.last_change_of(id.number()).map(|change| change.job).filter(|job| job.id == id);
        }
        if let Some(job) = found.as_mut().map(Arc::make_mut) {
            if let Some(lease) = job.lease.as_mut().filter(|_| self.has(Bug::TtlForgotten)) {
                lease.ttl = limits::DEFAULT_LEASE_TTL;
            }
            if self.has(Bug::TypeCutAtNul) {
                let spec = Arc::make_mut(&mut job.spec);
                spec.kind = spec.kind.as_ref().map(|kind| kind.split('\0').next().unwrap().into());
            }
        }
        Ok(found)
    }

    fn payloads(&self, numbers: &[u64]) -> Result<Vec<Option<Body>>, ReadError> {
        let mut numbers = numbers.to_vec();
        if self.has(Bug::PayloadsSorted) {
            numbers.sort_unstable();
        }
        let mut payloads = self.reader.payloads(&numbers)?;
        if self.has(Bug::ErasedPayloadKept) {
            for (payload, number) in payloads.iter_mut().zip(&numbers).filter(|(payload, _)| payload.is_none()) {
                *payload = self.last_change_of(*number).map(|_| Body { content_type: JSON.into(), bytes: "1".into() });
            }
        }
        if self.has(Bug::ContentTypeLost) {
            payloads.iter_mut().flatten().for_each(|payload| payload.content_type = JSON.into());
        }
        Ok(payloads)
    }

    fn result(&self, number: u64) -> Result<Option<Body>, ReadError> {
        let keep = |body: &Body| !(self.has(Bug::EmptyResultLost) && body.bytes.is_empty());
        Ok(self.reader.result(number)?.filter(keep))
    }

    fn list(&self, filter: &Filter, before: Option<u64>, limit: usize) -> Result<Page, ReadError> {
        let mut filter = filter.clone();
        match self.bug {
            Bug::TagsIgnored => filter.tags.clear(),
            Bug::CreatedBeforeInclusive => {
                filter.created_before = filter.created_before.map(|end| end.after(Duration::from_millis(1)));
            }
            _ => {}
        }
        let mut page = self.reader.list(&filter, before, limit)?;
        match self.bug {
            Bug::OwnJobsListed => {
                page.jobs.extend(self.all().into_iter().filter(|job| job.spec.queue.is_reserved() && before.is_none()));
            }
            Bug::PageSkipsAJob => page.next = page.next.map(|next| next - 1),
            Bug::PageRepeatsAJob => page.next = page.next.map(|next| next + 1),
            Bug::ListEndsEarly => page.next = None,
            _ => {}
        }
        Ok(page)
    }

    fn timeline(&self, id: JobId) -> Result<Option<Timeline>, ReadError> {
        let mut found = self.reader.timeline(id)?;
        if let Some(timeline) = found.as_mut().filter(|_| self.has(Bug::TruncationUntold)) {
            timeline.truncated = false;
        }
        Ok(found)
    }

    fn lanes(&self) -> Result<Vec<Lane>, ReadError> {
        let keep = |lane: &Lane| !self.has(Bug::UntypedLaneLost) || lane.kind.is_some();
        Ok(self.reader.lanes()?.into_iter().filter(keep).collect())
    }

    fn eligible(&self, lane: &Lane, after: Option<(Timestamp, u64)>, limit: usize) -> Result<Vec<Ready>, ReadError> {
        let from = if self.has(Bug::TiesLost) { after.map(|(due, _)| (due, u64::MAX)) } else { after };
        let mut ready = self.reader.eligible(lane, from, limit)?;
        match self.bug {
            Bug::DelayedNotEligible => ready.retain(|ready| ready.job.run_at == ready.job.created_at()),
            Bug::GroupsPagedTogether if after.is_none() => {
                let others =
                    self.reader.lanes()?.into_iter().filter(|it| {
                        it.group != lane.group && Lane { group: lane.group.clone(), ..it.clone() } == *lane
                    });
                for other in others.collect::<Vec<_>>() {
                    ready.extend(self.reader.eligible(&other, None, limit - ready.len())?);
                }
            }
            Bug::LaneByNumber => ready.sort_by_key(|ready| ready.job.id),
            Bug::LeasedStaysEligible if after.is_none() && ready.len() < limit => {
                let leased = self.reader.leased()?.into_iter().find(|job| Lane::of(job) == *lane);
                ready.extend(leased.map(|job| Ready { job, payload: None }));
            }
            _ => {}
        }
        Ok(ready)
    }

    fn leased(&self) -> Result<Vec<Arc<Job>>, ReadError> {
        if self.has(Bug::SettledStaysLeased) {
            let told = |job: &Arc<Job>| job.lease.as_ref().is_some_and(|lease| lease.state != LeaseState::Lapsed);
            return Ok(self.all().into_iter().filter(told).collect());
        }
        self.reader.leased()
    }

    fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<u64>, ReadError> {
        let now = if self.has(Bug::ExpiresLate) { Timestamp::from_millis(now.millis() - 1) } else { now };
        let mut expired = self.reader.expired(now, limit)?;
        if self.has(Bug::ProcessingNeverExpires) {
            let leased = self.reader.leased()?;
            expired.retain(|number| !leased.iter().any(|job| job.id.number() == *number));
        }
        Ok(expired)
    }

    fn outlived(&self, now: Timestamp, limit: usize) -> Result<Outlived, ReadError> {
        let now = if self.has(Bug::OutlivedEarly) { now.after(Duration::from_millis(1)) } else { now };
        let mut outlived = self.reader.outlived(now, limit)?;
        if self.has(Bug::OutlivedEndsEarly) {
            outlived.numbers.truncate(1);
        }
        Ok(outlived)
    }

    fn changes_before(&self, old: Timestamp, ancient: Timestamp, limit: usize) -> Result<OldChanges, ReadError> {
        let found = self.reader.changes_before(old, ancient, limit)?;
        if self.has(Bug::AgeByItsClock) {
            let changes = self.reader.changes(self.reader.earliest()?, limit).unwrap_or_default();
            let older = changes.iter().take_while(|change| change.at < old).last();
            return Ok(OldChanges { old: older.map_or(Position::START, |change| change.position), ..found });
        }
        Ok(found)
    }

    fn counts(&self) -> Result<Vec<Counts>, ReadError> {
        let mut counts = self.reader.counts()?;
        if self.has(Bug::ExpiredCountedAsFailed) {
            for counts in &mut counts {
                let expired = std::mem::take(&mut counts.by_status[Status::Expired as usize]);
                counts.by_status[Status::Failed as usize] += expired;
            }
        }
        Ok(counts)
    }

    fn queues(&self) -> Result<Vec<Arc<Queue>>, ReadError> {
        let keep = |queue: &Arc<Queue>| !self.has(Bug::PausedQueueLost) || queue.settings != QueueSettings::default();
        Ok(self.reader.queues()?.into_iter().filter(keep).collect())
    }

    fn endpoints(&self) -> Result<Vec<Arc<Endpoint>>, ReadError> {
        let mut endpoints = self.reader.endpoints()?;
        if self.has(Bug::FormerSecretsLost) {
            endpoints.iter_mut().for_each(|endpoint| Arc::make_mut(endpoint).former.clear());
        }
        Ok(endpoints)
    }

    fn results(&self, numbers: &[u64], most: u64) -> Result<Vec<Option<Body>>, ReadError> {
        self.reader.results(numbers, most)
    }

    fn started(&self) -> Result<Vec<(Name, Started)>, ReadError> {
        self.reader.started()
    }

    fn position_of(&self, consumer: &Name) -> Result<Option<Position>, ReadError> {
        if self.has(Bug::ConsumersShareAPosition) {
            return self.reader.position_of(Name::webhooks());
        }
        self.reader.position_of(consumer)
    }

    fn deliveries(&self, source: u64, before: Option<u64>, limit: usize) -> Result<Vec<Arc<Job>>, ReadError> {
        let before = before.filter(|_| !self.has(Bug::DeliveriesRepeat));
        self.reader.deliveries(source, before, limit)
    }

    fn schedules(&self) -> Result<Vec<Arc<Schedule>>, ReadError> {
        let mut schedules = self.reader.schedules()?;
        if self.has(Bug::ScheduleFiresAgain) {
            let again = |schedule: &mut Schedule| schedule.next_run_at = schedule.last_run_at.or(schedule.next_run_at);
            schedules.iter_mut().for_each(|schedule| again(Arc::make_mut(schedule)));
        }
        Ok(schedules)
    }

    fn dead_causes(&self, queue: &Name, limit: usize, examples: usize) -> Result<Vec<DeadCause>, ReadError> {
        let mut causes = self.reader.dead_causes(queue, limit, examples)?;
        if self.has(Bug::CauseOvercounted) {
            causes.iter_mut().for_each(|cause| cause.count = cause.count.max(2));
        }
        Ok(causes)
    }

    fn dead_count(&self, queue: &Name, cause: Option<&str>) -> Result<u64, ReadError> {
        self.reader.dead_count(queue, cause)
    }

    fn dead(&self, queue: &Name, cause: Option<&str>, after: u64, limit: usize) -> Result<Vec<u64>, ReadError> {
        let cause = cause.filter(|_| !self.has(Bug::CausesMixed));
        self.reader.dead(queue, cause, after, limit)
    }

    fn unresolved(&self) -> Result<Vec<u64>, ReadError> {
        if self.bug == Bug::UnresolvedLost { Ok(Vec::new()) } else { self.reader.unresolved() }
    }

    fn predecessors(&self, follower: u64, limit: usize) -> Result<Vec<Arc<Job>>, ReadError> {
        let limit = if self.bug == Bug::OnePredecessor { 1 } else { limit };
        self.reader.predecessors(follower, limit)
    }

    fn holder(&self, queue: &Name, key: &str) -> Result<Option<Arc<Job>>, ReadError> {
        self.reader.holder(queue, key)
    }

    fn file(&self, id: FileId) -> Result<Option<Arc<File>>, ReadError> {
        self.reader.file(id)
    }

    fn file_named(&self, name: &Name) -> Result<Option<Arc<File>>, ReadError> {
        self.reader.file_named(name)
    }

    fn unused_files(
        &self,
        now: Timestamp,
        after: Option<(Timestamp, FileId)>,
        limit: usize,
    ) -> Result<Vec<Arc<File>>, ReadError> {
        let after = after.filter(|_| !self.has(Bug::UnusedFilesAgain));
        self.reader.unused_files(now, after, limit)
    }

    fn trouble(&self) -> Vec<String> {
        self.reader.trouble()
    }
}

impl ChangeFeed for PlantedReader {
    fn changes(&self, after: Position, limit: usize) -> Result<Vec<Change>, FeedError> {
        let mut changes = match self.reader.changes(after, limit) {
            Err(FeedError::Beyond(_)) if self.has(Bug::BeyondTaken) => Vec::new(),
            Err(FeedError::Purged(from)) if self.has(Bug::PurgedInSilence) => self.reader.changes(from, limit)?,
            changes => changes?,
        };
        if self.has(Bug::FeedSkips) && changes.len() == limit && limit > 1 {
            changes.pop();
        }
        if self.has(Bug::ChangeOfToday) {
            for change in &mut changes {
                change.job = self.reader.job(change.job.id)?.unwrap_or_else(|| Arc::clone(&change.job));
            }
        }
        Ok(changes)
    }

    fn head(&self) -> Result<Position, ReadError> {
        self.reader.head()
    }

    fn earliest(&self) -> Result<Position, ReadError> {
        self.reader.earliest()
    }
}
