//! Whole numbers whose range is checked once they are read.

use serde::{Deserialize, Deserializer};

use crate::Patch;

/// A type that is wider than the range of its field.
pub(crate) trait Wide: TryFrom<i64> {
    /// What stands for every number that has no place in it. It must be out of the field's range.
    const OUTSIDE: Self;
}

impl Wide for u8 {
    const OUTSIDE: u8 = u8::MAX;
}

impl Wide for u16 {
    const OUTSIDE: u16 = u16::MAX;
}

impl Wide for u32 {
    const OUTSIDE: u32 = u32::MAX;
}

/// Reads a whole number, whatever its size: the check of the field's range says of -1 what it says of 10, and not what
/// type it has here.
pub(crate) fn option<'de, D: Deserializer<'de>, T: Wide>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<i64>::deserialize(deserializer)?.map(within))
}

/// The same of a field that must be there.
pub(crate) fn whole<'de, D: Deserializer<'de>, T: Wide>(deserializer: D) -> Result<T, D::Error> {
    i64::deserialize(deserializer).map(within)
}

fn within<T: Wide>(number: i64) -> T {
    T::try_from(number).unwrap_or(T::OUTSIDE)
}

/// The same of a field that null takes back to its default.
pub(crate) fn patch<'de, D: Deserializer<'de>, T: Wide>(deserializer: D) -> Result<Patch<T>, D::Error> {
    Ok(option(deserializer)?.map_or(Patch::Null, Patch::Value))
}
