//! (6) A job that comes after others begins behind their ends in the feed: behind `DONE`, or behind any end where it is to run
//! anyway. A further run waits for nobody.

use super::Rule;
use crate::fact::Fact;
use crate::jobs::{Job, Jobs};
use crate::known::{Known, What};
use crate::record::{After, Event, Status};
use crate::violation::{Invariant, Violations};

#[derive(Debug, Default)]
pub(super) struct Comes {
    jobs: Jobs<State>,
}

/// What a job comes after, and where things stand in the feed: the position, and the record that tells it.
#[derive(Debug, Default)]
struct State {
    after: Vec<Job>,
    anyway: bool,
    begun: Option<(u64, u64)>,
    done: Option<(u64, u64)>,
    ended: Option<(u64, u64)>,
}

impl Comes {
    fn seen(&mut self, job: Job, status: Status, run: u32, here: (u64, u64)) {
        let earlier = |known: &mut Option<(u64, u64)>| *known = Some(known.map_or(here, |known| known.min(here)));
        let state = self.jobs.at(job);
        if run == 1 && status == Status::Processing {
            earlier(&mut state.begun);
        }
        if status == Status::Done {
            earlier(&mut state.done);
        }
        if status.is_terminal() {
            earlier(&mut state.ended);
        }
    }
}

impl Rule for Comes {
    fn take(&mut self, fact: &Fact<'_>, known: &Known, _: &mut Violations) {
        if let (Event::Accepted { .. }, Some(What::Submit { lines, .. })) = (fact.is, fact.asked.map(|it| &it.what)) {
            for (job, line) in fact.accepted.iter().zip(lines) {
                let before = line.after.iter().filter_map(|after| match after {
                    After::Job(id) => known.job_of(*id),
                    After::Line(line) => fact.accepted.get(*line).copied(),
                });
                let before = before.collect();
                let state = self.jobs.at(*job);
                (state.after, state.anyway) = (before, line.anyway);
            }
        }
        if let (Event::Seen { position, .. }, Some((job, told))) = (fact.is, fact.told()) {
            self.seen(job, told.status, told.run, (*position, fact.place));
        }
    }

    fn finish(&mut self, known: &Known, violations: &mut Violations) {
        let ends: Vec<_> = self.jobs.iter().map(|(_, state)| (state.done, state.ended)).collect();
        for (job, state) in self.jobs.iter() {
            let Some(begun) = state.begun else { continue };
            for before in &state.after {
                let (done, ended) = ends.get(before.0).copied().unwrap_or_default();
                let what = "a job began before one had ended that it comes after";
                match if state.anyway { ended } else { done } {
                    Some(end) if end < begun => {}
                    Some(end) => violations.add(Invariant::InOrder, Some(known.id(job)), what, &[begun.1, end.1]),
                    // Of a history that breaks off nobody knows what was told later.
                    None if !known.has_ended() => {}
                    None => violations.add(Invariant::InOrder, Some(known.id(job)), what, &[begun.1]),
                }
            }
        }
    }
}
