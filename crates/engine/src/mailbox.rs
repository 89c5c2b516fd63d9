//! What was asked of the core and not taken up yet: bounded, drained in batches.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How much may wait for the core, and how much it takes up in one commit.
#[derive(Debug, Clone, Copy)]
pub struct MailboxLimits {
    /// The most commands that wait; beyond it a request is answered that the server is overloaded.
    pub commands: usize,
    /// The most bytes of payloads and results that wait.
    pub bytes: usize,
    /// The most commands of one commit, but for a single request that is larger by itself.
    pub batch_commands: usize,
    /// The most bytes of one commit, but for a single request that is larger by itself.
    pub batch_bytes: usize,
}

impl Default for MailboxLimits {
    fn default() -> MailboxLimits {
        MailboxLimits { commands: 100_000, bytes: 128 << 20, batch_commands: 4096, batch_bytes: 16 << 20 }
    }
}

/// How much room an item takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Weight {
    pub(crate) commands: usize,
    pub(crate) bytes: usize,
}

/// The mailbox of one thread. `T` weighs what it is pushed with.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
    limits: MailboxLimits,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<(T, Weight)>,
    held: Weight,
    /// Nothing is taken in any more.
    closed: bool,
    /// The owner sleeps, so that it must be woken.
    asleep: bool,
    /// It is a task, as in a simulation.
    #[cfg(feature = "simulation")]
    waker: Option<std::task::Waker>,
}

/// Why an item was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rejected {
    /// Too much waits already.
    Full,
    /// The owner has stopped.
    Closed,
}

impl<T> Mailbox<T> {
    pub(crate) fn new(limits: MailboxLimits) -> Mailbox<T> {
        let state = State {
            items: VecDeque::new(),
            held: Weight::default(),
            closed: false,
            asleep: false,
            #[cfg(feature = "simulation")]
            waker: None,
        };
        Mailbox { state: Mutex::new(state), arrived: Condvar::new(), limits }
    }

    /// Takes `item` in. What weighs nothing is always taken in, as long as the mailbox is open.
    pub(crate) fn push(&self, item: T, weight: Weight) -> Result<(), Rejected> {
        let mut state = self.lock();
        if state.closed {
            return Err(Rejected::Closed);
        }
        let held = Weight { commands: state.held.commands + weight.commands, bytes: state.held.bytes + weight.bytes };
        let over = held.commands > self.limits.commands || held.bytes > self.limits.bytes;
        // An empty mailbox takes anything, so that no request is too large for good.
        if over && weight != Weight::default() && state.held != Weight::default() {
            return Err(Rejected::Full);
        }
        state.held = held;
        state.items.push_back((item, weight));
        let wake = std::mem::take(&mut state.asleep);
        #[cfg(feature = "simulation")]
        state.waker.take().into_iter().for_each(std::task::Waker::wake);
        drop(state);
        if wake {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Takes out what fits one batch, oldest first. Waits for it at most `patience`, for ever where it is
    /// `None`. Empty after the wait, or once the mailbox is closed and drained: the second value says which.
    pub(crate) fn take(&self, patience: Option<Duration>) -> (Vec<T>, bool) {
        let mut state = self.lock();
        if state.items.is_empty() && !state.closed && patience != Some(Duration::ZERO) {
            state.asleep = true;
            state = match patience {
                Some(patience) => {
                    let waiting = |state: &mut State<T>| state.items.is_empty() && !state.closed;
                    self.arrived.wait_timeout_while(state, patience, waiting).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self
                    .arrived
                    .wait_while(state, |state| state.items.is_empty() && !state.closed)
                    .unwrap_or_else(PoisonError::into_inner),
            };
            state.asleep = false;
        }
        let mut taken = Vec::with_capacity(state.items.len().min(self.limits.batch_commands));
        let mut sum = Weight::default();
        while let Some((_, weight)) = state.items.front() {
            sum.commands += weight.commands;
            sum.bytes += weight.bytes;
            let over = sum.commands > self.limits.batch_commands || sum.bytes > self.limits.batch_bytes;
            if over && !taken.is_empty() {
                break;
            }
            if let Some((item, weight)) = state.items.pop_front() {
                state.held.commands -= weight.commands;
                state.held.bytes -= weight.bytes;
                taken.push(item);
            }
        }
        let over = state.closed && taken.is_empty();
        (taken, over)
    }

    /// Ready when there is something to take out, or nothing ever will be.
    #[cfg(feature = "simulation")]
    pub(crate) fn poll_arrived(&self, context: &std::task::Context<'_>) -> std::task::Poll<()> {
        let mut state = self.lock();
        if state.items.is_empty() && !state.closed {
            state.waker = Some(context.waker().clone());
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(())
    }

    /// Takes nothing in any more; what is in it can still be taken out.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // A panic while the lock is held cannot leave a queue half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox() -> Mailbox<u32> {
        Mailbox::new(MailboxLimits { commands: 4, bytes: 100, batch_commands: 2, batch_bytes: 50 })
    }

    const ONE: Weight = Weight { commands: 1, bytes: 10 };

    #[test]
    fn takes_in_up_to_its_limits_and_no_more() {
        let mailbox = mailbox();
        for item in 0..4 {
            assert_eq!(mailbox.push(item, ONE), Ok(()));
        }
        assert_eq!(mailbox.push(4, ONE), Err(Rejected::Full));
        assert_eq!(mailbox.push(5, Weight::default()), Ok(()));
        let heavy = Mailbox::new(MailboxLimits { bytes: 100, ..MailboxLimits::default() });
        assert_eq!(heavy.push(0, Weight { commands: 1, bytes: 90 }), Ok(()));
        assert_eq!(heavy.push(1, Weight { commands: 1, bytes: 10 }), Ok(()));
        assert_eq!(heavy.push(2, Weight { commands: 1, bytes: 1 }), Err(Rejected::Full));
    }

    #[test]
    fn takes_out_one_batch_at_a_time() {
        let mailbox = mailbox();
        (0..3).for_each(|item| mailbox.push(item, ONE).unwrap());
        assert_eq!(mailbox.take(None), (vec![0, 1], false));
        assert_eq!(mailbox.take(None), (vec![2], false));
        assert_eq!(mailbox.take(Some(Duration::ZERO)), (vec![], false));
    }

    #[test]
    fn a_single_item_beyond_every_limit_passes() {
        let mailbox = mailbox();
        mailbox.push(1, Weight { commands: 9, bytes: 999 }).unwrap();
        assert_eq!(mailbox.push(2, ONE), Err(Rejected::Full));
        assert_eq!(mailbox.take(None), (vec![1], false));
    }

    #[test]
    fn closed_it_is_drained_and_takes_nothing_in() {
        let mailbox = mailbox();
        mailbox.push(1, ONE).unwrap();
        mailbox.close();
        assert_eq!(mailbox.push(2, ONE), Err(Rejected::Closed));
        assert_eq!(mailbox.take(None), (vec![1], false));
        assert_eq!(mailbox.take(None), (vec![], true));
    }
}
