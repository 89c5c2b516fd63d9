//! (7) Every webhook is answered with a 2xx, or can be seen to be dead; and none tells what has not happened.

use super::Rule;
use crate::fact::Fact;
use crate::jobs::{Job, Jobs};
use crate::known::{Known, What};
use crate::record::Event;
use crate::violation::{Invariant, Violations};

#[derive(Debug, Default)]
pub(super) struct Webhooks {
    jobs: Jobs<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Where a job was acknowledged that a webhook is to be told of.
    asked: Option<u64>,
    /// The runs that have ended, and where that was told.
    ended: Vec<(u32, u64)>,
    /// The runs of which a webhook was told, or cannot be.
    told: Vec<u32>,
}

impl Webhooks {
    fn ended(&mut self, job: Job, run: u32, place: u64) {
        let ended = &mut self.jobs.at(job).ended;
        if ended.iter().all(|(it, _)| *it != run) {
            ended.push((run, place));
        }
    }
}

impl Rule for Webhooks {
    fn take(&mut self, fact: &Fact<'_>, known: &Known, violations: &mut Violations) {
        if let Some((job, told)) = fact.told().filter(|(_, told)| told.status.is_terminal()) {
            self.ended(job, told.run, fact.place);
        }
        match (fact.is, fact.job) {
            (Event::Accepted { .. }, _) => {
                let Some(What::Submit { lines, .. }) = fact.asked.map(|asked| &asked.what) else { return };
                for (job, _) in fact.accepted.iter().zip(lines).filter(|(_, line)| line.callback) {
                    self.jobs.at(*job).asked.get_or_insert(fact.place);
                }
            }
            (Event::Settled { status, .. }, Some(job)) if status.is_terminal() => {
                fact.lease.into_iter().for_each(|lease| self.ended(job, lease.run, fact.place));
            }
            (Event::Delivered { job: told, answer, .. }, Some(job)) => {
                if !told.status.is_terminal() {
                    let what = "a webhook was told of an end that was none";
                    violations.add(Invariant::Webhooks, Some(known.id(job)), what, &[fact.place]);
                }
                if (200..300).contains(answer) {
                    self.jobs.at(job).told.push(told.run);
                }
            }
            (Event::DeadDelivery { run, .. }, Some(job)) => self.jobs.at(job).told.push(*run),
            _ => {}
        }
    }

    fn finish(&mut self, known: &Known, violations: &mut Violations) {
        if !known.has_ended() {
            return;
        }
        for (job, state) in self.jobs.iter() {
            let Some(asked) = state.asked else { continue };
            for (_, place) in state.ended.iter().filter(|(run, _)| !state.told.contains(run)) {
                let what = "a webhook was never told, nor is it to be seen why";
                violations.add(Invariant::Webhooks, Some(known.id(job)), what, &[asked, *place]);
            }
        }
    }
}
