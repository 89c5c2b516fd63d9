use std::time::{Duration, Instant};

/// When to try again what has failed: after a second, then after twice as long each time.
pub(super) struct Patience {
    longest: Duration,
    failures: u32,
    until: Option<Instant>,
}

impl Patience {
    /// Patience that waits at most `longest` between two tries.
    pub(super) const fn new(longest: Duration) -> Patience {
        Patience { longest, failures: 0, until: None }
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// When the next try is due; none if nothing has failed.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    pub(super) fn failed(&mut self, now: Instant) {
        let pause = Duration::from_secs(1 << self.failures.min(16)).min(self.longest);
        self.failures += 1;
        self.until = Some(now + pause);
    }

    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        self.until = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Patience;

    #[test]
    fn waits_longer_each_time_up_to_the_longest_and_starts_again_after_success() {
        let now = Instant::now();
        let mut patience = Patience::new(Duration::from_secs(5));
        assert!(patience.is_over(now));
        for pause in [1, 2, 4, 5, 5] {
            patience.failed(now);
            assert_eq!(patience.until(), Some(now + Duration::from_secs(pause)));
            assert!(!patience.is_over(now + Duration::from_secs(pause) - Duration::from_nanos(1)));
            assert!(patience.is_over(now + Duration::from_secs(pause)));
        }
        patience.succeeded();
        assert!(patience.is_over(now));
        patience.failed(now);
        assert_eq!(patience.until(), Some(now + Duration::from_secs(1)));
    }
}
