//! Spans and points of time: `1m30s`, and RFC 3339.

use ackd_api::{Duration, Time, duration::DurationError};

pub(crate) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    span(text);
    point(text);
}

fn span(text: &str) {
    let read = text.parse::<Duration>();
    assert_eq!(read.map(|span| span.get().as_millis()), added_up(text));
    match Duration::parse_query(text) {
        Ok(span) if read.is_err() => {
            assert_eq!(text.trim_start_matches('0').parse().unwrap_or(0), span.get().as_secs())
        }
        other => assert!(other == read || text.bytes().all(|byte| byte.is_ascii_digit())),
    }
    if let Ok(span) = read {
        assert!(span <= Duration::MAX);
        let written = span.to_string();
        assert_eq!(written.parse(), Ok(span));
        assert!(!written.contains('d'));
    }
}

/// The milliseconds, with numbers of any size.
fn added_up(text: &str) -> Result<u128, DurationError> {
    if text.is_empty() {
        return Err(DurationError::Empty);
    }
    let (mut rest, mut sum) = (text, 0u128);
    while !rest.is_empty() {
        let unit =
            rest.find(|char: char| !char.is_ascii_digit()).filter(|at| *at > 0).ok_or(DurationError::Malformed)?;
        let end = rest[unit..].find(|char: char| char.is_ascii_digit()).map_or(rest.len(), |at| unit + at);
        let factor = match &rest[unit..end] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(DurationError::Malformed),
        };
        // One that is larger than any is as good as the largest.
        let number = rest[..unit].parse().unwrap_or(u128::from(u64::MAX)).min(u128::from(u64::MAX));
        sum = sum.saturating_add(number * factor);
        rest = &rest[end..];
    }
    if sum > Duration::MAX.get().as_millis() { Err(DurationError::TooLong) } else { Ok(sum) }
}

fn point(text: &str) {
    let read = text.parse::<Time>();
    assert_eq!(read.ok().map(|time| time.0), rfc_3339(text), "{text}");
    let Ok(time) = read else { return };
    assert_eq!(time.to_string().parse(), Ok(time));
    // jiff reads all of it but the last two days of the year 9999, and more than nine digits of a second.
    if let Ok(other) = text.parse::<jiff::Timestamp>() {
        assert_eq!(other.as_nanosecond().div_euclid(1_000_000), i128::from(time.0), "{text}");
    }
}

/// The milliseconds since 1970 of a time by the grammar of RFC 3339, section 5.6.
fn rfc_3339(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| {
        let digits = bytes.get(from..to)?;
        digits.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(digits).ok()?.parse::<i64>().ok())?
    };
    let is = |at: usize, these: &[u8]| bytes.get(at).filter(|byte| these.contains(byte)).map(|_| ());
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    is(4, b"-").and(is(7, b"-")).and(is(10, b"Tt ")).and(is(13, b":")).and(is(16, b":"))?;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    // A leap second is read as the one before it.
    if !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut at = 19;
    let mut millis = 0;
    if is(at, b".").is_some() {
        let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let three: String = text[at + 1..at + 1 + digits].chars().chain("000".chars()).take(3).collect();
        millis = (digits > 0).then(|| three.parse::<i64>().ok())??;
        at += 1 + digits;
    }
    let offset = if is(at, b"Zz").is_some() {
        at += 1;
        0
    } else {
        let sign = is(at, b"+").map(|()| 1).or(is(at, b"-").map(|()| -1))?;
        let (hours, minutes) = (number(at + 1, at + 3)?, number(at + 4, at + 6)?);
        is(at + 3, b":")?;
        at += 6;
        ((0..24).contains(&hours) && minutes < 60).then_some(sign * (hours * 60 + minutes))?
    };
    (at == bytes.len()).then_some(())?;
    // Day by day from March on, so that a leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * month + 2) / 5 + day - 1;
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - 719_468;
    let seconds = if second == 60 { 59 } else { second };
    let time = (((days * 24 + hour) * 60 + minute - offset) * 60 + seconds) * 1000 + millis;
    (Time::MIN.0..=Time::MAX.0).contains(&time).then_some(time)
}
