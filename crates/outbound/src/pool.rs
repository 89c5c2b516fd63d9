use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

/// Connections that nobody uses, for the next post to the same server. Generic, so that its tests need no network.
#[derive(Debug)]
pub(crate) struct Pool<C> {
    state: Mutex<State<C>>,
    limits: PoolLimits,
}

/// How many connections are kept idle, and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PoolLimits {
    pub(crate) per_server: usize,
    pub(crate) in_all: usize,
    pub(crate) idle: Duration,
}

#[derive(Debug)]
struct State<C> {
    /// Of each server the one that was used last at the back. No server without a connection stands here.
    servers: HashMap<Arc<str>, VecDeque<Idle<C>>>,
    count: usize,
    /// Whether a task waits for the time of the oldest to run out.
    reaped: bool,
}

#[derive(Debug)]
struct Idle<C> {
    connection: C,
    since: Instant,
}

impl<C: Send + 'static> Pool<C> {
    pub(crate) fn new(limits: PoolLimits) -> Arc<Pool<C>> {
        let state = State { servers: HashMap::new(), count: 0, reaped: false };
        Arc::new(Pool { state: Mutex::new(state), limits })
    }

    /// The connection to `server` that was used last, unless its time has run out.
    pub(crate) fn take(&self, server: &str) -> Option<C> {
        let taken = self.lock().pop(server, VecDeque::pop_back)?;
        // The older ones have run out too; the reaper will have them.
        (taken.since.elapsed() < self.limits.idle).then_some(taken.connection)
    }

    /// Keeps a connection to `server`. Where there are too many the oldest goes: of the server, or of all.
    pub(crate) fn put(self: &Arc<Pool<C>>, server: &Arc<str>, connection: C) {
        if self.limits.per_server == 0 || self.limits.in_all == 0 {
            return;
        }
        let mut state = self.lock();
        let of_server = state.servers.get(server).map_or(0, VecDeque::len);
        let gone = if of_server >= self.limits.per_server {
            state.pop(server, VecDeque::pop_front)
        } else if state.count >= self.limits.in_all {
            let oldest = state.oldest().map(|(server, _)| Arc::clone(server));
            oldest.and_then(|server| state.pop(&server, VecDeque::pop_front))
        } else {
            None
        };
        let idle = Idle { connection, since: Instant::now() };
        match state.servers.get_mut(server) {
            Some(idles) => idles.push_back(idle),
            None => drop(state.servers.insert(Arc::clone(server), VecDeque::from([idle]))),
        }
        state.count += 1;
        let reaped = std::mem::replace(&mut state.reaped, true);
        drop(state);
        // Closed without the lock.
        drop(gone);
        if !reaped {
            tokio::spawn(reap(Arc::downgrade(self), self.limits.idle));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes what has run out by `now`, and says when the next one does.
    fn prune(&self, now: Instant) -> Option<Instant> {
        let mut gone = Vec::new();
        let mut state = self.lock();
        let next = loop {
            let Some((server, since)) = state.oldest().map(|(server, since)| (Arc::clone(server), since)) else {
                state.reaped = false;
                break None;
            };
            if since + self.limits.idle > now {
                break Some(since + self.limits.idle);
            }
            gone.extend(state.pop(&server, VecDeque::pop_front));
        };
        drop(state);
        next
    }
}

impl<C> State<C> {
    fn pop(&mut self, server: &str, end: impl FnOnce(&mut VecDeque<Idle<C>>) -> Option<Idle<C>>) -> Option<Idle<C>> {
        let idles = self.servers.get_mut(server)?;
        let popped = end(idles);
        if idles.is_empty() {
            self.servers.remove(server);
        }
        self.count -= usize::from(popped.is_some());
        popped
    }

    /// The server of the connection that has been idle for longest, and since when. It looks at one of each server: at most
    /// at as many as are kept in all, and only where the pool is full or rests.
    fn oldest(&self) -> Option<(&Arc<str>, Instant)> {
        let fronts = self.servers.iter().filter_map(|(server, idles)| Some((server, idles.front()?.since)));
        fronts.min_by_key(|(_, since)| *since)
    }
}

/// Closes connections as their time runs out, and ends when there are none.
async fn reap<C: Send + 'static>(pool: Weak<Pool<C>>, idle: Duration) {
    let mut next = Instant::now() + idle;
    loop {
        tokio::time::sleep_until(next).await;
        let Some(pool) = pool.upgrade() else { return };
        let Some(oldest) = pool.prune(Instant::now()) else { return };
        next = oldest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(4);

    /// A connection that says when it is closed, by the count of its siblings.
    type Token = Arc<u32>;

    fn pool(per_server: usize, in_all: usize) -> Arc<Pool<Token>> {
        Pool::new(PoolLimits { per_server, in_all, idle: IDLE })
    }

    fn server(name: &str) -> Arc<str> {
        name.into()
    }

    fn taken(pool: &Pool<Token>, server: &str) -> Option<u32> {
        pool.take(server).map(|token| *token)
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_used_last_is_taken_first_and_each_once() {
        let pool = pool(8, 8);
        for token in 1..=2 {
            pool.put(&server("a"), Arc::new(token));
        }
        pool.put(&server("b"), Arc::new(3));
        assert_eq!(taken(&pool, "a"), Some(2));
        assert_eq!(taken(&pool, "a"), Some(1));
        assert_eq!(taken(&pool, "a"), None);
        assert_eq!(taken(&pool, "b"), Some(3));
        assert_eq!(pool.lock().count, 0);
        assert!(pool.lock().servers.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_limit_of_a_server_its_oldest_goes() {
        let pool = pool(2, 8);
        pool.put(&server("b"), Arc::new(0));
        for token in 1..=3 {
            pool.put(&server("a"), Arc::new(token));
        }
        assert_eq!(pool.lock().count, 3);
        assert_eq!([taken(&pool, "a"), taken(&pool, "a"), taken(&pool, "a")], [Some(3), Some(2), None]);
        assert_eq!(taken(&pool, "b"), Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_limit_in_all_the_oldest_of_all_goes() {
        let pool = pool(2, 3);
        for (token, name) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
            pool.put(&server(name), Arc::new(token));
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(pool.lock().count, 3);
        assert_eq!(["a", "b", "c", "d"].map(|name| taken(&pool, name)), [None, Some(2), Some(3), Some(4)]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_used_until_its_time_runs_out_and_then_closed() {
        let pool = pool(8, 8);
        let (token, later) = (Arc::new(1), Arc::new(2));
        pool.put(&server("a"), Arc::clone(&token));
        tokio::time::sleep(IDLE / 2).await;
        pool.put(&server("b"), Arc::clone(&later));
        tokio::time::sleep(IDLE / 2 - Duration::from_millis(1)).await;
        assert_eq!(Arc::strong_count(&token), 2, "it is kept until its time");
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert_eq!(Arc::strong_count(&token), 1, "it was closed although nobody asked for it");
        assert_eq!(Arc::strong_count(&later), 2);
        tokio::time::sleep(IDLE / 2).await;
        assert_eq!(Arc::strong_count(&later), 1);
        assert!(!pool.lock().reaped, "nothing is left that waits");
        pool.put(&server("a"), Arc::clone(&token));
        tokio::time::sleep(IDLE * 2).await;
        assert_eq!(Arc::strong_count(&token), 1, "and it begins anew");
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_run_out_is_not_given_away() {
        let pool = pool(8, 8);
        pool.put(&server("a"), Arc::new(1));
        tokio::time::advance(IDLE - Duration::from_millis(1)).await;
        let token = pool.take("a").unwrap();
        pool.put(&server("a"), token);
        // The clock alone moves: the reaper has not run yet.
        tokio::time::advance(IDLE).await;
        assert_eq!(taken(&pool, "a"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pool_of_none_keeps_none() {
        for pool in [pool(0, 8), pool(8, 0)] {
            pool.put(&server("a"), Arc::new(1));
            assert_eq!(taken(&pool, "a"), None);
        }
    }
}
