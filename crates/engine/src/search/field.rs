use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::number::Number;

/// A field of a JSON payload, and what it is to be.
///
/// The text is what a string has to say exactly, or a number in JSON's own form, of equal value however it is written, or
/// `true`, `false` or `null`. An object or an array is equal to no text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field {
    path: String,
    text: String,
}

/// Why no payload can be searched for a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// A part of the path is empty.
    #[error("must be names of fields, and indexes of arrays, with a dot between two of them")]
    Empty,
    /// The path is too long.
    #[error("is a path of {0} bytes; {max} are allowed", max = Field::PATH_BYTES)]
    Long(usize),
    /// The path is too deep.
    #[error("is a path of {0} parts; {max} are allowed", max = Field::DEPTH)]
    Deep(usize),
    /// The text is too long.
    #[error("has a value of {0} bytes; {max} are allowed", max = Field::TEXT_BYTES)]
    Text(usize),
}

impl Field {
    /// The most bytes of a path.
    pub const PATH_BYTES: usize = 256;

    /// The most parts of a path.
    pub const DEPTH: usize = 16;

    /// The most bytes of the text that a field is to be.
    pub const TEXT_BYTES: usize = 1024;

    /// The field at `path`, which is names of fields and indexes of arrays with dots between them, that is `text`.
    ///
    /// # Errors
    /// [`FieldError`] says what is wrong with them.
    pub fn new(path: &str, text: &str) -> Result<Field, FieldError> {
        let depth = path.split('.').count();
        if path.split('.').any(str::is_empty) {
            return Err(FieldError::Empty);
        } else if path.len() > Field::PATH_BYTES {
            return Err(FieldError::Long(path.len()));
        } else if depth > Field::DEPTH {
            return Err(FieldError::Deep(depth));
        } else if text.len() > Field::TEXT_BYTES {
            return Err(FieldError::Text(text.len()));
        }
        Ok(Field { path: path.to_owned(), text: text.to_owned() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What it is to be.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is so in `payload`; never in what is no JSON. Of fields of the same name in one object the last counts.
    #[must_use]
    pub fn is_in(&self, payload: &[u8]) -> bool {
        // What is skipped over is not looked at, and JSON is UTF-8 all over.
        let Ok(payload) = std::str::from_utf8(payload) else { return false };
        let mut json = serde_json::Deserializer::from_str(payload);
        let found = At { path: Some(&self.path) }.deserialize(&mut json);
        let found = found.ok().flatten().filter(|_| json.end().is_ok());
        found.is_some_and(|found| self.is(found.get()))
    }

    fn is(&self, json: &str) -> bool {
        match json.as_bytes().first() {
            Some(b'"') => self.is_string(json),
            Some(b't' | b'f' | b'n') => json == self.text,
            Some(b'-' | b'0'..=b'9') => {
                let wanted = Number::read(&self.text);
                wanted.is_some() && wanted == Number::read(json)
            }
            _ => false,
        }
    }

    fn is_string(&self, json: &str) -> bool {
        // A byte is escaped by six at most: what is longer need not be unescaped.
        let possible = self.text.len() + 2..=6 * self.text.len() + 2;
        possible.contains(&json.len()) && serde_json::from_str::<String>(json).is_ok_and(|string| string == self.text)
    }
}

/// Finds the value at a path, without making anything of what stands elsewhere.
#[derive(Clone, Copy)]
struct At<'p> {
    /// `None` for the value itself.
    path: Option<&'p str>,
}

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        let Some(path) = self.path else { return serde::Deserialize::deserialize(json).map(Some) };
        let (part, rest) = path.split_once('.').map_or((path, None), |(part, rest)| (part, Some(rest)));
        json.deserialize_any(Within { part, rest: At { path: rest } })
    }
}

/// A value in which `part` is looked for.
struct Within<'p> {
    part: &'p str,
    rest: At<'p>,
}

impl<'de> Visitor<'de> for Within<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(is_it) = fields.next_key_seed(Is(self.part))? {
            if is_it {
                found = fields.next_value_seed(self.rest)?;
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        if let Some(index) = index(self.part) {
            for _ in 0..index {
                if items.next_element::<IgnoredAny>()?.is_none() {
                    return Ok(None);
                }
            }
            let found = items.next_element_seed(self.rest)?.flatten();
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(found);
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// The index that a part of a path is, as RFC 6901 writes it: without leading zeros.
fn index(part: &str) -> Option<usize> {
    let is_index = part.bytes().all(|byte| byte.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
    is_index.then(|| part.parse().ok()).flatten()
}

/// Whether the name of a field is this one.
struct Is<'p>(&'p str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_in(path: &str, text: &str, payload: &str) -> bool {
        Field::new(path, text).unwrap().is_in(payload.as_bytes())
    }

    #[test]
    fn a_field_is_found_by_names_and_indexes() {
        let payload =
            r#"{"order":{"id":7,"items":[{"sku":"abc"},{"sku":"def"}],"0":"zero"},"a":[[1,2],[3]],"é x":"y"}"#;
        for (path, text, expected) in [
            ("order.id", "7", true),
            ("order.id", "8", false),
            ("order.items.0.sku", "abc", true),
            ("order.items.1.sku", "abc", false),
            ("order.items.1.sku", "def", true),
            ("order.items.2.sku", "def", false),
            ("order.items.00.sku", "abc", false),
            ("order.items.+1.sku", "def", false),
            ("order.items.sku", "abc", false),
            ("order.items.99999999999999999999.sku", "abc", false),
            ("order.0", "zero", true),
            ("a.0.1", "2", true),
            ("a.1.0", "3", true),
            ("é x", "y", true),
            ("order", "7", false),
            ("order.id.x", "7", false),
            ("nothing", "null", false),
        ] {
            assert_eq!(is_in(path, text, payload), expected, "{path}={text}");
        }
    }

    #[test]
    fn a_text_is_a_string_or_of_equal_value() {
        for (json, text, expected) in [
            (r#""10""#, "10", true),
            (r#""10""#, "10.0", false),
            ("10", "10", true),
            ("10", "10.0", true),
            ("1e1", "10", true),
            ("10", "ten", false),
            ("18446744073709551617", "18446744073709551617", true),
            ("18446744073709551617", "18446744073709551616", false),
            ("9007199254740993", "9007199254740992", false),
            ("-0.0", "0", true),
            ("true", "true", true),
            ("true", "True", false),
            ("true", "1", false),
            ("false", "false", true),
            ("null", "null", true),
            ("null", "", false),
            (r#""null""#, "null", true),
            (r#""""#, "", true),
            (r#""a,b c""#, "a,b c", true),
            (r#""Abc""#, "abc", false),
            (r#""\u00e9\n\ud83d\ude00""#, "é\n😀", true),
            (r#""\u0061\u0062""#, "ab", true),
            (r#""abc""#, "ab", false),
            ("{}", "{}", false),
            (r#"[1]"#, "1", false),
        ] {
            assert_eq!(is_in("f", text, &format!(r#"{{"f" : {json} }}"#)), expected, "{json} {text}");
        }
    }

    #[test]
    fn what_is_no_json_has_no_field() {
        for payload in [
            "",
            "{",
            "f",
            r#"{"f":1"#,
            r#"{"f":1}}"#,
            r#"{"f":1,}"#,
            r#"{"f":1} x"#,
            "\u{feff}{\"f\":1}",
            r#"{"f":1,"g":01}"#,
            "7",
            r#""f""#,
            "null",
            "[1]",
        ] {
            assert!(!is_in("f", "1", payload), "{payload}");
        }
        assert!(is_in("f", "1", " {\"f\":1}\n"));
        assert!(!Field::new("f", "1").unwrap().is_in(b"{\"g\":\"\xff\",\"f\":\"\xff\"}"));
        assert!(!Field::new("f", "1").unwrap().is_in(b"{\"g\":{\"\xff\":1},\"f\":1}"));
    }

    #[test]
    fn of_fields_of_one_name_the_last_counts() {
        let payload = r#"{"a":{"b":1},"a":{"b":2}}"#;
        assert!(is_in("a.b", "2", payload));
        assert!(!is_in("a.b", "1", payload));
        assert!(!is_in("a.b", "1", r#"{"a":{"b":1},"a":7}"#));
    }

    #[test]
    fn what_is_nested_deeply_elsewhere_is_no_hindrance() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(is_in("f", "1", &format!(r#"{{"deep":{deep},"f":1}}"#)));
        assert!(!is_in("f", "1", &format!(r#"{{"f":{deep}}}"#)));
    }

    #[test]
    fn paths_and_texts_are_bounded() {
        let new = |path: &str, text: &str| Field::new(path, text).map(|_| ());
        let deep = |parts: usize| ["a"; 32][..parts].join(".");
        assert_eq!(new(&deep(Field::DEPTH), ""), Ok(()));
        assert_eq!(new(&deep(Field::DEPTH + 1), ""), Err(FieldError::Deep(Field::DEPTH + 1)));
        assert_eq!(new(&"a".repeat(Field::PATH_BYTES), ""), Ok(()));
        assert_eq!(new(&"a".repeat(Field::PATH_BYTES + 1), ""), Err(FieldError::Long(Field::PATH_BYTES + 1)));
        assert_eq!(new("a", &"x".repeat(Field::TEXT_BYTES)), Ok(()));
        assert_eq!(new("a", &"x".repeat(Field::TEXT_BYTES + 1)), Err(FieldError::Text(Field::TEXT_BYTES + 1)));
        for empty in ["", ".", "a.", ".a", "a..b"] {
            assert_eq!(new(empty, ""), Err(FieldError::Empty), "{empty}");
        }
    }
}
