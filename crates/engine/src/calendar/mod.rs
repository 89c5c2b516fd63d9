//! When something comes that is written as cron, in a time zone: a pure function of both and of the time after which.
//!
//! What a change of the clocks means is as Vixie's cron has it. A *fixed* time of a day (neither minute nor hour begins
//! with `*`) comes once for each day on which it is named: where the clock skips it, at once after the gap; where the clock
//! shows it twice, the first time. What begins with `*` goes by what the clock shows: skipped times do not come, and
//! repeated ones come again.

mod cron;
mod zone;

use ackd_domain::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use cron::{Cron, minute, whole_minute};

pub use cron::CronError;
pub use zone::ZoneError;

/// See the module.
#[derive(Debug, Clone)]
pub struct Calendar {
    cron: Cron,
    zone: TimeZone,
}

impl Calendar {
    /// The calendar of these five fields in the time zone of this IANA name.
    ///
    /// # Errors
    /// [`CalendarError`] says which of both is wrong, and why.
    pub fn new(cron: &str, timezone: &str) -> Result<Calendar, CalendarError> {
        Ok(Calendar { cron: Cron::read(cron)?, zone: zone::named(timezone)? })
    }

    /// The name of the time zone as IANA writes it.
    #[must_use]
    pub fn timezone(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// The first time after `after`; `None` where it lies beyond what can be written.
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let after = jiff::Timestamp::from_millisecond(after.millis()).ok()?;
        let next = if self.cron.goes_by_the_clock { self.next_shown(after) } else { self.next_fixed(after) };
        Some(Timestamp::from_millis(next?.as_millisecond()))
    }

    /// The last time from `from`, which is one, to `until`.
    #[must_use]
    pub fn latest(&self, from: Timestamp, until: Timestamp) -> Option<Timestamp> {
        // The time after `low` is not beyond `until`, that after `high` is. The later the one, the later the other; so
        // a search needs but some thirty steps, however many times there are in between.
        let (mut low, mut high) = (from.millis() - 1, until.millis());
        let within = |after: i64| self.next(Timestamp::from_millis(after)).filter(|next| *next <= until);
        let mut latest = within(low)?;
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match within(middle) {
                Some(next) => (low, latest) = (middle, next),
                None => high = middle,
            }
        }
        Some(latest)
    }

    /// The times of a day, wherever the clocks change.
    fn next_fixed(&self, after: jiff::Timestamp) -> Option<jiff::Timestamp> {
        let mut civil = self.cron.next(whole_minute(self.zone.to_datetime(after)))?;
        loop {
            let at = self.instant(civil)?;
            if at > after {
                return Some(at);
            }
            // It is this very minute, or the clock shows it for the second time.
            civil = self.cron.next(civil.checked_add(minute()).ok()?)?;
        }
    }

    /// When it is `civil` for the first time, or where it never is, when the clock has just passed it.
    fn instant(&self, civil: DateTime) -> Option<jiff::Timestamp> {
        match self.zone.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(civil).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(civil).ok(),
            AmbiguousOffset::Gap { before, .. } => {
                let beyond = before.to_timestamp(civil).ok()?.checked_add(minute()).ok()?;
                self.zone.preceding(beyond).next().map(|change| change.timestamp())
            }
        }
    }

    /// What the clock shows, from one change of the clocks to the next.
    fn next_shown(&self, after: jiff::Timestamp) -> Option<jiff::Timestamp> {
        let mut from = after;
        let mut start = whole_minute(self.zone.to_datetime(from)).checked_add(minute()).ok()?;
        loop {
            let at = self.zone.to_offset(from).to_timestamp(self.cron.next(start)?).ok();
            let change = self.zone.following(from).next().map(|change| change.timestamp());
            match (at, change) {
                (Some(at), Some(change)) if at >= change => from = change,
                (None, Some(change)) => from = change,
                (at, _) => return at,
            }
            let shown = self.zone.to_datetime(from);
            start = whole_minute(shown);
            if start < shown {
                start = start.checked_add(minute()).ok()?;
            }
        }
    }
}

/// Why there is no calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// The fields are wrong.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// The time zone is not known.
    #[error(transparent)]
    Zone(#[from] ZoneError),
}

#[cfg(test)]
mod tests;
