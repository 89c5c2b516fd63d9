use std::time::Duration;

/// A point of wall-clock time in whole milliseconds since 1970-01-01T00:00:00Z.
///
/// It is only ever recorded input: the domain has no clock. Arithmetic saturates, so that no
/// duration a client names can wrap a time around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The last millisecond that RFC 3339 can write, 9999-12-31T23:59:59.999Z.
    pub const MAX: Timestamp = Timestamp(253_402_300_799_999);

    /// The time `millis` milliseconds after the epoch, clamped to what RFC 3339 can write (years 1970 to 9999).
    #[must_use]
    pub const fn from_millis(millis: i64) -> Timestamp {
        if millis < 0 {
            Timestamp(0)
        } else if millis > Timestamp::MAX.0 {
            Timestamp::MAX
        } else {
            Timestamp(millis)
        }
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This time plus `duration`, at most [`Timestamp::MAX`]. Parts of a millisecond are dropped.
    #[must_use]
    pub fn after(self, duration: Duration) -> Timestamp {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(self.0.saturating_add(millis))
    }

    /// This time less `duration`, at the earliest the epoch. Parts of a millisecond are dropped.
    #[must_use]
    pub fn before(self, duration: Duration) -> Timestamp {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(self.0.saturating_sub(millis))
    }

    /// How long it is from `earlier` until this time; zero where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stays_within_what_rfc_3339_can_write() {
        assert_eq!(Timestamp::from_millis(-1).millis(), 0);
        assert_eq!(Timestamp::from_millis(i64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MAX.after(Duration::from_millis(1)), Timestamp::MAX);
        assert_eq!(Timestamp::from_millis(5).after(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::from_millis(5).before(Duration::from_millis(5)), Timestamp::from_millis(0));
        assert_eq!(Timestamp::from_millis(5).before(Duration::MAX), Timestamp::from_millis(0));
        assert_eq!(Timestamp::from_millis(5).since(Timestamp::from_millis(7)), Duration::ZERO);
        assert_eq!(Timestamp::from_millis(7).since(Timestamp::from_millis(5)), Duration::from_millis(2));
    }
}
