use std::fmt;
use std::sync::Arc;

use ackd_domain::{Change, Name};
use ackd_ports::Filter;

/// Which changes a follower of the feed is interested in.
#[derive(Clone)]
pub struct Interest {
    jobs: Vec<u64>,
    what: What,
}

#[derive(Clone)]
enum What {
    /// Of jobs that a list of this filter would show.
    Filter(Filter),
    /// For which this holds.
    Rule(Arc<dyn Fn(&Change) -> bool + Send + Sync>),
}

impl Interest {
    /// Changes after which the job is in the list of `filter`; where `jobs` are named, by their acceptance
    /// numbers, of these only.
    #[must_use]
    pub fn new(filter: Filter, mut jobs: Vec<u64>) -> Interest {
        jobs.sort_unstable();
        jobs.dedup();
        Interest { jobs, what: What::Filter(filter) }
    }

    /// Changes for which `rule` holds, those of the server's own queues included. It is asked of every change
    /// that is committed: it must be quick, and must not block.
    #[must_use]
    pub fn rule(rule: impl Fn(&Change) -> bool + Send + Sync + 'static) -> Interest {
        Interest { jobs: Vec::new(), what: What::Rule(Arc::new(rule)) }
    }

    /// Whether `change` is of interest.
    #[must_use]
    pub fn wants(&self, change: &Change) -> bool {
        (self.jobs.is_empty() || self.jobs.binary_search(&change.job.id.number()).is_ok())
            && match &self.what {
                What::Filter(filter) => filter.matches(&change.job),
                What::Rule(rule) => rule(change),
            }
    }

    pub(crate) const fn is_rule(&self) -> bool {
        matches!(self.what, What::Rule(_))
    }

    pub(crate) fn jobs(&self) -> &[u64] {
        &self.jobs
    }

    pub(crate) fn queues(&self) -> &[Name] {
        match &self.what {
            What::Filter(filter) => &filter.queues,
            What::Rule(_) => &[],
        }
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Interest");
        shown.field("jobs", &self.jobs);
        match &self.what {
            What::Filter(filter) => shown.field("filter", filter),
            What::Rule(_) => shown.field("rule", &"…"),
        };
        shown.finish()
    }
}
