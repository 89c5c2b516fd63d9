use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::Draws;

/// The text of a key that webhooks are signed with (Standard Webhooks 1.0.0): `whsec_…` or `whsk_…`. `Debug` does not
/// show it; cloning shares it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Keeps `text` from being shown by accident. Whether it is a key, whoever reads it from a client checks.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Secret {
        Secret(text.into())
    }

    /// A new HMAC secret of 32 random bytes.
    pub(crate) fn make(draws: &mut dyn Draws) -> Secret {
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_exact_mut(8) {
            chunk.copy_from_slice(&draws.random().to_be_bytes());
        }
        Secret(format!("whsec_{}", STANDARD.encode(bytes)).into())
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret::new("whsec_x")), "Secret(…)");
    }
}
