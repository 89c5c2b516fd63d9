//! When schedules come: a line of cron, one for the time zone, and one for the time after which.

use std::collections::BTreeSet;

use ackd_domain::Timestamp;
use ackd_engine::{Calendar, CalendarError, CronError};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const MINUTE: i64 = 60_000;

/// For so many minutes each is looked at: a day, an hour that a clock gains, and some.
const LOOKED_AT: i64 = 26 * 60;

pub(crate) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut lines = text.splitn(3, '\n');
    let (Some(cron), Some(zone)) = (lines.next(), lines.next()) else { return };
    let calendar = match Calendar::new(cron, zone) {
        Ok(calendar) => calendar,
        Err(CalendarError::Cron(error)) => return is_refused(cron, &error),
        Err(CalendarError::Zone(error)) => return assert!(!error.to_string().is_empty()),
    };
    let plain = Plain::read(cron).unwrap_or_else(|| panic!("{cron:?} is taken"));
    let zone = TimeZone::get(calendar.timezone()).unwrap_or(TimeZone::UTC);
    let after = lines.next().and_then(|line| line.trim().parse::<jiff::Timestamp>().ok()).unwrap_or_default();
    // Schedules are of times that the server's clock can show, from 1970 on.
    follows(&calendar, &plain, &zone, Timestamp::from_millis(after.as_millisecond()).millis());
}

fn is_refused(cron: &str, error: &CronError) {
    assert!(!error.to_string().is_empty());
    match error {
        CronError::TooLong(bytes) => assert!(*bytes > 255),
        // It can be read; there is no such day.
        CronError::Never => assert!(Plain::read(cron).is_some_and(|plain| !plain.has_any_day())),
        CronError::Fields(_) | CronError::Part { .. } => {
            assert!(Plain::read(cron).is_none(), "{cron:?} is refused: {error}")
        }
    }
}

/// What comes next is what a look at each minute finds.
fn follows(calendar: &Calendar, plain: &Plain, zone: &TimeZone, after: i64) {
    let next = calendar.next(Timestamp::from_millis(after)).map(Timestamp::millis);
    let shown = |millis: i64| jiff::Timestamp::from_millisecond(millis).ok().map(|at| zone.to_datetime(at));
    assert!(next.is_none_or(|next| next > after));
    if let Some(next) = next {
        // Of all times until then it is the last.
        let latest = calendar.latest(Timestamp::from_millis(next), Timestamp::from_millis(next));
        assert_eq!(latest.map(Timestamp::millis), Some(next));
        let at = shown(next).expect("a time that is written");
        let before = shown(next - 1).expect("a time that is written");
        // What is named in a gap comes when the clock has passed it; else it is what the clock shows.
        let is_after_gap = before.checked_add(jiff::Span::new().minutes(1)).is_ok_and(|expected| at > expected);
        assert!(plain.names(at) || !plain.goes_by_the_clock && is_after_gap, "{at} is none of it");
    }
    // What the clock shows minute by minute, where minutes are whole: in old days clocks differed by seconds.
    let start = after.div_euclid(MINUTE) * MINUTE;
    for minute in 1..=LOOKED_AT {
        let millis = start + minute * MINUTE;
        if next.is_some_and(|next| next <= millis) {
            break;
        }
        let Some(at) = shown(millis).filter(|at| at.second() == 0) else { break };
        let is_again = || zone.to_ambiguous_timestamp(at).is_ambiguous();
        assert!(!plain.names(at) || !plain.goes_by_the_clock && is_again(), "{at} is passed over for {next:?}");
    }
}

/// The fields as sets, read in the plainest way.
struct Plain {
    fields: [BTreeSet<u32>; 5],
    both_days: bool,
    goes_by_the_clock: bool,
}

impl Plain {
    fn read(cron: &str) -> Option<Plain> {
        let cron = cron.trim().to_ascii_lowercase();
        let cron = match &*cron {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let texts: Vec<&str> = cron.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = texts[..] else { return None };
        let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        let days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
        let mut weekdays = field(weekday, 0, 7, &days)?;
        if weekdays.remove(&7) {
            weekdays.insert(0);
        }
        let starred = |text: &str| text.starts_with('*');
        Some(Plain {
            fields: [
                field(minute, 0, 59, &[])?,
                field(hour, 0, 23, &[])?,
                field(day, 1, 31, &[])?,
                field(month, 1, 12, &months)?,
                weekdays,
            ],
            both_days: starred(day) || starred(weekday),
            goes_by_the_clock: starred(minute) || starred(hour),
        })
    }

    fn names(&self, at: DateTime) -> bool {
        let has = |field: usize, value: i8| self.fields[field].contains(&u32::from(value.unsigned_abs()));
        let (day, weekday) = (has(2, at.day()), has(4, at.weekday().to_sunday_zero_offset()));
        has(0, at.minute())
            && has(1, at.hour())
            && has(3, at.month())
            && if self.both_days { day && weekday } else { day || weekday }
    }

    /// Whether any of its months has any of its days.
    fn has_any_day(&self) -> bool {
        let longest = |month: &u32| match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let first = self.fields[2].first().copied().unwrap_or(32);
        self.fields[3].iter().any(|month| first <= longest(month)) || !self.both_days
    }
}

fn field(text: &str, least: u32, most: u32, names: &[&str]) -> Option<BTreeSet<u32>> {
    let value = |text: &str| {
        let is_number = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let named = names.iter().position(|name| *name == text).and_then(|at| u32::try_from(at).ok());
        named.map(|at| at + least).or_else(|| text.parse().ok().filter(|_| is_number))
    };
    let mut set = BTreeSet::new();
    for part in text.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let (first, last) = match range.split_once('-') {
            None if range == "*" => (least, most),
            None if step.is_some() => return None,
            None => (value(range)?, value(range)?),
            Some((first, last)) => {
                let (start, end) = (value(first)?, value(last)?);
                // A week may end on Sunday, by its name.
                (start, if last == "sun" && start > 0 { 7 } else { end })
            }
        };
        let step =
            step.map_or(Some(1), |step| value(step).filter(|_| step.bytes().all(|byte| byte.is_ascii_digit())))?;
        if first < least || last > most || first > last || step == 0 || step > most {
            return None;
        }
        set.extend((first..=last).step_by(step as usize));
    }
    Some(set)
}
