//! Reading texts and lists of texts without copying them, and lists that may be null.
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

/// For `#[serde(borrow, deserialize_with = "text::list")]`, of a list that must be there.
pub(crate) fn list<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Cow<'a, str>>, D::Error> {
    Ok(Vec::<Text<'a>>::deserialize(deserializer)?.into_iter().map(|text| text.0).collect())
}

/// For `#[serde(borrow, default, deserialize_with = "text::list_or_null")]`.
pub(crate) fn list_or_null<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Cow<'a, str>>, D::Error> {
    Ok(any_or_null::<D, Text<'a>>(deserializer)?.into_iter().map(|text| text.0).collect())
}

/// A list that may be left out, of anything: null is an absence in it as in every other field that may be. Many clients
/// write null for what they have not set.
pub(crate) fn any_or_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}
