use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ackd_domain::Name;

/// What a worker asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Jobs of these queues.
    pub queues: Vec<Name>,
    /// Only of these types; of any where it is empty.
    pub kinds: Vec<Arc<str>>,
    /// At most so many.
    pub max: usize,
    /// The worker's name.
    pub worker: Option<Arc<str>>,
    /// How long each lease is to last without a heartbeat; the queue's own time where it is `None`.
    pub ttl: Option<Duration>,
}

impl Ask {
    /// Whether it is the server itself that asks, and no worker of a client's: those have no such names.
    fn is_own(&self) -> bool {
        self.worker.as_deref().is_some_and(|worker| worker.starts_with(Name::RESERVED_PREFIX))
    }
}

/// One asking of one worker. Ids grow in the order of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// Everybody who asks. An ask is parked until jobs are assigned to it; then it is open until all of
/// them are granted or refused; and it is gone once it is answered.
#[derive(Debug, Default)]
pub(super) struct Asks {
    all: BTreeMap<AskId, State>,
    /// How many of them the server itself asks.
    own: usize,
    /// Those with something granted, to be answered after the commit.
    granted: Vec<AskId>,
    /// Those of several queues that were assigned fewer jobs in this step than they may have.
    filling: Vec<AskId>,
}

#[derive(Debug)]
struct State {
    ask: Ask,
    /// Jobs that were assigned and are neither granted nor refused.
    assigned: usize,
    granted: usize,
    /// Whether the other queues that it asks may add to it in this step.
    is_filling: bool,
}

impl Asks {
    pub(super) fn park(&mut self, id: AskId, ask: Ask) {
        self.own += usize::from(ask.is_own());
        self.all.insert(id, State { ask, assigned: 0, granted: 0, is_filling: false });
    }

    /// Forgets an ask. Gives it back, so that its queues can forget it too.
    pub(super) fn remove(&mut self, id: AskId) -> Option<Ask> {
        let ask = self.all.remove(&id)?.ask;
        self.own -= usize::from(ask.is_own());
        Some(ask)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Those of clients' workers.
    pub(super) fn of_clients(&self) -> usize {
        self.all.len() - self.own
    }

    /// The ask, if it is parked.
    pub(super) fn parked(&self, id: AskId) -> Option<&Ask> {
        self.all.get(&id).filter(|state| state.assigned + state.granted == 0).map(|state| &state.ask)
    }

    /// The ask, if it may be given jobs now, and how many.
    pub(super) fn open(&self, id: AskId) -> Option<(&Ask, usize)> {
        let State { ask, assigned, granted, is_filling } = self.all.get(&id)?;
        let is_open = assigned + granted == 0 || *is_filling;
        is_open.then(|| (ask, ask.max - assigned))
    }

    pub(super) fn assign(&mut self, id: AskId, jobs: usize) {
        if let Some(state) = self.all.get_mut(&id) {
            state.assigned += jobs;
            let may_have_more = state.ask.queues.len() > 1 && state.assigned < state.ask.max;
            if may_have_more && !state.is_filling {
                self.filling.push(id);
            }
            state.is_filling = may_have_more;
        }
    }

    /// The step is over: what was assigned is on its way.
    pub(super) fn close(&mut self) {
        for id in self.filling.drain(..) {
            if let Some(state) = self.all.get_mut(&id) {
                state.is_filling = false;
            }
        }
    }

    pub(super) fn granted(&mut self, id: AskId) {
        if let Some(state) = self.all.get_mut(&id) {
            state.assigned -= 1;
            state.granted += 1;
            if state.granted == 1 {
                self.granted.push(id);
            }
        }
    }

    /// Notes a refusal. Gives the ask back if it is parked again, because nothing else is on its way to it.
    pub(super) fn refused(&mut self, id: AskId) -> Option<&Ask> {
        let state = self.all.get_mut(&id)?;
        state.assigned -= 1;
        (state.assigned + state.granted == 0).then_some(&state.ask)
    }

    /// Forgets those that have their answer. Gives back the ones that asked several queues: all but one
    /// of these still have them in line.
    pub(super) fn answered(&mut self) -> Vec<Ask> {
        let answered = std::mem::take(&mut self.granted);
        let asks = answered.into_iter().filter_map(|id| self.remove(id));
        asks.filter(|ask| ask.queues.len() > 1).collect()
    }

    /// Takes back what was assigned or granted and not yet answered: those who were to get it are parked again.
    pub(super) fn unassign(&mut self) -> Vec<(AskId, Vec<Name>)> {
        self.granted.clear();
        let open = self.all.iter_mut().filter(|(_, state)| state.assigned + state.granted > 0);
        open.map(|(id, state)| {
            state.assigned = 0;
            state.granted = 0;
            (*id, state.ask.queues.clone())
        })
        .collect()
    }
}
