//! Reading texts and lists of texts without copying them.
//!
//! serde borrows a plain `Cow<str>` by itself, but makes an owned copy inside of an `Option` or a `Vec`.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

/// A text that borrows from its input unless it holds an escape.
#[derive(Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// A text that stands alone.
pub(crate) fn borrowed<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'a, str>, D::Error> {
    Text::<'a>::deserialize(deserializer).map(|text| text.0)
}

/// For `#[serde(borrow, default, deserialize_with = "text::option")]`.
pub(crate) fn option<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'a, str>>, D::Error> {
    Ok(Option::<Text<'a>>::deserialize(deserializer)?.map(|text| text.0))
}

/// For `#[serde(borrow, default, deserialize_with = "text::list")]`.
pub(crate) fn list<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Cow<'a, str>>, D::Error> {
    Ok(Vec::<Text<'a>>::deserialize(deserializer)?.into_iter().map(|text| text.0).collect())
}
