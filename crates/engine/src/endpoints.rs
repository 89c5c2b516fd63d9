use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use ackd_domain::{Endpoint, Name, WebhookEvent};

/// The webhook endpoints as they are committed. The core writes them down before it tells of what was committed with
/// them or later, so that whoever sees a change knows every endpoint that was there before it.
#[derive(Debug, Default)]
pub(crate) struct EndpointsSeen {
    /// Whether there is any: most servers have none, and every change asks.
    any: AtomicBool,
    by_name: RwLock<BTreeMap<Name, Arc<Endpoint>>>,
}

impl EndpointsSeen {
    /// These are all.
    pub(crate) fn new(endpoints: Vec<Arc<Endpoint>>) -> EndpointsSeen {
        let by_name: BTreeMap<_, _> = endpoints.into_iter().map(|it| (it.name.clone(), it)).collect();
        EndpointsSeen { any: AtomicBool::new(!by_name.is_empty()), by_name: RwLock::new(by_name) }
    }

    /// This one is so from now on.
    pub(crate) fn put(&self, endpoint: &Arc<Endpoint>) {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        by_name.insert(endpoint.name.clone(), Arc::clone(endpoint));
        self.any.store(true, Ordering::Release);
    }

    /// There is none of this name any more.
    pub(crate) fn delete(&self, name: &Name) {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        by_name.remove(name);
        self.any.store(!by_name.is_empty(), Ordering::Release);
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Endpoint>> {
        self.read().values().cloned().collect()
    }

    /// The one of this name.
    pub(crate) fn of(&self, name: &Name) -> Option<Arc<Endpoint>> {
        self.read().get(name).cloned()
    }

    /// Whether any is to be told that a job of `queue` came to `event`.
    pub(crate) fn wants(&self, queue: &Name, event: WebhookEvent) -> bool {
        self.any.load(Ordering::Acquire) && self.read().values().any(|endpoint| endpoint.wants(queue, event))
    }

    /// Those that are to be told that a job of `queue` came to `event`.
    pub(crate) fn wanting(&self, queue: &Name, event: WebhookEvent) -> Vec<Arc<Endpoint>> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        let by_name = self.read();
        let wanting = by_name.values().filter(|endpoint| endpoint.wants(queue, event));
        wanting.cloned().collect()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<Name, Arc<Endpoint>>> {
        // A map cannot be left half changed by a panic.
        self.by_name.read().unwrap_or_else(PoisonError::into_inner)
    }
}
