//! The five fields of cron, and the civil times that they name. No time zone here.

use jiff::civil::{Date, DateTime};
use jiff::{Span, ToSpan};

use ackd_domain::limits;

/// The longest that two days can lie apart: a 29 February that is a certain weekday, over a year 2100. It is 40 years.
const FARTHEST: i16 = 41;

/// Minutes, hours and days, as sets of bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    /// 0 is Sunday.
    weekdays: u64,
    /// Day of month or day of week begins with `*`: then both must match, else either.
    both_days: bool,
    /// Minute or hour begins with `*`: the times are those that the clock shows, not certain times of a day.
    pub(super) goes_by_the_clock: bool,
}

/// Why a text is no cron that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// It is longer than [`limits::CRON_BYTES`].
    #[error("has {0} bytes; at most {max} are allowed", max = limits::CRON_BYTES)]
    TooLong(usize),
    /// It has not five fields.
    #[error(
        "has {0} fields; five are needed: minute, hour, day of month, month and day of week, or one of @hourly, \
             @daily, @weekly, @monthly and @yearly"
    )]
    Fields(usize),
    /// A part of a field cannot be read.
    #[error("`{part}` in the {field}: {why}")]
    Part {
        /// The field.
        field: &'static str,
        /// What is wrong with the part.
        why: &'static str,
        /// The part, as it was written.
        part: String,
    },
    /// No day has all that is asked for.
    #[error("never comes: no such day is in any of these months")]
    Never,
}

/// A field: what it is called, its values, and the names of some.
struct Field {
    called: &'static str,
    least: u8,
    most: u8,
    /// The names of the values from `least` on.
    names: &'static [&'static str],
    /// What a value is.
    value: &'static str,
}

const MINUTE: Field = Field { called: "minute", least: 0, most: 59, names: &[], value: "a minute is 0 to 59" };
const HOUR: Field = Field { called: "hour", least: 0, most: 23, names: &[], value: "an hour is 0 to 23" };
const DAY: Field = Field { called: "day of month", least: 1, most: 31, names: &[], value: "a day is 1 to 31" };
const MONTH: Field = Field {
    called: "month",
    least: 1,
    most: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    value: "a month is 1 to 12 or jan to dec",
};
const WEEKDAY: Field = Field {
    called: "day of week",
    least: 0,
    most: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    value: "a day of the week is 0 to 7 (0 and 7 are Sunday) or sun to sat",
};

impl Cron {
    /// Reads the five fields, or the name of some.
    ///
    /// # Errors
    /// [`CronError`] says what is wrong where.
    pub(super) fn read(text: &str) -> Result<Cron, CronError> {
        if text.len() > limits::CRON_BYTES {
            return Err(CronError::TooLong(text.len()));
        }
        let text = text.trim();
        let fields: Vec<&str> = named(text).unwrap_or(text).split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else { return Err(CronError::Fields(fields.len())) };
        let mut weekdays = WEEKDAY.read(weekday)?;
        // Sunday is 0 and 7.
        weekdays = (weekdays | weekdays >> 7) & 0x7f;
        let cron = Cron {
            minutes: MINUTE.read(minute)?,
            hours: HOUR.read(hour)?,
            days: DAY.read(day)?,
            months: MONTH.read(month)?,
            weekdays,
            both_days: day.starts_with('*') || weekday.starts_with('*'),
            goes_by_the_clock: minute.starts_with('*') || hour.starts_with('*'),
        };
        // Any day to begin with does: what comes at all comes again within the span that is searched.
        cron.next(DateTime::constant(2000, 1, 1, 0, 0, 0, 0)).map(|_| cron.clone()).ok_or(CronError::Never)
    }

    /// The first time at or after `from`, which has whole minutes; `None` where it lies beyond the year 9999.
    pub(super) fn next(&self, from: DateTime) -> Option<DateTime> {
        let last = from.year().saturating_add(FARTHEST);
        let mut date = from.date();
        let (mut hour, mut minute) = (bits(from.hour()), bits(from.minute()));
        while date.year() <= last {
            if self.months >> bits(date.month()) & 1 == 0 {
                date = date.first_of_month().checked_add(1.month()).ok()?;
            } else {
                if self.has_day(date)
                    && let Some((hour, minute)) = self.next_of_day(hour, minute)
                {
                    return Some(date.at(hour, minute, 0, 0));
                }
                date = date.tomorrow().ok()?;
            }
            (hour, minute) = (0, 0);
        }
        None
    }

    /// The first time of a day at or after this one.
    fn next_of_day(&self, hour: u32, minute: u32) -> Option<(i8, i8)> {
        let (first, rest) = (from(self.hours, hour)?, from(self.minutes, minute));
        let (hour, minute) = match rest {
            Some(minute) if first == hour => (first, minute),
            None if first == hour => (from(self.hours, hour + 1)?, from(self.minutes, 0)?),
            _ => (first, from(self.minutes, 0)?),
        };
        Some((i8::try_from(hour).ok()?, i8::try_from(minute).ok()?))
    }

    fn has_day(&self, date: Date) -> bool {
        let day = self.days >> bits(date.day()) & 1 == 1;
        let weekday = self.weekdays >> bits(date.weekday().to_sunday_zero_offset()) & 1 == 1;
        if self.both_days { day && weekday } else { day || weekday }
    }
}

/// The fields that a name stands for.
fn named(text: &str) -> Option<&'static str> {
    const NAMES: [(&str, &str); 7] = [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
    ];
    NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, fields)| *fields)
}

/// The first of the bits that is set from `at` on.
fn from(set: u64, at: u32) -> Option<u32> {
    let rest = set.checked_shr(at)?;
    (rest != 0).then(|| at + rest.trailing_zeros())
}

/// A part of a date, none of which is negative, as the number of a bit.
fn bits(part: i8) -> u32 {
    u32::from(part.unsigned_abs())
}

/// `time` less its seconds and what is smaller.
pub(super) fn whole_minute(time: DateTime) -> DateTime {
    time.date().at(time.hour(), time.minute(), 0, 0)
}

/// A minute.
pub(super) fn minute() -> Span {
    1.minute()
}

impl Field {
    fn read(&self, text: &str) -> Result<u64, CronError> {
        let mut set = 0;
        for part in text.split(',') {
            let wrong = |why| CronError::Part { field: self.called, why, part: part.to_owned() };
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, Some(step)),
                None => (part, None),
            };
            let (first, last) = match range.split_once('-') {
                _ if range == "*" => (self.least, self.most),
                Some((first, last)) => {
                    let (first, last) = (self.value(first).map_err(wrong)?, self.value(last).map_err(wrong)?);
                    // A week that is named ends on Sunday as well as it begins.
                    let sunday = self.most == 7 && last == 0 && first > 0 && range.ends_with(['n', 'N']);
                    (first, if sunday { 7 } else { last })
                }
                None if step.is_some() => return Err(wrong("a step follows `*` or a range, as in `10-50/20`")),
                None => {
                    let value = self.value(range).map_err(wrong)?;
                    (value, value)
                }
            };
            if last < first {
                return Err(wrong("a range ends before it begins; write two, as in `22-23,0-5`"));
            }
            let step = match step {
                Some(step) => number(step).filter(|step| (1..=self.most).contains(step)),
                None => Some(1),
            };
            let step = step.ok_or_else(|| wrong("a step is at least 1, and no more than the field's highest value"))?;
            (first..=last).step_by(step.into()).for_each(|value| set |= 1 << value);
        }
        Ok(set)
    }

    fn value(&self, text: &str) -> Result<u8, &'static str> {
        let named = self.names.iter().zip(self.least..).find(|(name, _)| name.eq_ignore_ascii_case(text));
        let value = named.map(|(_, value)| value).or_else(|| number(text));
        value.filter(|value| (self.least..=self.most).contains(value)).ok_or(self.value)
    }
}

/// A number of one or two digits.
fn number(text: &str) -> Option<u8> {
    (text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests;
