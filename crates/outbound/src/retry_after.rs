use std::time::{Duration, UNIX_EPOCH};

use ackd_domain::Timestamp;

/// Reads `Retry-After` (RFC 9110, section 10.2.3): seconds, or the date until which to wait, as of `now`. A date that has
/// passed is no wait; what is neither says nothing.
pub(crate) fn parse(value: &[u8], now: Timestamp) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than fit are as good as for ever.
        return Some(Duration::from_secs(text.parse::<u32>().unwrap_or(u32::MAX).into()));
    }
    let date = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let date = i64::try_from(date.as_millis()).unwrap_or(i64::MAX);
    Some(Timestamp::from_millis(date).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_nothing_else() {
        // Sun, 06 Nov 1994 08:49:37 GMT
        let then = Timestamp::from_millis(784_111_777_000);
        let before = Timestamp::from_millis(784_111_777_000 - 90_500);
        let millis = Duration::from_millis;
        for (value, now, wait) in [
            ("0", then, Some(millis(0))),
            ("120", then, Some(millis(120_000))),
            (" 7 ", then, Some(millis(7000))),
            ("4294967295", then, Some(Duration::from_secs(u32::MAX.into()))),
            ("4294967296", then, Some(Duration::from_secs(u32::MAX.into()))),
            ("99999999999999999999999999", then, Some(Duration::from_secs(u32::MAX.into()))),
            ("Sun, 06 Nov 1994 08:49:37 GMT", before, Some(millis(90_500))),
            ("Sun, 06 Nov 1994 08:49:37 GMT", then, Some(millis(0))),
            ("Sun, 06 Nov 1994 08:49:36 GMT", then, Some(millis(0))),
            ("Sunday, 06-Nov-94 08:49:37 GMT", before, Some(millis(90_500))),
            ("Sun Nov  6 08:49:37 1994", before, Some(millis(90_500))),
            ("", then, None),
            ("-1", then, None),
            ("1.5", then, None),
            ("+5", then, None),
            ("soon", then, None),
            ("Sun, 99 Nov 1994 08:49:37 GMT", then, None),
        ] {
            assert_eq!(parse(value.as_bytes(), now), wait, "{value:?}");
        }
        assert_eq!(parse(b"\xff", then), None);
    }
}
