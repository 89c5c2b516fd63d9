//! Laying JSON out. Only the white space changes: numbers and the order of members stay as they came, which reading
//! and writing them again would not promise.

/// Valid JSON on one line.
pub(crate) fn compact(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    tokens(json, |token| text.push_str(token));
    text
}

/// Valid JSON over as many lines as it has parts.
pub(crate) fn pretty(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let mut depth = 0;
    let mut is_after_opening = false;
    tokens(json, |token| {
        let is_closing = matches!(token, "}" | "]");
        if is_closing {
            depth -= 1;
        }
        // Nothing stands inside of an empty object or list.
        if is_after_opening != is_closing && (is_after_opening || is_closing) {
            new_line(&mut text, depth);
        }
        is_after_opening = matches!(token, "{" | "[");
        // Characters of C1 and DEL may stand in JSON, and would be obeyed by some terminals.
        text.extend(token.chars().map(|char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char }));
        match token {
            "{" | "[" => depth += 1,
            "," => new_line(&mut text, depth),
            ":" => text.push(' '),
            _ => {}
        }
    });
    text
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
}

/// Calls `each` with every token of valid JSON: a mark, a string with its quotes, a number or a word.
fn tokens<'a>(json: &'a str, mut each: impl FnMut(&'a str)) {
    let bytes = json.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let length = match byte {
            b'{' | b'}' | b'[' | b']' | b',' | b':' => 1,
            b'"' => string(&bytes[at..]),
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            _ => {
                let is_end = |byte: &u8| matches!(byte, b'}' | b']' | b',' | b':' | b' ' | b'\t' | b'\r' | b'\n');
                bytes[at..].iter().position(is_end).unwrap_or(bytes.len() - at)
            }
        };
        each(&json[at..at + length]);
        at += length;
    }
}

/// The length of the string that `bytes` begins with.
fn string(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_white_space_outside_of_strings_goes() {
        assert_eq!(
            compact("{ \"b \\\" \\\\\" : [ 1.0e400 ,\n 12345678901234567890123 ] , \"a\" : \"é, \" }\n"),
            r#"{"b \" \\":[1.0e400,12345678901234567890123],"a":"é, "}"#
        );
        for scalar in ["1", "\"x\"", "null", "true", "-0.5"] {
            assert_eq!((compact(scalar).as_str(), pretty(scalar).as_str()), (scalar, scalar));
        }
    }

    #[test]
    fn parts_stand_on_lines_of_their_own() {
        let text = r#"{"b":{},"a":[1,[ ],{"c":"x, y"}],"d":null}"#;
        let expected =
            "{\n  \"b\": {},\n  \"a\": [\n    1,\n    [],\n    {\n      \"c\": \"x, y\"\n    }\n  ],\n  \"d\": null\n}";
        assert_eq!(pretty(text), expected);
        assert_eq!(compact(expected), text.replace("[ ]", "[]"));
        assert_eq!(pretty("[]"), "[]");
        assert_eq!(pretty("\"\u{9b}31m\""), "\"\u{fffd}31m\"");
    }
}
