use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ackd_domain::Timestamp;
use ackd_ports::Clock;
use tokio::time::Instant;

/// The machine's clocks: the monotonic one is the runtime's, which is paused; the wall clock can be set. A clone is the same.
#[derive(Debug, Clone)]
pub(crate) struct SimClock {
    began: Instant,
    /// By how many milliseconds the wall clock is wrong.
    wrong: Arc<AtomicI64>,
}

/// When simulations begin: a quarter past ten on some day in 2023.
const EPOCH: i64 = 1_700_000_000_000;

impl SimClock {
    pub(crate) fn start() -> SimClock {
        SimClock { began: Instant::now(), wrong: Arc::default() }
    }

    /// Sets the wall clock, which is wrong by `millis` from now on.
    pub(crate) fn set_wrong(&self, millis: i64) {
        self.wrong.store(millis, Ordering::Relaxed);
    }

    /// Microseconds since the beginning.
    pub(crate) fn micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let since = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(EPOCH + since + self.wrong.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        self.began.elapsed()
    }
}
