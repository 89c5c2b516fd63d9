//! Texts that only the server makes: positions of the feed, pages of lists, tokens of leases, ids.

use ackd_domain::{JobId, Position};
use ackd_http::{fuzzing, lease_text};

/// The query of a list, and another.
const FILTERS: [&str; 2] = ["a", "b"];

pub(crate) fn check(input: &[u8]) {
    given_out(input);
    let Ok(text) = std::str::from_utf8(input) else { return };
    // What is read is written so, and in no other way.
    if let Some(position) = fuzzing::read_position(text) {
        assert_eq!(fuzzing::position(position), text);
    }
    if let Some(before) = fuzzing::read_page(text, FILTERS[0]) {
        assert_eq!(fuzzing::page(before, FILTERS[0]), text);
        assert_eq!(fuzzing::read_page(text, FILTERS[1]), None);
    }
    if let Some(lease) = fuzzing::read_lease(text) {
        assert_eq!(lease_text(&lease), text);
    }
    if let Ok(id) = text.parse::<JobId>() {
        assert_eq!(id.to_string(), text.to_ascii_lowercase());
    }
}

/// A text that differs from one that was given out, in its check or in its length, is refused.
fn given_out(input: &[u8]) {
    let [number @ .., at, byte] = input else { return };
    let number = number.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    let position = fuzzing::position(Position(number));
    assert_eq!(fuzzing::read_position(&position), Some(Position(number)));
    let page = fuzzing::page(number, FILTERS[0]);
    assert_eq!(fuzzing::read_page(&page, FILTERS[0]), Some(number));
    assert_eq!(fuzzing::read_page(&page, FILTERS[1]), None);
    // Of both the number ends in the eleventh character: what is behind it is the check alone.
    for text in [&position, &page] {
        let at = 11 + usize::from(*at) % (text.len() - 11);
        let mut changed = text.clone().into_bytes();
        changed[at] = byte & 0x7f;
        let changed = String::from_utf8(changed).unwrap();
        let longer = format!("{text}{}", char::from(byte & 0x7f));
        for other in [&changed, &longer, &text[1..], &text[..at]] {
            let is_same = other == text;
            assert!(is_same || fuzzing::read_position(other).is_none(), "{other}");
            assert!(is_same || fuzzing::read_page(other, FILTERS[0]).is_none(), "{other}");
        }
    }
}
