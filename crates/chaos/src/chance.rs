use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Where chance comes from. Each actor has its own, so that what one draws does not shift what another does.
#[derive(Debug)]
pub(crate) struct Chance(StdRng);

impl Chance {
    /// The chance of part `part` under `seed`.
    pub(crate) fn of(seed: u64, part: u64) -> Chance {
        Chance(StdRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ part.rotate_left(32)))
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end
    }

    /// Whether something happens that happens `times` in a thousand.
    pub(crate) fn permille(&mut self, times: u64) -> bool {
        self.below(1000) < times
    }

    /// A time up to `most` milliseconds.
    pub(crate) fn millis(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.below(most + 1))
    }

    /// Between the half and the whole of `whole`.
    pub(crate) fn about(&mut self, whole: u64) -> u64 {
        whole / 2 + self.below(whole / 2 + 1)
    }
}
