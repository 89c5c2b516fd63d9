//! Where posts go and what comes back: URLs, the addresses in them, ranges of addresses, secrets, `Retry-After`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use ackd_domain::Timestamp;
use ackd_outbound::{Allow, Cidr, HttpOutbound, Options, OwnAddresses, fuzzing};
use ackd_ports::{Host, Outbound, SigningKey, TargetUrl};

/// 2026-11-20T10:00:00Z.
const NOW: Timestamp = Timestamp::from_millis(1_795_168_800_000);

/// One that is told to allow nothing, on a machine without addresses.
static OUTBOUND: LazyLock<HttpOutbound> = LazyLock::new(|| {
    struct Nowhere;
    impl OwnAddresses for Nowhere {
        fn owns(&self, _: IpAddr) -> bool {
            false
        }
    }
    HttpOutbound::new(Options { own: Arc::new(Nowhere), ..Options::default() })
});

pub(crate) fn check(input: &[u8]) {
    let wait = fuzzing::retry_after(input, NOW);
    let is_number = !input.trim_ascii().is_empty() && input.trim_ascii().iter().all(u8::is_ascii_digit);
    assert!(wait.is_some() || !is_number);
    if is_number {
        assert!(wait <= Some(Duration::from_secs(u32::MAX.into())));
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    target(text);
    range(text);
    if let Ok(key) = text.parse::<SigningKey>() {
        assert_eq!(key.expose(), text);
        assert!(!format!("{key:?}").contains(&text[6..]));
    }
}

fn target(text: &str) {
    let may_be_posted_to = OUTBOUND.check(text).is_ok();
    let Ok(url) = text.parse::<TargetUrl>() else { return assert!(!may_be_posted_to) };
    assert!(text.len() <= TargetUrl::MAX_BYTES);
    let scheme = if url.is_https() { "https" } else { "http" };
    let written = format!("{scheme}://{}{}", url.authority(), url.path());
    // The same server by a shorter or a longer text: it may have lost a port, a dot or a slash.
    if written.len() <= TargetUrl::MAX_BYTES {
        assert_eq!(written.parse().as_ref(), Ok(&url), "{text}");
    }
    // Who follows the URL standard goes to the same place, so that what was judged is where anybody would go.
    let other = match url::Url::parse(text) {
        Ok(other) => other,
        // A name that no punycode comes to is one that cannot be shown; it can be looked up, and what is found is judged.
        Err(url::ParseError::IdnaError) if url.authority().contains("xn--") => return,
        Err(error) => panic!("{text} is no URL: {error}"),
    };
    assert_eq!((other.scheme(), other.port_or_known_default()), (scheme, Some(url.port())), "{text}");
    let address = match (url.host(), other.host().expect("it has a host")) {
        (Host::Name(name), url::Host::Domain(other)) => return assert_eq!(**name, *other, "{text}"),
        (Host::Address(IpAddr::V4(address)), url::Host::Ipv4(other)) if *address == other => IpAddr::V4(other),
        (Host::Address(IpAddr::V6(address)), url::Host::Ipv6(other)) if *address == other => IpAddr::V6(other),
        (ours, theirs) => panic!("{text} leads to {ours} and to {theirs}"),
    };
    assert!(!may_be_posted_to || is_public(address), "{address} may be posted to");
}

/// Whether an address is of the public internet, as far as the standard library can tell.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, ..] = v4.octets();
    let is_special = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_broadcast();
    let is_other = v4.is_documentation() || v4.is_unspecified() || v4.is_multicast();
    let is_shared = a == 100 && b & 0xc0 == 64;
    !(is_special || is_other || is_shared || a == 0 || a >= 240)
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    let is_special = v6.is_loopback() || v6.is_unspecified() || v6.is_multicast();
    let is_local = v6.is_unique_local() || v6.is_unicast_link_local();
    let carries = v6.to_ipv4().is_some();
    !(is_special || is_local || carries) && v6.segments()[0] & 0xe000 == 0x2000
}

fn range(text: &str) {
    let Ok(range) = text.parse::<Cidr>() else { return };
    let written = range.to_string();
    assert_eq!(written.parse(), Ok(range));
    let first: IpAddr = written.split('/').next().unwrap().parse().unwrap();
    assert!(range.contains(first) && Allow::new(vec![range]).contains(first));
}
