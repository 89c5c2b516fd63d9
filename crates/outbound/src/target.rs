use std::sync::Arc;

use ackd_ports::{Host, TargetUrl, UrlError};
use http::uri::PathAndQuery;
use http::{HeaderValue, Uri};

/// A URL as it is needed for each post to it.
#[derive(Debug)]
pub(crate) struct Target {
    /// What the connections of one and the same server are told by: scheme, host and port.
    pub(crate) server: Arc<str>,
    pub(crate) https: bool,
    pub(crate) host: Host,
    pub(crate) port: u16,
    /// The path and query of the request line.
    pub(crate) path: Uri,
    /// The `Host` header.
    pub(crate) authority: HeaderValue,
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Target, UrlError> {
        let url: TargetUrl = url.parse()?;
        let authority = url.authority();
        let path = PathAndQuery::try_from(url.path()).map_err(|_| UrlError::Path)?;
        Ok(Target {
            server: format!("{}://{authority}", if url.is_https() { "https" } else { "http" }).into(),
            https: url.is_https(),
            host: url.host().clone(),
            port: url.port(),
            path: Uri::from(path),
            authority: HeaderValue::try_from(authority).map_err(|_| UrlError::Host)?,
        })
    }

    /// The host as text, for errors.
    pub(crate) fn host_text(&self) -> Arc<str> {
        match &self.host {
            Host::Name(name) => Arc::clone(name),
            address @ Host::Address(_) => address.to_string().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_path_a_url_may_hold_can_be_asked_for() {
        for byte in (b'!'..=b'~').filter(|byte| !br##"#\<>"^`{|}"##.contains(byte)) {
            let url = format!("http://h/a{0}b?c{0}d", char::from(byte));
            let target = Target::parse(&url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(format!("http://h{}", target.path), url);
        }
    }

    #[test]
    fn one_server_is_one_server_however_it_is_written() {
        let server = |url| Target::parse(url).unwrap().server;
        assert_eq!(server("http://EXAMPLE.com/a"), server("http://example.com:80/b?c"));
        assert_ne!(server("https://example.com/"), server("http://example.com/"));
        assert_ne!(server("https://example.com/"), server("https://example.com:80/"));
    }
}
