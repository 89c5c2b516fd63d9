//! Texts that only the server reads: lease tokens, positions, and where a list goes on.
//!
//! A position and a page token carry a check, so that a text which was cut off, mixed up or made up is refused and not
//! taken for a place. It keeps mistakes out, not attackers: there is nothing to gain by a forged one.

use std::fmt;

use ackd_domain::{LeaseToken, Position};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use xxhash_rust::xxh3::xxh3_64_with_seed;

const POSITION_SEED: u64 = u64::from_be_bytes(*b"position");
const PAGE_SEED: u64 = u64::from_be_bytes(*b"pagetokn");

/// A short ASCII text that lives where it is used.
#[derive(Clone, Copy)]
pub(crate) struct Text<const N: usize>([u8; N]);

impl<const N: usize> Text<N> {
    fn of(bytes: &[u8]) -> Text<N> {
        let mut text = [b'A'; N];
        // `N` is the length of what `bytes` encode to: nothing is left out.
        let _ = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
        Text(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    // The exact length first: the decoder would need room for a longer one.
    let right = text.len() == (N * 4).div_ceil(3) && URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) == Ok(N);
    right.then_some(bytes)
}

/// The token as the API writes it.
pub(crate) fn lease(token: &LeaseToken) -> Text<43> {
    Text::of(&token.to_bytes())
}

/// The lease's token as the API writes it, for whoever else hands one to a worker.
#[must_use]
pub fn lease_text(lease: &LeaseToken) -> String {
    self::lease(lease).to_string()
}

/// The token that is written so. There may be no such lease.
pub(crate) fn read_lease(text: &str) -> Option<LeaseToken> {
    decode(text).map(|bytes| LeaseToken::from_bytes(&bytes))
}

/// The position as the API writes it.
pub(crate) fn position(position: Position) -> Text<16> {
    let number = position.0.to_be_bytes();
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&number);
    bytes[8..].copy_from_slice(&position_check(number));
    Text::of(&bytes)
}

/// The position that is written so.
pub(crate) fn read_position(text: &str) -> Option<Position> {
    let (number, check) = split::<8, 4>(&decode::<12>(text)?)?;
    (position_check(number) == check).then_some(Position(u64::from_be_bytes(number)))
}

fn position_check(number: [u8; 8]) -> [u8; 4] {
    let [a, b, c, d, ..] = xxh3_64_with_seed(&number, POSITION_SEED).to_be_bytes();
    [a, b, c, d]
}

/// Where the list of `filter` goes on: below the job with this number.
pub(crate) fn page(before: u64, filter: &str) -> Text<22> {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&before.to_be_bytes());
    bytes[8..].copy_from_slice(&page_check(before, filter));
    Text::of(&bytes)
}

/// The number that the token of `filter`'s list names; `None` where it is of another list, or of none.
pub(crate) fn read_page(text: &str, filter: &str) -> Option<u64> {
    let (number, check) = split::<8, 8>(&decode::<16>(text)?)?;
    let before = u64::from_be_bytes(number);
    (page_check(before, filter) == check).then_some(before)
}

fn page_check(before: u64, filter: &str) -> [u8; 8] {
    xxh3_64_with_seed(filter.as_bytes(), PAGE_SEED ^ before).to_be_bytes()
}

fn split<const A: usize, const B: usize>(bytes: &[u8]) -> Option<([u8; A], [u8; B])> {
    let (a, b) = bytes.split_first_chunk::<A>()?;
    Some((*a, b.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_back() {
        let token = LeaseToken { number: 7, fence: Position(9), secret: u128::MAX / 3 };
        assert_eq!(read_lease(lease(&token).as_str()), Some(token));
        for number in [0, 1, 1 << 40, u64::MAX] {
            assert_eq!(read_position(position(Position(number)).as_str()), Some(Position(number)));
            assert_eq!(read_page(page(number, "f").as_str(), "f"), Some(number));
        }
    }

    #[test]
    fn a_text_that_was_not_given_out_is_no_position() {
        let given = position(Position(12)).to_string();
        let with_byte = |at: usize, byte: char| {
            let mut text = given.clone();
            text.replace_range(at..=at, &byte.to_string());
            text
        };
        for text in
            ["", "12", "earliest", &given[1..], &(given.clone() + "A"), &with_byte(10, '_'), &with_byte(15, '~')]
        {
            assert_eq!(read_position(text), None, "{text}");
        }
    }

    #[test]
    fn a_page_token_is_of_one_filter() {
        let token = page(12, "a").to_string();
        assert_eq!(read_page(&token, "b"), None);
        assert_eq!(read_page("", "a"), None);
        assert_eq!(read_page(position(Position(12)).as_str(), "a"), None);
    }

    #[test]
    fn a_lease_s_token_is_43_characters() {
        let text = lease(&LeaseToken { number: 1, fence: Position(2), secret: 3 }).to_string();
        assert_eq!(text.len(), 43);
        for bad in ["", &text[1..], &format!("{text}A"), &text.replace('A', "+"), &"é".repeat(22)] {
            assert_eq!(read_lease(bad), None, "{bad}");
        }
    }
}
