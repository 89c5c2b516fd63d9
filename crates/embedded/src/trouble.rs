use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use xxhash_rust::xxh3::xxh3_64;

use crate::fault::Fault;

/// The most lines that are kept: a disk that dies would fill the memory otherwise.
const LINES: usize = 100;

/// The most others that are told apart, so that each is logged and counted once, however often it is come by.
const OTHERS: usize = 100_000;

/// What is known to be wrong with the store, by whoever found it.
#[derive(Debug, Default)]
pub(crate) struct Trouble(Mutex<Found>);

#[derive(Debug, Default)]
struct Found {
    lines: BTreeSet<String>,
    /// The hashes of the lines that are not kept.
    others: BTreeSet<u64>,
    /// What may pass again, by what it is of.
    passing: BTreeMap<&'static str, String>,
    /// Why nothing may be written any more.
    failed: Option<String>,
}

impl Trouble {
    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is damaged.
    pub(crate) fn damaged(&self, what: &str) {
        let line = format!("what is stored of {what} is damaged");
        let mut found = self.found();
        if found.lines.contains(&line) {
            return;
        }
        let has_room = found.lines.len() < LINES;
        if !has_room && (found.others.len() == OTHERS || !found.others.insert(xxh3_64(line.as_bytes()))) {
            return;
        }
        tracing::error!("{line}");
        if has_room {
            found.lines.insert(line);
        }
    }

    /// Notes the fault, if it is one of what is stored, and hands it on.
    pub(crate) fn note(&self, fault: Fault) -> Fault {
        if let Fault::Damaged(what) = &fault {
            self.damaged(what);
        }
        fault
    }

    /// What is wrong with `part` for the time being, if anything is.
    pub(crate) fn passing(&self, part: &'static str, why: Option<String>) {
        let mut found = self.found();
        match why {
            Some(why) => found.passing.insert(part, why),
            None => found.passing.remove(part),
        };
    }

    /// The store has failed for good; the first reason stays.
    pub(crate) fn fail(&self, why: &str) {
        let mut found = self.found();
        if found.failed.is_none() {
            tracing::error!("the store has failed and takes nothing more: {why}");
            found.failed = Some(why.to_owned());
        }
    }

    /// Why the store has failed for good, if it has.
    pub(crate) fn failure(&self) -> Option<String> {
        self.found().failed.clone()
    }

    /// A line for each thing that is wrong.
    pub(crate) fn lines(&self) -> Vec<String> {
        let found = self.found();
        let failed = found.failed.iter().map(|why| format!("the store has failed: {why}"));
        let more = (!found.others.is_empty()).then(|| format!("and {} more", found.others.len()));
        let passing = found.passing.values().cloned();
        failed.chain(passing).chain(found.lines.iter().cloned()).chain(more).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_counts_once_however_often_it_is_come_by() {
        let trouble = Trouble::default();
        for _ in 0..2 {
            (0..LINES + 7).for_each(|number| trouble.damaged(&format!("job {number}")));
        }
        let lines = trouble.lines();
        assert_eq!((lines.len(), lines.last().map(String::as_str)), (LINES + 1, Some("and 7 more")));
    }

    #[test]
    fn no_more_are_told_apart_than_there_is_room_for() {
        let trouble = Trouble::default();
        (0..LINES + OTHERS + 1).for_each(|number| trouble.damaged(&number.to_string()));
        assert_eq!(trouble.lines().last(), Some(&format!("and {OTHERS} more")));
    }
}
