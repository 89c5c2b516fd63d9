use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::fault::Fault;

/// The most lines that are kept: a disk that dies would fill the memory otherwise.
const LINES: usize = 100;

/// What is known to be wrong with the store, by whoever found it.
#[derive(Debug, Default)]
pub(crate) struct Trouble(Mutex<Found>);

#[derive(Debug, Default)]
struct Found {
    lines: BTreeSet<String>,
    more: u64,
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
        tracing::error!("{line}");
        if found.lines.len() < LINES {
            found.lines.insert(line);
        } else {
            found.more += 1;
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
        let more = (found.more > 0).then(|| format!("and {} more", found.more));
        let passing = found.passing.values().cloned();
        failed.chain(passing).chain(found.lines.iter().cloned()).chain(more).collect()
    }
}
