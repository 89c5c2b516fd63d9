//! Durations as `"1m30s"`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration as StdDuration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits;

/// A span of time in whole milliseconds, from nothing to [`limits::DURATION`] (10 years).
///
/// It is read as one or more of `[0-9]+(ms|s|m|h|d)`, which are added up (`"1m30s"`, `"14d"`), and written with
/// `ms`, `s`, `m` and `h` only, largest first (`"336h"`, `"1m30s"`, `"0s"`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(StdDuration);

/// Why a text is no [`Duration`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// The text is empty.
    #[error("a duration is not empty: write it as \"30s\", \"1m30s\" or \"14d\"")]
    Empty,
    /// The text does not follow `([0-9]+(ms|s|m|h|d))+`.
    #[error("a duration is digits and one of ms, s, m, h, d, once or more, as in \"30s\", \"1m30s\" or \"14d\"")]
    Malformed,
    /// The parts add up to more than [`limits::DURATION`].
    #[error("a duration is at most 10 years (3650d)")]
    TooLong,
}

impl Duration {
    /// No time at all.
    pub const ZERO: Duration = Duration(StdDuration::ZERO);

    /// The longest duration, [`limits::DURATION`].
    pub const MAX: Duration = Duration(limits::DURATION);

    /// `span` cut to whole milliseconds, and to [`Duration::MAX`].
    #[must_use]
    pub fn new(span: StdDuration) -> Duration {
        let span = span.min(limits::DURATION);
        // At most 3.2e11 milliseconds, so that nothing is lost.
        Duration(StdDuration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The same span for the standard library.
    #[must_use]
    pub const fn get(self) -> StdDuration {
        self.0
    }

    /// Whether it is no time at all.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// Reads a query parameter or a `Prefer` value, where a bare number means seconds.
    ///
    /// # Errors
    /// [`DurationError`] says what is wrong with the text.
    pub fn parse_query(text: &str) -> Result<Duration, DurationError> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse();
        }
        // Digits alone fail to parse only by being too many.
        let seconds = text.parse::<u64>().map_err(|_| DurationError::TooLong)?;
        Duration::checked(seconds.checked_mul(1000))
    }

    fn checked(milliseconds: Option<u64>) -> Result<Duration, DurationError> {
        match milliseconds.map(StdDuration::from_millis) {
            Some(span) if span <= limits::DURATION => Ok(Duration(span)),
            _ => Err(DurationError::TooLong),
        }
    }
}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Duration, DurationError> {
        if text.is_empty() {
            return Err(DurationError::Empty);
        }
        let mut rest = text;
        // `None` once the sum overflowed: a malformed tail is still the clearer thing to complain about.
        let mut total = Some(0u64);
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at(digits);
            if number.is_empty() {
                return Err(DurationError::Malformed);
            }
            let (factor, tail) = unit(tail).ok_or(DurationError::Malformed)?;
            let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
            total = total.zip(part).and_then(|(sum, part)| sum.checked_add(part));
            rest = tail;
        }
        Duration::checked(total)
    }
}

/// The milliseconds of the unit that `text` starts with, and what follows it.
fn unit(text: &str) -> Option<(u64, &str)> {
    // "ms" before "m", which it starts with.
    const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    UNITS.iter().find_map(|(name, factor)| Some((*factor, text.strip_prefix(name)?)))
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let parts = [
            (seconds / 3600, "h"),
            (seconds / 60 % 60, "m"),
            (seconds % 60, "s"),
            (u64::from(self.0.subsec_millis()), "ms"),
        ];
        if parts.iter().all(|(number, _)| *number == 0) {
            return f.write_str("0s");
        }
        for (number, unit) in parts {
            if number > 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        Ok(())
    }
}

impl From<StdDuration> for Duration {
    fn from(span: StdDuration) -> Duration {
        Duration::new(span)
    }
}

impl From<Duration> for StdDuration {
    fn from(duration: Duration) -> StdDuration {
        duration.0
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        deserializer.deserialize_str(DurationVisitor)
    }
}

struct DurationVisitor;

impl Visitor<'_> for DurationVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"30s\"")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Duration, E> {
        text.parse().map_err(E::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^([0-9]+(ms|s|m|h|d))+$",
            "description": "A duration of at most 10 years, such as \"1m30s\" or \"14d\".",
            "examples": ["30s", "1m30s", "336h"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_read_and_answers_use_hours_at_most() {
        for (text, milliseconds, written) in [
            ("30s", 30_000, "30s"),
            ("1m30s", 90_000, "1m30s"),
            ("30s1m", 90_000, "1m30s"),
            ("14d", 1_209_600_000, "336h"),
            ("90s", 90_000, "1m30s"),
            ("1500ms", 1500, "1s500ms"),
            ("007s", 7000, "7s"),
            ("0s", 0, "0s"),
            ("1h1m1s1ms", 3_661_001, "1h1m1s1ms"),
            ("3650d", 315_360_000_000, "87600h"),
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.get(), StdDuration::from_millis(milliseconds), "{text}");
            assert_eq!(duration.to_string(), written, "{text}");
            assert_eq!(serde_json::to_string(&duration).unwrap(), format!("\"{written}\""));
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        assert_eq!("".parse::<Duration>(), Err(DurationError::Empty));
        for bad in
            ["s", "30", "30 s", "-1s", "1.5s", "1m30", "1w", "1S", "1mss", "ms", "٣s", "1s ", "99999999999999999999999"]
        {
            assert_eq!(bad.parse::<Duration>(), Err(DurationError::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn ten_years_are_the_edge() {
        assert_eq!("3650d".parse::<Duration>(), Ok(Duration::MAX));
        for long in ["3650d1ms", "18446744073709551615ms1ms", "18446744073709551616ms", "18446744073709551615d"] {
            assert_eq!(long.parse::<Duration>(), Err(DurationError::TooLong), "{long}");
        }
        assert_eq!(Duration::new(StdDuration::MAX), Duration::MAX);
        assert_eq!(Duration::new(StdDuration::from_nanos(1_999_999)).get(), StdDuration::from_millis(1));
    }

    #[test]
    fn a_bare_number_is_seconds_in_a_query_only() {
        assert_eq!(Duration::parse_query("30").unwrap().to_string(), "30s");
        assert_eq!(Duration::parse_query("1m30s").unwrap().to_string(), "1m30s");
        assert_eq!(Duration::parse_query("315360000"), Ok(Duration::MAX));
        assert_eq!(Duration::parse_query("315360001"), Err(DurationError::TooLong));
        assert_eq!(Duration::parse_query("99999999999999999999"), Err(DurationError::TooLong));
        assert_eq!(Duration::parse_query(""), Err(DurationError::Empty));
        assert_eq!(Duration::parse_query("+5"), Err(DurationError::Malformed));
        assert!(serde_json::from_str::<Duration>("30").is_err());
    }
}
