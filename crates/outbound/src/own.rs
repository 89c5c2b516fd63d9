use std::net::{IpAddr, Ipv4Addr, UdpSocket};

/// Which addresses are this machine's own, whatever interface they are of.
pub trait OwnAddresses: Send + Sync {
    /// Whether `address` is one of them now.
    fn owns(&self, address: IpAddr) -> bool;
}

/// The operating system's answer: only an address of its own can be bound to. So no list of interfaces can be out of date.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemAddresses;

/// An address of documentation, which no machine has.
const NOBODYS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

impl OwnAddresses for SystemAddresses {
    fn owns(&self, address: IpAddr) -> bool {
        let binds = |address: IpAddr| UdpSocket::bind((address, 0)).is_ok();
        // Some systems let anything be bound to (ip_nonlocal_bind); what is refused there is a route to oneself. A UDP
        // socket that is connected sends nothing.
        if binds(address) && !binds(NOBODYS) {
            return true;
        }
        let unspecified: IpAddr = if address.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
        let routed_from = || {
            let socket = UdpSocket::bind((unspecified, 0))?;
            socket.connect((address, 9))?;
            socket.local_addr()
        };
        routed_from().is_ok_and(|local: std::net::SocketAddr| local.ip() == address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_the_machines_own_and_documentation_is_not() {
        assert!(SystemAddresses.owns([127, 0, 0, 1].into()));
        assert!(!SystemAddresses.owns([192, 0, 2, 7].into()));
        assert!(!SystemAddresses.owns([8, 8, 8, 8].into()));
    }
}
