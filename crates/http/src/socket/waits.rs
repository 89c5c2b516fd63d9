//! Many things that are waited for at once, each of which can be given up by its key.

use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use rustc_hash::FxHashMap;

type Future1<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// See the module. What is ready first comes first: nobody is passed over for one who is ready again and again.
pub(crate) struct Waits<K, T> {
    waits: FxHashMap<K, Wait<K, T>>,
    ready: Arc<Ready<K>>,
}

struct Wait<K, T> {
    future: Future1<T>,
    bell: Arc<Bell<K>>,
    waker: Waker,
}

/// Who is to be looked at.
struct Ready<K>(Mutex<ReadyState<K>>);

struct ReadyState<K> {
    keys: std::collections::VecDeque<K>,
    /// Who looks.
    task: Option<Waker>,
}

/// Rung by what a future waits for.
struct Bell<K> {
    key: K,
    rung: AtomicBool,
    ready: Arc<Ready<K>>,
}

impl<K: Copy + Send + Sync + 'static> Wake for Bell<K> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.rung.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut ready = self.ready.lock();
        ready.keys.push_back(self.key);
        let task = ready.task.take();
        drop(ready);
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl<K> Ready<K> {
    fn lock(&self) -> MutexGuard<'_, ReadyState<K>> {
        // Nothing under this lock can be left half changed by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash + Send + Sync + 'static, T> Waits<K, T> {
    pub(crate) fn new() -> Waits<K, T> {
        let state = ReadyState { keys: std::collections::VecDeque::new(), task: None };
        Waits { waits: FxHashMap::default(), ready: Arc::new(Ready(Mutex::new(state))) }
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.waits.is_empty()
    }

    /// Waits for `future`, under a key that nothing else waits under.
    pub(crate) fn add(&mut self, key: K, future: impl Future<Output = T> + Send + 'static) {
        let bell = Arc::new(Bell { key, rung: AtomicBool::new(false), ready: Arc::clone(&self.ready) });
        // Whoever is new is looked at.
        bell.wake_by_ref();
        let waker = Waker::from(Arc::clone(&bell));
        self.waits.insert(key, Wait { future: Box::pin(future), bell, waker });
    }

    /// Gives up what is waited for under this key.
    pub(crate) fn remove(&mut self, key: K) {
        self.waits.remove(&key);
    }

    /// What has come, and under which key. Never ready while nothing is waited for.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<(K, T)> {
        // No more than there are now, so that those who are ready at once again do not hold the task.
        let mut left = {
            let mut ready = self.ready.lock();
            ready.task = Some(cx.waker().clone());
            ready.keys.len()
        };
        while left > 0 {
            left -= 1;
            let Some(key) = self.ready.lock().keys.pop_front() else { break };
            // It may have been given up.
            let Some(wait) = self.waits.get_mut(&key) else { continue };
            // Before the look: what rings during it is looked at again.
            wait.bell.rung.store(false, Ordering::Release);
            if let Poll::Ready(come) = wait.future.as_mut().poll(&mut Context::from_waker(&wait.waker)) {
                self.waits.remove(&key);
                return Poll::Ready((key, come));
            }
        }
        // Somebody may have rung while this task looked, and have woken it by that; but the waker was taken then.
        if !self.ready.lock().keys.is_empty() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::sync::oneshot;

    use super::*;

    async fn next(waits: &mut Waits<u64, u64>) -> (u64, u64) {
        poll_fn(|cx| waits.poll_next(cx)).await
    }

    #[tokio::test]
    async fn what_comes_first_is_had_first() {
        let mut waits = Waits::new();
        let mut senders = Vec::new();
        for key in 0..3 {
            let (sender, receiver) = oneshot::channel();
            waits.add(key, async move { receiver.await.unwrap() });
            senders.push(sender);
        }
        let waiting = tokio::spawn(async move {
            let first = next(&mut waits).await;
            (first, next(&mut waits).await, waits)
        });
        tokio::task::yield_now().await;
        let mut senders = senders.into_iter();
        let (zero, one, two) = (senders.next().unwrap(), senders.next().unwrap(), senders.next().unwrap());
        two.send(20).unwrap();
        zero.send(0).unwrap();
        let (first, second, mut waits) = waiting.await.unwrap();
        assert_eq!((first, second), ((2, 20), (0, 0)));
        waits.remove(1);
        assert!(waits.is_empty() && one.is_closed());
    }

    #[tokio::test]
    async fn nobody_is_passed_over_for_one_who_is_always_ready() {
        let mut waits = Waits::new();
        (0..3).for_each(|key| waits.add(key, async move { key }));
        let mut order = Vec::new();
        for _ in 0..9 {
            let (key, _) = next(&mut waits).await;
            order.push(key);
            waits.add(key, async move { key });
        }
        assert_eq!(order, [0, 1, 2, 0, 1, 2, 0, 1, 2]);
    }

    #[tokio::test]
    async fn a_key_that_was_given_up_may_be_used_again() {
        let mut waits = Waits::new();
        let (sender, receiver) = oneshot::channel::<u64>();
        waits.add(7, async move { receiver.await.unwrap() });
        let nothing = poll_fn(|cx| Poll::Ready(waits.poll_next(cx).is_pending())).await;
        assert!(nothing);
        waits.remove(7);
        drop(sender);
        waits.add(7, async { 8 });
        assert_eq!(next(&mut waits).await, (7, 8));
    }
}
