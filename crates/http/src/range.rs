//! Parts of a file (RFC 9110, section 14).

use std::ops::Range;

use http::HeaderMap;
use http::header;

/// What a request would have of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it.
    Whole,
    /// These bytes, of which there is one at least.
    Part(Range<u64>),
    /// What it does not have.
    Nothing,
}

/// What the headers of a `GET` ask for of `size` bytes with this entity tag. What cannot be understood, and several parts at
/// once, are the whole, as section 14.2 allows.
pub(crate) fn wanted(headers: &HeaderMap, size: u64, etag: &str) -> Wanted {
    let mut ranges = headers.get_all(header::RANGE).iter();
    let (Some(range), None) = (ranges.next(), ranges.next()) else { return Wanted::Whole };
    // Who has a part of another file gets the whole of this one (section 13.1.5).
    if headers.get(header::IF_RANGE).is_some_and(|tag| tag != etag) {
        return Wanted::Whole;
    }
    range.to_str().ok().and_then(|range| part(range, size)).unwrap_or(Wanted::Whole)
}

fn part(range: &str, size: u64) -> Option<Wanted> {
    let (unit, range) = range.split_once('=')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    if first.is_empty() {
        return match number(last)? {
            0 => Some(Wanted::Nothing),
            _ if size == 0 => None,
            length => Some(Wanted::Part(size.saturating_sub(length)..size)),
        };
    }
    let first = number(first)?;
    let end = if last.is_empty() { u64::MAX } else { number(last)?.saturating_add(1) };
    if !last.is_empty() && end <= first {
        return None;
    }
    Some(if first < size { Wanted::Part(first..end.min(size)) } else { Wanted::Nothing })
}

/// A number of digits alone; one that is larger than any is the largest.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn of(range: &'static str, size: u64) -> Wanted {
        let headers = HeaderMap::from_iter([(header::RANGE, HeaderValue::from_static(range))]);
        wanted(&headers, size, "\"t\"")
    }

    #[test]
    fn a_part_is_cut_to_the_file() {
        for (range, part) in [
            ("bytes=0-0", 0..1),
            ("bytes=0-9", 0..10),
            ("Bytes = 0-9", 0..10),
            ("bytes=9-9", 9..10),
            ("bytes=9-", 9..10),
            ("bytes=0-10", 0..10),
            ("bytes=5-99999999999999999999999", 5..10),
            ("bytes=-1", 9..10),
            ("bytes=-10", 0..10),
            ("bytes=-11", 0..10),
        ] {
            let range = range.replace(" = ", "=");
            let headers = HeaderMap::from_iter([(header::RANGE, HeaderValue::try_from(range.clone()).unwrap())]);
            assert_eq!(wanted(&headers, 10, ""), Wanted::Part(part), "{range}");
        }
    }

    #[test]
    fn what_is_not_there_is_told_from_what_is_not_understood() {
        for range in ["bytes=10-", "bytes=10-10", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(of(range, 10), Wanted::Nothing, "{range}");
        }
        for range in
            ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "lines=0-1", "bytes=0-1,3-4", "bytes=+1-2"]
        {
            assert_eq!(of(range, 10), Wanted::Whole, "{range}");
        }
        assert_eq!(of("bytes=0-", 0), Wanted::Nothing);
        assert_eq!(of("bytes=-5", 0), Wanted::Whole);
    }

    #[test]
    fn a_part_of_another_file_is_not_gone_on_with() {
        let mut headers = HeaderMap::from_iter([(header::RANGE, HeaderValue::from_static("bytes=1-2"))]);
        headers.insert(header::IF_RANGE, HeaderValue::from_static("\"t\""));
        assert_eq!(wanted(&headers, 10, "\"t\""), Wanted::Part(1..3));
        assert_eq!(wanted(&headers, 10, "\"u\""), Wanted::Whole);
        headers.append(header::RANGE, HeaderValue::from_static("bytes=1-2"));
        assert_eq!(wanted(&headers, 10, "\"t\""), Wanted::Whole);
    }
}
