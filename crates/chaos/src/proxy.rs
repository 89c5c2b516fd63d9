//! A network that fails as it is told to.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::address::{Address, Signpost};
use crate::error::{Doing, Done};

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// All passes.
    Passes,
    /// Nothing passes; what is on its way arrives later.
    Stalls,
    /// What the server says is lost, and the connection with it.
    Swallows,
    /// Every connection is broken, and new ones are.
    Cut,
}

/// A proxy between clients and the server.
#[derive(Debug)]
pub(crate) struct Proxy {
    network: watch::Sender<Network>,
    signpost: Signpost,
    swallowed: watch::Receiver<u64>,
}

impl Proxy {
    /// Starts one before `server`.
    pub(crate) async fn start(server: Address) -> Done<Proxy> {
        let listener = TcpListener::bind("127.0.0.1:0").await.doing("a proxy")?;
        let signpost = Signpost::new();
        signpost.point(Some(listener.local_addr().doing("a proxy")?));
        let network = watch::Sender::new(Network::Passes);
        let (count, swallowed) = watch::channel(0);
        let wire = Wire { told: network.subscribe(), count };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, wire) = (server.clone(), wire.clone());
                // A connection that breaks is what it is for.
                tokio::spawn(async move { carry(client, &server, wire).await });
            }
        });
        Ok(Proxy { network, signpost, swallowed })
    }

    /// Where clients reach it.
    pub(crate) fn address(&self) -> Address {
        self.signpost.address()
    }

    /// From now on it does this.
    pub(crate) fn set(&self, network: Network) {
        self.network.send_replace(network);
    }

    /// How many answers it has swallowed.
    pub(crate) fn swallowed(&self) -> u64 {
        *self.swallowed.borrow()
    }
}

/// What a connection knows of the network.
#[derive(Debug, Clone)]
struct Wire {
    told: watch::Receiver<Network>,
    /// The answers that were swallowed.
    count: watch::Sender<u64>,
}

async fn carry(client: TcpStream, server: &Address, wire: Wire) -> io::Result<()> {
    let mut told = wire.told.clone();
    let server = TcpStream::connect(server.get().ok_or(io::ErrorKind::NotConnected)?).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let there = pass(from_client, to_server, wire.clone(), false);
    let back = pass(from_server, to_client, wire, true);
    tokio::select! {
        ended = there => ended,
        ended = back => ended,
        _ = told.wait_for(|network| *network == Network::Cut) => Ok(()),
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, wire: Wire, is_answer: bool) -> io::Result<()> {
    let Wire { mut told, count } = wire;
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        if is_answer && *told.borrow() == Network::Swallows {
            count.send_modify(|count| *count += 1);
            // Whoever waits for it learns of it when the network passes again.
            let _ = told.wait_for(|network| *network != Network::Swallows).await;
            return Ok(());
        }
        let _ = told.wait_for(|network| *network != Network::Stalls).await;
        to.write_all(&buffer[..read]).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that says back what it hears, behind a proxy.
    async fn echo() -> (Proxy, Address) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let signpost = Signpost::new();
        signpost.point(Some(listener.local_addr().unwrap()));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        let proxy = Proxy::start(signpost.address()).await.unwrap();
        let address = proxy.address();
        (proxy, address)
    }

    #[tokio::test]
    async fn it_passes_stalls_swallows_and_cuts() {
        let (proxy, address) = echo().await;
        let at = address.get().unwrap();
        let mut stream = TcpStream::connect(at).await.unwrap();
        let mut byte = [0];
        stream.write_all(b"a").await.unwrap();
        stream.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"a");

        // What was sent while it stalls arrives when it passes again.
        proxy.set(Network::Stalls);
        stream.write_all(b"b").await.unwrap();
        proxy.set(Network::Passes);
        stream.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"b");

        proxy.set(Network::Swallows);
        stream.write_all(b"c").await.unwrap();
        // The end of the connection, and not the answer, is what comes.
        let (read, ()) = tokio::join!(stream.read(&mut byte), async {
            let mut swallowed = proxy.swallowed.clone();
            swallowed.wait_for(|count| *count == 1).await.unwrap();
            proxy.set(Network::Passes);
        });
        assert_eq!(read.unwrap_or(0), 0, "the answer came");

        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(b"d").await.unwrap();
        stream.read_exact(&mut byte).await.unwrap();
        proxy.set(Network::Cut);
        assert_eq!(stream.read(&mut byte).await.unwrap_or(0), 0);
    }
}
