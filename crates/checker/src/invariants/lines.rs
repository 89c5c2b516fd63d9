//! (6) Of the jobs of an ordering key one runs at a time, in the order in which they were accepted. The feed tells it: in its
//! first run a job begins behind the ends of all that were accepted before it, and in any run none begins while another runs.

use super::Rule;
use crate::fact::Fact;
use crate::jobs::{Job, Jobs};
use crate::known::{Known, What};
use crate::record::{Event, Status};
use crate::violation::{Invariant, Violations};

#[derive(Debug, Default)]
pub(super) struct Lines {
    jobs: Jobs<State>,
}

/// Where the first run of a job stands in the feed: the position, and the record that tells it.
#[derive(Debug, Default)]
struct State {
    line: Option<(u64, u64)>,
    /// Where it was told to run, and where not to any more.
    turns: Vec<Turn>,
    accepted: Option<(u64, u64)>,
    begun: Option<(u64, u64)>,
    ended: Option<(u64, u64)>,
}

/// A job runs from here on, or does not any more.
#[derive(Debug, Clone, Copy)]
struct Turn {
    position: u64,
    place: u64,
    runs: bool,
}

impl Rule for Lines {
    fn take(&mut self, fact: &Fact<'_>, _: &Known, _: &mut Violations) {
        if let (Event::Accepted { .. }, Some(What::Submit { lines, .. })) = (fact.is, fact.asked.map(|it| &it.what)) {
            for (job, line) in fact.accepted.iter().zip(lines) {
                self.jobs.at(*job).line = line.order.map(|order| (line.queue, order));
            }
        }
        let (Event::Seen { position, .. }, Some((job, told))) = (fact.is, fact.told()) else { return };
        let state = self.jobs.at(job);
        let here = (*position, fact.place);
        let runs = told.status == Status::Processing;
        if state.turns.last().map_or(runs, |last| last.runs != runs) {
            state.turns.push(Turn { position: *position, place: fact.place, runs });
        }
        if told.run != 1 {
            // A further run stands in line anew.
            return;
        }
        if told.version == 1 {
            state.accepted.get_or_insert(here);
        }
        if told.status == Status::Processing {
            state.begun.get_or_insert(here);
        }
        if told.status.is_terminal() {
            state.ended.get_or_insert(here);
        }
    }

    fn finish(&mut self, known: &Known, violations: &mut Violations) {
        let mut jobs: Vec<(Job, &State)> = self.jobs.iter().collect();
        jobs.retain(|(_, state)| state.line.is_some() && state.accepted.is_some());
        jobs.sort_by_key(|(_, state)| (state.line, state.accepted));
        for line in jobs.chunk_by(|(_, one), (_, other)| one.line == other.line) {
            let mut last: Option<(u64, u64)> = None;
            for (job, state) in line {
                if let (Some(begun), Some(ended)) = (state.begun, last)
                    && begun < ended
                {
                    let what = "a job began before one ended that stands before it in line";
                    violations.add(Invariant::InOrder, Some(known.id(*job)), what, &[begun.1, ended.1]);
                }
                last = last.max(state.ended);
            }
            // Of a history that breaks off nobody knows what had ended.
            if known.has_ended() {
                one_at_a_time(line, known, violations);
            }
        }
    }
}

fn one_at_a_time(line: &[(Job, &State)], known: &Known, violations: &mut Violations) {
    let of_line = line.iter().flat_map(|(job, state)| state.turns.iter().map(|turn| (*job, *turn)));
    let mut turns: Vec<(Job, Turn)> = of_line.collect();
    turns.sort_by_key(|(_, turn)| turn.position);
    let mut running: Option<(Job, Turn)> = None;
    for (job, turn) in turns {
        match running {
            Some((other, before)) if turn.runs && other != job => {
                let what = "a job began while another of its ordering key ran";
                violations.add(Invariant::InOrder, Some(known.id(job)), what, &[before.place, turn.place]);
            }
            Some((other, _)) if !turn.runs && other == job => running = None,
            Some(_) => {}
            None if turn.runs => running = Some((job, turn)),
            None => {}
        }
    }
}
