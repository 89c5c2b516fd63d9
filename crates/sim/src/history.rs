use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ackd_checker::{Event, Record, Snapshot, Status};
use ackd_domain::{Body, Job, JobId, LeaseToken};

use crate::clock::SimClock;

/// What the clients write down. A clone is the same.
#[derive(Debug, Clone)]
pub(crate) struct History {
    clock: SimClock,
    written: Arc<Mutex<Written>>,
}

#[derive(Debug, Default)]
struct Written {
    records: Vec<Record<u64>>,
    requests: u64,
    digests: u64,
    /// The jobs that anybody knows, and whether they are known to have ended.
    jobs: BTreeMap<u64, (JobId, bool)>,
    /// Those of which a webhook is to be told.
    called_back: BTreeSet<u64>,
    /// Those that others wait for until they are done, and whether each is known to have ended otherwise.
    awaited: BTreeMap<u64, (JobId, bool)>,
}

impl History {
    pub(crate) fn new(clock: SimClock) -> History {
        History { clock, written: Arc::default() }
    }

    pub(crate) fn add(&self, is: Event<u64>) {
        let at = self.now();
        self.written().records.push(Record { at, is });
    }

    /// The time as the history tells it.
    pub(crate) fn now(&self) -> u64 {
        self.clock.micros()
    }

    /// The number of a new request.
    pub(crate) fn request(&self) -> u64 {
        let mut written = self.written();
        written.requests += 1;
        written.requests
    }

    /// Bytes that nobody else has: a number, which is their digest too.
    pub(crate) fn bytes(&self) -> (u64, Body) {
        let mut written = self.written();
        written.digests += 1;
        let digest = written.digests;
        (digest, Body { content_type: "application/json".into(), bytes: digest.to_string().into() })
    }

    /// Takes note of a job that somebody knows.
    pub(crate) fn know(&self, job: &Job) {
        let ended = job.status.is_terminal();
        let mut written = self.written();
        written.jobs.insert(job.id.number(), (job.id, ended));
        if let Some((_, undone)) = written.awaited.get_mut(&job.id.number()) {
            *undone = ended && job.status != ackd_domain::Status::Done;
        }
    }

    /// Nobody needs to look for it any more.
    pub(crate) fn gone(&self, id: JobId) {
        self.written().jobs.insert(id.number(), (id, true));
    }

    /// Others wait until this job is done.
    pub(crate) fn wait_for(&self, id: JobId) {
        self.written().awaited.entry(id.number()).or_insert((id, false));
    }

    /// The jobs that others wait for until they are done, and whether each is known to have ended otherwise.
    pub(crate) fn awaited(&self) -> Vec<(JobId, bool)> {
        self.written().awaited.values().copied().collect()
    }

    /// The jobs that somebody knows, and whether each is known to have ended.
    pub(crate) fn jobs(&self) -> Vec<(JobId, bool)> {
        self.written().jobs.values().copied().collect()
    }

    pub(crate) fn take(&self) -> Vec<Record<u64>> {
        std::mem::take(&mut self.written().records)
    }

    /// A webhook is to be told of the ends of this job.
    pub(crate) fn call_back(&self, id: JobId) {
        self.written().called_back.insert(id.number());
    }

    /// Whether webhooks were told of all ends that are known.
    pub(crate) fn is_told(&self) -> bool {
        let written = self.written();
        let (mut ended, mut told) = (BTreeSet::new(), BTreeSet::new());
        for record in &written.records {
            match &record.is {
                Event::Delivered { job, answer: 200..300, .. } => drop(told.insert((job.job, job.run))),
                Event::Read { job, .. } | Event::Seen { job, .. }
                    if job.status.is_terminal() && written.called_back.contains(&job.job) =>
                {
                    ended.insert((job.job, job.run));
                }
                _ => {}
            }
        }
        ended.is_subset(&told)
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The job as whoever is told of it writes it down.
pub(crate) fn snapshot(job: &Job, payload: Option<&Body>, result: Option<&Body>) -> Snapshot<u64> {
    Snapshot {
        job: job.id.number(),
        status: status(job.status),
        version: job.version,
        run: job.run,
        attempt: job.attempt,
        payload: payload.and_then(digest),
        result: result.and_then(digest),
    }
}

pub(crate) const fn status(status: ackd_domain::Status) -> Status {
    match status {
        ackd_domain::Status::Init => Status::Init,
        ackd_domain::Status::Processing => Status::Processing,
        ackd_domain::Status::Done => Status::Done,
        ackd_domain::Status::Failed => Status::Failed,
        ackd_domain::Status::Cancelled => Status::Cancelled,
        ackd_domain::Status::Expired => Status::Expired,
    }
}

/// The digest of bytes that [`History::bytes`] made.
fn digest(body: &Body) -> Option<u64> {
    std::str::from_utf8(&body.bytes).ok()?.parse().ok()
}

/// A lease as the history names it.
pub(crate) fn lease(token: &LeaseToken) -> u64 {
    xxhash_rust::xxh3::xxh3_64(&token.to_bytes())
}
