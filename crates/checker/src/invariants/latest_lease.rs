//! (3) Only who holds the latest lease of a job settles it; no lease is granted twice; none is taken away before its time.
//!
//! What is latest is told by the job's version with which a lease was granted. So it does not matter when an answer
//! arrives, nor that the answer to a lease may be lost: then the attempt of the job tells it.

use super::Rule;
use crate::fact::Fact;
use crate::jobs::{Job, Jobs};
use crate::known::{Known, Lease};
use crate::record::{Event, Snapshot, Status, Verb};
use crate::violation::{Invariant, Violations};

#[derive(Debug, Default)]
pub(super) struct LatestLease {
    jobs: Jobs<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The leases in the order in which they were told.
    leases: Vec<u64>,
    settled: Vec<Settled>,
    /// What was offered as a result, under which lease.
    offers: Vec<(Option<u64>, u64)>,
}

/// That a lease was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Settled {
    /// The job's version with which the lease was granted.
    granted: u64,
    /// The job's version by then.
    version: u64,
    place: u64,
}

const SUPERSEDED: &str = "a lease was settled after a later one had been granted";

impl LatestLease {
    fn granted(
        &mut self,
        fact: &Fact<'_>,
        lease: u64,
        told: &Snapshot<u64>,
        known: &Known,
        violations: &mut Violations,
    ) {
        let (Some(job), Some(first)) = (fact.job, known.lease(lease)) else { return };
        let mut add =
            |what, records: &[u64]| violations.add(Invariant::LatestLease, Some(known.id(job)), what, records);
        if (first.job, first.version) != (job, told.version) {
            return add("a lease was granted twice", &[first.place, fact.place]);
        }
        let state = self.jobs.at(job);
        for settled in state.settled.iter().filter(|it| it.granted < told.version && told.version < it.version) {
            add(SUPERSEDED, &[fact.place, settled.place]);
        }
        if first.place == fact.place {
            state.leases.push(lease);
        }
    }

    /// A live lease that the job, as it is told, no longer has.
    fn taken_away(
        &mut self,
        fact: &Fact<'_>,
        job: Job,
        told: &Snapshot<u64>,
        known: &Known,
        violations: &mut Violations,
    ) {
        if !matches!(told.status, Status::Init | Status::Processing | Status::Failed) {
            return;
        }
        let state = self.jobs.at(job);
        let before = |lease: &&Lease| lease.version < told.version && lease.run == told.run;
        let before = state.leases.iter().filter_map(|lease| known.lease(*lease)).filter(before);
        let Some(lease) = before.max_by_key(|lease| lease.version) else { return };
        let another = told.status != Status::Processing || matches!(fact.is, Event::Granted { .. });
        if another && !lease.settling && fact.at < lease.until {
            let what = "a lease was taken away before its time";
            violations.add(Invariant::LatestLease, Some(known.id(job)), what, &[lease.place, fact.place]);
        }
    }

    fn settled(&mut self, job: Job, settled: Settled, known: &Known, violations: &mut Violations) {
        let state = self.jobs.at(job);
        if state.settled.iter().any(|it| (it.granted, it.version) == (settled.granted, settled.version)) {
            return;
        }
        let later = |lease: &&Lease| settled.granted < lease.version && lease.version < settled.version;
        if let Some(later) = state.leases.iter().filter_map(|lease| known.lease(*lease)).find(later) {
            let records = &[later.place, settled.place];
            violations.add(Invariant::LatestLease, Some(known.id(job)), SUPERSEDED, records);
        }
        state.settled.push(settled);
    }

    /// The job is done with a result: who offered that must have had the latest lease.
    fn done(&mut self, fact: &Fact<'_>, job: Job, told: &Snapshot<u64>, known: &Known, violations: &mut Violations) {
        let offers = self.jobs.at(job).offers.iter().filter(|(result, _)| *result == told.result);
        let mut offered = None;
        for lease in offers.filter_map(|(_, lease)| known.lease(*lease)) {
            if (lease.run, lease.attempt) == (told.run, told.attempt) {
                let settled = Settled { granted: lease.version, version: told.version, place: fact.place };
                return self.settled(job, settled, known, violations);
            }
            offered = Some(lease.place);
        }
        if let Some(place) = offered {
            let what = "a result is of another attempt than the last";
            violations.add(Invariant::LatestLease, Some(known.id(job)), what, &[place, fact.place]);
        }
    }
}

impl Rule for LatestLease {
    fn take(&mut self, fact: &Fact<'_>, known: &Known, violations: &mut Violations) {
        match (fact.is, fact.job, fact.lease) {
            (Event::Settle { lease, verb: Verb::Complete, result, .. }, Some(job), _) => {
                self.jobs.at(job).offers.push((*result, *lease));
            }
            (Event::Settled { version, .. }, Some(job), Some(lease)) => {
                let settled = Settled { granted: lease.version, version: *version, place: fact.place };
                self.settled(job, settled, known, violations);
            }
            (Event::Settled { .. }, ..) => {
                let asked = fact.asked.map_or(fact.place, |asked| asked.place);
                let what = "a lease was settled that nobody was granted";
                violations.add(Invariant::LatestLease, None, what, &[asked, fact.place]);
            }
            _ => {}
        }
        let Some((job, told)) = fact.told() else { return };
        if let Event::Granted { lease, job: told, .. } = fact.is {
            self.granted(fact, *lease, told, known, violations);
        }
        self.taken_away(fact, job, told, known, violations);
        if told.status == Status::Done && told.result.is_some() {
            self.done(fact, job, told, known, violations);
        }
    }
}
