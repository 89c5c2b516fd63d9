//! Reading an object member by member, each as it came.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::text::Text;

/// The members of an object in their order, those of one name too.
pub(crate) type Members<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// Reads an object of at most `most` members, which is `what` to whoever sent something else.
pub(crate) fn read<'de, D: Deserializer<'de>>(
    deserializer: D,
    what: &'static str,
    most: usize,
) -> Result<Members<'de>, D::Error> {
    deserializer.deserialize_map(Reader { what, most })
}

struct Reader {
    what: &'static str,
    most: usize,
}

impl<'de> Visitor<'de> for Reader {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
            if members.len() == self.most {
                return Err(Error::custom(format_args!("has more than {} members", self.most)));
            }
            members.push((name, map.next_value()?));
        }
        Ok(members)
    }
}
