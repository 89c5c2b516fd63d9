//! (10) When faults stop everything drains within a bound, and no job is `PROCESSING` without a live lease.

use super::Rule;
use crate::fact::Fact;
use crate::jobs::{Job, Jobs};
use crate::known::Known;
use crate::record::{Event, Snapshot, Status};
use crate::violation::{Invariant, Violations};

#[derive(Debug, Default)]
pub(super) struct Drains {
    jobs: Jobs<State>,
    /// When faults stopped, the bound, and where that is said.
    calm: Option<(u64, u64, u64)>,
}

#[derive(Debug, Default)]
struct State {
    /// Where and when the run that is known last was told first.
    begun: Option<(u64, u64)>,
    run: u32,
    /// When its end was told first.
    ended: Option<u64>,
    /// It may be gone.
    passing: bool,
    latest_lease: Option<u64>,
}

impl State {
    /// When it is to have ended.
    fn due(&self, calm: u64, bound: u64) -> u64 {
        self.begun.map_or(calm, |(_, at)| at.max(calm)) + bound
    }
}

impl Drains {
    fn told(&mut self, fact: &Fact<'_>, job: Job, told: &Snapshot<u64>, known: &Known, violations: &mut Violations) {
        let state = self.jobs.at(job);
        if told.run > state.run {
            if state.run > 0 || state.begun.is_none() {
                state.begun = Some((fact.place, fact.at));
            }
            (state.run, state.ended) = (told.run, None);
        }
        if told.run == state.run && told.status.is_terminal() {
            state.ended.get_or_insert(fact.at);
        }
        if let Event::Granted { lease, .. } = fact.is {
            let version = |lease: u64| known.lease(lease).map(|lease| lease.version);
            if state.latest_lease.is_none_or(|latest| version(latest) < version(*lease)) {
                state.latest_lease = Some(*lease);
            }
        }
        if let (Event::Read { since, .. }, Some((calm, bound, place))) = (fact.is, self.calm)
            && told.status == Status::Processing
            && *since > state.due(calm, bound)
        {
            let lease = state.latest_lease.and_then(|lease| known.lease(lease));
            if lease.is_none_or(|lease| lease.until < *since) {
                let what = "a job is PROCESSING and nobody has a live lease of it";
                violations.add(Invariant::Drains, Some(known.id(job)), what, &[place, fact.place]);
            }
        }
    }
}

impl Rule for Drains {
    fn take(&mut self, fact: &Fact<'_>, known: &Known, violations: &mut Violations) {
        match (fact.is, fact.job) {
            (Event::FaultsBegin, _) => self.calm = None,
            (Event::FaultsStop { bound }, _) => self.calm = Some((fact.at, *bound, fact.place)),
            (Event::Accepted { .. }, _) => {
                for job in fact.accepted {
                    self.jobs.at(*job).begun.get_or_insert((fact.place, fact.at));
                }
            }
            (Event::Delete { .. } | Event::Missing { .. }, Some(job)) => self.jobs.at(job).passing = true,
            (Event::Settled { status, .. }, Some(job)) if status.is_terminal() => {
                let state = self.jobs.at(job);
                if fact.lease.is_some_and(|lease| lease.run == state.run) {
                    state.ended.get_or_insert(fact.at);
                }
            }
            _ => {
                if let Some((job, told)) = fact.told() {
                    self.told(fact, job, told, known, violations);
                }
            }
        }
    }

    fn finish(&mut self, known: &Known, violations: &mut Violations) {
        let Some((calm, bound, place)) = self.calm.filter(|_| known.has_ended()) else { return };
        for (job, state) in self.jobs.iter() {
            let Some((begun, _)) = state.begun.filter(|_| !state.passing) else { continue };
            if state.ended.is_none_or(|ended| ended > state.due(calm, bound)) {
                let what = "a job did not end within the bound";
                violations.add(Invariant::Drains, Some(known.id(job)), what, &[begun, place]);
            }
        }
    }
}
