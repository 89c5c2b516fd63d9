use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A range of IP addresses, `10.0.0.0/8` or `fd00::/8` (RFC 4632, RFC 4291 section 2.3). A bare address is a range of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr {
    first: IpAddr,
    prefix: u8,
}

/// A text that is no range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// No address, or no number after it.
    #[error("`{0}` is no range of addresses such as 10.0.0.0/8, fd00::/8 or 192.0.2.7")]
    Syntax(String),
    /// More bits than the address has.
    #[error("`{text}`: the number after the slash is at most {most}")]
    Prefix {
        /// What was given.
        text: String,
        /// The bits of an address of this family.
        most: u8,
    },
    /// Bits beyond the prefix: a slip of one of the two parts.
    #[error("`{text}` has bits beyond its prefix; the range that holds this address is {range}")]
    HostBits {
        /// What was given.
        text: String,
        /// What it may have meant.
        range: Cidr,
    },
}

impl Cidr {
    /// The range of `prefix` bits that holds `first`, which must have no bit beyond them. For tables only.
    pub(crate) const fn v4(first: [u8; 4], prefix: u8) -> Cidr {
        Cidr { first: IpAddr::V4(Ipv4Addr::from_octets(first)), prefix }
    }

    /// As [`Cidr::v4`].
    pub(crate) const fn v6(first: [u16; 8], prefix: u8) -> Cidr {
        let [a, b, c, d, e, f, g, h] = first;
        Cidr { first: IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)), prefix }
    }

    /// Whether the range holds `address`. One of the other family it never holds, `::ffff:10.0.0.1` neither: that is an
    /// address of its own.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.first.is_ipv4() == address.is_ipv4() && bits(address) & self.mask() == bits(self.first)
    }

    /// The last address.
    #[cfg(test)]
    pub(crate) fn last(&self) -> IpAddr {
        address(bits(self.first) | !self.mask(), self.first)
    }

    /// The first address.
    #[cfg(test)]
    pub(crate) fn first(&self) -> IpAddr {
        self.first
    }

    /// The bits that tell the range, in the highest places, whatever the family.
    fn mask(&self) -> u128 {
        u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0)
    }
}

/// The address's bits in the highest places.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The address of these bits, of the family of `like`.
fn address(bits: u128, like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits >> 96).unwrap_or_default())),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(bits)),
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Cidr, CidrError> {
        let syntax = || CidrError::Syntax(text.to_owned());
        let (first, prefix) = match text.split_once('/') {
            Some((first, prefix)) => (first, Some(prefix)),
            None => (text, None),
        };
        let first: IpAddr = first.parse().map_err(|_| syntax())?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => most,
            Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                let prefix = digits.parse().ok().filter(|prefix| *prefix <= most);
                prefix.ok_or_else(|| CidrError::Prefix { text: text.to_owned(), most })?
            }
            Some(_) => return Err(syntax()),
        };
        let range = Cidr { first, prefix };
        if bits(first) & range.mask() == bits(first) {
            return Ok(range);
        }
        let range = Cidr { first: address(bits(first) & range.mask(), first), prefix };
        Err(CidrError::HostBits { text: text.to_owned(), range })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

/// The ranges that an operator lets webhooks go to although they would be refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allow(Vec<Cidr>);

impl Allow {
    /// These ranges and no others.
    #[must_use]
    pub fn new(ranges: Vec<Cidr>) -> Allow {
        Allow(ranges)
    }

    /// Whether one of the ranges holds `address`.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|range| range.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_holds_its_first_and_its_last_address_and_none_beside() {
        for (range, first, last, below, above) in [
            ("10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"),
            ("192.0.2.128/25", "192.0.2.128", "192.0.2.255", "192.0.2.127", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.6", "192.0.2.8"),
            ("fd00::/8", "fd00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fcff::", "fe00::"),
            ("2001:db8::1/128", "2001:db8::1", "2001:db8::1", "2001:db8::", "2001:db8::2"),
        ] {
            let range: Cidr = range.parse().unwrap();
            assert_eq!((range.first(), range.last()), (ip(first), ip(last)));
            assert!(range.contains(ip(first)) && range.contains(ip(last)), "{range}");
            assert!(!range.contains(ip(below)) && !range.contains(ip(above)), "{range}");
        }
        let all: Cidr = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains(ip("0.0.0.0")) && all.contains(ip("255.255.255.255")));
        assert!(!all.contains(ip("::")) && !all.contains(ip("::ffff:1.2.3.4")));
        assert!("::/0".parse::<Cidr>().unwrap().contains(ip("ffff::")));
    }

    #[test]
    fn what_is_no_range_is_refused_for_its_reason() {
        for text in
            ["", "10", "10.0.0/8", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/8/8", "010.0.0.0/8", "a/8", "[::1]", "::g"]
        {
            assert_eq!(text.parse::<Cidr>(), Err(CidrError::Syntax(text.to_owned())));
        }
        for (text, most) in [("10.0.0.0/33", 32), ("10.0.0.0/999", 32), ("fd00::/129", 128)] {
            assert_eq!(text.parse::<Cidr>(), Err(CidrError::Prefix { text: text.to_owned(), most }));
        }
        for (text, range) in [("10.0.0.1/8", "10.0.0.0/8"), ("192.0.2.1/0", "0.0.0.0/0"), ("fd00::1/64", "fd00::/64")] {
            let range = range.parse().unwrap();
            assert_eq!(text.parse::<Cidr>(), Err(CidrError::HostBits { text: text.to_owned(), range }));
        }
    }

    #[test]
    fn a_range_is_written_as_it_is_read() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "fd00::/8", "192.0.2.7/32"] {
            assert_eq!(text.parse::<Cidr>().unwrap().to_string(), text);
        }
    }
}
