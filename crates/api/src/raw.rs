//! JSON that is carried and not looked into.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::limits;

/// JSON byte for byte as it came.
pub type Json<'a> = Cow<'a, RawValue>;

/// Reads JSON without copying it. A `null` that is written out is a value too, and not an absence.
pub(crate) fn option<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&'a RawValue>::deserialize(deserializer).map(Some)
}

/// Why JSON is not carried although it is some: who has to parse it later could not, nor any document that it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RawError {
    /// Arrays and objects are nested deeper than [`limits::DEPTH`].
    #[error("is nested deeper than {} levels", limits::DEPTH)]
    Deep,
    /// A text has an escape of `\ud800` to `\udfff` that is not one of a pair, and so no character of Unicode (RFC 8259,
    /// section 8.2).
    #[error("holds an escape of \\ud800 to \\udfff that is half of a pair, and so no character")]
    Half,
}

/// Checks what serde_json does not, for it skips over a [`RawValue`] without recursion and without a look at escapes.
///
/// # Errors
/// [`RawError`] says what cannot be read.
pub fn check(json: &RawValue) -> Result<(), RawError> {
    let bytes = json.get().as_bytes();
    match (is_shallow(bytes), is_paired(bytes)) {
        (false, _) => Err(RawError::Deep),
        (_, false) => Err(RawError::Half),
        _ => Ok(()),
    }
}

/// Whether arrays and objects are nested at most [`limits::DEPTH`] deep.
fn is_shallow(bytes: &[u8]) -> bool {
    // `[` and `{` differ in one bit from each other. Fewer of them than the limit, inside of strings or not, cannot be
    // nested deeper than it: a count that the compiler turns into vector instructions settles nearly every payload.
    let opening = bytes.iter().filter(|byte| **byte | 0x20 == b'{').count();
    opening <= limits::DEPTH || depth(bytes) <= limits::DEPTH
}

/// How deep arrays and objects are nested in valid JSON: 0 for a scalar.
fn depth(json: &[u8]) -> usize {
    let (mut now, mut deepest) = (0usize, 0usize);
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                now += 1;
                deepest = deepest.max(now);
            }
            b']' | b'}' => now = now.saturating_sub(1),
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => {
                            bytes.next();
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    deepest
}

/// Whether each escape of half a surrogate pair in valid JSON has its other half behind it.
fn is_paired(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let unit = unit(&rest[at..]);
        let escape = match unit {
            Some(0xd800..=0xdbff) if matches!(self::unit(&rest[at + 6..]), Some(0xdc00..=0xdfff)) => 12,
            Some(0xd800..=0xdfff) => return false,
            Some(_) => 6,
            None => 2,
        };
        rest = rest.get(at + escape..).unwrap_or_default();
    }
    true
}

/// The number that stands in an escape of this form at the beginning: `\u00e9`.
fn unit(text: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(text.strip_prefix(b"\\u")?.get(..4)?).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_shallow(json: &RawValue) -> bool {
        check(json) != Err(RawError::Deep)
    }

    #[test]
    fn half_a_pair_is_no_character() {
        for good in [r#""\ud83d\ude00""#, r#""\\ud800""#, r#""\ud7ff\ue000\u0000""#, r#"["\n\"\\","\uD83D\uDE00x"]"#] {
            assert_eq!(check(raw(good)), Ok(()), "{good}");
        }
        for half in [
            r#""\ud83d""#,
            r#""\ude00""#,
            r#""\ud83d\n""#,
            r#""\ud83d\u0041""#,
            r#""\ud83d\ud83d\ude00""#,
            r#""\ude00\ud83d""#,
            r#"{"\\\uDFFF":1}"#,
        ] {
            assert_eq!(check(raw(half)), Err(RawError::Half), "{half}");
        }
        assert_eq!(check(raw(&format!("[\"\\ud800\",{}]", nested(limits::DEPTH)))), Err(RawError::Deep));
    }

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    fn nested(depth: usize) -> String {
        "[".repeat(depth) + &"]".repeat(depth)
    }

    #[test]
    fn a_hundred_levels_are_the_edge() {
        assert!(is_shallow(raw("1")));
        assert!(is_shallow(raw(&nested(limits::DEPTH))));
        assert!(!is_shallow(raw(&nested(limits::DEPTH + 1))));
        assert!(!is_shallow(raw(&nested(100_000))));
        let objects = "{\"a\":".repeat(limits::DEPTH + 1) + "1" + &"}".repeat(limits::DEPTH + 1);
        assert!(!is_shallow(raw(&objects)));
    }

    #[test]
    fn width_and_brackets_in_strings_are_no_depth() {
        assert!(is_shallow(raw(&format!("[{}[]]", "[],".repeat(1000)))));
        assert!(is_shallow(raw(&format!("\"{}\"", "[{".repeat(1000)))));
        assert!(is_shallow(raw(&format!("\"{}\"", "\\\"[\\\\".repeat(1000)))));
        assert_eq!(depth(br#"{"a":["]\"[",{"b":[]}]}"#), 4);
    }
}
