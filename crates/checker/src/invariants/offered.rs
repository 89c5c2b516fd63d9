//! (4) Every result was offered by a worker, and nothing is done that no worker said it had done.

use super::Rule;
use crate::fact::Fact;
use crate::jobs::Jobs;
use crate::known::Known;
use crate::record::{Event, Status, Verb};
use crate::violation::{Invariant, Violations};

#[derive(Debug, Default)]
pub(super) struct Offered {
    jobs: Jobs<Vec<Option<u64>>>,
}

impl Rule for Offered {
    fn take(&mut self, fact: &Fact<'_>, known: &Known, violations: &mut Violations) {
        if let (Event::Settle { verb: Verb::Complete, result, .. }, Some(job)) = (fact.is, fact.job) {
            let offers = self.jobs.at(job);
            if !offers.contains(result) {
                offers.push(*result);
            }
        }
        let Some((job, told)) = fact.told().filter(|(_, told)| told.status == Status::Done) else { return };
        let offers = self.jobs.at(job);
        let what = if offers.is_empty() {
            "a job is done that no worker completed"
        } else if told.result.is_some() && !offers.contains(&told.result) {
            "a job has a result that no worker offered"
        } else {
            return;
        };
        violations.add(Invariant::Offered, Some(known.id(job)), what, &[fact.place]);
    }
}
