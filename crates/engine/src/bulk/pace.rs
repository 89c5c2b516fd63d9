use std::time::Duration;

/// The most steps of one part: a few milliseconds of work.
pub(super) const STEPS: u32 = 250;

/// How long a part's share of a rate is, where that is a step at least.
const SHARE: Duration = Duration::from_millis(100);

/// How many jobs are changed at most in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// So many, at least 1.
    pub limit: u32,
    /// In this time, more than 0 s.
    pub per: Duration,
}

impl Pace {
    /// The steps of one part.
    pub(super) fn steps(pace: Option<Pace>) -> u32 {
        let Some(Pace { limit, per }) = pace else { return STEPS };
        let share = u128::from(limit) * SHARE.as_nanos() / per.as_nanos().max(1);
        u32::try_from(share).unwrap_or(STEPS).clamp(1, STEPS)
    }

    /// How long to wait after a part of so many steps.
    pub(super) fn pause(pace: Option<Pace>, steps: u32) -> Duration {
        pace.map_or(Duration::ZERO, |Pace { limit, per }| per.saturating_mul(steps) / limit.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_pauses_keep_the_rate() {
        let second = Duration::from_secs(1);
        for (limit, per, steps, pause) in [
            (1, 10 * second, 1, 10 * second),
            (10, 60 * second, 1, 6 * second),
            (10, second, 1, second / 10),
            (100, second, 10, second / 10),
            (1_000_000, second, STEPS, second / 4000),
            (1, Duration::from_millis(1), 100, second / 10),
        ] {
            let pace = Some(Pace { limit, per });
            assert_eq!(Pace::steps(pace), steps, "{limit} in {per:?}");
            assert_eq!(Pace::pause(pace, steps), pause, "{limit} in {per:?}");
        }
        assert_eq!((Pace::steps(None), Pace::pause(None, 7)), (STEPS, Duration::ZERO));
    }
}
