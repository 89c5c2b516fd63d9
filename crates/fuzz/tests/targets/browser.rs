//! `Host` and `Origin`, which keep other people's pages out: whoever is let in is of this server by another reader too.

use ackd_http::fuzzing;
use http::header::{self, HeaderMap, HeaderValue};

use crate::refusal;

const HOSTS: [&str; 2] = ["ackd.example", "with.port:81"];
const ORIGINS: [&str; 2] = ["https://app.example", "http://dev.example:3000"];

/// A line for `Host`, and one for `Origin`, if there is one.
pub(crate) fn check(input: &[u8]) {
    let mut lines = input.splitn(2, |byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    for name in [header::HOST, header::ORIGIN] {
        if let Some(Ok(value)) = lines.next().map(HeaderValue::from_bytes) {
            headers.insert(name, value);
        }
    }
    let origin = match fuzzing::admit(&HOSTS, &ORIGINS, &headers) {
        Err(problem) => return refusal::is_fair(&problem),
        Ok(origin) => origin,
    };
    let host = headers[header::HOST].to_str().expect("a host is a text");
    assert!(is_ours(host), "{host} is let in");
    if let Some(given) = headers.get(header::ORIGIN) {
        assert_eq!(origin.as_ref(), Some(given));
        let origin = given.to_str().expect("an origin is a text");
        assert!(may_call(host, origin), "a page of {origin} may call {host}");
    }
}

/// Whether a browser that is sent to `host` comes to this server, and not by a name that is somebody else's.
fn is_ours(host: &str) -> bool {
    let url = url::Url::parse(&format!("http://{host}/")).expect("a browser can be sent there");
    match url.host().expect("it has a host") {
        url::Host::Ipv4(_) | url::Host::Ipv6(_) => true,
        url::Host::Domain(name) => {
            let port = url.port().map_or(String::new(), |port| format!(":{port}"));
            name == "localhost" || HOSTS.contains(&name) || HOSTS.contains(&&*format!("{name}{port}"))
        }
    }
}

/// Whether pages of `origin` are of `host`, or are named.
fn may_call(host: &str, origin: &str) -> bool {
    let origin = url::Url::parse(origin).expect("an origin is a URL");
    let scheme = origin.scheme();
    let same = url::Url::parse(&format!("{scheme}://{host}/")).expect("and so is that of the host");
    let known = ORIGINS.iter().map(|known| url::Url::parse(known).unwrap());
    let is_web = ["http", "https"].contains(&scheme);
    is_web && known.chain([same]).any(|known| known.origin() == origin.origin())
}
