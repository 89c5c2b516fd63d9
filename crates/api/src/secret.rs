//! Texts that must not reach a log.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::text;

/// A text that `Debug` does not show. It goes over the wire as it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Secret<'a>(Cow<'a, str>);

impl<'a> Secret<'a> {
    /// Keeps `text` from being shown by accident.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Secret<'a> {
        Secret(text.into())
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Reads a secret without copying it, for `#[serde(borrow, deserialize_with = "secret::borrowed")]`.
pub(crate) fn borrowed<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Secret<'a>, D::Error> {
    text::borrowed(deserializer).map(Secret)
}

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_to_the_wire_and_to_nothing_else() {
        let secret: Secret<'_> = serde_json::from_str("\"whsec_x\"").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"whsec_x\"");
    }
}
