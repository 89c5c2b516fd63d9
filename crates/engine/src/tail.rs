//! The live end of the change feed: hands committed changes to everybody who follows a filter of it.
//!
//! The core only leaves its changes here, and does not even that while nobody follows. A thread of the tail's
//! own finds out who wants which, so that however many follow, no commit is later for it. Nobody is waited for:
//! a follower that does not keep up is told so, and reads the ledger from where it was.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockWriteGuard};

use ackd_domain::{Change, Name, Position};
use bytes::Bytes;
use rustc_hash::FxHashMap;
use tokio::sync::Notify;

use crate::interest::Interest;

/// The most changes that wait to be handed out. Beyond it everybody reads the ledger.
const WAITING_CHANGES: usize = 65_536;

/// The most entries that wait for one follower.
const WAITING_ENTRIES: usize = 64;

/// A change as all who follow the feed share it.
#[derive(Debug)]
pub struct FeedEntry {
    /// The change. A result of up to [`crate::blocks::SMALL_RESULT`] bytes is in its body.
    pub change: Change,
    /// A place for what a face shows of it, so that it is written once for all who follow.
    pub document: OnceLock<Bytes>,
}

impl FeedEntry {
    pub(crate) fn new(change: Change) -> FeedEntry {
        FeedEntry { change, document: OnceLock::new() }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// The position of the last committed change.
    head: AtomicU64,
    /// How many follow, so that a change costs nothing while nobody does.
    followers: AtomicUsize,
    /// The interests of those who follow by a rule: they are the server's own parts, always there and seldom concerned.
    rules: RwLock<Vec<(u64, Interest)>>,
    inbox: Mutex<Inbox>,
    arrived: Condvar,
    index: Mutex<Index>,
    /// The last position up to which everybody was told.
    told: AtomicU64,
}

/// What the core left.
#[derive(Debug, Default)]
struct Inbox {
    batches: VecDeque<Vec<Change>>,
    /// The changes in `batches`.
    waiting: usize,
    /// Changes were dropped up to this position, for too many waited.
    overrun: Option<Position>,
    asleep: bool,
    closed: bool,
}

/// Who follows what, by the narrowest thing that their filter names.
#[derive(Debug, Default)]
struct Index {
    next: u64,
    by_job: FxHashMap<u64, Followers>,
    by_queue: FxHashMap<Name, Followers>,
    others: Followers,
    closed: bool,
}

type Followers = FxHashMap<u64, Arc<Follower>>;

#[derive(Debug)]
struct Follower {
    interest: Interest,
    most: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Arc<FeedEntry>>,
    lagging: bool,
    closed: bool,
}

/// What one who follows gets.
#[derive(Debug)]
pub(crate) enum Next {
    /// A change that it is interested in.
    Entry(Arc<FeedEntry>),
    /// Some were not kept for it: it is to read the ledger.
    Lagging,
    /// The server stops.
    Closed,
}

impl Tail {
    /// The tail of a feed whose last change is at `head`.
    pub(crate) fn new(head: Position) -> Tail {
        Tail { head: AtomicU64::new(head.0), told: AtomicU64::new(head.0), ..Tail::default() }
    }

    /// The position of the last committed change. Whoever follows before asking is told of every later one.
    pub(crate) fn head(&self) -> Position {
        Position(self.head.load(Ordering::SeqCst))
    }

    /// Leaves committed changes, in the order of the feed.
    pub(crate) fn publish(&self, changes: &[Change]) {
        let Some(last) = changes.last() else { return };
        // First this and then the look at who follows, as they do it the other way round: one sees the other.
        self.head.store(last.position.0, Ordering::SeqCst);
        let followers = self.followers.load(Ordering::SeqCst);
        if followers == 0 {
            return;
        }
        let concerned = self.concerns_anybody(followers, changes);
        let mut inbox = lock(&self.inbox);
        if !concerned && inbox.asleep {
            // Everything before was told, and this is no news to anybody.
            self.told.fetch_max(last.position.0, Ordering::Release);
            return;
        }
        if inbox.waiting + changes.len() > WAITING_CHANGES {
            inbox.batches.clear();
            inbox.waiting = 0;
            inbox.overrun = Some(last.position);
        } else {
            inbox.waiting += changes.len();
            inbox.batches.push_back(changes.to_vec());
        }
        let wake = std::mem::take(&mut inbox.asleep);
        drop(inbox);
        if wake {
            self.arrived.notify_one();
        }
    }

    /// Whether one of these changes may be of interest. Where only rules follow they are asked, so that a change which
    /// concerns none of them costs neither a copy nor a wake-up.
    fn concerns_anybody(&self, followers: usize, changes: &[Change]) -> bool {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        rules.len() < followers || changes.iter().any(|change| rules.iter().any(|(_, rule)| rule.wants(change)))
    }

    /// Hands out what the core leaves, until the tail is closed.
    pub(crate) fn run(&self) {
        loop {
            let mut inbox = lock(&self.inbox);
            while inbox.batches.is_empty() && inbox.overrun.is_none() && !inbox.closed {
                inbox.asleep = true;
                inbox = self.arrived.wait(inbox).unwrap_or_else(PoisonError::into_inner);
            }
            if inbox.closed {
                return;
            }
            self.hand_out_all(inbox);
        }
    }

    /// Hands out what is there, as [`Tail::run`] does when it wakes up.
    #[cfg(feature = "simulation")]
    pub(crate) fn run_once(&self) {
        let mut inbox = lock(&self.inbox);
        if !inbox.closed {
            inbox.asleep = true;
            self.hand_out_all(inbox);
        }
    }

    fn hand_out_all(&self, mut inbox: MutexGuard<'_, Inbox>) {
        let overrun = inbox.overrun.take();
        let batches = std::mem::take(&mut inbox.batches);
        inbox.waiting = 0;
        drop(inbox);
        self.hand_out(overrun, batches);
    }

    fn hand_out(&self, overrun: Option<Position>, batches: VecDeque<Vec<Change>>) {
        let index = lock(&self.index);
        let mut told = overrun;
        if overrun.is_some() {
            index.all().for_each(|follower| follower.lag());
        }
        for change in batches.into_iter().flatten() {
            told = Some(change.position);
            index.hand_out(change);
        }
        drop(index);
        if let Some(told) = told {
            // After everybody has been given what came before it: who sees it here has been told.
            self.told.fetch_max(told.0, Ordering::Release);
        }
    }

    /// Follows what `interest` says from now on.
    pub(crate) fn follow(self: &Arc<Tail>, interest: Interest, most: Option<usize>) -> Following {
        let is_rule = interest.is_rule();
        // While it is counted and its rule is not there yet, every change is taken for one that concerns it.
        self.followers.fetch_add(1, Ordering::SeqCst);
        let mut index = lock(&self.index);
        index.next += 1;
        let id = index.next;
        let rule = is_rule.then(|| (id, interest.clone()));
        let state = State { closed: index.closed, ..State::default() };
        let follower = Arc::new(Follower {
            interest,
            most: most.unwrap_or(WAITING_ENTRIES),
            state: Mutex::new(state),
            changed: Notify::new(),
        });
        index.add(id, &follower);
        drop(index);
        self.write_rules().extend(rule);
        Following { tail: Arc::clone(self), id, follower }
    }

    /// How many follow, the server's own parts left out.
    pub(crate) fn count(&self) -> usize {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner).len();
        self.followers.load(Ordering::Relaxed).saturating_sub(rules)
    }

    fn write_rules(&self) -> RwLockWriteGuard<'_, Vec<(u64, Interest)>> {
        self.rules.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells everybody that the server stops, and ends [`Tail::run`].
    pub(crate) fn close(&self) {
        lock(&self.inbox).closed = true;
        self.arrived.notify_one();
        let mut index = lock(&self.index);
        index.closed = true;
        for follower in index.all() {
            lock(&follower.state).closed = true;
            follower.changed.notify_one();
        }
    }
}

impl Index {
    fn places(&mut self, interest: &Interest, mut each: impl FnMut(&mut Followers) -> bool) {
        if !interest.jobs().is_empty() {
            for number in interest.jobs() {
                if each(self.by_job.entry(*number).or_default()) {
                    self.by_job.remove(number);
                }
            }
        } else if !interest.queues().is_empty() {
            for name in interest.queues() {
                if each(self.by_queue.entry(name.clone()).or_default()) {
                    self.by_queue.remove(name);
                }
            }
        } else {
            each(&mut self.others);
        }
    }

    fn add(&mut self, id: u64, follower: &Arc<Follower>) {
        self.places(&follower.interest, |followers| {
            followers.insert(id, Arc::clone(follower));
            false
        });
    }

    fn remove(&mut self, id: u64, interest: &Interest) {
        self.places(interest, |followers| {
            followers.remove(&id);
            followers.is_empty()
        });
    }

    /// Everybody, some more than once.
    fn all(&self) -> impl Iterator<Item = &Arc<Follower>> {
        let named = self.by_job.values().chain(self.by_queue.values());
        named.chain([&self.others]).flat_map(FxHashMap::values)
    }

    fn hand_out(&self, change: Change) {
        let by_job = self.by_job.get(&change.job.id.number());
        let by_queue = self.by_queue.get(&change.job.spec.queue);
        let candidates = by_job.into_iter().chain(by_queue).chain([&self.others]).flat_map(FxHashMap::values);
        let mut wanted = candidates.filter(|follower| follower.interest.wants(&change)).peekable();
        if wanted.peek().is_none() {
            return;
        }
        let wanted: Vec<_> = wanted.cloned().collect();
        let entry = Arc::new(FeedEntry::new(change));
        wanted.iter().for_each(|follower| follower.put(&entry));
    }
}

impl Follower {
    fn put(&self, entry: &Arc<FeedEntry>) {
        let mut state = lock(&self.state);
        if state.lagging {
            return;
        }
        if state.entries.len() < self.most {
            state.entries.push_back(Arc::clone(entry));
        } else {
            // What is kept costs memory, and has to be read from the ledger anyway.
            state.entries = VecDeque::new();
            state.lagging = true;
        }
        drop(state);
        self.changed.notify_one();
    }

    fn lag(&self) {
        let mut state = lock(&self.state);
        state.entries = VecDeque::new();
        state.lagging = true;
        drop(state);
        self.changed.notify_one();
    }
}

/// One who follows. Dropping it ends the following.
#[derive(Debug)]
pub(crate) struct Following {
    tail: Arc<Tail>,
    id: u64,
    follower: Arc<Follower>,
}

impl Following {
    pub(crate) fn interest(&self) -> &Interest {
        &self.follower.interest
    }

    /// What is there now.
    pub(crate) fn try_next(&self) -> Option<Next> {
        let mut state = lock(&self.follower.state);
        if std::mem::take(&mut state.lagging) {
            return Some(Next::Lagging);
        }
        if let Some(entry) = state.entries.pop_front() {
            if state.entries.is_empty() {
                // Most wait idly most of the time, and there may be many of them.
                state.entries = VecDeque::new();
            }
            return Some(Next::Entry(entry));
        }
        state.closed.then_some(Next::Closed)
    }

    /// The next thing to know. May be cancelled and called again.
    pub(crate) async fn next(&self) -> Next {
        loop {
            if let Some(next) = self.try_next() {
                return next;
            }
            self.follower.changed.notified().await;
        }
    }

    /// Up to where everything was told, where nothing waits to be taken.
    pub(crate) fn told(&self) -> Option<Position> {
        // First this and then the look: what comes between the two is later than it.
        let told = self.tail.told.load(Ordering::Acquire);
        let state = lock(&self.follower.state);
        (state.entries.is_empty() && !state.lagging).then_some(Position(told))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        lock(&self.tail.index).remove(self.id, &self.follower.interest);
        if self.follower.interest.is_rule() {
            self.tail.write_rules().retain(|(id, _)| *id != self.id);
        }
        self.tail.followers.fetch_sub(1, Ordering::SeqCst);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks can be left half changed by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
