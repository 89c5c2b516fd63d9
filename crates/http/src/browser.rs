//! What keeps other people's web pages from using this server through their visitor's browser.
//!
//! `Host` must name this server, so that a name which was rebound to its address is of no use; and `Origin` must be one
//! whose pages may call. Both are looked at before the body is read.

use ackd_api::{Code, Problem};
use http::header::{self, HeaderMap, HeaderValue};
use http::uri::Authority;
use http::{Method, Response, StatusCode, Version};

use crate::outlet::Outlet;
use crate::problem::Rejection;

/// What pages of an allowed origin may read of an answer beside what every page may.
const EXPOSED: &str = "Ackd-Attempt, Ackd-Job, Ackd-Lease, Allow, Content-Location, ETag, Idempotent-Replayed, Location, \
                       Preference-Applied, Retry-After, Unique-Kept, Unique-Replaced, traceparent";

/// What pages of an allowed origin may send beside what every page may.
const TAKEN: &str = "Ackd-Links, Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, Prefer, \
                     traceparent";

/// For how long a browser need not ask again, in seconds.
const REMEMBERED: &str = "600";

/// The hosts that are answered for, beside IP addresses and `localhost`.
#[derive(Debug, Default)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    /// Adds a name, with or without a port. Says whether it is one.
    pub(crate) fn add(&mut self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let good = host.parse::<Authority>().is_ok_and(|it| !it.host().is_empty() && !host.contains('@'));
        if good && !self.0.contains(&host) {
            self.0.push(host);
        }
        good
    }

    /// The host that a request is for, where this server answers for it; empty where a request of HTTP/1.0 names none.
    pub(crate) fn admit<'r>(
        &self,
        authority: Option<&'r Authority>,
        version: Version,
        headers: &'r HeaderMap,
    ) -> Result<&'r str, Rejection> {
        let mut given = headers.get_all(header::HOST).iter();
        let host = given.next();
        if given.next().is_some() {
            return Err(Rejection::new(Code::InvalidRequest, "the header `Host` is given twice"));
        }
        // A target in absolute form says it better than `Host` (RFC 9112, section 3.2.2).
        let host = match (authority, host) {
            (Some(authority), _) => authority.as_str(),
            (None, Some(host)) => host.to_str().map_err(|_| misdirected("that is no text"))?,
            // No browser speaks HTTP/1.0, and its simple clients may leave it out.
            (None, None) if version == Version::HTTP_10 => "",
            (None, None) => return Err(Rejection::new(Code::InvalidRequest, "the header `Host` is missing")),
        };
        if host.is_empty() && version == Version::HTTP_10 || self.is_known(host) {
            return Ok(host);
        }
        Err(misdirected(&host.chars().take(100).collect::<String>()))
    }

    fn is_known(&self, host: &str) -> bool {
        let name = without_port(host);
        is_address(name)
            || name.eq_ignore_ascii_case("localhost")
            || self.0.iter().any(|known| {
                // One that was given with a port has that port and no second one.
                let has_port = without_port(known) != known;
                known.eq_ignore_ascii_case(host) || !has_port && known.eq_ignore_ascii_case(name)
            })
    }
}

fn misdirected(host: &str) -> Rejection {
    Rejection::new(
        Code::MisdirectedRequest,
        format!("this server does not answer for the host `{host}`; start it with `--host` and the name to make it"),
    )
}

/// `host` without its port.
fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        // A colon inside of brackets is of an IPv6 address.
        Some(at) if is_port(&host[at + 1..]) => &host[..at],
        _ => host,
    }
}

/// Whether this may stand behind a colon: a port, or nothing (RFC 3986, section 3.2.3).
fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && (text.is_empty() || text.parse::<u16>().is_ok())
}

fn is_address(name: &str) -> bool {
    match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name.parse::<std::net::Ipv4Addr>().is_ok(),
    }
}

/// The origin of a page: scheme, host and port (RFC 6454).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    is_tls: bool,
    /// In lower case, without the port where it is the scheme's own.
    host: String,
}

impl Origin {
    /// Reads an `Origin` header's form: no path, not even a slash.
    pub(crate) fn parse(text: &str) -> Option<Origin> {
        let (is_tls, host) = match text.split_once("://")? {
            (scheme, host) if scheme.eq_ignore_ascii_case("http") => (false, host),
            (scheme, host) if scheme.eq_ignore_ascii_case("https") => (true, host),
            _ => return None,
        };
        let host = host.to_ascii_lowercase();
        let well_formed = host.parse::<Authority>().is_ok_and(|it| !it.host().is_empty()) && !host.contains('@');
        well_formed.then(|| Origin { is_tls, host: without_own_port(&host, is_tls).to_owned() })
    }

    /// The origin of a URL, which may have a path.
    pub(crate) fn of_url(url: &str) -> Option<Origin> {
        let (scheme, rest) = url.split_once("://")?;
        if rest.contains(['?', '#']) {
            return None;
        }
        let host = rest.split('/').next()?;
        Origin::parse(&format!("{scheme}://{host}"))
    }

    /// The host, with its port where that is not the scheme's own.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }
}

fn without_own_port(host: &str, is_tls: bool) -> &str {
    host.strip_suffix(if is_tls { ":443" } else { ":80" }).unwrap_or(host)
}

/// The origins whose pages may call, beside the server's own.
#[derive(Debug, Default)]
pub(crate) struct Origins(Vec<Origin>);

impl Origins {
    pub(crate) fn add(&mut self, origin: Origin) {
        if !self.0.contains(&origin) {
            self.0.push(origin);
        }
    }

    /// The origin that a request to `host` names, where its pages may call; `None` where it names none.
    pub(crate) fn admit(&self, host: &str, headers: &HeaderMap) -> Result<Option<HeaderValue>, Rejection> {
        let mut given = headers.get_all(header::ORIGIN).iter();
        let Some(header) = given.next() else { return Ok(None) };
        let origin = header.to_str().ok().filter(|_| given.next().is_none()).and_then(Origin::parse);
        let admitted = origin.is_some_and(|origin| {
            // A page of this very server may have come through a proxy that speaks TLS for it.
            origin.host.eq_ignore_ascii_case(without_own_port(host, origin.is_tls)) || self.0.contains(&origin)
        });
        if admitted {
            return Ok(Some(header.clone()));
        }
        Err(Rejection::from(Problem::new(
            Code::Forbidden,
            "the page that sends this request (`Origin`) is not of this server; start it with `--allow-origin` and that \
             origin to let its pages call",
        ))
        .closing())
    }
}

/// Lets pages of `origin` read the answer.
pub(crate) fn allow(origin: HeaderValue, headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
}

/// Answers `OPTIONS`: what `allowed` says may be done here, and, to a browser that asks for a page, what it may send.
pub(crate) fn options(allowed: HeaderValue, headers: &HeaderMap) -> Response<Outlet> {
    let mut response = Response::new(Outlet::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let answer = response.headers_mut();
    if headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
        answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allowed.clone());
        answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(TAKEN));
        answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(REMEMBERED));
    }
    answer.insert(header::ALLOW, allowed);
    response
}

/// Whether `method` may have a body here.
pub(crate) fn has_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(hosts: &Hosts, host: &str) -> Option<u16> {
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_str(host).unwrap())]);
        hosts.admit(None, Version::HTTP_11, &headers).err().map(|rejection| rejection.problem.status)
    }

    #[test]
    fn addresses_localhost_and_given_names_are_this_server() {
        let mut hosts = Hosts::default();
        assert!(hosts.add("ackd.Example") && hosts.add("with.port:81"));
        for good in [
            "127.0.0.1",
            "127.0.0.1:8202",
            "10.0.0.7:1",
            "[::1]",
            "[::1]:8202",
            "localhost",
            "LocalHost:8202",
            "ackd.example",
            "ACKD.example:443",
            "with.port:81",
        ] {
            assert_eq!(host(&hosts, good), None, "{good}");
        }
        for bad in [
            "evil.example",
            "evil.example:8202",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "with.port",
            "with.port:82",
            "with.port:81:443",
            "::1",
            "[::1",
            "127.0.0.1:x",
            "127.0.0.1:65536",
            "localhost:184467402",
            "a@127.0.0.1",
            "0x7f.1",
            "",
            ":8202",
        ] {
            assert_eq!(host(&hosts, bad), Some(421), "{bad}");
        }
        for bad in ["", "a b", "a/b", "u@h", "http://h"] {
            assert!(!Hosts::default().add(bad), "{bad}");
        }
    }

    #[test]
    fn a_request_without_host_or_with_two_is_malformed_but_for_http_1_0() {
        let hosts = Hosts::default();
        let none = HeaderMap::new();
        let status = |version, headers| hosts.admit(None, version, headers).err().map(|it| it.problem.status);
        assert_eq!(status(Version::HTTP_11, &none), Some(400));
        assert_eq!(status(Version::HTTP_10, &none), None);
        let mut two = HeaderMap::new();
        two.append(header::HOST, HeaderValue::from_static("localhost"));
        two.append(header::HOST, HeaderValue::from_static("localhost"));
        assert_eq!(status(Version::HTTP_11, &two), Some(400));
        let authority = Authority::from_static("evil.example");
        let local = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("localhost"))]);
        assert!(hosts.admit(Some(&authority), Version::HTTP_11, &local).is_err());
    }

    #[test]
    fn only_pages_of_this_server_and_of_given_origins_may_call() {
        let mut origins = Origins::default();
        origins.add(Origin::parse("https://App.example").unwrap());
        let admits = |host: &str, origin: &str| {
            let headers = HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_str(origin).unwrap())]);
            origins.admit(host, &headers).is_ok()
        };
        for (host, origin) in [
            ("localhost:8202", "http://localhost:8202"),
            ("LOCALHOST:8202", "http://localhost:8202"),
            ("localhost", "http://localhost"),
            ("localhost:80", "http://localhost"),
            ("ackd.example", "https://ackd.example"),
            ("ackd.example:443", "https://ackd.example"),
            ("[::1]:8202", "http://[::1]:8202"),
            ("localhost:8202", "https://app.example"),
            ("localhost:8202", "https://app.example:443"),
        ] {
            assert!(admits(host, origin), "{host} {origin}");
        }
        for (host, origin) in [
            ("localhost:8202", "null"),
            ("localhost:8202", "http://localhost:3000"),
            ("localhost:8202", "http://localhost"),
            ("localhost:8202", "http://127.0.0.1:8202"),
            ("localhost:8202", "http://app.example"),
            ("localhost:8202", "https://app.example.evil.example"),
            ("localhost:8202", "file://"),
            ("localhost:8202", "http://localhost:8202/"),
            ("localhost:8202", ""),
            ("", "http://"),
        ] {
            assert!(!admits(host, origin), "{host} {origin}");
        }
        assert!(origins.admit("localhost", &HeaderMap::new()).unwrap().is_none());
    }

    #[test]
    fn a_public_url_has_an_origin() {
        assert_eq!(Origin::of_url("https://ackd.example:443/api"), Origin::parse("https://ackd.example"));
        assert_eq!(Origin::of_url("https://ackd.example").unwrap().host(), "ackd.example");
        for bad in ["ackd.example", "ftp://x", "https://", "https://a?b", "https://a#b", "https://u@h/"] {
            assert_eq!(Origin::of_url(bad), None, "{bad}");
        }
    }
}
