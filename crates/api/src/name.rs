//! The rule for names of queues, topics, schedules, webhooks and workers.

/// The most bytes of a name.
pub const NAME_BYTES: usize = 128;

/// What the names of the server's own queues start with; clients may not use it (403).
pub const RESERVED_PREFIX: &str = "ackd.";

/// A text that is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 128 characters of A-Z, a-z, 0-9, '.', '_' and '-', and starts with a letter or a digit")]
pub struct NameError;

/// Checks `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`.
///
/// # Errors
/// [`NameError`] states the rule.
pub fn check_name(text: &str) -> Result<(), NameError> {
    let follows = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    match text.as_bytes() {
        [first, rest @ ..] if first.is_ascii_alphanumeric() && rest.len() < NAME_BYTES && rest.iter().all(follows) => {
            Ok(())
        }
        _ => Err(NameError),
    }
}

/// Whether the name is the server's own: it starts with [`RESERVED_PREFIX`].
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    name.starts_with(RESERVED_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_follows_the_rule_to_its_edges() {
        for good in ["a", "0", "Video.720p_x-1", &"n".repeat(NAME_BYTES)] {
            assert_eq!(check_name(good), Ok(()), "{good:?}");
        }
        for bad in ["", ".a", "-a", "_a", "a b", "a/b", "ä", "a\n", "a\0", &"n".repeat(NAME_BYTES + 1)] {
            assert_eq!(check_name(bad), Err(NameError), "{bad:?}");
        }
    }

    #[test]
    fn the_servers_own_names_are_told_apart() {
        assert!(is_reserved("ackd.deliveries"));
        assert!(!is_reserved("ackd"));
        assert!(!is_reserved("Ackd.x"));
    }
}
