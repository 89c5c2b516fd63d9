use std::time::Duration;

use crate::Timestamp;

/// How many attempts at a queue's jobs may begin in any period of a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The number, 1 to [`crate::limits::RATE`].
    pub limit: u32,
    /// The length of the period, 1 ms to [`crate::limits::DURATION`].
    pub per: Duration,
}

/// When attempts at a queue's jobs began, as far as it counts still.
///
/// Of a large limit the times are kept to a part of the period, each attempt as of the latest with which it is counted: so
/// never more begin than may, and few fewer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Started {
    /// Times and how many began then, oldest first.
    times: Vec<(Timestamp, u32)>,
}

impl Started {
    /// Into how many parts a period is told apart, where its limit is larger.
    pub const PARTS: u32 = 64;

    /// What was written down by [`Started::times`].
    #[must_use]
    pub fn of(times: Vec<(Timestamp, u32)>) -> Started {
        Started { times }
    }

    /// Times and how many began then, oldest first.
    #[must_use]
    pub fn times(&self) -> &[(Timestamp, u32)] {
        &self.times
    }

    /// Forgets what began later than `now`: the clock has gone back since.
    ///
    /// For whoever looks at what was written, anew each time: were it taken for what begins `now`, as by
    /// [`Started::room`], it would be so each time, until the clock has come there again.
    pub fn forget_later(&mut self, now: Timestamp) {
        self.times.retain(|(at, _)| *at <= now);
    }

    /// How many may begin at `now`.
    pub fn room(&mut self, rate: Rate, now: Timestamp) -> u32 {
        // A clock that went back does not make what began wait for longer than a period.
        self.times.iter_mut().for_each(|(at, _)| *at = (*at).min(now));
        let began: u64 = self.times[self.past(rate, now)..].iter().map(|(_, many)| u64::from(*many)).sum();
        rate.limit.saturating_sub(u32::try_from(began).unwrap_or(u32::MAX))
    }

    /// When another may begin, where none may at the time that [`Started::room`] was asked for last.
    #[must_use]
    pub fn next(&self, rate: Rate) -> Option<Timestamp> {
        let mut over = self.times.iter().map(|(_, many)| u64::from(*many)).sum::<u64>();
        self.times.iter().find_map(|(at, many)| {
            over -= u64::from(*many);
            (over < u64::from(rate.limit)).then(|| at.after(rate.per))
        })
    }

    /// One begins at `now`. What is a period old is forgotten now and not when there is looked for room: whoever looks more often
    /// would have forgotten more when the period becomes longer.
    pub fn begin(&mut self, rate: Rate, now: Timestamp) {
        self.times.drain(..self.past(rate, now));
        match self.times.last_mut() {
            Some((at, many)) if part(rate, *at) == part(rate, now) => (*at, *many) = ((*at).max(now), *many + 1),
            _ => self.times.push((now, 1)),
        }
    }

    /// How many of the times are a period old.
    fn past(&self, rate: Rate, now: Timestamp) -> usize {
        self.times.partition_point(|(at, _)| at.after(rate.per) <= now)
    }
}

/// In which part of a period `at` is: a millisecond where that leaves few enough to be told apart.
fn part(rate: Rate, at: Timestamp) -> i64 {
    let length = if rate.limit > Started::PARTS { rate.per / Started::PARTS } else { Duration::ZERO };
    at.millis() / i64::try_from(length.as_millis()).unwrap_or(i64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    #[test]
    fn as_many_begin_at_once_as_may_and_the_next_when_the_first_is_a_period_old() {
        let rate = Rate { limit: 2, per: SECOND };
        let mut started = Started::default();
        assert_eq!(started.room(rate, at(0)), 2);
        started.begin(rate, at(0));
        started.begin(rate, at(300));
        assert_eq!((started.room(rate, at(999)), started.next(rate)), (0, Some(at(1000))));
        assert_eq!(started.room(rate, at(1000)), 1);
        started.begin(rate, at(1000));
        assert_eq!((started.room(rate, at(1299)), started.next(rate)), (0, Some(at(1300))));
    }

    #[test]
    fn a_limit_that_is_lowered_holds_and_one_that_is_raised_makes_room() {
        let mut started = Started::default();
        let many = Rate { limit: 10, per: SECOND };
        (0..10).for_each(|n| started.begin(many, at(n)));
        let few = Rate { limit: 3, per: SECOND };
        assert_eq!((started.room(few, at(10)), started.next(few)), (0, Some(at(1007))));
        assert_eq!(started.room(Rate { limit: 12, per: SECOND }, at(10)), 2);
    }

    #[test]
    fn a_longer_period_counts_what_began_in_it_however_often_it_was_looked_at_before() {
        let short = Rate { limit: 1, per: SECOND };
        let mut started = Started::default();
        started.begin(short, at(0));
        let mut looked_at = started.clone();
        assert_eq!(looked_at.room(short, at(5000)), 1);
        assert_eq!(looked_at, started);
        let long = Rate { limit: 1, per: 10 * SECOND };
        assert_eq!((looked_at.room(long, at(5000)), looked_at.next(long)), (0, Some(at(10_000))));
        started.begin(short, at(5000));
        assert_eq!(started.times(), [(at(5000), 1)], "nothing is kept that is a period old");
    }

    #[test]
    fn a_clock_that_goes_back_holds_nobody_up_for_longer_than_a_period() {
        let rate = Rate { limit: 1, per: SECOND };
        let mut started = Started::default();
        started.begin(rate, at(3_600_000));
        assert_eq!((started.room(rate, at(0)), started.next(rate)), (0, Some(at(1000))));
        assert_eq!(started.room(rate, at(1000)), 1);

        let mut written = Started::default();
        written.begin(rate, at(3_600_000));
        written.forget_later(at(3_600_000));
        assert_eq!(written.room(rate, at(3_600_000)), 0);
        written.forget_later(at(3_599_999));
        assert_eq!(written.room(rate, at(3_599_999)), 1);
    }

    proptest! {
        /// Whoever begins as often as there is room for: in no period more than the limit, and not much less; and what
        /// is remembered is bounded.
        #[test]
        fn no_period_has_more_than_the_limit(
            limit in prop_oneof![1..80u32, 1000..2000u32],
            per in prop_oneof![1..50u64, 500..5000u64],
            steps in prop::collection::vec(0..400i64, 1..200),
        ) {
            let rate = Rate { limit, per: Duration::from_millis(per) };
            let mut started = Started::default();
            let (mut now, mut began): (i64, Vec<(i64, u32)>) = (0, Vec::new());
            for step in steps {
                now += step;
                let room = started.room(rate, at(now));
                (0..room).for_each(|_| started.begin(rate, at(now)));
                began.push((now, room));
                let since = now - i64::try_from(per).unwrap();
                let in_period: u32 = began.iter().filter(|(at, _)| *at > since).map(|(_, many)| *many).sum();
                prop_assert!(in_period <= limit, "{in_period}");
                prop_assert!(started.times().len() <= Started::PARTS as usize + 2, "{:?}", started.times());
            }
            // Once all is past, all may begin.
            prop_assert_eq!(started.room(rate, at(now).after(rate.per)), limit);
        }
    }
}
