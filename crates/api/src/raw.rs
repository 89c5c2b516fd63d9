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

/// Whether arrays and objects are nested at most [`limits::DEPTH`] deep.
///
/// serde_json skips over a [`RawValue`] without recursion and so without a limit; whoever parses it later would meet
/// the depth.
#[must_use]
pub fn is_shallow(json: &RawValue) -> bool {
    let bytes = json.get().as_bytes();
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

#[cfg(test)]
mod tests {
    use super::*;

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
