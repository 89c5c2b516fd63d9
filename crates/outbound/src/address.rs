//! Which addresses nothing is sent to: all that are not plainly of the public internet.
//!
//! The ranges are those of the IANA special-purpose registries (RFC 6890) and a few that clouds made special.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::allow::{Allow, Cidr};

/// What is refused, and what it is.
const REFUSED_V4: &[(Cidr, &str)] = &[
    (Cidr::v4([0, 0, 0, 0], 8), "an address of this very network (0.0.0.0/8)"),
    (Cidr::v4([10, 0, 0, 0], 8), "a private address"),
    (Cidr::v4([100, 64, 0, 0], 10), "a shared address of carriers and clouds (100.64.0.0/10)"),
    (Cidr::v4([127, 0, 0, 0], 8), "a loopback address"),
    (Cidr::v4([169, 254, 0, 0], 16), "a link-local address, where clouds keep their metadata"),
    (Cidr::v4([172, 16, 0, 0], 12), "a private address"),
    (Cidr::v4([192, 0, 0, 0], 24), "an address of protocols (192.0.0.0/24)"),
    (Cidr::v4([192, 0, 2, 0], 24), "an address of documentation"),
    (Cidr::v4([192, 88, 99, 0], 24), "an address of 6to4 relays"),
    (Cidr::v4([192, 168, 0, 0], 16), "a private address"),
    // It looks public, and is the host agent of every machine in Azure.
    (Cidr::v4([168, 63, 129, 16], 32), "an address of the cloud's own"),
    (Cidr::v4([198, 18, 0, 0], 15), "an address of benchmarks"),
    (Cidr::v4([198, 51, 100, 0], 24), "an address of documentation"),
    (Cidr::v4([203, 0, 113, 0], 24), "an address of documentation"),
    (Cidr::v4([224, 0, 0, 0], 4), "a multicast address"),
    (Cidr::v4([255, 255, 255, 255], 32), "the broadcast address"),
    (Cidr::v4([240, 0, 0, 0], 4), "a reserved address"),
];

/// As [`REFUSED_V4`]; the first that holds an address names it.
const REFUSED_V6: &[(Cidr, &str)] = &[
    (Cidr::v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "the unspecified address"),
    (Cidr::v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "a loopback address"),
    (MAPPED, "an IPv4-mapped address"),
    (TRANSLATED, "an IPv4-translated address"),
    (COMPATIBLE, "an IPv4-compatible address"),
    (NAT64, "an address of NAT64"),
    (LOCAL_NAT64, "an address of a local NAT64"),
    (Cidr::v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), "a discard address"),
    (TEREDO, "a Teredo address"),
    (Cidr::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), "an address of protocols (2001::/23)"),
    (Cidr::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), "an address of documentation"),
    (SIX_TO_FOUR, "a 6to4 address"),
    (Cidr::v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), "an address of documentation"),
    (Cidr::v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "a private address (unique local)"),
    (Cidr::v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "a link-local address"),
    (Cidr::v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "a site-local address"),
    (Cidr::v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "a multicast address"),
];

/// Where IPv6's public addresses are (RFC 4291, section 2.4, as IANA assigns it). All else is refused unnamed.
const GLOBAL_V6: Cidr = Cidr::v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

const MAPPED: Cidr = Cidr::v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96);
const TRANSLATED: Cidr = Cidr::v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96);
const COMPATIBLE: Cidr = Cidr::v6([0, 0, 0, 0, 0, 0, 0, 0], 96);
const NAT64: Cidr = Cidr::v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);
const LOCAL_NAT64: Cidr = Cidr::v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48);
const TEREDO: Cidr = Cidr::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32);
const SIX_TO_FOUR: Cidr = Cidr::v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16);

/// Judges `address`: what is wrong with it, unless it is public or in `allow`. The same holds for every IPv4 address that
/// it carries within itself: a gateway may unpack it, so that one that is allowed must carry none that is not.
pub(crate) fn judge(address: IpAddr, allow: &Allow) -> Result<(), &'static str> {
    match special(address) {
        Some(why) if !allow.contains(address) => Err(why),
        _ => match address {
            IpAddr::V4(_) => Ok(()),
            IpAddr::V6(v6) => carried(v6).into_iter().try_for_each(|v4| judge(IpAddr::V4(v4), allow)),
        },
    }
}

fn special(address: IpAddr) -> Option<&'static str> {
    let table = if address.is_ipv4() { REFUSED_V4 } else { REFUSED_V6 };
    match table.iter().find(|(range, _)| range.contains(address)) {
        Some((_, why)) => Some(why),
        None if address.is_ipv6() && !GLOBAL_V6.contains(address) => Some("not a public address"),
        None => None,
    }
}

/// The IPv4 addresses that an IPv6 address may stand for.
fn carried(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let bits = address.to_bits();
    // The 32 bits that end `skip` bits before the end.
    let at = |skip: u32| Ipv4Addr::from_bits(u32::try_from(bits >> skip & 0xffff_ffff).unwrap_or_default());
    let address = IpAddr::V6(address);
    let within = |range: Cidr| range.contains(address);
    let mut carried = Vec::new();
    if within(COMPATIBLE) && bits <= 1 {
        return carried;
    }
    if within(MAPPED) || within(TRANSLATED) || within(COMPATIBLE) || within(NAT64) {
        carried.push(at(0));
    } else if within(SIX_TO_FOUR) {
        carried.push(at(80));
    } else if within(TEREDO) {
        // The server's, and the client's with all bits turned over (RFC 4380, section 4).
        carried.extend([at(64), Ipv4Addr::from_bits(!at(0).to_bits())]);
    } else if within(LOCAL_NAT64) {
        // Where in it the IPv4 address stands is the operator's choice (RFC 6052, section 2.2: prefixes of 48, 56, 64 and
        // 96 bits, with eight bits in between that are zero), so that none of the places may hold one that is refused.
        let split = |high: u32, bits_high: u32| {
            let high = bits >> high & ((1 << bits_high) - 1);
            let low = bits >> (56 - (32 - bits_high)) & ((1 << (32 - bits_high)) - 1);
            Ipv4Addr::from_bits(u32::try_from(high << (32 - bits_high) | low).unwrap_or_default())
        };
        let places = [split(64, 16), split(64, 8), at(24), at(0)];
        // A place whose first byte is zero holds none: no gateway forwards to 0.0.0.0/8.
        carried.extend(places.into_iter().filter(|place| place.octets()[0] != 0));
    } else if matches!(bits >> 32 & 0xffff_ffff, 0x0000_5efe | 0x0200_5efe) {
        // ISATAP (RFC 5214, section 6.1).
        carried.push(at(0));
    }
    carried
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn allow(ranges: &[&str]) -> Allow {
        Allow::new(ranges.iter().map(|range| range.parse().unwrap()).collect())
    }

    #[test]
    fn each_range_is_refused_from_its_first_to_its_last_address() {
        for (first, last, below, above) in [
            ("0.0.0.0", "0.255.255.255", None, Some("1.0.0.0")),
            ("10.0.0.0", "10.255.255.255", Some("9.255.255.255"), Some("11.0.0.0")),
            ("100.64.0.0", "100.127.255.255", Some("100.63.255.255"), Some("100.128.0.0")),
            ("127.0.0.0", "127.255.255.255", Some("126.255.255.255"), Some("128.0.0.0")),
            ("168.63.129.16", "168.63.129.16", Some("168.63.129.15"), Some("168.63.129.17")),
            ("169.254.0.0", "169.254.255.255", Some("169.253.255.255"), Some("169.255.0.0")),
            ("172.16.0.0", "172.31.255.255", Some("172.15.255.255"), Some("172.32.0.0")),
            ("192.0.0.0", "192.0.0.255", Some("191.255.255.255"), Some("192.0.1.0")),
            ("192.0.2.0", "192.0.2.255", Some("192.0.1.255"), Some("192.0.3.0")),
            ("192.88.99.0", "192.88.99.255", Some("192.88.98.255"), Some("192.88.100.0")),
            ("192.168.0.0", "192.168.255.255", Some("192.167.255.255"), Some("192.169.0.0")),
            ("198.18.0.0", "198.19.255.255", Some("198.17.255.255"), Some("198.20.0.0")),
            ("198.51.100.0", "198.51.100.255", Some("198.51.99.255"), Some("198.51.101.0")),
            ("203.0.113.0", "203.0.113.255", Some("203.0.112.255"), Some("203.0.114.0")),
            ("224.0.0.0", "239.255.255.255", Some("223.255.255.255"), None),
            ("240.0.0.0", "255.255.255.255", None, None),
            ("::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None, Some("2000::")),
            ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", Some("2000:ffff::"), Some("2001:200::")),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Some("2001:db7:ffff::"), Some("2001:db9::")),
            ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("2001:ffff::"), Some("2003::")),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", Some("3ffe:ffff::"), Some("3fff:1000::")),
            ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("3fff:ffff::"), None),
        ] {
            for refused in [first, last] {
                assert!(judge(ip(refused), &Allow::default()).is_err(), "{refused}");
            }
            for fine in [below, above].into_iter().flatten() {
                assert_eq!(judge(ip(fine), &Allow::default()), Ok(()), "{fine}");
            }
        }
    }

    #[test]
    fn each_range_of_the_tables_is_refused_whole_and_by_its_name() {
        for (range, _) in REFUSED_V4.iter().chain(REFUSED_V6) {
            for address in [range.first(), range.last()] {
                assert!(special(address).is_some(), "{address}");
            }
        }
        for (address, why) in [
            ("169.254.169.254", "a link-local address, where clouds keep their metadata"),
            ("100.100.100.200", "a shared address of carriers and clouds (100.64.0.0/10)"),
            ("255.255.255.255", "the broadcast address"),
            ("255.255.255.254", "a reserved address"),
            ("::", "the unspecified address"),
            ("::1", "a loopback address"),
            ("::2", "an IPv4-compatible address"),
            ("::ffff:8.8.8.8", "an IPv4-mapped address"),
            ("::ffff:0:8.8.8.8", "an IPv4-translated address"),
            ("64:ff9b::8.8.8.8", "an address of NAT64"),
            ("64:ff9b:1::8.8.8.8", "an address of a local NAT64"),
            ("64:ff9b:2::", "not a public address"),
            ("100::1", "a discard address"),
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "a Teredo address"),
            ("2001:2::1", "an address of protocols (2001::/23)"),
            ("2002:808:808::1", "a 6to4 address"),
            ("fc00::", "a private address (unique local)"),
            ("fd00:ec2::254", "a private address (unique local)"),
            ("fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "a private address (unique local)"),
            ("fe00::", "not a public address"),
            ("fe80::1", "a link-local address"),
            ("fec0::1", "a site-local address"),
            ("ff02::1", "a multicast address"),
        ] {
            assert_eq!(judge(ip(address), &Allow::default()), Err(why), "{address}");
        }
        for public in ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001:81a::200e"] {
            assert_eq!(judge(ip(public), &Allow::default()), Ok(()), "{public}");
        }
    }

    #[test]
    fn what_the_operator_allows_is_allowed_and_nothing_beside() {
        let allowed = allow(&["10.1.0.0/16", "127.0.0.1", "fd00::/64"]);
        for address in ["10.1.0.0", "10.1.255.255", "127.0.0.1", "fd00::1", "8.8.8.8"] {
            assert_eq!(judge(ip(address), &allowed), Ok(()), "{address}");
        }
        for address in ["10.0.255.255", "10.2.0.0", "127.0.0.2", "fd00:0:0:1::", "::1", "::ffff:127.0.0.1"] {
            assert!(judge(ip(address), &allowed).is_err(), "{address}");
        }
    }

    #[test]
    fn an_address_that_is_allowed_must_carry_none_that_is_not() {
        let gateways = ["::/8", "64:ff9b::/32", "2001::/32", "2002::/16"];
        let (outer, inner) = (allow(&gateways), allow(&[gateways.as_slice(), &["10.0.0.0/8"]].concat()));
        for (private, public) in [
            ("::ffff:10.0.0.1", "::ffff:8.8.8.8"),
            ("::10.0.0.1", "::8.8.8.8"),
            ("::ffff:0:10.0.0.1", "::ffff:0:8.8.8.8"),
            ("64:ff9b::10.0.0.1", "64:ff9b::8.8.8.8"),
            // RFC 6052's prefixes of 48, 56, 64 and 96 bits.
            ("64:ff9b:1:a00:0:100::", "64:ff9b:1:808:8:800::"),
            ("64:ff9b:1:a:0:1::", "64:ff9b:1:8:8:808::"),
            ("64:ff9b:1:0:a:0:100:0", "64:ff9b:1:0:8:808:800:0"),
            ("64:ff9b:1::10.0.0.1", "64:ff9b:1::8.8.8.8"),
            ("2002:a00:1::1", "2002:808:808::1"),
            // Teredo: the server's address, and the client's turned over.
            ("2001:0:a00:1:0:0:f7f7:f7f7", "2001:0:808:808:0:0:f7f7:f7f7"),
            ("2001:0:808:808:0:0:f5ff:fffe", "2001:0:808:808:0:0:f7f7:f7f7"),
            // ISATAP.
            ("2003::5efe:10.0.0.1", "2003::5efe:8.8.8.8"),
            ("2003::200:5efe:10.0.0.1", "2003::200:5efe:8.8.8.8"),
        ] {
            assert!(judge(ip(private), &outer).is_err(), "{private}");
            assert_eq!(judge(ip(public), &outer), Ok(()), "{public}");
            assert_eq!(judge(ip(private), &inner), Ok(()), "{private}, allowed within too");
        }
    }
}
