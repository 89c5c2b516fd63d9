//! (2) A run of a job ends once, and stays as it ended, across crashes; a further run begins only if somebody asks for it.

use super::Rule;
use crate::fact::Fact;
use crate::jobs::{Job, Jobs};
use crate::known::Known;
use crate::record::{Event, Status};
use crate::violation::{Invariant, Violations};

#[derive(Debug, Default)]
pub(super) struct OneEnd {
    jobs: Jobs<State>,
}

#[derive(Debug, Default)]
struct State {
    ends: Vec<End>,
    /// Somebody asked for a further run.
    retried: bool,
}

#[derive(Debug)]
struct End {
    run: u32,
    status: Status,
    version: Option<u64>,
    result: Option<u64>,
    place: u64,
}

impl State {
    /// The record that says otherwise than this end, if one does.
    fn end(&mut self, end: End) -> Option<u64> {
        let Some(before) = self.ends.iter_mut().find(|before| before.run == end.run) else {
            self.ends.push(end);
            return None;
        };
        let differs = |one: Option<u64>, other: Option<u64>| one.zip(other).is_some_and(|(one, other)| one != other);
        let another =
            before.status != end.status || differs(before.result, end.result) || differs(before.version, end.version);
        before.result = before.result.or(end.result);
        before.version = before.version.or(end.version);
        another.then_some(before.place)
    }
}

impl OneEnd {
    fn note(&mut self, job: Job, end: End, known: &Known, violations: &mut Violations) {
        let place = end.place;
        if let Some(before) = self.jobs.at(job).end(end) {
            violations.add(Invariant::OneEnd, Some(known.id(job)), "a run ended in two ways", &[before, place]);
        }
    }
}

impl Rule for OneEnd {
    fn take(&mut self, fact: &Fact<'_>, known: &Known, violations: &mut Violations) {
        match (fact.is, fact.job, fact.lease) {
            (Event::Retry { .. }, Some(job), _) => self.jobs.at(job).retried = true,
            // Asked again, it is answered with the job as it is now, which may be in a further run.
            (Event::Settled { status, .. }, Some(job), Some(lease))
                if status.is_terminal() && !self.jobs.at(job).retried =>
            {
                let end = End { run: lease.run, status: *status, version: None, result: None, place: fact.place };
                self.note(job, end, known, violations);
            }
            _ => {}
        }
        let Some((job, told)) = fact.told() else { return };
        let state = self.jobs.at(job);
        if told.run > 1 && !state.retried {
            let what = "a further run began that nobody asked for";
            violations.add(Invariant::OneEnd, Some(known.id(job)), what, &[fact.place]);
        }
        if told.status.is_terminal() {
            let (version, result) = (Some(told.version), told.result);
            let end = End { run: told.run, status: told.status, version, result, place: fact.place };
            self.note(job, end, known, violations);
        } else if let Some(end) = state.ends.iter().find(|end| end.run == told.run)
            && end.version.is_some_and(|version| version < told.version)
        {
            let what = "a run that had ended went on";
            violations.add(Invariant::OneEnd, Some(known.id(job)), what, &[end.place, fact.place]);
        }
    }
}
