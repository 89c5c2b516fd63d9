use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

/// Where something may be posted to: an absolute `http` or `https` URL (RFC 3986, RFC 9110 section 4.2).
///
/// One reader for the check and for the sending, and a narrow one: whatever two readers might understand differently
/// (user names, backslashes, `0x7f.1`) is refused with a word on how to write it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TargetUrl {
    https: bool,
    host: Host,
    port: u16,
    path: String,
}

/// The host of a [`TargetUrl`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name to be looked up, in lower case.
    Name(Arc<str>),
    /// An address.
    Address(IpAddr),
}

/// A text that is no URL to post to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Too long.
    #[error("the URL is longer than {} bytes", TargetUrl::MAX_BYTES)]
    Length,
    /// A character that must be escaped.
    #[error("the URL holds {0:?}, which must be percent-encoded (in a host name: punycode, xn--…)")]
    Character(char),
    /// Another scheme, or none.
    #[error("the URL must start with https:// or http://")]
    Scheme,
    /// A user name or a password.
    #[error("the URL must hold no user name and no password")]
    UserInfo,
    /// A fragment, which is never sent.
    #[error("the URL must hold no fragment (#…)")]
    Fragment,
    /// No host, or none that could be.
    #[error("the host of the URL is neither a name nor an IP address")]
    Host,
    /// An IPv4 address in a spelling that some read in one way and some in another.
    #[error("the host of the URL must be a name, or an IPv4 address as four decimal numbers without leading zeros")]
    Ipv4Spelling,
    /// A path that cannot be asked for.
    #[error("the path of the URL cannot be asked for")]
    Path,
    /// A port that cannot be.
    #[error("the port of the URL is a number from 1 to 65535")]
    Port,
}

impl TargetUrl {
    /// The longest URL in bytes.
    pub const MAX_BYTES: usize = 2048;

    /// Whether the connection is to be encrypted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, where the URL names none that of its scheme.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, as they came; at least `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the `Host` header says: the port only where it is not that of the scheme.
    #[must_use]
    pub fn authority(&self) -> String {
        let usual = if self.https { 443 } else { 80 };
        if self.port == usual { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }
}

impl FromStr for TargetUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<TargetUrl, UrlError> {
        if text.len() > TargetUrl::MAX_BYTES {
            return Err(UrlError::Length);
        }
        if let Some(strange) = text.chars().find(|c| !c.is_ascii_graphic() || r#"\<>"^`{|}"#.contains(*c)) {
            return Err(UrlError::Character(strange));
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(UrlError::Scheme),
        };
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(UrlError::UserInfo);
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(v6) => {
                let (v6, port) = v6.split_once(']').ok_or(UrlError::Host)?;
                (Host::Address(IpAddr::V6(v6.parse::<Ipv6Addr>().map_err(|_| UrlError::Host)?)), port)
            }
            None => {
                let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
                (host_of(host)?, port)
            }
        };
        let port = match port.strip_prefix(':') {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|port| *port != 0).ok_or(UrlError::Port)?
            }
            None if port.is_empty() => {
                if https {
                    443
                } else {
                    80
                }
            }
            _ => return Err(UrlError::Port),
        };
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(TargetUrl { https, host, port, path })
    }
}

/// A name of letters, digits, hyphens and underscores (RFC 1123 section 2.1, and what DNS in practice holds besides), or
/// an address of four decimal numbers.
fn host_of(text: &str) -> Result<Host, UrlError> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if name.len() > 253 || !name.split('.').all(is_label) {
        return Err(UrlError::Host);
    }
    // Resolvers and the URL standard of browsers read whatever ends in a number as an IPv4 address: 2130706433,
    // 0x7f.1, 127.1 and 0177.0.0.1 are all 127.0.0.1.
    let last = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_number {
        let address: Ipv4Addr = text.parse().map_err(|_| UrlError::Ipv4Spelling)?;
        return Ok(Host::Address(IpAddr::V4(address)));
    }
    Ok(Host::Name(text.to_ascii_lowercase().into()))
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V4(address)) => address.fmt(f),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        for (text, https, authority, port, path) in [
            ("http://example.com", false, "example.com", 80, "/"),
            ("HTTPS://EXAMPLE.com/", true, "example.com", 443, "/"),
            ("https://example.com:443?a=b", true, "example.com", 443, "/?a=b"),
            ("https://example.com:80/a//b?c=/?:@d", true, "example.com:80", 80, "/a//b?c=/?:@d"),
            ("http://_svc.a-b.internal.:65535/%7e", false, "_svc.a-b.internal.:65535", 65535, "/%7e"),
            ("http://8.8.8.8:1/", false, "8.8.8.8:1", 1, "/"),
            ("http://[2001:DB8::1]:8080/x", false, "[2001:db8::1]:8080", 8080, "/x"),
            ("http://[::ffff:7f00:1]/", false, "[::ffff:127.0.0.1]", 80, "/"),
            ("http://a1.b2c/", false, "a1.b2c", 80, "/"),
            ("http://0xy/", false, "0xy", 80, "/"),
        ] {
            let url: TargetUrl = text.parse().unwrap();
            let got = (url.is_https(), url.authority(), url.port(), url.path().to_owned());
            assert_eq!(got, (https, authority.to_owned(), port, path.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_posted_to_is_refused_for_its_reason() {
        for (text, error) in [
            ("", UrlError::Scheme),
            ("example.com", UrlError::Scheme),
            ("/path", UrlError::Scheme),
            ("ftp://example.com/", UrlError::Scheme),
            ("file:///etc/passwd", UrlError::Scheme),
            ("http:/example.com", UrlError::Scheme),
            ("http://", UrlError::Host),
            ("http:///path", UrlError::Host),
            ("http://:80/", UrlError::Host),
            ("http://a..b/", UrlError::Host),
            ("http://./", UrlError::Host),
            ("http://a%2eb/", UrlError::Host),
            ("http://a,b/", UrlError::Host),
            ("http://[::1", UrlError::Host),
            ("http://[fe80::1%25eth0]/", UrlError::Host),
            ("http://[1.2.3.4]/", UrlError::Host),
            ("http://::1/", UrlError::Host),
            ("http://user@example.com/", UrlError::UserInfo),
            ("http://user:pw@example.com/", UrlError::UserInfo),
            ("http://example.com@10.0.0.1/", UrlError::UserInfo),
            ("http://example.com/#top", UrlError::Fragment),
            ("http://example.com#@10.0.0.1/", UrlError::Fragment),
            ("http://example.com:/", UrlError::Port),
            ("http://example.com:0/", UrlError::Port),
            ("http://example.com:65536/", UrlError::Port),
            ("http://example.com:+80/", UrlError::Port),
            ("http://example.com:80:80/", UrlError::Port),
            ("http://[::1]80/", UrlError::Port),
            ("http://example.com/a b", UrlError::Character(' ')),
            ("http://example.com\\@10.0.0.1/", UrlError::Character('\\')),
            ("http://example.com/\r\nX: y", UrlError::Character('\r')),
            ("http://ex\u{e4}mple.com/", UrlError::Character('ä')),
            ("http://example.com/{id}", UrlError::Character('{')),
            ("http://2130706433/", UrlError::Ipv4Spelling),
            ("http://0x7f000001/", UrlError::Ipv4Spelling),
            ("http://0x7F.0.0.0x1/", UrlError::Ipv4Spelling),
            ("http://017700000001/", UrlError::Ipv4Spelling),
            ("http://0177.0.0.1/", UrlError::Ipv4Spelling),
            ("http://127.1/", UrlError::Ipv4Spelling),
            ("http://127.0.0.1./", UrlError::Ipv4Spelling),
            ("http://127.0.0.256/", UrlError::Ipv4Spelling),
            ("http://example.0x/", UrlError::Ipv4Spelling),
            ("http://example.5/", UrlError::Ipv4Spelling),
        ] {
            assert_eq!(text.parse::<TargetUrl>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn lengths_are_checked_at_their_edges() {
        let url = |length: usize| format!("http://example.com/{}", "a".repeat(length - 19));
        assert!(url(TargetUrl::MAX_BYTES).parse::<TargetUrl>().is_ok());
        assert_eq!(url(TargetUrl::MAX_BYTES + 1).parse::<TargetUrl>(), Err(UrlError::Length));
        let label = |length: usize| format!("http://{}.com/", "a".repeat(length));
        assert!(label(63).parse::<TargetUrl>().is_ok());
        assert_eq!(label(64).parse::<TargetUrl>(), Err(UrlError::Host));
        let name = |length: usize| format!("http://{}{}/", "a.".repeat(120), "a".repeat(length - 240));
        assert!(name(253).parse::<TargetUrl>().is_ok());
        assert_eq!(name(254).parse::<TargetUrl>(), Err(UrlError::Host));
    }
}
