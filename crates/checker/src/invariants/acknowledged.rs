//! (1) What was acknowledged, or told in any other way, is there from then on, and every job ends at last.
//!
//! *There* means: a later read does not miss the job, does not show an earlier version of it than was told before the
//! read was asked for, and one version is one state, whoever is told of it. So what is told before it is durable, and
//! lost by a crash, is found.

use super::Rule;
use crate::fact::Fact;
use crate::jobs::{Job, Jobs};
use crate::known::{Known, What};
use crate::record::{Event, Snapshot};
use crate::violation::{Invariant, Violations};

#[derive(Debug, Default)]
pub(super) struct Acknowledged {
    jobs: Jobs<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Where and when it was acknowledged or told first.
    known: Option<(u64, u64)>,
    accepted: bool,
    /// When it may be gone at the earliest.
    kept_until: Option<u64>,
    deleted: bool,
    ended: bool,
    /// The two latest versions that were told, the later one first: of each where and when first.
    told: [Option<Told>; 2],
}

#[derive(Debug, Clone, Copy)]
struct Told {
    place: u64,
    at: u64,
    job: Snapshot<u64>,
}

impl Told {
    fn contradicts(&self, job: &Snapshot<u64>) -> bool {
        let other_result = self.job.result.zip(job.result).is_some_and(|(one, other)| one != other);
        (self.job.status, self.job.run, self.job.attempt) != (job.status, job.run, job.attempt) || other_result
    }
}

impl Acknowledged {
    fn accepted(&mut self, fact: &Fact<'_>, violations: &mut Violations) {
        let Some((asked, What::Submit { lines, .. })) = fact.asked.map(|asked| (asked, &asked.what)) else { return };
        if lines.len() != fact.accepted.len() {
            let what = "another number of jobs was acknowledged than was submitted";
            violations.add(Invariant::Acknowledged, None, what, &[asked.place, fact.place]);
        }
        for (job, line) in fact.accepted.iter().zip(lines) {
            let state = self.jobs.at(*job);
            state.known.get_or_insert((fact.place, fact.at));
            state.accepted = true;
            if let Some(kept) = line.kept {
                state.kept_until.get_or_insert(asked.at + kept);
            }
        }
    }

    fn told(&mut self, fact: &Fact<'_>, job: Job, told: &Snapshot<u64>, known: &Known, violations: &mut Violations) {
        let state = self.jobs.at(job);
        state.known.get_or_insert((fact.place, fact.at));
        state.ended |= told.status.is_terminal();
        let mut add = |what, before: u64| {
            violations.add(Invariant::Acknowledged, Some(known.id(job)), what, &[before, fact.place]);
        };
        let same = state.told.iter().flatten().find(|it| it.job.version == told.version);
        if let Some(before) = same.filter(|before| before.contradicts(told)) {
            add("one version of a job was told as two states", before.place);
        }
        if let Event::Read { since, .. } = fact.is {
            let later = |it: &&Told| it.job.version > told.version && it.at < *since;
            if let Some(before) = state.told.iter().flatten().find(later) {
                add("a read shows an earlier version than was told before", before.place);
            }
        }
        if state.told[0].is_none_or(|latest| latest.job.version < told.version) {
            state.told = [Some(Told { place: fact.place, at: fact.at, job: *told }), state.told[0]];
        } else if let Some(same) = state.told.iter_mut().flatten().find(|it| it.job.version == told.version) {
            same.job.result = same.job.result.or(told.result);
        }
    }

    fn missing(&mut self, fact: &Fact<'_>, since: u64, known: &Known, violations: &mut Violations) {
        let Some(job) = fact.job else { return };
        let state = self.jobs.at(job);
        let may_be_gone = state.deleted || state.kept_until.is_some_and(|until| until <= fact.at);
        match state.known {
            Some((before, at)) if at < since && !may_be_gone => {
                let what = "a job is gone that was acknowledged or told before";
                violations.add(Invariant::Acknowledged, Some(known.id(job)), what, &[before, fact.place]);
            }
            _ => state.ended |= may_be_gone,
        }
    }
}

impl Rule for Acknowledged {
    fn take(&mut self, fact: &Fact<'_>, known: &Known, violations: &mut Violations) {
        match fact.is {
            Event::Accepted { .. } => self.accepted(fact, violations),
            Event::Delete { .. } => fact.job.into_iter().for_each(|job| self.jobs.at(job).deleted = true),
            Event::Missing { since, .. } => self.missing(fact, *since, known, violations),
            Event::Settled { status, .. } if status.is_terminal() => {
                fact.job.into_iter().for_each(|job| self.jobs.at(job).ended = true);
            }
            _ => {
                if let Some((job, told)) = fact.told() {
                    self.told(fact, job, told, known, violations);
                }
            }
        }
    }

    fn finish(&mut self, known: &Known, violations: &mut Violations) {
        if !known.has_ended() {
            return;
        }
        for (job, state) in self.jobs.iter() {
            if let Some((place, _)) = state.known.filter(|_| state.accepted && !state.ended && !state.deleted) {
                let what = "a job was acknowledged and never ended";
                violations.add(Invariant::Acknowledged, Some(known.id(job)), what, &[place]);
            }
        }
    }
}
