use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ackd_ports::{Host, OutboundError, Phase};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::address;
use crate::allow::Allow;
use crate::connection::Connection;
use crate::own::OwnAddresses;
use crate::resolve::Resolve;
use crate::stream::Stream;
use crate::target::Target;
use crate::tls::Tls;

/// How many addresses of a name are tried.
const TRIED: usize = 8;

/// Opens connections to addresses that it has judged, and to no others.
pub(crate) struct Connector {
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) own: Arc<dyn OwnAddresses>,
    pub(crate) allow: Allow,
    /// The flag by which the operator allows what is refused.
    pub(crate) flag: &'static str,
    pub(crate) tls: Tls,
    /// How long look-up, connecting and TLS may take together.
    pub(crate) timeout: Duration,
}

impl Connector {
    /// Judges the address that the URL itself holds. A name is judged at each connection.
    pub(crate) fn check(&self, target: &Target) -> Result<(), OutboundError> {
        match target.host {
            Host::Name(_) => Ok(()),
            Host::Address(address) => self.judge(address).map_err(|why| self.refused(target, address, why)),
        }
    }

    /// Connects to `target`, until `deadline` at most.
    pub(crate) async fn open(&self, target: &Target, deadline: Instant) -> Result<Connection, OutboundError> {
        let started = Instant::now();
        let deadline = deadline.min(started + self.timeout);
        let late = |during| OutboundError::Timeout { during, limit: deadline - started };
        let addresses = match timeout_at(deadline, self.addresses(target)).await {
            Ok(addresses) => addresses?,
            Err(_) => return Err(late(Phase::Resolving)),
        };
        let stream = self.dial(target, &addresses, deadline).await?.ok_or_else(|| late(Phase::Connecting))?;
        let stream = if target.https {
            match timeout_at(deadline, self.tls.connect(&target.host, stream)).await {
                Ok(Ok(stream)) => Stream::Tls(stream),
                Ok(Err(why)) => return Err(OutboundError::Tls { host: target.host_text(), why }),
                Err(_) => return Err(late(Phase::Connecting)),
            }
        } else {
            Stream::Plain(stream)
        };
        Connection::start(stream).await
    }

    /// The addresses of `target` that may be connected to, one at least. Those that may not are left out.
    async fn addresses(&self, target: &Target) -> Result<Vec<IpAddr>, OutboundError> {
        let name = match &target.host {
            Host::Address(address) => {
                self.check(target)?;
                return Ok(vec![*address]);
            }
            Host::Name(name) => name,
        };
        let nowhere = |why: Arc<str>| OutboundError::NoAddress { host: Arc::clone(name), why };
        let found = self.resolver.resolve(Arc::clone(name)).await;
        let found = found.map_err(|error| nowhere(error.to_string().into()))?;
        let mut addresses = Vec::new();
        let mut first_refused = None;
        for address in found {
            match self.judge(address) {
                Ok(()) if addresses.contains(&address) => {}
                Ok(()) => addresses.push(address),
                Err(why) => drop(first_refused.get_or_insert((address, why))),
            }
            if addresses.len() == TRIED {
                break;
            }
        }
        match first_refused {
            _ if !addresses.is_empty() => Ok(addresses),
            Some((address, why)) => Err(self.refused(target, address, why)),
            None => Err(nowhere("the name exists, but has no address".into())),
        }
    }

    /// Connects to the first of `addresses` that takes it; none where the time ran out on the last. Each of them gets its
    /// share of the time that is left, so that one that drops what it gets does not keep the others from being tried.
    async fn dial(
        &self,
        target: &Target,
        addresses: &[IpAddr],
        deadline: Instant,
    ) -> Result<Option<TcpStream>, OutboundError> {
        let mut last: Option<(IpAddr, io::Error)> = None;
        for (tried, address) in addresses.iter().enumerate() {
            let left = u32::try_from(addresses.len() - tried).unwrap_or(1);
            let now = Instant::now();
            let share = now + deadline.saturating_duration_since(now) / left;
            // This very address, judged above: nothing looks the name up again.
            match timeout_at(share, TcpStream::connect(SocketAddr::new(*address, target.port))).await {
                Ok(Ok(stream)) => {
                    // A post waits for its answer: Nagle's algorithm would only delay it. Without it all works too.
                    drop(stream.set_nodelay(true));
                    return Ok(Some(stream));
                }
                Ok(Err(error)) => last = Some((*address, error)),
                Err(_) => {}
            }
        }
        match last {
            Some((address, error)) => {
                Err(OutboundError::Connect { host: target.host_text(), address, why: error.to_string().into() })
            }
            None => Ok(None),
        }
    }

    fn judge(&self, address: IpAddr) -> Result<(), &'static str> {
        address::judge(address, &self.allow)?;
        if !self.allow.contains(address) && self.own.owns(address) {
            return Err("an address of this very server");
        }
        Ok(())
    }

    fn refused(&self, target: &Target, address: IpAddr, why: &'static str) -> OutboundError {
        let literal = matches!(target.host, Host::Address(_));
        OutboundError::Refused { host: target.host_text(), address, why, literal, flag: self.flag }
    }
}
