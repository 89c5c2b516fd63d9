//! How many connections each address has.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

/// The connections of each address, of which it may have so many.
#[derive(Debug)]
pub(crate) struct Addresses {
    /// `usize::MAX` where nobody counts.
    most: usize,
    open: Arc<Mutex<FxHashMap<IpAddr, usize>>>,
}

/// A connection that is counted until this goes out of scope.
#[derive(Debug, Default)]
pub(crate) struct Place {
    _counted: Option<Counted>,
}

#[derive(Debug)]
struct Counted {
    address: IpAddr,
    open: Arc<Mutex<FxHashMap<IpAddr, usize>>>,
}

impl Addresses {
    pub(crate) fn new(most: usize) -> Addresses {
        Addresses { most, open: Arc::default() }
    }

    /// A place for one more connection of `address`; `None` where it has as many as it may.
    pub(crate) fn place(&self, address: IpAddr) -> Option<Place> {
        if self.most == usize::MAX {
            return Some(Place::default());
        }
        let address = counted(address);
        let mut open = lock(&self.open);
        let connections = open.entry(address).or_default();
        if *connections >= self.most {
            return None;
        }
        *connections += 1;
        Some(Place { _counted: Some(Counted { address, open: Arc::clone(&self.open) }) })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        if let Some(connections) = open.get_mut(&self.address) {
            *connections -= 1;
            if *connections == 0 {
                open.remove(&self.address);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What counts as one address: of IPv6 the network of 64 bits, of which one client may have all addresses (RFC 4291,
/// section 2.5.4).
fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & u128::MAX << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_connections_and_others_have_theirs() {
        let addresses = Addresses::new(2);
        let first = addresses.place(ip("192.0.2.1")).unwrap();
        let second = addresses.place(ip("::ffff:192.0.2.1")).unwrap();
        assert!(addresses.place(ip("192.0.2.1")).is_none());
        assert!(addresses.place(ip("192.0.2.2")).is_some());
        drop(first);
        let third = addresses.place(ip("192.0.2.1"));
        assert!(third.is_some() && addresses.place(ip("192.0.2.1")).is_none());
        drop((second, third));
        assert!(lock(&addresses.open).is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one() {
        let addresses = Addresses::new(1);
        let _one = addresses.place(ip("2001:db8::1")).unwrap();
        assert!(addresses.place(ip("2001:db8::ffff:0:0:2")).is_none());
        assert!(addresses.place(ip("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn without_a_limit_nobody_is_counted() {
        let addresses = Addresses::new(usize::MAX);
        let _place = addresses.place(ip("192.0.2.1"));
        assert!(lock(&addresses.open).is_empty());
    }
}
