//! Coming again later, but not all at once.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use crate::Error;

/// The waits between attempts to reach a server: doubled each time up to a limit, and half of each left to chance, so
/// that the clients of a server that comes back do not come back in step.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    base: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(base: Duration, max: Duration) -> Backoff {
        Backoff { base, max, next: base }
    }

    /// The next wait.
    pub(crate) fn wait(&mut self) -> Duration {
        let whole = self.next.min(self.max);
        self.next = whole.saturating_mul(2);
        jittered(whole, random())
    }

    /// The next wait is the first again.
    pub(crate) fn reset(&mut self) {
        self.next = self.base;
    }

    /// Takes the longest wait that the server asks for.
    pub(crate) fn set_max(&mut self, max: Duration) {
        self.max = max;
    }
}

/// Between the half and the whole of a wait.
fn jittered(whole: Duration, random: u64) -> Duration {
    #[allow(clippy::cast_possible_truncation, reason = "the upper half of 64 bits")]
    let share = f64::from((random >> 32) as u32) / f64::from(u32::MAX);
    whole.mul_f64(0.5 + share / 2.0)
}

/// Chance that is good enough for jitter and names, without a crate for it: the standard library seeds each hasher
/// from the operating system.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Trying again for as long as the server is away, up to the client's patience.
#[derive(Debug)]
pub(crate) struct Persistence {
    backoff: Backoff,
    patience: Duration,
    away_since: Option<Instant>,
}

impl Persistence {
    pub(crate) fn new(backoff: Backoff, patience: Duration) -> Persistence {
        Persistence { backoff, patience, away_since: None }
    }

    /// The same without an end.
    pub(crate) fn endless(self) -> Persistence {
        Persistence { patience: Duration::MAX, ..self }
    }

    /// Notes that the server answered.
    pub(crate) fn succeeded(&mut self) {
        if self.away_since.take().is_some() {
            tracing::info!("the server is back");
        }
        self.backoff.reset();
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// `error` itself, where it will not pass, or patience is at its end.
    pub(crate) async fn failed(&mut self, error: Error) -> Result<(), Error> {
        let now = Instant::now();
        let is_news = self.away_since.is_none();
        let since = *self.away_since.get_or_insert(now);
        if !error.is_transient() || now.duration_since(since) >= self.patience {
            return Err(error);
        }
        // Once for each outage: whoever reads it can do no more about the tenth attempt than about the first.
        if is_news {
            tracing::warn!("{error}; trying again until it answers");
        } else {
            tracing::debug!("{error}; trying again");
        }
        let wait = self.backoff.wait();
        tokio::time::sleep(error.retry_after().map_or(wait, |asked| wait.max(asked))).await;
        Ok(())
    }

    pub(crate) fn set_max(&mut self, max: Duration) {
        self.backoff.set_max(max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ackd_api::{Code, Problem};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_double_up_to_the_limit_and_keep_half_to_chance() {
        let mut backoff = Backoff::new(SECOND, 5 * SECOND);
        for whole in [1, 2, 4, 5, 5] {
            let wait = backoff.wait();
            assert!(wait >= whole * SECOND / 2 && wait <= whole * SECOND, "{wait:?} of {whole}");
        }
        backoff.reset();
        assert!(backoff.wait() <= SECOND);
        assert_eq!(jittered(SECOND, 0), SECOND / 2);
        assert_eq!(jittered(SECOND, u64::MAX), SECOND);
        assert_ne!(random(), random());
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends() {
        let mut persistence = Persistence::new(Backoff::new(SECOND, SECOND), 10 * SECOND);
        let start = Instant::now();
        let mut tries = 0;
        while persistence.failed(Error::Timeout(SECOND)).await.is_ok() {
            tries += 1;
        }
        assert!(tries >= 10 && start.elapsed() >= 10 * SECOND && start.elapsed() <= 11 * SECOND);
        persistence.succeeded();
        assert!(persistence.failed(Error::Timeout(SECOND)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_server_s_wish_is_followed_and_a_refusal_is_final() {
        let mut persistence = Persistence::new(Backoff::new(SECOND, SECOND), 60 * SECOND);
        let refused = |code, retry_after| Error::Refused { problem: Problem::new(code, ""), retry_after };
        let start = Instant::now();
        persistence.failed(refused(Code::Overloaded, Some(7 * SECOND))).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 7);
        assert!(persistence.failed(refused(Code::NotFound, None)).await.is_err());
    }
}
