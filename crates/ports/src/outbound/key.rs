use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const HMAC_PREFIX: &str = "whsec_";
const ED25519_PREFIX: &str = "whsk_";

/// A key that webhooks are signed with (Standard Webhooks 1.0.0, "Signature scheme"). `Debug` does not show it; a clone
/// shares its bytes.
///
/// Its text is `whsec_` and the base64 of an HMAC-SHA256 secret of 24 to 64 bytes, or `whsk_` and the base64 of an
/// ed25519 private key: its seed of 32 bytes, or seed and public key, 64 bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SigningKey(KeyMaterial);

/// The decoded bytes of a [`SigningKey`], for whoever signs.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum KeyMaterial {
    /// The secret of HMAC-SHA256 (RFC 2104), for `v1` signatures.
    Hmac(Arc<[u8]>),
    /// The private key of ed25519 (RFC 8032), for `v1a` signatures.
    Ed25519 {
        /// The 32 bytes that the key pair is made from.
        seed: [u8; 32],
        /// The public key as it was given, where it was. It is not yet known to belong to the seed.
        public: Option<[u8; 32]>,
    },
}

/// A text that is no signing key. No error repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither kind.
    #[error("a webhook secret starts with whsec_ (HMAC-SHA256) or whsk_ (ed25519 private key)")]
    Prefix,
    /// The public half was given where the private one is needed.
    #[error("whpk_ is a public key; signing needs the private one, whsk_")]
    Public,
    /// What follows is not base64.
    #[error("after its prefix a webhook secret is base64 of the standard alphabet, padded")]
    Base64,
    /// An HMAC secret of another length.
    #[error("a whsec_ secret is {min} to {max} bytes before base64, not {0}", min = SigningKey::HMAC_MIN_BYTES, max = SigningKey::HMAC_MAX_BYTES)]
    HmacLength(usize),
    /// An ed25519 key of another length.
    #[error("a whsk_ key is 32 bytes (seed) or 64 bytes (seed and public key) before base64, not {0}")]
    Ed25519Length(usize),
}

impl SigningKey {
    /// The fewest bytes of an HMAC secret.
    pub const HMAC_MIN_BYTES: usize = 24;
    /// The most bytes of an HMAC secret.
    pub const HMAC_MAX_BYTES: usize = 64;

    /// Its text: what the receiver of an HMAC signature needs, and nobody else may see.
    #[must_use]
    pub fn expose(&self) -> String {
        match &self.0 {
            KeyMaterial::Hmac(secret) => format!("{HMAC_PREFIX}{}", STANDARD.encode(secret)),
            KeyMaterial::Ed25519 { seed, public } => {
                let bytes: Vec<u8> = seed.iter().chain(public.iter().flatten()).copied().collect();
                format!("{ED25519_PREFIX}{}", STANDARD.encode(bytes))
            }
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn material(&self) -> &KeyMaterial {
        &self.0
    }
}

impl FromStr for SigningKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<SigningKey, KeyError> {
        let decode = |text: &str| STANDARD.decode(text).map_err(|_| KeyError::Base64);
        if let Some(secret) = text.strip_prefix(HMAC_PREFIX) {
            let secret = decode(secret)?;
            if !(SigningKey::HMAC_MIN_BYTES..=SigningKey::HMAC_MAX_BYTES).contains(&secret.len()) {
                return Err(KeyError::HmacLength(secret.len()));
            }
            return Ok(SigningKey(KeyMaterial::Hmac(secret.into())));
        }
        if text.starts_with("whpk_") {
            return Err(KeyError::Public);
        }
        let bytes = decode(text.strip_prefix(ED25519_PREFIX).ok_or(KeyError::Prefix)?)?;
        let length = KeyError::Ed25519Length(bytes.len());
        let (seed, public) = bytes.split_first_chunk::<32>().ok_or(length)?;
        let public = match public {
            [] => None,
            public => Some(<[u8; 32]>::try_from(public).map_err(|_| length)?),
        };
        Ok(SigningKey(KeyMaterial::Ed25519 { seed: *seed, public }))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyMaterial::Hmac(_) => "whsec_…",
            KeyMaterial::Ed25519 { .. } => "whsk_…",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(prefix: &str, bytes: usize) -> String {
        format!("{prefix}{}", STANDARD.encode(vec![7; bytes]))
    }

    #[test]
    fn lengths_are_checked_at_their_edges() {
        for (bytes, good) in [(0, false), (23, false), (24, true), (32, true), (64, true), (65, false)] {
            let key = text("whsec_", bytes).parse::<SigningKey>();
            assert_eq!(key.map(|_| ()), if good { Ok(()) } else { Err(KeyError::HmacLength(bytes)) });
        }
        for (bytes, good) in [(0, false), (31, false), (32, true), (33, false), (63, false), (64, true), (65, false)] {
            let key = text("whsk_", bytes).parse::<SigningKey>();
            assert_eq!(key.map(|_| ()), if good { Ok(()) } else { Err(KeyError::Ed25519Length(bytes)) });
        }
    }

    #[test]
    fn what_is_no_key_is_refused_for_its_reason() {
        for (text, error) in [
            ("", KeyError::Prefix),
            ("secret", KeyError::Prefix),
            ("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", KeyError::Prefix),
            ("whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", KeyError::Public),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", KeyError::Base64),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-_", KeyError::Base64),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw ", KeyError::Base64),
        ] {
            assert_eq!(text.parse::<SigningKey>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_key_is_read_back_as_it_was_written_and_shown_to_nobody() {
        for text in [text("whsec_", 24), text("whsk_", 32), text("whsk_", 64)] {
            let key: SigningKey = text.parse().unwrap();
            assert_eq!(key.expose(), text);
            let shown = format!("{key:?} {:?}", key.material());
            assert!(!shown.contains("BwcH") && !shown.contains('7'), "{shown}");
        }
    }
}
