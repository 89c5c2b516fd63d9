//! The spread of something that was measured many times.

use std::time::Duration;

/// The spread of something that was measured many times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// Half were faster.
    pub p50: Duration,
    /// 99 of 100 were faster.
    pub p99: Duration,
}

impl Quantiles {
    /// The quantiles of `took`; zero where there is none.
    #[must_use]
    pub fn of(mut took: Vec<Duration>) -> Quantiles {
        took.sort_unstable();
        let at = |share: usize| took.get((took.len() * share / 100).min(took.len().saturating_sub(1))).copied();
        Quantiles { p50: at(50).unwrap_or_default(), p99: at(99).unwrap_or_default() }
    }

    /// Both in milliseconds.
    #[must_use]
    pub fn millis(&self) -> (f64, f64) {
        (self.p50.as_secs_f64() * 1e3, self.p99.as_secs_f64() * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_a_hundred_and_of_one() {
        let millis = |range: std::ops::RangeInclusive<u64>| range.map(Duration::from_millis).collect();
        assert_eq!(Quantiles::of(millis(1..=100)).millis(), (51.0, 100.0));
        assert_eq!(Quantiles::of(millis(7..=7)).millis(), (7.0, 7.0));
        assert_eq!(Quantiles::of(Vec::new()), Quantiles::default());
    }
}
