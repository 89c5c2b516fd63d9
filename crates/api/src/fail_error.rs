//! Why a worker says that an attempt failed.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::limits;
use crate::members::{self, Members};
use crate::text::Text;

/// Why an attempt failed: a problem document (RFC 9457) or a text.
#[derive(Debug, Clone)]
pub enum FailError<'a> {
    /// A problem document; JSON of at most 16 KiB. See [`FailError::to_problem`].
    Problem(&'a RawValue),
    /// A text; see [`FailError::to_problem`].
    Text(Cow<'a, str>),
}

/// The fixed member that a problem has a second time, so that readers would differ about it.
pub(crate) fn given_twice(problem: &RawValue) -> Option<&'static str> {
    Given::of(problem).twice()
}

/// A problem as it was given, member by member.
struct Given<'a>(Members<'a>);

impl<'a> Given<'a> {
    /// The members whose types RFC 9457 fixes (section 3.1): texts, but for the status.
    const FIXED: [&'static str; 5] = ["type", "title", "status", "detail", "instance"];

    /// The `type` of a problem that is said by its title alone (section 4.2.1).
    const NO_TYPE: &'static str = "about:blank";

    fn of(problem: &'a RawValue) -> Given<'a> {
        let mut json = serde_json::Deserializer::from_str(problem.get());
        // It was read as an object; of a key that is no text there is nothing to be found in it.
        Given(members::read(&mut json, "an object", usize::MAX).unwrap_or_default())
    }

    /// Whether a member is to be ignored: "If a member's value type does not match the specified type, the member MUST be
    /// ignored" (section 3.1).
    fn is_ignored(name: &str, value: &RawValue) -> bool {
        match name {
            "status" => value.get().parse::<u16>().is_err(),
            _ => Given::FIXED.contains(&name) && !value.get().starts_with('"'),
        }
    }

    fn twice(&self) -> Option<&'static str> {
        let count = |fixed: &str| self.0.iter().filter(|(name, _)| name == fixed).count();
        Given::FIXED.into_iter().find(|fixed| count(fixed) > 1)
    }

    /// Whether it says what failed, by a type of its own or by a title.
    fn is_named(&self) -> bool {
        self.0.iter().any(|(name, value)| {
            let nothing = match &**name {
                "type" => ["", Given::NO_TYPE],
                "title" => [""; 2],
                _ => return false,
            };
            serde_json::from_str::<Text<'_>>(value.get()).is_ok_and(|text| !nothing.contains(&text.0.trim()))
        })
    }

    /// The problem that is left of it once a reader has ignored what is to be ignored, and that says something in any case;
    /// `None` where it is that already.
    fn mended(mut self) -> Option<String> {
        let given = self.0.len();
        self.0.retain(|(name, value)| !Given::is_ignored(name, value));
        let is_named = self.is_named();
        if is_named && self.0.len() == given {
            return None;
        }
        if !is_named {
            self.0.retain(|(name, _)| name != "title");
            self.0.insert(0, (Cow::Borrowed("title"), serde_json::from_str(r#""failed""#).ok()?));
        }
        serde_json::to_string(&self).ok()
    }
}

impl Serialize for Given<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// A problem made of a text.
#[derive(Serialize)]
struct TextProblem<'a> {
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

impl FailError<'_> {
    /// The most bytes of the `title` that is made of a text.
    pub const TITLE_BYTES: usize = 200;

    /// The most bytes of [`FailError::to_problem`]: those of what came, and of a title that it had not.
    pub const PROBLEM_BYTES: usize = limits::FAILURE_BYTES + r#""title":"failed","#.len();

    /// The title of a failure that says nothing by which it could be told from others.
    const UNTOLD: &'static str = "failed";

    /// The problem of an attempt that failed and gave no error.
    pub const WITHOUT: &'static str = r#"{"title":"failed"}"#;

    /// The problem document as JSON.
    ///
    /// One that came as such is kept byte for byte, but for members whose value has not the type that RFC 9457 gives them
    /// (section 3.1): they are left out. Where neither a `title` nor a `type` of its own says what failed, the title is
    /// `failed`: whoever reads it finds something there, and dead jobs are told by it.
    ///
    /// Of a text its first line that is not blank becomes the `title`, by which failures are grouped, and the whole,
    /// where it is more than that, the `detail`. A text that is too long loses its beginning: the end of an output
    /// says most.
    #[must_use]
    pub fn to_problem(&self) -> Cow<'_, str> {
        match self {
            FailError::Problem(problem) => match Given::of(problem).mended() {
                Some(mended) => Cow::Owned(mended),
                None => Cow::Borrowed(problem.get()),
            },
            FailError::Text(text) => {
                let whole = text.trim();
                let first = whole.lines().next().unwrap_or_default().trim_end();
                let title = &first[..first.floor_char_boundary(FailError::TITLE_BYTES)];
                let title = if title.is_empty() { FailError::UNTOLD } else { title };
                // An escape makes at most six bytes of one; a sixth of the limit, less the title's, cannot exceed it.
                let mut detail = Some(whole).filter(|whole| !whole.is_empty() && *whole != title);
                loop {
                    let problem = serde_json::to_string(&TextProblem { title, detail }).unwrap_or_default();
                    match detail {
                        Some(text) if problem.len() > limits::FAILURE_BYTES => {
                            let most = text.len() - (problem.len() - limits::FAILURE_BYTES).div_ceil(6).min(text.len());
                            detail = Some(&text[text.ceil_char_boundary(text.len() - most)..]);
                        }
                        _ => return Cow::Owned(problem),
                    }
                }
            }
        }
    }
}

impl Serialize for FailError<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            FailError::Problem(problem) => problem.serialize(serializer),
            FailError::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for FailError<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FailError<'a>, D::Error> {
        let json = <&'a RawValue>::deserialize(deserializer)?;
        match json.get().as_bytes().first() {
            Some(b'{') => Ok(FailError::Problem(json)),
            Some(b'"') => {
                let mut string = serde_json::Deserializer::from_str(json.get());
                let text = <Cow<'a, str>>::deserialize(&mut string).map_err(serde::de::Error::custom)?;
                Ok(FailError::Text(text))
            }
            _ => Err(serde::de::Error::custom("is neither a problem object (RFC 9457) nor a text")),
        }
    }
}

/// What the JSON of [`FailError`] looks like.
#[derive(JsonSchema)]
#[schemars(
    description = "Why an attempt failed. Of a problem a member whose value has another type is ignored (RFC 9457, section 3.1)."
)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum FailErrorForms {
    /// A problem document (RFC 9457).
    Problem(crate::problem::Fields),
    /// A text, whose first line becomes the title.
    Text(String),
}

impl JsonSchema for FailError<'_> {
    fn schema_name() -> Cow<'static, str> {
        "FailError".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        FailErrorForms::json_schema(generator)
    }
}

impl fmt::Display for FailError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_problem())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_that_says_nothing_gets_a_title() {
        let problem = |error: &str| {
            let error: &RawValue = serde_json::from_str(error).unwrap();
            FailError::Problem(error).to_problem().into_owned()
        };
        for (given, kept) in [
            ("{}", FailError::WITHOUT),
            (r#"{"title":" "}"#, FailError::WITHOUT),
            (r#"{"detail":"d\u00e9"}"#, r#"{"title":"failed","detail":"d\u00e9"}"#),
            (r#"{"type":"about:blank","status":500}"#, r#"{"title":"failed","type":"about:blank","status":500}"#),
            (r#"{"type":"","title":null}"#, r#"{"title":"failed","type":""}"#),
            (r#"{"type" : "u"}"#, r#"{"type" : "u"}"#),
            (r#"{"type":"about:blank","title":"t"}"#, r#"{"type":"about:blank","title":"t"}"#),
        ] {
            assert_eq!(problem(given), kept, "{given}");
        }
        let longest = format!(r#"{{"detail":"{}"}}"#, "x".repeat(limits::FAILURE_BYTES - 13));
        assert_eq!(problem(&longest).len(), FailError::PROBLEM_BYTES);
    }
}
