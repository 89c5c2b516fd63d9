//! What the clients say that they have seen.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Nothing here takes nearly so long; a test that hangs tells nobody why.
const PATIENCE: Duration = Duration::from_secs(90);

/// What each client has seen so far.
#[derive(Default)]
pub(crate) struct Seen {
    clients: Mutex<BTreeMap<String, Told>>,
    changed: Condvar,
}

/// What one client has seen.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The versions of each job, in the order in which they came.
    pub(crate) versions: BTreeMap<String, Vec<u64>>,
    /// It says that there is nothing more.
    pub(crate) has_ended: bool,
    /// What should not have been.
    pub(crate) broken: Vec<String>,
}

impl Told {
    fn take(&mut self, line: &str) {
        let event: Value = serde_json::from_str(line).unwrap_or_default();
        let data = &event["data"];
        match (event["event"].as_str(), data["id"].as_str(), data["version"].as_u64()) {
            (Some("end"), ..) if !self.has_ended => self.has_ended = true,
            (Some("status"), Some(job), Some(version)) if !self.has_ended && data["payload"].is_null() => {
                self.versions.entry(job.to_owned()).or_default().push(version);
            }
            _ => self.broken.push(line.to_owned()),
        }
    }
}

impl Seen {
    /// Makes room for what `client` will say.
    pub(crate) fn expect(&self, client: &str) {
        self.clients.lock().unwrap().insert(client.to_owned(), Told::default());
    }

    /// Takes a line of a client's.
    pub(crate) fn tell(&self, client: &str, line: &str) {
        let mut clients = self.clients.lock().unwrap();
        clients.get_mut(client).unwrap_or_else(|| panic!("nobody knows the client {client}")).take(line);
        self.changed.notify_all();
    }

    /// Takes it that a client's program has ended, which it may once it has said so.
    pub(crate) fn leave(&self, client: &str, said: impl FnOnce() -> String) {
        let mut clients = self.clients.lock().unwrap();
        if let Some(told) = clients.get_mut(client)
            && !told.has_ended
        {
            told.broken.push(format!("it has left, saying: {}", said()));
        }
        self.changed.notify_all();
    }

    /// Waits until something holds of every client, as long as none says what it should not.
    pub(crate) fn wait(&self, what: &str, holds: impl Fn(&Told) -> bool) {
        let until = Instant::now() + PATIENCE;
        let mut clients = self.clients.lock().unwrap();
        while !clients.values().all(&holds) {
            let broken: Vec<_> = clients.iter().filter(|(_, told)| !told.broken.is_empty()).collect();
            assert!(broken.is_empty(), "{broken:#?}");
            let left = until.saturating_duration_since(Instant::now());
            let late: Vec<_> = clients.iter().filter(|(_, told)| !holds(told)).collect();
            assert!(!left.is_zero(), "it never came to {what} with {late:#?}");
            clients = self.changed.wait_timeout(clients, left).unwrap().0;
        }
    }

    /// Looks at what every client has seen.
    pub(crate) fn each(&self, mut look: impl FnMut(&str, &Told)) {
        self.clients.lock().unwrap().iter().for_each(|(client, told)| look(client, told));
    }
}
