use std::borrow::Borrow;
use std::fmt;
use std::sync::{Arc, LazyLock};

/// A name of a queue, topic, schedule, webhook or worker: `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`.
///
/// Cloning shares the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Why a text is no [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("a name has at least one character")]
    Empty,
    /// The text is longer than [`Name::MAX_LEN`].
    #[error("a name has at most {max} characters", max = Name::MAX_LEN)]
    TooLong,
    /// A character other than a letter, a digit, `.`, `_` or `-`, or a first one that is no letter or digit.
    #[error("a name is of A-Z, a-z, 0-9, '.', '_' and '-', and starts with a letter or a digit")]
    BadCharacter,
}

impl Name {
    /// The most characters a name has.
    pub const MAX_LEN: usize = 128;

    /// What the names of the server's own queues start with; clients may not use it.
    pub const RESERVED_PREFIX: &'static str = "ackd.";

    /// The server's own queue of deliveries, and of the consumer of the change feed that makes them.
    #[must_use]
    pub fn webhooks() -> &'static Name {
        static WEBHOOKS: LazyLock<Name> = LazyLock::new(|| Name(Arc::from("ackd.webhooks")));
        &WEBHOOKS
    }

    /// The server's own queue of bulk jobs, which clients may see by their ids.
    #[must_use]
    pub fn bulk() -> &'static Name {
        static BULK: LazyLock<Name> = LazyLock::new(|| Name(Arc::from("ackd.bulk")));
        &BULK
    }

    /// Checks `text` and keeps it.
    ///
    /// # Errors
    /// [`NameError`] says which part of the rule was broken.
    pub fn new(text: &str) -> Result<Name, NameError> {
        let bytes = text.as_bytes();
        let Some(first) = bytes.first() else { return Err(NameError::Empty) };
        if bytes.len() > Name::MAX_LEN {
            return Err(NameError::TooLong);
        }
        let follows = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if !first.is_ascii_alphanumeric() || !bytes.iter().all(follows) {
            return Err(NameError::BadCharacter);
        }
        Ok(Name(Arc::from(text)))
    }

    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name belongs to the server itself.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with(Name::RESERVED_PREFIX)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_follows_the_rule_to_its_edges() {
        for good in ["a", "0", "Video.720p_x-1", &"n".repeat(128)] {
            assert_eq!(Name::new(good).map(|name| name.to_string()), Ok(good.to_owned()));
        }
        assert_eq!(Name::new(""), Err(NameError::Empty));
        assert_eq!(Name::new(&"n".repeat(129)), Err(NameError::TooLong));
        for bad in [".a", "-a", "_a", "a b", "a/b", "ä", "a\n", "a\0"] {
            assert_eq!(Name::new(bad), Err(NameError::BadCharacter), "{bad:?}");
        }
    }

    #[test]
    fn the_servers_own_names_are_told_apart() {
        assert!(Name::new("ackd.deliveries").unwrap().is_reserved());
        assert_eq!(Name::new(Name::webhooks().as_str()).as_ref(), Ok(Name::webhooks()));
        assert!(Name::webhooks().is_reserved());
        assert_eq!(Name::new(Name::bulk().as_str()).as_ref(), Ok(Name::bulk()));
        assert!(Name::bulk().is_reserved());
        assert!(!Name::new("ackd").unwrap().is_reserved());
        assert!(!Name::new("ackdx.y").unwrap().is_reserved());
    }
}
