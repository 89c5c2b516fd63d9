//! What both sides compute before the first frame (RFC 6455, sections 1.3 and 4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// The one version of the protocol that is spoken, as `Sec-WebSocket-Version` says it.
pub const VERSION: &str = "13";

/// What makes the answer to a key one that only a WebSocket server gives.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// `Sec-WebSocket-Accept`: the server's answer to `Sec-WebSocket-Key`.
#[must_use]
pub fn accept(key: &str) -> String {
    let digest = Sha1::new().chain_update(key.as_bytes()).chain_update(GUID).finalize();
    STANDARD.encode(digest)
}

/// Whether `text` is a key: 16 bytes in base64.
#[must_use]
pub fn is_key(text: &str) -> bool {
    STANDARD.decode(text).is_ok_and(|nonce| nonce.len() == 16)
}

/// The key of 16 random bytes.
#[must_use]
pub fn key(nonce: [u8; 16]) -> String {
    STANDARD.encode(nonce)
}

/// Whether `token` stands in a header that is a list, as `Connection` and `Upgrade` are; case does not count.
#[must_use]
pub fn lists(header: &str, token: &str) -> bool {
    header.split(',').any(|it| it.trim_matches([' ', '\t']).eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_that_of_the_rfc_s_example() {
        // RFC 6455, section 1.3.
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(key(*b"the sample nonce"), "dGhlIHNhbXBsZSBub25jZQ==");
    }

    #[test]
    fn a_key_is_sixteen_bytes() {
        assert!(is_key("dGhlIHNhbXBsZSBub25jZQ=="));
        for text in ["", "x", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25j", &STANDARD.encode([0; 17])] {
            assert!(!is_key(text), "{text}");
        }
    }

    #[test]
    fn a_token_is_found_in_a_list() {
        assert!(lists("keep-alive, Upgrade", "upgrade") && lists("WebSocket", "websocket"));
        assert!(!lists("upgrades, up grade", "upgrade") && !lists("", "upgrade"));
    }
}
