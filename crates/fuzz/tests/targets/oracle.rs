//! Second opinions: simple readers of what several targets hold the server's against.

use serde_json::Value;

/// What any reader of JSON makes of `json`, which is taken as such; `None` where a number in it is larger than a float can be,
/// which some read and some do not.
pub(crate) fn json(json: &[u8]) -> Option<Value> {
    match serde_json::from_slice(json) {
        Ok(value) => Some(value),
        Err(error) if error.to_string().starts_with("number out of range") => None,
        Err(error) => panic!("{} is taken, and others cannot read it: {error}", json.escape_ascii()),
    }
}

/// Whether `text` is a name (`[A-Za-z0-9][A-Za-z0-9._-]{0,127}`).
pub(crate) fn is_name(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.chars().all(|char| char.is_ascii_alphanumeric() || ['.', '_', '-'].contains(&char))
        && !text.starts_with(['.', '_', '-'])
}

/// `text` without its percent-encoding, as bytes; `None` where a `%` stands without two digits behind it.
pub(crate) fn percent_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if text[at] == b'%' {
            let hex = std::str::from_utf8(text.get(at + 1..at + 3)?).ok()?;
            if !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return None;
            }
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            at += 3;
        } else {
            bytes.push(text[at]);
            at += 1;
        }
    }
    Some(bytes)
}

/// `text` with everything percent-encoded that is not a letter or a digit.
pub(crate) fn percent_encoded(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}
