//! Where the server is, and the paths there.

use http::Uri;
use http::uri::{Authority, Scheme};

/// The server's address where nothing else is said.
pub const DEFAULT_URL: &str = "http://127.0.0.1:8202";

/// A text that is no address of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The text is no absolute URL.
    #[error("`{0}` is not an absolute URL such as {DEFAULT_URL}")]
    Malformed(String),
    /// The scheme is `https`.
    #[error("`{0}`: https is not supported yet; use http on a trusted network, or a local proxy that speaks TLS")]
    Https(String),
    /// The scheme is neither.
    #[error("`{0}`: only http is supported")]
    Scheme(String),
    /// There is a user, a query or a fragment.
    #[error("`{0}`: a server's URL has no user, query or fragment")]
    Parts(String),
}

/// The base of every URL of a server.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    authority: Authority,
    /// What a proxy serves the API under: empty, or with a leading and no trailing slash.
    prefix: String,
}

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Address, UrlError> {
        let parts = url.parse::<Uri>().map_err(|_| UrlError::Malformed(url.to_owned()))?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(UrlError::Malformed(url.to_owned()));
        };
        if scheme == Scheme::HTTPS {
            return Err(UrlError::Https(url.to_owned()));
        }
        if scheme != Scheme::HTTP {
            return Err(UrlError::Scheme(url.to_owned()));
        }
        let path = parts.path_and_query;
        // http::Uri drops a fragment in silence.
        if authority.as_str().contains('@')
            || url.contains('#')
            || path.as_ref().is_some_and(|path| path.query().is_some())
        {
            return Err(UrlError::Parts(url.to_owned()));
        }
        let prefix = path.map(|path| path.path().trim_end_matches('/').to_owned()).unwrap_or_default();
        Ok(Address { authority, prefix })
    }

    /// The URI of a path, which begins with a slash and is encoded already.
    pub(crate) fn uri(&self, path: &str) -> Result<Uri, http::Error> {
        Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.authority.clone())
            .path_and_query(format!("{}{path}", self.prefix))
            .build()
    }
}

/// A path, with a query, that is put together from texts of any kind.
#[derive(Debug)]
pub(crate) struct Path {
    text: String,
    has_query: bool,
}

impl Path {
    /// A path that needs no encoding.
    pub(crate) fn new(path: &str) -> Path {
        Path { text: path.to_owned(), has_query: false }
    }

    /// Adds a slash and a segment.
    pub(crate) fn segment(mut self, segment: &str) -> Path {
        self.text.push('/');
        encode(&mut self.text, segment);
        self
    }

    /// Adds a query parameter.
    pub(crate) fn query(mut self, name: &str, value: &str) -> Path {
        self.text.push(if self.has_query { '&' } else { '?' });
        self.has_query = true;
        encode(&mut self.text, name);
        self.text.push('=');
        encode(&mut self.text, value);
        self
    }

    /// Adds a query parameter that may be absent.
    pub(crate) fn query_option(self, name: &str, value: Option<&str>) -> Path {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    pub(crate) fn into_string(self) -> String {
        self.text
    }
}

/// Percent-encodes all but the unreserved characters of RFC 3986, section 2.3.
fn encode(into: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            into.push(char::from(byte));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            into.push('%');
            into.push(char::from(HEX[usize::from(byte >> 4)]));
            into.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_http_and_may_have_a_prefix() {
        let uri = |url: &str| Address::parse(url).unwrap().uri("/v1/jobs").unwrap().to_string();
        assert_eq!(uri(DEFAULT_URL), "http://127.0.0.1:8202/v1/jobs");
        assert_eq!(uri("http://[::1]:8202/"), "http://[::1]:8202/v1/jobs");
        assert_eq!(uri("http://example.com/ackd/"), "http://example.com/ackd/v1/jobs");
    }

    #[test]
    fn what_is_no_address_is_told_clearly() {
        assert!(matches!(Address::parse("https://127.0.0.1:8202"), Err(UrlError::Https(_))));
        assert!(Address::parse("https://x").unwrap_err().to_string().contains("https is not supported yet"));
        assert!(matches!(Address::parse("ftp://x"), Err(UrlError::Scheme(_))));
        for url in ["", "127.0.0.1:8202", "/v1", "localhost", "http://", "http://a b"] {
            assert!(matches!(Address::parse(url), Err(UrlError::Malformed(_))), "{url}: {:?}", Address::parse(url));
        }
        for url in ["http://me@x", "http://x/?a=1", "http://x/#a"] {
            assert!(matches!(Address::parse(url), Err(UrlError::Parts(_))), "{url}");
        }
    }

    #[test]
    fn paths_encode_what_is_not_theirs() {
        let path = Path::new("/v1/jobs").segment("a/b ?ä").query("x", "1&2").query_option("y", None).query("z", "a,b~");
        assert_eq!(path.into_string(), "/v1/jobs/a%2Fb%20%3F%C3%A4?x=1%262&z=a%2Cb~");
    }
}
