//! The signatures of Standard Webhooks 1.0.0 ("Signature scheme").

use ackd_ports::{KeyMaterial, OutboundError, Signed, SigningKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use ring::hmac;
use ring::signature::Ed25519KeyPair;

use crate::cache::Cache;

/// How many ed25519 key pairs are kept: making one costs more than signing with it.
const KEY_PAIRS: usize = 1024;

/// Signs posts.
#[derive(Debug)]
pub(crate) struct Signer {
    pairs: Cache<SigningKey, Ed25519KeyPair>,
}

impl Signer {
    pub(crate) fn new() -> Signer {
        Signer { pairs: Cache::new(KEY_PAIRS) }
    }

    /// Whether `key` can sign.
    ///
    /// # Errors
    /// [`OutboundError::Key`] where the halves of a pair do not belong together: no receiver could verify its signature.
    pub(crate) fn check(key: &SigningKey) -> Result<(), OutboundError> {
        match key.material() {
            KeyMaterial::Hmac(_) => Ok(()),
            KeyMaterial::Ed25519 { seed, public } => pair(seed, public.as_ref()).map(|_| ()),
        }
    }

    /// The `webhook-signature` of `body` with this `webhook-timestamp`: a signature for each key. None without keys.
    pub(crate) fn sign(
        &self,
        signed: &Signed,
        timestamp: &str,
        body: &[u8],
    ) -> Result<Option<HeaderValue>, OutboundError> {
        let parts = signed_parts(&signed.id, timestamp, body);
        let mut header = String::with_capacity(signed.keys.len() * 48);
        for key in &signed.keys {
            if !header.is_empty() {
                header.push(' ');
            }
            match key.material() {
                KeyMaterial::Hmac(secret) => {
                    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                    let mut context = hmac::Context::with_key(&key);
                    parts.into_iter().for_each(|part| context.update(part));
                    header.push_str("v1,");
                    STANDARD.encode_string(context.sign(), &mut header);
                }
                KeyMaterial::Ed25519 { seed, public } => {
                    let pair = self.pairs.get(key, || pair(seed, public.as_ref()))?;
                    header.push_str("v1a,");
                    STANDARD.encode_string(pair.sign(&parts.concat()), &mut header);
                }
            }
        }
        if header.is_empty() {
            return Ok(None);
        }
        let mut value = HeaderValue::try_from(header).map_err(|_| OutboundError::Header("the signature"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// What is signed: `{id}.{timestamp}.{body}`. The id holds no full stop, so that nothing can be moved across them.
fn signed_parts<'a>(id: &'a str, timestamp: &'a str, body: &'a [u8]) -> [&'a [u8]; 5] {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body]
}

/// The pair of an ed25519 key's halves; where there is no public one it is made of the other.
fn pair(seed: &[u8; 32], public: Option<&[u8; 32]>) -> Result<Ed25519KeyPair, OutboundError> {
    match public {
        Some(public) => Ed25519KeyPair::from_seed_and_public_key(seed, public),
        None => Ed25519KeyPair::from_seed_unchecked(seed),
    }
    .map_err(|_| OutboundError::Key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(keys: &[&str], body: &'static str) -> Option<String> {
        let keys = keys.iter().map(|key| key.parse().unwrap()).collect();
        let signed = Signed { id: "msg_p5jXN8AQM9LWM0D4loKWxJek".into(), keys };
        let signature = Signer::new().sign(&signed, "1614265330", body.as_bytes()).unwrap();
        signature.map(|value| value.to_str().unwrap().to_owned())
    }

    // The vectors of the standard's reference libraries, and of the ed25519 example in its text.
    const BODY: &str = r#"{"test": 2432232314}"#;
    const HMAC_KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const HMAC_SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const ED25519_KEY: &str =
        "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
    const ED25519_SEED: &str = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc=";
    const ED25519_SIGNATURE: &str =
        "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";

    #[test]
    fn the_vectors_of_the_standard_are_met() {
        assert_eq!(sign(&[HMAC_KEY], BODY).as_deref(), Some(HMAC_SIGNATURE));
        assert_eq!(sign(&[ED25519_KEY], BODY).as_deref(), Some(ED25519_SIGNATURE));
        assert_eq!(sign(&[ED25519_SEED], BODY).as_deref(), Some(ED25519_SIGNATURE));
    }

    #[test]
    fn each_key_signs_in_its_order() {
        let both = format!("{HMAC_SIGNATURE} {ED25519_SIGNATURE} {HMAC_SIGNATURE}");
        assert_eq!(sign(&[HMAC_KEY, ED25519_KEY, HMAC_KEY], BODY), Some(both));
        assert_eq!(sign(&[], BODY), None);
        assert_ne!(sign(&[HMAC_KEY], "").as_deref(), Some(HMAC_SIGNATURE));
    }

    #[test]
    fn the_halves_of_a_pair_must_belong_together() {
        let mismatched = ED25519_KEY.replace("Kvg==", "Kvw==");
        assert_eq!(Signer::check(&mismatched.parse().unwrap()), Err(OutboundError::Key));
        for good in [HMAC_KEY, ED25519_KEY, ED25519_SEED] {
            assert_eq!(Signer::check(&good.parse().unwrap()), Ok(()));
        }
    }
}
