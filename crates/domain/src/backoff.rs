use std::time::Duration;

/// How long a failed job waits before its next attempt: `base * factor^(attempt - 1)`, at most `max`,
/// of which the share `jitter` is left to chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// The wait after the first attempt.
    base: Duration,
    /// What each further attempt multiplies the wait with, 1 to 100.
    factor: f64,
    /// The longest wait.
    max: Duration,
    /// 0: always the whole wait; 1: any wait between nothing and the whole ("full jitter").
    jitter: f64,
}

/// A back-off that cannot be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BackoffError {
    /// `factor` is out of range.
    #[error("factor is a number from 1 to 100")]
    Factor,
    /// `jitter` is out of range.
    #[error("jitter is a number from 0 to 1")]
    Jitter,
    /// `max` is shorter than `base`.
    #[error("max is at least as long as base")]
    Max,
    /// `max` is longer than [`Backoff::LONGEST`].
    #[error("max is at most 30 days")]
    TooLong,
}

impl Backoff {
    /// The longest wait that `max` may name, 30 days.
    pub const LONGEST: Duration = Duration::from_hours(30 * 24);

    /// Checks the parts and puts them together.
    ///
    /// # Errors
    /// [`BackoffError`] names the part that is out of range.
    pub fn new(base: Duration, factor: f64, max: Duration, jitter: f64) -> Result<Backoff, BackoffError> {
        if !(1.0..=100.0).contains(&factor) {
            return Err(BackoffError::Factor);
        }
        if !(0.0..=1.0).contains(&jitter) {
            return Err(BackoffError::Jitter);
        }
        if max < base {
            return Err(BackoffError::Max);
        }
        if max > Backoff::LONGEST {
            return Err(BackoffError::TooLong);
        }
        Ok(Backoff { base, factor, max, jitter })
    }

    /// The wait after the first attempt.
    #[must_use]
    pub const fn base(&self) -> Duration {
        self.base
    }

    /// What each further attempt multiplies the wait with.
    #[must_use]
    pub const fn factor(&self) -> f64 {
        self.factor
    }

    /// The longest wait.
    #[must_use]
    pub const fn max(&self) -> Duration {
        self.max
    }

    /// The share of the wait that is left to chance.
    #[must_use]
    pub const fn jitter(&self) -> f64 {
        self.jitter
    }

    /// The wait after the `attempt`-th attempt (from 1) failed; `random` is 64 random bits.
    #[must_use]
    pub fn wait(&self, attempt: u32, random: u64) -> Duration {
        // Finite, so that a base of nothing stays nothing however often it is multiplied.
        let growth = self.factor.powf(f64::from(attempt.saturating_sub(1))).min(f64::MAX);
        let whole = (self.base.as_secs_f64() * growth).min(self.max.as_secs_f64());
        #[allow(clippy::cast_precision_loss, reason = "53 bits of chance are enough")]
        let chance = (random >> 11) as f64 / (1u64 << 53) as f64;
        Duration::from_secs_f64(whole * (1.0 - self.jitter * chance))
    }
}

impl Default for Backoff {
    /// One second, doubled up to an hour, with full jitter.
    fn default() -> Backoff {
        Backoff { base: Duration::from_secs(1), factor: 2.0, max: Duration::from_hours(1), jitter: 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_wait_doubles_up_to_its_limit() {
        let backoff = Backoff::new(SECOND, 2.0, 10 * SECOND, 0.0).unwrap();
        let waits: Vec<u64> = (1..=6).map(|attempt| backoff.wait(attempt, u64::MAX).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 10, 10]);
        assert_eq!(backoff.wait(u32::MAX, 0), 10 * SECOND);
        let none = Backoff::new(Duration::ZERO, 2.0, 10 * SECOND, 0.0).unwrap();
        assert_eq!(none.wait(u32::MAX, 0), Duration::ZERO);
    }

    #[test]
    fn parts_out_of_range_are_refused_at_their_edges() {
        assert!(Backoff::new(SECOND, 1.0, SECOND, 0.0).is_ok());
        assert!(Backoff::new(SECOND, 100.0, Backoff::LONGEST, 1.0).is_ok());
        assert_eq!(Backoff::new(SECOND, 0.99, SECOND, 0.0), Err(BackoffError::Factor));
        assert_eq!(Backoff::new(SECOND, 100.1, SECOND, 0.0), Err(BackoffError::Factor));
        assert_eq!(Backoff::new(SECOND, f64::NAN, SECOND, 0.0), Err(BackoffError::Factor));
        assert_eq!(Backoff::new(SECOND, 1.0, SECOND, 1.01), Err(BackoffError::Jitter));
        assert_eq!(Backoff::new(SECOND, 1.0, SECOND, -0.01), Err(BackoffError::Jitter));
        assert_eq!(Backoff::new(2 * SECOND, 1.0, SECOND, 0.0), Err(BackoffError::Max));
        let beyond = Backoff::LONGEST + Duration::from_millis(1);
        assert_eq!(Backoff::new(SECOND, 1.0, beyond, 0.0), Err(BackoffError::TooLong));
    }

    proptest! {
        #[test]
        fn chance_only_shortens_the_wait(attempt in 1u32..100, random: u64, jitter in 0.0f64..=1.0) {
            let sure = Backoff::new(SECOND, 2.0, 60 * SECOND, 0.0).unwrap().wait(attempt, random);
            let wait = Backoff::new(SECOND, 2.0, 60 * SECOND, jitter).unwrap().wait(attempt, random);
            prop_assert!(wait <= sure);
            prop_assert!(wait.as_secs_f64() >= sure.as_secs_f64() * (1.0 - jitter) - 1e-9);
        }
    }
}
