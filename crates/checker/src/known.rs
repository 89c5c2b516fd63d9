use rustc_hash::FxHashMap;

use crate::checker::HistoryError;
use crate::fact::Fact;
use crate::jobs::Job;
use crate::record::{Event, Line, Record};

/// What a client asked.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The place of the record.
    pub(crate) place: u64,
    /// When.
    pub(crate) at: u64,
    /// What.
    pub(crate) what: What,
}

/// What can be asked.
#[derive(Debug)]
pub(crate) enum What {
    Submit {
        by: u64,
        lines: Vec<Line<u64>>,
    },
    Settle {
        lease: u64,
    },
    /// To cancel, retry or delete a job.
    Change,
}

/// A lease as its worker knows it.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    /// The place of the record that told of it.
    pub(crate) place: u64,
    pub(crate) job: Job,
    pub(crate) run: u32,
    pub(crate) attempt: u32,
    /// The job's version with which it was granted.
    pub(crate) version: u64,
    /// It holds until then at least, if its worker does not settle it.
    pub(crate) until: u64,
    /// Its worker has asked to settle it.
    pub(crate) settling: bool,
}

/// What the records until now say, as far as later ones refer to it.
#[derive(Debug, Default)]
pub(crate) struct Known {
    jobs: FxHashMap<u64, Job>,
    ids: Vec<u64>,
    leases: FxHashMap<u64, Lease>,
    open: FxHashMap<u64, Asked>,
    /// The request that the record at hand answers.
    answered: Option<Asked>,
    accepted: Vec<Job>,
    ended: bool,
}

impl Known {
    /// The id of a job.
    pub(crate) fn id(&self, job: Job) -> u64 {
        self.ids[job.0]
    }

    /// The job of this id, if the history has named it.
    pub(crate) fn job_of(&self, id: u64) -> Option<Job> {
        self.jobs.get(&id).copied()
    }

    pub(crate) fn lease(&self, id: u64) -> Option<&Lease> {
        self.leases.get(&id)
    }

    /// Whether the history is complete.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// What nobody has answered.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = &Asked> {
        self.open.values()
    }

    /// Takes the record in.
    pub(crate) fn take(&mut self, place: u64, record: &Record<u64>) -> Result<(), HistoryError> {
        self.answered = None;
        self.accepted.clear();
        match &record.is {
            Event::Submit { request, by, lines } => {
                self.ask(place, record.at, *request, What::Submit { by: *by, lines: lines.clone() })?;
            }
            Event::Settle { request, lease, .. } => {
                self.ask(place, record.at, *request, What::Settle { lease: *lease })?;
                self.leases.get_mut(lease).into_iter().for_each(|lease| lease.settling = true);
            }
            Event::Cancel { request, job } | Event::Retry { request, job } | Event::Delete { request, job } => {
                self.job(*job);
                self.ask(place, record.at, *request, What::Change)?;
            }
            Event::Accepted { request, jobs } => {
                self.answer(place, *request)?;
                let jobs: Vec<Job> = jobs.iter().map(|job| self.job(*job)).collect();
                self.accepted = jobs;
            }
            Event::Settled { request, .. }
            | Event::Done { request }
            | Event::Refused { request }
            | Event::Unknown { request } => self.answer(place, *request)?,
            Event::Granted { lease, since, holds, job, .. } => {
                let granted = Lease {
                    place,
                    job: self.job(job.job),
                    run: job.run,
                    attempt: job.attempt,
                    version: job.version,
                    until: since + holds,
                    settling: false,
                };
                // One that is granted once more is a violation; what it was first is what it is.
                self.leases.entry(*lease).or_insert(granted);
            }
            Event::Beat { lease, since, holds } => {
                let lease = self.leases.get_mut(lease);
                lease.into_iter().for_each(|lease| lease.until = lease.until.max(since + holds));
            }
            Event::Read { job, .. } | Event::Seen { job, .. } | Event::Delivered { job, .. } => drop(self.job(job.job)),
            Event::Missing { job, .. } | Event::DeadDelivery { job, .. } => drop(self.job(*job)),
            Event::End => self.ended = true,
            _ => {}
        }
        Ok(())
    }

    /// The record with what it refers to, once it was taken in.
    pub(crate) fn fact<'a>(&'a self, place: u64, record: &'a Record<u64>) -> Fact<'a> {
        let (job, lease) = match &record.is {
            Event::Cancel { job, .. }
            | Event::Retry { job, .. }
            | Event::Delete { job, .. }
            | Event::Missing { job, .. }
            | Event::DeadDelivery { job, .. } => (Some(*job), None),
            Event::Granted { job, lease, .. } => (Some(job.job), Some(*lease)),
            Event::Read { job, .. } | Event::Seen { job, .. } | Event::Delivered { job, .. } => (Some(job.job), None),
            Event::Settle { lease, .. } | Event::Beat { lease, .. } => (None, Some(*lease)),
            Event::Settled { .. } => match self.answered.as_ref().map(|asked| &asked.what) {
                Some(What::Settle { lease, .. }) => (None, Some(*lease)),
                _ => (None, None),
            },
            _ => (None, None),
        };
        let lease = lease.and_then(|lease| self.leases.get(&lease));
        let job = job.and_then(|job| self.jobs.get(&job).copied()).or(lease.map(|lease| lease.job));
        Fact {
            place,
            at: record.at,
            is: &record.is,
            job,
            accepted: &self.accepted,
            asked: self.answered.as_ref(),
            lease,
        }
    }

    fn job(&mut self, id: u64) -> Job {
        let next = Job(self.ids.len());
        let job = *self.jobs.entry(id).or_insert(next);
        if job == next {
            self.ids.push(id);
        }
        job
    }

    fn ask(&mut self, place: u64, at: u64, request: u64, what: What) -> Result<(), HistoryError> {
        match self.open.insert(request, Asked { place, at, what }) {
            None => Ok(()),
            Some(before) => Err(HistoryError::AskedTwice { place, before: before.place }),
        }
    }

    fn answer(&mut self, place: u64, request: u64) -> Result<(), HistoryError> {
        let asked = self.open.remove(&request).ok_or(HistoryError::NeverAsked { place })?;
        self.answered = Some(asked);
        Ok(())
    }
}
