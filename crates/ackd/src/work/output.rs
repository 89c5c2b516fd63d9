//! What a command writes to stdout: the result.

use ackd_client::Body;
use ackd_client::api::raw::is_shallow;
use ackd_domain::limits::BODY_BYTES;
use serde_json::value::RawValue;

/// More than any server takes as a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Collects the result. What a server takes at most, it tells when it is told the result; here only what none of them
/// would take is not even kept.
#[derive(Debug, Default)]
pub(crate) struct Output(Vec<u8>);

impl Output {
    /// Adds some bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        if self.0.len() + bytes.len() > BODY_BYTES {
            return Err(TooLarge);
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    /// The result as what it looks like: JSON, else text, else bytes.
    pub(crate) fn into_body(self) -> Body {
        let body = |content_type: &str, bytes: Vec<u8>| Body { content_type: content_type.into(), bytes: bytes.into() };
        let text = match String::from_utf8(self.0) {
            Ok(text) => text,
            Err(error) => return body("application/octet-stream", error.into_bytes()),
        };
        if text.is_empty() {
            // Nothing at all is no text, but no result.
            return body("", Vec::new());
        }
        match serde_json::from_str::<&RawValue>(&text) {
            Ok(json) if is_shallow(json) => body("application/json", json.get().as_bytes().to_vec()),
            _ => body("text/plain; charset=utf-8", text.into_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sniff(bytes: &[u8]) -> (String, Vec<u8>) {
        let mut output = Output::default();
        output.feed(bytes).unwrap();
        let body = output.into_body();
        (body.content_type, body.bytes.to_vec())
    }

    #[test]
    fn a_result_is_what_it_looks_like() {
        let deep = "[".repeat(101) + &"]".repeat(101);
        for (bytes, content_type, kept) in [
            (&b""[..], "", &b""[..]),
            (b"{\"a\": 1}\n", "application/json", b"{\"a\": 1}"),
            (b" 42 ", "application/json", b"42"),
            (b"null", "application/json", b"null"),
            (b"hello\n", "text/plain; charset=utf-8", b"hello\n"),
            (b"\n", "text/plain; charset=utf-8", b"\n"),
            (b"{\"a\":1}{\"b\":2}", "text/plain; charset=utf-8", b"{\"a\":1}{\"b\":2}"),
            (deep.as_bytes(), "text/plain; charset=utf-8", deep.as_bytes()),
            (b"\x89PNG\xff", "application/octet-stream", b"\x89PNG\xff"),
        ] {
            assert_eq!(sniff(bytes), (content_type.to_owned(), kept.to_vec()), "{bytes:?}");
        }
    }

    #[test]
    fn what_no_server_takes_is_not_kept() {
        let mut output = Output::default();
        let chunk = vec![b'x'; BODY_BYTES];
        output.feed(&chunk).unwrap();
        assert_eq!(output.feed(b"x"), Err(TooLarge));
    }
}
