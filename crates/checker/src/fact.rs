use crate::jobs::Job;
use crate::known::{Asked, Lease};
use crate::record::{Event, Snapshot};

/// A record with what it refers to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fact<'a> {
    /// Its place in the history.
    pub(crate) place: u64,
    /// When.
    pub(crate) at: u64,
    /// What.
    pub(crate) is: &'a Event<u64>,
    /// The job that it is about, where that is one.
    pub(crate) job: Option<Job>,
    /// The jobs of an [`Event::Accepted`].
    pub(crate) accepted: &'a [Job],
    /// What it answers.
    pub(crate) asked: Option<&'a Asked>,
    /// The lease that it is about, as it is with the record.
    pub(crate) lease: Option<&'a Lease>,
}

impl Fact<'_> {
    /// The job as somebody is told of it.
    pub(crate) fn told(&self) -> Option<(Job, &Snapshot<u64>)> {
        let (Event::Granted { job: told, .. }
        | Event::Read { job: told, .. }
        | Event::Seen { job: told, .. }
        | Event::Delivered { job: told, .. }) = self.is
        else {
            return None;
        };
        Some((self.job?, told))
    }

    /// Who is told of the job.
    pub(crate) fn teller(&self) -> Option<u64> {
        match self.is {
            Event::Granted { worker, .. } => Some(*worker),
            Event::Read { by, .. } => Some(*by),
            Event::Seen { subscriber, .. } => Some(*subscriber),
            _ => None,
        }
    }
}
