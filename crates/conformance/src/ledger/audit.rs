use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ackd_domain::{
    Body, Change, Endpoint, File, FileId, Job, JobId, LeaseState, Name, Position, Queue, Schedule, Status, Timestamp,
};

use ackd_ports::{FeedError, Filter, Lane, Ready};

use super::world::{World, same_change};

/// The largest payload that dispatch must get together with its job.
const SMALL: u64 = 1024;

impl World {
    /// Reads everything in every way, and compares it with what the ledger must hold.
    pub(super) fn audit(&self) {
        self.audit_jobs();
        self.audit_bodies();
        self.audit_lists();
        self.audit_waiting();
        self.audit_keys();
        self.audit_leases();
        self.audit_expiry();
        self.audit_retention();
        self.audit_erased();
        self.audit_counts();
        self.audit_dead();
        self.audit_queues();
        self.audit_webhooks();
        self.audit_schedules();
        self.audit_files();
        self.audit_feed();
        self.audit_timelines();
        let trouble = self.reader().trouble();
        assert_eq!(!trouble.is_empty(), self.failed, "the trouble that is reported is {trouble:?}");
    }

    /// The sizes of page to read by; one by one, where there is not much.
    fn sizes(&self) -> impl Iterator<Item = usize> + use<> {
        let least = if self.jobs.len() <= 200 { 1 } else { 50 };
        [1, 3, 7, 50, 1000].into_iter().filter(move |size| *size >= least)
    }

    fn audit_jobs(&self) {
        for job in self.jobs.values() {
            assert_eq!(self.reader().job(job.id), Ok(Some(Arc::clone(job))), "a job is not as the ledger left it");
            let guessed = JobId::new(job.created_at(), job.id.number(), job.id.salt() ^ 1);
            assert_eq!(self.reader().job(guessed), Ok(None), "an id with another salt finds a job");
            assert_eq!(self.reader().timeline(guessed), Ok(None), "an id with another salt finds a timeline");
            let moved = JobId::new(job.created_at().after(super::samples::SECOND), job.id.number(), job.id.salt());
            assert_eq!(self.reader().job(moved), Ok(None), "an id with another time finds a job");
        }
        let unknown = JobId::new(self.now, self.last_number + 1000, 0);
        assert_eq!(self.reader().job(unknown), Ok(None), "a job is found that nobody submitted");
        assert_eq!(self.reader().timeline(unknown), Ok(None), "a timeline is found that nobody made");
    }

    fn audit_bodies(&self) {
        let unknown = self.last_number + 1000;
        // Backwards, with one that is not there and one that is asked for twice.
        let mut numbers: Vec<u64> = self.jobs.keys().rev().copied().collect();
        numbers.insert(0, unknown);
        numbers.extend(self.jobs.keys().next());
        let expected: Vec<Option<Body>> = numbers.iter().map(|number| self.payloads.get(number).cloned()).collect();
        assert_eq!(self.reader().payloads(&numbers), Ok(expected), "payloads are not as they came");
        assert_eq!(self.reader().payloads(&[]), Ok(vec![]));
        assert_eq!(self.reader().result(unknown), Ok(None), "a result is found that nobody gave");
        for number in self.jobs.keys() {
            let expected = self.results.get(number).cloned().flatten();
            assert_eq!(self.reader().result(*number), Ok(expected), "the result of job {number} is not as it came");
        }
    }

    fn audit_lists(&self) {
        for size in self.sizes() {
            self.check_list(&Filter::default(), size);
        }
        for status in Status::ALL {
            self.check_list(&Filter { statuses: vec![status], ..Filter::default() }, 10);
        }
    }

    /// Checks that the pages of a list, put together, are what `filter` describes.
    pub(super) fn check_list(&self, filter: &Filter, size: usize) {
        let expected: Vec<&Arc<Job>> = self.jobs.values().rev().filter(|job| filter.matches(job)).collect();
        let mut listed: Vec<Arc<Job>> = Vec::new();
        let mut before = None;
        loop {
            let page = self.reader().list(filter, before, size).expect("a list can be read");
            assert!(page.jobs.len() <= size, "a page has more jobs than its limit: {filter:?}");
            listed.extend(page.jobs);
            let Some(next) = page.next else { break };
            assert!(before.is_none_or(|before| next < before), "a list does not get on from {before:?}: {filter:?}");
            before = Some(next);
        }
        assert_eq!(listed.iter().collect::<Vec<_>>(), expected, "a list by {size}: {filter:?}");
    }

    fn audit_waiting(&self) {
        let mut expected: BTreeMap<Lane, BTreeMap<(Timestamp, u64), &Arc<Job>>> = BTreeMap::new();
        for job in self.jobs.values().filter(|job| job.is_ready()) {
            expected.entry(Lane::of(job)).or_default().insert((job.run_at, job.id.number()), job);
        }
        let lanes = self.reader().lanes().expect("lanes can be read");
        let distinct: BTreeSet<Lane> = lanes.iter().cloned().collect();
        assert_eq!(distinct.len(), lanes.len(), "a lane stands twice in {lanes:?}");
        assert_eq!(distinct, expected.keys().cloned().collect(), "the lanes are not those in which jobs wait");
        for (lane, waiting) in &expected {
            for size in self.sizes() {
                let ready = self.walk(lane, size);
                assert!(
                    ready.iter().map(|ready| &ready.job).eq(waiting.values().copied()),
                    "{lane:?} by {size} is {:?} instead of {:?}",
                    ready.iter().map(|ready| ready.job.id).collect::<Vec<_>>(),
                    waiting.keys().collect::<Vec<_>>()
                );
                for Ready { job, payload } in ready {
                    let right = self.payloads.get(&job.id.number());
                    match payload {
                        Some(payload) => assert_eq!(Some(&payload), right, "a ready job has another one's payload"),
                        None => assert!(job.spec.payload.size > SMALL, "a ready job lacks its small payload"),
                    }
                }
            }
        }
        let foreign = Lane { queue: super::samples::name("nobody-submits-here"), kind: None, priority: 5, group: None };
        assert_eq!(self.reader().eligible(&foreign, None, 10), Ok(vec![]), "jobs wait in a lane that is none");
    }

    /// Who holds each ordering key.
    fn audit_keys(&self) {
        let mut holders: BTreeMap<(&Name, &str), Option<JobId>> = BTreeMap::new();
        for job in self.jobs.values() {
            let Some(key) = &job.spec.ordering_key else { continue };
            let holder = holders.entry((&job.spec.queue, key)).or_default();
            if !job.status.is_terminal() && !job.held.behind {
                assert_eq!(holder.replace(job.id), None, "two hold the ordering key {key}");
            }
        }
        for ((queue, key), holder) in holders {
            let found = self.reader().holder(queue, key).expect("the holder of a key can be read");
            assert_eq!(found.map(|found| found.id), holder, "of the ordering key {key} of {queue}");
        }
    }

    /// The jobs of a lane, `size` at a time.
    fn walk(&self, lane: &Lane, size: usize) -> Vec<Ready> {
        let mut all: Vec<Ready> = Vec::new();
        loop {
            let after = all.last().map(|last| (last.job.run_at, last.job.id.number()));
            let page = self.reader().eligible(lane, after, size).expect("a lane can be read");
            assert!(page.len() <= size, "a lane gives more jobs than asked for");
            if page.is_empty() {
                return all;
            }
            assert!(all.len() <= self.jobs.len(), "a lane does not come to an end: {lane:?}");
            all.extend(page);
        }
    }

    fn audit_leases(&self) {
        let live = |job: &Job| job.lease.as_ref().is_some_and(|lease| lease.state == LeaseState::Live);
        let expected: BTreeMap<u64, &Arc<Job>> =
            self.jobs.iter().filter(|(_, job)| live(job)).map(|(number, job)| (*number, job)).collect();
        let leased = self.reader().leased().expect("the leased jobs can be read");
        let found: BTreeMap<u64, &Arc<Job>> = leased.iter().map(|job| (job.id.number(), job)).collect();
        assert_eq!(found.len(), leased.len(), "a leased job stands twice");
        assert_eq!(found, expected, "the leased jobs are not those with a live lease");
    }

    fn audit_expiry(&self) {
        let unfinished = || self.jobs.values().filter(|job| !job.status.is_terminal());
        let edges: BTreeSet<i64> = unfinished().map(|job| job.expires_at.millis()).collect();
        let times = edges.iter().rev().take(5).chain(edges.iter().take(5)).flat_map(|edge| [*edge - 1, *edge]);
        for now in times.chain([self.now.millis()]).map(Timestamp::from_millis) {
            let expected: BTreeSet<u64> =
                unfinished().filter(|job| job.expires_at <= now).map(|job| job.id.number()).collect();
            for limit in [1, self.jobs.len() + 1] {
                let expired = self.reader().expired(now, limit).expect("the expired jobs can be read");
                let found: BTreeSet<u64> = expired.iter().copied().collect();
                assert_eq!(found.len(), expired.len(), "an expired job stands twice");
                assert!(expired.len() <= limit, "more expired jobs than asked for");
                assert!(found.is_subset(&expected), "{found:?} have not all expired by {now:?}, only {expected:?}");
                assert_eq!(found.is_empty(), expected.is_empty(), "no expired job is found among {expected:?}");
                assert!(limit == 1 || found == expected, "only {found:?} of {expected:?} are found");
            }
        }
    }

    fn audit_retention(&self) {
        // What others wait for, or did, may be found late.
        let all = self.jobs.values().chain(self.erased.values());
        let late: BTreeSet<u64> = all.flat_map(|job| job.spec.after.iter().map(|after| after.id.number())).collect();
        let ended = || self.jobs.values().filter_map(|job| Some((job.kept_until()?, job.id.number())));
        let edges: BTreeSet<i64> = ended().map(|(until, _)| until.millis()).collect();
        let times = edges.iter().rev().take(5).chain(edges.iter().take(5)).flat_map(|edge| [*edge - 1, *edge]);
        for now in times.chain([self.now.millis()]).map(Timestamp::from_millis) {
            let allowed: BTreeSet<u64> = ended().filter(|(until, _)| *until <= now).map(|(_, number)| number).collect();
            let expected: BTreeSet<u64> = allowed.difference(&late).copied().collect();
            for limit in [1, self.jobs.len() + 1] {
                let outlived = self.reader().outlived(now, limit).expect("what was kept long enough can be read");
                let found: BTreeSet<u64> = outlived.numbers.iter().copied().collect();
                assert_eq!(found.len(), outlived.numbers.len(), "a job is to go twice");
                assert!(outlived.numbers.len() <= limit, "more jobs are to go than asked for");
                assert!(found.is_subset(&allowed), "{found:?} are to go at {now:?}, and only {allowed:?} may");
                assert!(!found.is_empty() || expected.is_empty(), "no job is found that may go, of {expected:?}");
                assert!(outlived.more || found.is_superset(&expected), "only {found:?} of {expected:?} are to go");
            }
        }
    }

    /// What is erased is nowhere but in the feed.
    fn audit_erased(&self) {
        for (number, job) in &self.erased {
            assert_eq!(self.reader().job(job.id), Ok(None), "job {number} is there again");
            assert_eq!(self.reader().timeline(job.id), Ok(None), "job {number} has a timeline");
            assert_eq!(self.reader().payloads(&[*number]), Ok(vec![None]), "job {number} has a payload");
            assert_eq!(self.reader().result(*number), Ok(None), "job {number} has a result");
        }
    }

    fn audit_counts(&self) {
        let mut expected: BTreeMap<Name, [u64; Status::ALL.len()]> = BTreeMap::new();
        for job in self.jobs.values() {
            expected.entry(job.spec.queue.clone()).or_default()[job.status as usize] += 1;
        }
        let counts = self.reader().counts().expect("counts can be read");
        let found: BTreeMap<_, _> = counts.iter().map(|counts| (counts.queue.clone(), counts.by_status)).collect();
        assert_eq!(found.len(), counts.len(), "a queue is counted twice");
        assert_eq!(found, expected, "the counts differ from a recount");
    }

    fn audit_queues(&self) {
        let queues = self.reader().queues().expect("queues can be read");
        let found: BTreeMap<Name, Arc<Queue>> =
            queues.iter().map(|queue| (queue.name.clone(), Arc::clone(queue))).collect();
        assert_eq!(found.len(), queues.len(), "a queue stands twice");
        assert_eq!(found, self.queues, "the queues are not as they were configured");
    }

    fn audit_schedules(&self) {
        let schedules = self.reader().schedules().expect("schedules can be read");
        let found: BTreeMap<Name, Arc<Schedule>> =
            schedules.iter().map(|schedule| (schedule.name.clone(), Arc::clone(schedule))).collect();
        assert_eq!(found.len(), schedules.len(), "a schedule stands twice");
        assert_eq!(found, self.schedules, "the schedules are not as the ledger left them");
    }

    /// Of the files that came with jobs only how many jobs have them is known here.
    fn audit_files(&self) {
        let mut references: BTreeMap<FileId, u64> = BTreeMap::new();
        for id in self.jobs.values().flat_map(|job| job.files()) {
            *references.entry(id).or_default() += 1;
        }
        for (id, count) in &references {
            let file = self.reader().file(*id).expect("a file can be read").expect("a job's file is there");
            assert_eq!(file.references, *count, "the jobs that have file {id} are counted wrong");
        }
        for (id, file) in &self.files {
            let references = references.get(id).copied().unwrap_or_default();
            let expected = Arc::new(File { references, ..(**file).clone() });
            assert_eq!(self.reader().file(*id), Ok(Some(Arc::clone(&expected))), "file {id} is not as it was left");
            if let Some(name) = &file.name {
                assert_eq!(self.reader().file_named(name), Ok(Some(Arc::clone(&expected))), "{name} is another file");
            }
            let unused = self.reader().unused_files(self.now, None, self.files.len() + self.jobs.len() + 1);
            let unused = unused.expect("unused files can be read");
            assert_eq!(unused.contains(&expected), expected.is_unused(self.now), "file {id} is needed, or is not");
            assert!(unused.iter().all(|file| file.is_unused(self.now)), "{unused:?} are not all unused");
        }
        assert_eq!(self.reader().unused_files(self.now, None, 0), Ok(vec![]), "more files than asked for");
    }

    fn audit_webhooks(&self) {
        let endpoints = self.reader().endpoints().expect("endpoints can be read");
        let found: BTreeMap<Name, Arc<Endpoint>> =
            endpoints.iter().map(|endpoint| (endpoint.name.clone(), Arc::clone(endpoint))).collect();
        assert_eq!(found.len(), endpoints.len(), "an endpoint stands twice");
        assert_eq!(found, self.endpoints, "the endpoints are not as the ledger left them");
        for (consumer, position) in &self.positions {
            assert_eq!(self.reader().position_of(consumer), Ok(Some(*position)), "{consumer} is elsewhere");
        }
        let unknown = super::samples::name("nobody-consumes");
        assert_eq!(self.reader().position_of(&unknown), Ok(None), "a consumer has come far that never began");
        let mut expected: BTreeMap<u64, Vec<&Arc<Job>>> = BTreeMap::new();
        for job in self.jobs.values().rev() {
            if let Some(delivery) = &job.spec.delivery {
                expected.entry(delivery.source.number()).or_default().push(job);
            }
        }
        for number in self.jobs.keys() {
            let expected = expected.get(number).map_or(&[][..], |jobs| jobs);
            for size in [1, 2, 100] {
                let mut found: Vec<Arc<Job>> = Vec::new();
                loop {
                    let before = found.last().map(|job| job.id.number());
                    let page = self.reader().deliveries(*number, before, size).expect("deliveries can be read");
                    assert!(page.len() <= size, "a page has more deliveries than its limit");
                    if page.is_empty() || found.len() > expected.len() {
                        break;
                    }
                    found.extend(page);
                }
                assert!(found.iter().eq(expected.iter().copied()), "the deliveries of job {number} are {found:?}");
            }
        }
    }

    fn audit_feed(&self) {
        let feed = self.fixture.feed();
        assert_eq!(feed.head(), Ok(self.head()), "the head is not the last change");
        let earliest = feed.earliest().expect("the earliest position can be read");
        assert!(earliest <= self.head(), "the earliest position lies beyond the head");
        assert_eq!(earliest, self.purged.min(self.head()), "changes that are gone are offered, or others are gone");
        let kept: Vec<&Change> = self.changes.iter().filter(|change| change.position > earliest).collect();
        for size in self.sizes() {
            let mut read: Vec<Change> = Vec::new();
            loop {
                let after = read.last().map_or(earliest, |last| last.position);
                let page = feed.changes(after, size).expect("the feed can be read");
                assert!(page.len() <= size, "the feed gives more changes than asked for");
                if page.is_empty() {
                    break;
                }
                assert!(read.len() <= kept.len(), "the feed does not come to an end");
                read.extend(page);
            }
            assert_eq!(read.len(), kept.len(), "the feed by {size} does not have every change");
            for (read, told) in read.iter().zip(&kept) {
                same_change(read, told, self.erased.contains_key(&told.job.id.number()));
            }
        }
        let beyond = feed.changes(self.head().next(), 1);
        assert!(
            matches!(beyond, Err(FeedError::Beyond(head)) if head == self.head()),
            "a position beyond the head gives {beyond:?}"
        );
        if earliest > Position::START {
            let purged = feed.changes(Position(earliest.0 - 1), 1);
            assert!(
                matches!(purged, Err(FeedError::Purged(from)) if from == earliest),
                "a position before the earliest gives {purged:?}"
            );
        }
    }

    fn audit_timelines(&self) {
        let earliest = self.fixture.feed().earliest().expect("the earliest position can be read");
        let mut kept: BTreeMap<u64, Vec<&Change>> = BTreeMap::new();
        for change in self.changes.iter().filter(|change| change.position > earliest) {
            kept.entry(change.job.id.number()).or_default().push(change);
        }
        for (number, job) in &self.jobs {
            let expected = kept.get(number).map_or(&[][..], |changes| changes);
            let timeline = self.reader().timeline(job.id).expect("a timeline can be read");
            let timeline = timeline.unwrap_or_else(|| panic!("job {number} has no timeline"));
            assert_eq!(timeline.changes.len(), expected.len(), "the timeline of job {number} is not whole");
            for (read, told) in timeline.changes.iter().zip(expected) {
                same_change(read, told, false);
            }
            let first = expected.first().map(|change| change.previous);
            assert_eq!(timeline.truncated, first != Some(Position::START), "whether job {number}'s timeline is whole");
        }
    }
}
