//! Points in time as `"2026-11-20T10:00:00.000Z"`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// It is written as RFC 3339 in UTC with exactly three digits of the second, and read as RFC 3339 with any offset;
/// digits beyond the millisecond are cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

/// A text that is no RFC 3339 time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time is written as RFC 3339 says, with a zone, as in \"2026-11-20T10:00:00Z\"")]
pub struct TimeError;

/// A text in a query that is no RFC 3339 time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryTimeError {
    /// As anywhere else.
    #[error(transparent)]
    NoTime(#[from] TimeError),
    /// It would be one if its last blank were the `+` that the client wrote, and that stands for a blank in a query.
    #[error("{TimeError}; a `+` in a query stands for a blank, and is itself written `%2B`")]
    Blank,
}

const DAY: i64 = 86_400_000;

impl Time {
    /// The first time that RFC 3339 can write, 0000-01-01T00:00:00.000Z.
    pub const MIN: Time = Time(-62_167_219_200_000);

    /// The last time that RFC 3339 can write, 9999-12-31T23:59:59.999Z.
    pub const MAX: Time = Time(253_402_300_799_999);

    /// Reads a query parameter, of which many forget to encode the `+`.
    ///
    /// # Errors
    /// [`QueryTimeError`] says what is wrong with the text.
    pub fn parse_query(text: &str) -> Result<Time, QueryTimeError> {
        text.parse().map_err(|error: TimeError| match text.rsplit_once(' ') {
            Some((clock, zone)) if format!("{clock}+{zone}").parse::<Time>().is_ok() => QueryTimeError::Blank,
            _ => error.into(),
        })
    }

    /// The text's 24 ASCII bytes. What lies outside of [`Time::MIN`] and [`Time::MAX`] is written as these.
    #[must_use]
    pub fn format(self) -> [u8; 24] {
        let time = self.0.clamp(Time::MIN.0, Time::MAX.0);
        let (year, month, day) = date(time.div_euclid(DAY));
        let clock = time.rem_euclid(DAY);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        put(&mut text, 0, year / 100);
        put(&mut text, 2, year % 100);
        put(&mut text, 5, month);
        put(&mut text, 8, day);
        put(&mut text, 11, clock / 3_600_000);
        put(&mut text, 14, clock / 60_000 % 60);
        put(&mut text, 17, clock / 1000 % 60);
        put(&mut text, 20, clock % 1000 / 10);
        text[22] = digit(clock % 10);
        text
    }
}

/// The civil date of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
fn date(day: i64) -> (i64, i64, i64) {
    // Years are counted from 1 March, so that the leap day is a year's last: then the months before any month have
    // a length that one linear formula gives. 719468 days lie between 0000-03-01 and 1970-01-01.
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * march_month + 2) / 5 + 1)
}

fn put(text: &mut [u8; 24], at: usize, number: i64) {
    text[at] = digit(number / 10);
    text[at + 1] = digit(number);
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the remainder is 0 to 9")]
const fn digit(number: i64) -> u8 {
    b'0' + (number % 10) as u8
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.format()).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Time, TimeError> {
        read(text.as_bytes()).ok_or(TimeError)
    }
}

/// Reads a `date-time` (RFC 3339, section 5.6) of a year that can be written in UTC too. A space may stand for its `T`.
fn read(text: &[u8]) -> Option<Time> {
    let (clock, rest) = text.split_at_checked(19)?;
    let is_clock = clock.iter().zip(b"0000-00-00T00:00:00").all(|(byte, like)| match like {
        b'0' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't' | b' '),
        like => byte == like,
    });
    if !is_clock {
        return None;
    }
    let number = |at: usize| i64::from(clock[at] - b'0') * 10 + i64::from(clock[at + 1] - b'0');
    let day = day(number(0) * 100 + number(2), number(5), number(8))?;
    let (hour, minute, second) = (number(11), number(14), number(17));
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (milliseconds, zone) = fraction(rest)?;
    // A leap second is told as the one before it.
    let seconds = ((day * 24 + hour) * 60 + minute - offset(zone)?) * 60 + second.min(59);
    let time = Time(seconds * 1000 + milliseconds);
    (Time::MIN..=Time::MAX).contains(&time).then_some(time)
}

/// The day with this date, counted from 1970-01-01; the reverse of [`date`].
fn day(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) {
        return None;
    }
    let (march_year, march_month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (march_year.div_euclid(400), march_year.rem_euclid(400));
    let of_era = 365 * of_era + of_era / 4 - of_era / 100 + (153 * march_month + 2) / 5 + day - 1;
    let found = era * 146_097 + of_era - 719_468;
    // A day that the month does not have is one of the next.
    (date(found) == (year, month, day)).then_some(found)
}

/// The milliseconds of a fraction of a second, if one stands there, and what follows it.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else { return Some((0, text)) };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let three = digits[..count].iter().map(|byte| i64::from(byte - b'0')).chain([0; 3]).take(3);
    (count > 0).then(|| (three.fold(0, |sum, digit| sum * 10 + digit), &digits[count..]))
}

/// The minutes by which a `time-offset` is ahead of UTC.
fn offset(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'Z' | b'z'] => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let [a, b, b':', c, d] = digits else { return None };
    let number = |high: &u8, low: &u8| {
        let is_number = high.is_ascii_digit() && low.is_ascii_digit();
        is_number.then(|| i64::from(high - b'0') * 10 + i64::from(low - b'0'))
    };
    let (hours, minutes) = (number(a, b)?, number(c, d)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.format();
        serializer.serialize_str(std::str::from_utf8(&text).map_err(serde::ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        deserializer.deserialize_str(TimeVisitor)
    }
}

struct TimeVisitor;

impl Visitor<'_> for TimeVisitor {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time such as \"2026-11-20T10:00:00Z\"")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Time, E> {
        text.parse().map_err(E::custom)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "date-time",
            "description": "RFC 3339; answers are in UTC with milliseconds.",
            "examples": ["2026-11-20T10:00:00.000Z"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        for (time, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_168_800_007, "2026-11-20T10:00:00.007Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(Time(time).to_string(), text);
            assert_eq!(text.parse::<Time>(), Ok(Time(time)));
            assert_eq!(serde_json::to_string(&Time(time)).unwrap(), format!("\"{text}\""));
        }
    }

    #[test]
    fn what_rfc_3339_cannot_write_is_clamped() {
        assert_eq!(Time::MIN.to_string(), "0000-01-01T00:00:00.000Z");
        assert_eq!(Time(Time::MIN.0 - 1), Time(Time::MIN.0 - 1));
        assert_eq!(Time(Time::MIN.0 - 1).to_string(), "0000-01-01T00:00:00.000Z");
        assert_eq!(Time::MAX.to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Time(i64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn every_day_of_eight_centuries_agrees_with_jiff() {
        // The Gregorian calendar repeats after 400 years; two of these and a day on either side.
        for day in -146_098..=146_098 {
            let time = day * DAY + (day * 7919).rem_euclid(DAY);
            let expected = jiff::Timestamp::from_millisecond(time).unwrap();
            assert_eq!(Time(time).to_string(), format!("{expected:.3}"));
            assert_eq!(Time(time).to_string().parse(), Ok(Time(time)));
        }
        for edge in [Time::MIN, Time::MAX] {
            assert_eq!(edge.to_string().parse(), Ok(edge));
        }
    }

    #[test]
    fn any_offset_is_read() {
        for text in [
            "2026-11-20T10:00:00Z",
            "2026-11-20t10:00:00z",
            "2026-11-20T11:00:00+01:00",
            "2026-11-20T04:30:00.000000-05:30",
            "2026-11-20 10:00:00.0009Z",
            "2026-11-20T10:00:00.00000000000000000001Z",
        ] {
            assert_eq!(
                text.parse::<Time>().map(|time| time.to_string()),
                Ok("2026-11-20T10:00:00.000Z".into()),
                "{text}"
            );
        }
        assert_eq!("1969-12-31T23:59:59.9999Z".parse::<Time>(), Ok(Time(-1)));
        assert_eq!("2016-12-31T23:59:60Z".parse::<Time>(), "2016-12-31T23:59:59Z".parse());
        assert_eq!("0000-01-01T00:00:00-00:00".parse::<Time>(), Ok(Time::MIN));
        assert_eq!("9999-12-31T23:59:59.999+00:00".parse::<Time>(), Ok(Time::MAX));
    }

    #[test]
    fn what_is_no_rfc_3339_is_refused() {
        for bad in [
            "",
            "now",
            "2026-11-20",
            "2026-11-20T10:00Z",
            "2026-11-20T10:00:00",
            "2026-11-20T10:00:00+01:00[Europe/Berlin]",
            "2026-13-20T10:00:00Z",
            "2026-02-29T10:00:00Z",
            "+002026-11-20T10:00:00Z",
            "20261120T100000Z",
            "１026-11-20T10:00:00Z",
            "2026-11-20T10:00:00,5Z",
            "2026-11-20T10:00:00.Z",
            "2026-11-20T10:00:00+01",
            "2026-11-20T10:00:00+0100",
            "2026-11-20T10:00:00+01:00:30",
            "2026-11-20T10:00:00+24:00",
            "2026-11-20T10:00:00+01:60",
            "2026-11-20T24:00:00Z",
            "2026-11-20T10:60:00Z",
            "2026-11-20T10:00:61Z",
            "2026-00-20T10:00:00Z",
            "2026-11-00T10:00:00Z",
            "2026-11-31T10:00:00Z",
            // They are in years that cannot be written.
            "0000-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
        ] {
            assert_eq!(bad.parse::<Time>(), Err(TimeError), "{bad:?}");
        }
        assert!(serde_json::from_str::<Time>("1795168800").is_err());
    }

    #[test]
    fn a_plus_that_became_a_blank_in_a_query_is_told() {
        assert_eq!(Time::parse_query("2026-12-24 18:00:00+01:00"), "2026-12-24T17:00:00Z".parse().map_err(Into::into));
        for lost in ["2026-12-24T18:00:00 01:00", "2026-12-24 18:00:00.5 00:30"] {
            assert_eq!(Time::parse_query(lost), Err(QueryTimeError::Blank), "{lost}");
        }
        for bad in ["2026-12-24T18:00:00", "2026-12-24 18:00:00", "2026-12-24T18:00:00 99:00", "", " "] {
            assert_eq!(Time::parse_query(bad), Err(QueryTimeError::NoTime(TimeError)), "{bad}");
        }
        assert!(QueryTimeError::Blank.to_string().ends_with("is itself written `%2B`"));
    }
}
