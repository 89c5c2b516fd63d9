//! Which payloads have a field that is a text: a line for the path, one for the text, and the payload.

use ackd_engine::Field;
use serde_json::Value;

pub(crate) fn check(input: &[u8]) {
    let mut lines = input.splitn(3, |byte| *byte == b'\n');
    let (Some(path), Some(text), Some(payload)) = (lines.next(), lines.next(), lines.next()) else { return };
    let (Ok(path), Ok(text)) = (std::str::from_utf8(path), std::str::from_utf8(text)) else { return };
    let field = match Field::new(path, text) {
        Ok(field) => field,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert!(path.len() <= Field::PATH_BYTES && text.len() <= Field::TEXT_BYTES);
    let is_in = field.is_in(payload);
    let Ok(document) = serde_json::from_slice::<Value>(payload) else {
        // Deeper than most read it may be JSON nevertheless.
        let is_deep = payload.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() > 100;
        return assert!(!is_in || is_deep, "a field in what is no JSON");
    };
    let found = path.split('.').try_fold(&document, |value, part| match value {
        Value::Object(members) => members.get(part),
        Value::Array(items) => {
            let is_index = part == "0" || !part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<usize>().ok().filter(|_| is_index).and_then(|index| items.get(index))
        }
        _ => None,
    });
    match found {
        None | Some(Value::Array(_) | Value::Object(_)) => assert!(!is_in),
        Some(Value::String(string)) => assert_eq!(is_in, string == text),
        Some(Value::Bool(value)) => assert_eq!(is_in, text == if *value { "true" } else { "false" }),
        Some(Value::Null) => assert_eq!(is_in, text == "null"),
        // A reader of documents takes spaces around a number; the text is one.
        Some(Value::Number(_)) if text.trim_ascii() != text => assert!(!is_in),
        Some(Value::Number(number)) => {
            let Ok(Value::Number(wanted)) = serde_json::from_str::<Value>(text) else {
                // It may be a number that is too large for a reader that makes a float of it.
                return assert!(!is_in || text.starts_with(|char: char| char.is_ascii_digit() || char == '-'));
            };
            match (number.as_i64().zip(wanted.as_i64()), number.as_u64().zip(wanted.as_u64())) {
                (Some((number, wanted)), _) => assert_eq!(is_in, number == wanted),
                (None, Some((number, wanted))) => assert_eq!(is_in, number == wanted),
                // Numbers of equal value are equal as floats; those of different value may be so too.
                (None, None) => assert!(!is_in || number.as_f64() == wanted.as_f64(), "{number} {wanted}"),
            }
        }
    }
}
