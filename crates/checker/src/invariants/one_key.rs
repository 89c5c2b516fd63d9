//! (5) One idempotency key makes one job, also when the first answer was lost: all that are answered under a key are told
//! the same job, and nobody sees another one with its payload. Another request under a key is refused.

use rustc_hash::FxHashMap;

use super::Rule;
use crate::fact::Fact;
use crate::jobs::{Job, Jobs};
use crate::known::{Known, What};
use crate::record::Event;
use crate::violation::{Invariant, Violations};

#[derive(Debug, Default)]
pub(super) struct OneKey {
    /// What was answered under a key first.
    keys: FxHashMap<u64, Answered>,
    /// The payloads of submissions with a key, and the job that was seen with it first.
    payloads: FxHashMap<u64, Option<(Job, u64)>>,
    /// Jobs that may be gone, and their keys with them.
    passing: Jobs<bool>,
}

#[derive(Debug)]
struct Answered {
    job: Job,
    payload: u64,
    place: u64,
}

impl OneKey {
    fn accepted(&mut self, fact: &Fact<'_>, known: &Known, violations: &mut Violations) {
        let Some(What::Submit { lines, .. }) = fact.asked.map(|asked| &asked.what) else { return };
        for (job, line) in fact.accepted.iter().zip(lines) {
            *self.passing.at(*job) |= line.kept.is_some();
            let Some(key) = line.key else { continue };
            let answered = Answered { job: *job, payload: line.payload, place: fact.place };
            let before = self.keys.entry(key).or_insert(answered);
            let passing = *self.passing.at(before.job);
            let what = if before.payload != line.payload {
                "another request was accepted under a key"
            } else if before.job != *job {
                "one key made two jobs"
            } else {
                continue;
            };
            if passing {
                *before = Answered { job: *job, payload: line.payload, place: fact.place };
            } else {
                violations.add(Invariant::OneKey, Some(known.id(*job)), what, &[before.place, fact.place]);
            }
        }
        for (job, line) in fact.accepted.iter().zip(lines) {
            self.seen(*job, line.payload, fact.place, known, violations);
        }
    }

    fn seen(&mut self, job: Job, payload: u64, place: u64, known: &Known, violations: &mut Violations) {
        let Some(first) = self.payloads.get_mut(&payload) else { return };
        let (first, before) = *first.get_or_insert((job, place));
        if first != job && !*self.passing.at(first) {
            let what = "a key made a job beside the one that was answered";
            violations.add(Invariant::OneKey, Some(known.id(job)), what, &[before, place]);
        }
    }
}

impl Rule for OneKey {
    fn take(&mut self, fact: &Fact<'_>, known: &Known, violations: &mut Violations) {
        match fact.is {
            Event::Submit { lines, .. } => {
                for line in lines.iter().filter(|line| line.key.is_some()) {
                    self.payloads.entry(line.payload).or_default();
                }
            }
            Event::Accepted { .. } => self.accepted(fact, known, violations),
            Event::Delete { .. } => fact.job.into_iter().for_each(|job| *self.passing.at(job) = true),
            _ => {
                if let Some((job, payload)) = fact.told().and_then(|(job, told)| Some((job, told.payload?))) {
                    self.seen(job, payload, fact.place, known, violations);
                }
            }
        }
    }
}
