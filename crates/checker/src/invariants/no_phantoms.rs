//! (8) Nobody sees a job that was not asked for, or another tenant's: a payload makes no more jobs than were submitted with
//! it, what was refused made none, and who is of a tenant sees its jobs only.

use rustc_hash::FxHashMap;

use super::Rule;
use crate::fact::Fact;
use crate::jobs::{Job, Jobs};
use crate::known::{Known, What};
use crate::record::Event;
use crate::violation::{Invariant, Violations};

#[derive(Debug, Default)]
pub(super) struct NoPhantoms {
    payloads: FxHashMap<u64, Payload>,
    jobs: Jobs<State>,
    tenants: FxHashMap<u64, u64>,
    /// The lines of submissions of which nobody knows what became.
    unknown: usize,
}

/// What was asked for with a payload.
#[derive(Debug, Default)]
struct Payload {
    /// How many jobs were asked for and not refused.
    asked: u64,
    /// All of these had the same idempotency key.
    keyed: bool,
    /// Any number may be made, by nobody's request.
    free: bool,
    tenant: Option<u64>,
    /// How many jobs were seen.
    made: u64,
    /// Where the last of them was.
    place: u64,
}

#[derive(Debug, Default)]
struct State {
    accepted: bool,
    payload: Option<u64>,
    /// Where it was seen first.
    place: u64,
    seen: bool,
    tenant: Option<u64>,
    /// The tenants that have seen it, and where.
    shown: Vec<(u64, u64)>,
}

impl NoPhantoms {
    fn has(&mut self, job: Job, payload: u64, place: u64) -> bool {
        let state = self.jobs.at(job);
        if state.payload.is_some() {
            return true;
        }
        state.payload = Some(payload);
        let Some(asked) = self.payloads.get_mut(&payload) else { return false };
        asked.made += 1;
        asked.place = place;
        state.tenant = state.tenant.or(asked.tenant);
        true
    }

    fn see(&mut self, job: Job, fact: &Fact<'_>) {
        let tenant = fact.teller().and_then(|who| self.tenants.get(&who)).copied();
        let state = self.jobs.at(job);
        if !std::mem::replace(&mut state.seen, true) {
            state.place = fact.place;
        }
        if let Some(tenant) = tenant.filter(|tenant| state.shown.iter().all(|(shown, _)| shown != tenant)) {
            state.shown.push((tenant, fact.place));
        }
    }
}

impl Rule for NoPhantoms {
    fn take(&mut self, fact: &Fact<'_>, known: &Known, violations: &mut Violations) {
        let submitted = match fact.asked.map(|asked| &asked.what) {
            Some(What::Submit { by, lines }) => Some((by, lines)),
            _ => None,
        };
        match (fact.is, submitted) {
            (Event::Belongs { who, tenant }, _) => drop(self.tenants.insert(*who, *tenant)),
            (Event::MayMake { payload }, _) => self.payloads.entry(*payload).or_default().free = true,
            (Event::Submit { by, lines, .. }, _) => {
                for line in lines {
                    let tenant = self.tenants.get(by).copied();
                    let payload = self.payloads.entry(line.payload).or_default();
                    payload.keyed = line.key.is_some() && (payload.keyed || payload.asked == 0);
                    payload.asked += 1;
                    payload.tenant = payload.tenant.or(tenant);
                }
            }
            (Event::Refused { .. }, Some((_, lines))) => {
                for line in lines {
                    self.payloads.entry(line.payload).or_default().asked -= 1;
                }
            }
            (Event::Unknown { .. }, Some((_, lines))) => self.unknown += lines.len(),
            (Event::Accepted { .. }, Some((_, lines))) => {
                for (job, line) in fact.accepted.iter().zip(lines) {
                    self.has(*job, line.payload, fact.place);
                    self.jobs.at(*job).accepted = true;
                }
            }
            _ => {}
        }
        if let Some((job, told)) = fact.told() {
            self.see(job, fact);
            if let Some(payload) = told.payload
                && !self.has(job, payload, fact.place)
            {
                let what = "somebody sees a job with a payload that nobody submitted";
                violations.add(Invariant::NoPhantoms, Some(known.id(job)), what, &[fact.place]);
            }
        }
    }

    fn finish(&mut self, known: &Known, violations: &mut Violations) {
        for asked in self.payloads.values().filter(|asked| !asked.free) {
            // That a key made several is another matter.
            if asked.made > asked.asked && !(asked.keyed && asked.asked > 0) {
                let what = "there are more jobs with a payload than were submitted with it and not refused";
                violations.add(Invariant::NoPhantoms, None, what, &[asked.place]);
            }
        }
        let open =
            known.unanswered().map(|asked| if let What::Submit { lines, .. } = &asked.what { lines.len() } else { 0 });
        let unknown = self.unknown + open.sum::<usize>();
        let nobodys: Vec<u64> = self
            .jobs
            .iter()
            .filter(|(_, state)| state.seen && !state.accepted && state.payload.is_none())
            .map(|(_, state)| state.place)
            .collect();
        if nobodys.len() > unknown && !self.payloads.values().any(|payload| payload.free) {
            let what = "there are more jobs than were submitted and not refused";
            violations.add(Invariant::NoPhantoms, None, what, &nobodys[unknown..]);
        }
        for (job, state) in self.jobs.iter() {
            let Some(tenant) = state.tenant else { continue };
            for (_, place) in state.shown.iter().filter(|(shown, _)| *shown != tenant) {
                let what = "somebody sees another tenant's job";
                violations.add(Invariant::NoPhantoms, Some(known.id(job)), what, &[*place]);
            }
        }
    }
}
