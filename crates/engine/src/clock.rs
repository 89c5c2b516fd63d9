//! The time that the server goes by: the wall clock's, but it does not go back with that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ackd_domain::{Position, Timestamp};
use ackd_ports::{ChangeFeed, Clock, FeedError};

/// Where the wall clock is behind it, the server's time goes by a hundredth slower, until it has been caught up with: no
/// wait is longer by more than that, and an hour is made up in four days.
const SLOWER: u32 = 100;

/// A time that is further ahead of the wall clock than this was wrong, and is taken back.
const FURTHEST: Duration = Duration::from_hours(24);

/// From so much on it is said that the wall clock is behind.
const BEHIND: Duration = Duration::from_secs(1);

/// What time it is, by each of the clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The server's own time, which does not go back with the wall clock. Whatever it writes down is of this time.
    pub now: Timestamp,
    /// What the machine's wall clock shows, which may jump. Calendars go by it, and so do others who look at a clock.
    pub wall: Timestamp,
    /// The time since some fixed moment, which neither jumps nor stops. Leases run on it.
    pub tick: Duration,
}

impl Moment {
    /// By how much the server's own time is ahead of the wall clock.
    pub(crate) fn ahead(&self) -> Duration {
        self.now.since(self.wall)
    }
}

/// The server's clock. Set back, the machine's wall clock would have jobs wait that were due before: this one goes on
/// meanwhile, somewhat slower, until the wall clock has caught up with it.
pub struct ServerClock {
    machine: Arc<dyn Clock>,
    course: Mutex<Course>,
    /// Whether it was said that the wall clock is behind.
    is_behind: AtomicBool,
}

impl ServerClock {
    /// A clock that goes on from `last`, when something was written down last.
    pub(crate) fn start(machine: Arc<dyn Clock>, last: Timestamp) -> ServerClock {
        let course = Course::start(last, machine.monotonic());
        ServerClock { machine, course: Mutex::new(course), is_behind: AtomicBool::new(false) }
    }

    /// What time it is by each of the clocks.
    #[must_use]
    pub fn moment(&self) -> Moment {
        let (moment, taken_back) = {
            let mut course = self.course.lock().unwrap_or_else(PoisonError::into_inner);
            // Under the lock: whoever asks later is told no earlier time.
            let (wall, tick) = (self.machine.now(), self.machine.monotonic());
            let before = course.time;
            (course.at(wall, tick), before.saturating_sub(course.time))
        };
        self.tell(moment.ahead(), taken_back);
        moment
    }

    /// Says what the wall clock did, once.
    fn tell(&self, behind: Duration, taken_back: Duration) {
        if !taken_back.is_zero() {
            self.is_behind.store(false, Ordering::Relaxed);
            tracing::warn!(
                ?taken_back,
                "the wall clock was set back by more than a day, and the time with it: jobs that were accepted meanwhile, or \
                 were to be tried again, wait until the clock has come there"
            );
        } else if behind >= BEHIND && !self.is_behind.swap(true, Ordering::Relaxed) {
            tracing::warn!(?behind, "the wall clock was set back; the server's time goes on until it has caught up");
        } else if behind.is_zero() && self.is_behind.swap(false, Ordering::Relaxed) {
            tracing::info!("the wall clock has caught up with the server's time");
        }
    }

    /// The server's own time, which does not go back with the wall clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.moment().now
    }

    /// What the machine's wall clock shows: for calendars, and for others who look at a clock.
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        self.machine.now()
    }

    /// The time since some fixed moment, which neither jumps nor stops.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        self.machine.monotonic()
    }
}

impl std::fmt::Debug for ServerClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerClock").field("course", &self.course).finish_non_exhaustive()
    }
}

/// When the last change of `feed` was written down, or the epoch where nobody knows.
pub(crate) fn last_written(feed: &dyn ChangeFeed) -> Timestamp {
    let last = || {
        let Position(head) = feed.head()?;
        feed.changes(Position(head.saturating_sub(1)), 1)
    };
    match last() {
        Ok(changes) => changes.last().map(|change| change.at).unwrap_or_default(),
        // So long ago that it is no longer kept.
        Err(FeedError::Purged(_)) => Timestamp::default(),
        Err(error) => {
            tracing::warn!(%error, "the last change cannot be read: the time is what the wall clock shows");
            Timestamp::default()
        }
    }
}

/// How far the server's time has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Course {
    /// Since the Unix epoch, to the nanosecond: what is slower by a hundredth adds up.
    time: Duration,
    /// When it was so.
    tick: Duration,
}

impl Course {
    /// One that goes on from `last`.
    pub(crate) fn start(last: Timestamp, tick: Duration) -> Course {
        Course { time: since_epoch(last), tick }
    }

    /// Goes on to where the machine's clocks show `wall` and `tick`.
    pub(crate) fn at(&mut self, wall: Timestamp, tick: Duration) -> Moment {
        let passed = tick.saturating_sub(self.tick);
        let own = self.time + (passed - passed / SLOWER);
        let shown = since_epoch(wall);
        self.time = if own.saturating_sub(shown) > FURTHEST { shown } else { own.max(shown) };
        self.tick = tick;
        let now = Timestamp::from_millis(i64::try_from(self.time.as_millis()).unwrap_or(i64::MAX));
        Moment { now, wall, tick }
    }
}

fn since_epoch(time: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(time.millis()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    /// A course that begins at `start`.
    fn begun(start: Timestamp) -> Course {
        let mut course = Course::start(Timestamp::default(), Duration::ZERO);
        course.at(start, Duration::ZERO);
        course
    }

    #[test]
    fn it_is_the_wall_clocks_as_long_as_that_goes_on() {
        let mut course = begun(START);
        for millis in [0, 1, 1, 2, 1_000, 3_600_000] {
            let passed = Duration::from_millis(millis);
            let moment = course.at(START.after(passed), passed);
            assert_eq!((moment.now, moment.ahead()), (START.after(passed), Duration::ZERO));
        }
        // Ahead at once, as after the machine was asleep.
        assert_eq!(course.at(START.after(9 * HOUR), HOUR).now, START.after(9 * HOUR));
    }

    #[test]
    fn it_goes_on_where_the_wall_clock_is_set_back_until_that_has_caught_up() {
        let mut course = begun(START.after(HOUR));
        let (mut last, mut ahead, mut passed) = (START.after(HOUR), HOUR, Duration::ZERO);
        while ahead > Duration::ZERO {
            passed += HOUR;
            let moment = course.at(START.after(passed), passed);
            assert_eq!(moment.now.since(last), HOUR - HOUR / SLOWER);
            assert_eq!(ahead - moment.ahead(), HOUR / SLOWER);
            (last, ahead) = (moment.now, moment.ahead());
        }
        assert_eq!(passed, SLOWER * HOUR);
        assert_eq!(course.at(START.after(passed + HOUR), passed + HOUR).now, START.after(passed + HOUR));
    }

    #[test]
    fn what_is_less_than_a_millisecond_counts() {
        let mut course = begun(START.after(HOUR));
        for micros in 1..=10_000 {
            course.at(START, Duration::from_micros(micros));
        }
        let mut passed = |micros| course.at(START, Duration::from_micros(micros)).now.since(START.after(HOUR));
        assert_eq!(passed(10_000), Duration::from_millis(9), "9.9 ms have passed");
        assert_eq!(passed(10_200), Duration::from_millis(10));
    }

    #[test]
    fn a_time_that_is_more_than_a_day_ahead_was_wrong() {
        for (ahead, is_taken_back) in [(FURTHEST, false), (FURTHEST + Duration::from_millis(1), true)] {
            let expected = if is_taken_back { START } else { START.after(ahead) };
            assert_eq!(begun(START.after(ahead)).at(START, Duration::ZERO).now, expected, "while it runs");
            let mut course = Course::start(START.after(ahead), Duration::ZERO);
            assert_eq!(course.at(START, Duration::ZERO).now, expected, "when it is started anew");
        }
    }

    #[test]
    fn it_stays_among_the_times_that_there_are() {
        let mut course = begun(Timestamp::MAX);
        for (wall, tick) in [(Timestamp::MAX, HOUR), (Timestamp::MAX.before(HOUR), 2 * HOUR), (Timestamp::MAX, HOUR)] {
            assert_eq!(course.at(wall, tick).now, Timestamp::MAX);
        }
        assert_eq!(course.at(Timestamp::default(), HOUR).now, Timestamp::default());
    }

    /// The machine's clocks as a test sets them: the wall clock, in milliseconds.
    struct Set(AtomicI64);

    impl Clock for Set {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::Relaxed))
        }

        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }
    }

    #[test]
    fn it_is_said_once_that_the_wall_clock_is_behind() {
        let machine = Arc::new(Set(AtomicI64::new(START.millis())));
        let clock = ServerClock::start(machine.clone(), Timestamp::default());
        let told = |behind: i64| {
            machine.0.store(START.millis() - behind, Ordering::Relaxed);
            assert_eq!(clock.now(), START);
            clock.is_behind.load(Ordering::Relaxed)
        };
        assert_eq!([0, 999, 1_000, 999, 1, 0, 1].map(told), [false, false, true, true, true, false, false]);
        assert_eq!(clock.wall(), START.before(Duration::from_millis(1)));
    }
}
