//! Histories as text: one record a line, JSON.

use rustc_hash::FxHashMap;
use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

use crate::record::Record;

/// The ids of a history as text, and the numbers that stand for them.
#[derive(Debug, Default)]
pub struct Names(FxHashMap<Box<str>, u64>);

/// Why a line is no record.
#[derive(Debug, thiserror::Error)]
#[error("not a record: {0}")]
pub struct LineError(#[from] serde_json::Error);

impl Names {
    /// The number of `text`, the same each time.
    pub fn number(&mut self, text: &str) -> u64 {
        if let Some(number) = self.0.get(text) {
            return *number;
        }
        let number = self.0.len() as u64;
        self.0.insert(text.into(), number);
        number
    }

    /// The texts by their numbers. They are asked for seldom, so that they are put in order only then.
    #[must_use]
    pub fn texts(&self) -> Vec<&str> {
        let mut texts: Vec<(u64, &str)> = self.0.iter().map(|(text, number)| (*number, &**text)).collect();
        texts.sort_unstable();
        texts.into_iter().map(|(_, text)| text).collect()
    }
}

/// An id in a line: most need no copy.
struct Id<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Id<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Id<'a>, D::Error> {
        struct Text;
        impl<'de> serde::de::Visitor<'de> for Text {
            type Value = Id<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an id, which is a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Id<'de>, E> {
                Ok(Id(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Id<'de>, E> {
                Ok(Id(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// The record of a line.
///
/// # Errors
/// [`LineError`] says what is wrong with it.
pub fn read_line(line: &str, names: &mut Names) -> Result<Record<u64>, LineError> {
    let record: Record<Id<'_>> = serde_json::from_str(line)?;
    Ok(record.map(&mut |id: Id<'_>| names.number(&id.0)))
}

/// The line of a record, without its end; ids are written as `text` names them.
#[must_use]
pub fn write_line(record: &Record<u64>, mut text: impl FnMut(u64) -> String) -> String {
    let record = record.clone().map(&mut |id| text(id));
    // A record is of strings and numbers, which can always be written.
    serde_json::to_string(&record).unwrap_or_default()
}
