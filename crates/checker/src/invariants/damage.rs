//! (9) Damage in the middle of what is stored is reported, and never served: a job is told with the payload that it was
//! submitted with, and a history with damage has a report of it.

use super::Rule;
use crate::fact::Fact;
use crate::jobs::{Job, Jobs};
use crate::known::{Known, What};
use crate::record::Event;
use crate::violation::{Invariant, Violations};

#[derive(Debug, Default)]
pub(super) struct Damage {
    /// What each job's payload is, and where that was told first.
    payloads: Jobs<Option<(u64, u64)>>,
    unreported: Vec<u64>,
}

impl Damage {
    fn told(&mut self, job: Job, payload: u64, place: u64, known: &Known, violations: &mut Violations) {
        let (is, before) = *self.payloads.at(job).get_or_insert((payload, place));
        if is != payload {
            let what = "a job has another payload than it was submitted with";
            violations.add(Invariant::Damage, Some(known.id(job)), what, &[before, place]);
        }
    }
}

impl Rule for Damage {
    fn take(&mut self, fact: &Fact<'_>, known: &Known, violations: &mut Violations) {
        match fact.is {
            Event::Accepted { .. } => {
                let Some(What::Submit { lines, .. }) = fact.asked.map(|asked| &asked.what) else { return };
                for (job, line) in fact.accepted.iter().zip(lines) {
                    self.told(*job, line.payload, fact.place, known, violations);
                }
            }
            Event::Damaged => self.unreported.push(fact.place),
            Event::Reported => self.unreported.clear(),
            _ => {
                if let Some((job, payload)) = fact.told().and_then(|(job, told)| Some((job, told.payload?))) {
                    self.told(job, payload, fact.place, known, violations);
                }
            }
        }
    }

    fn finish(&mut self, known: &Known, violations: &mut Violations) {
        if known.has_ended() && !self.unreported.is_empty() {
            violations.add(Invariant::Damage, None, "damage was never reported", &self.unreported);
        }
    }
}
