use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::attack::Tally;
use crate::wire;

/// A connection that is counted while it is open.
pub(super) struct Opened {
    pub(super) stream: TcpStream,
    tally: Arc<Tally>,
}

impl Opened {
    /// A connection to `addr`, with as much room for what comes as the system gives.
    pub(super) async fn connect(addr: SocketAddr, tally: &Arc<Tally>) -> io::Result<Opened> {
        Opened::of(TcpSocket::new_v4()?, addr, tally).await
    }

    /// As [`Opened::connect`], with room for `bytes` of what comes.
    pub(super) async fn with_room(bytes: u32, addr: SocketAddr, tally: &Arc<Tally>) -> io::Result<Opened> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(bytes)?;
        Opened::of(socket, addr, tally).await
    }

    /// As [`Opened::connect`], from another address of this machine.
    pub(super) async fn from(from: IpAddr, addr: SocketAddr, tally: &Arc<Tally>) -> io::Result<Opened> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(from, 0))?;
        Opened::of(socket, addr, tally).await
    }

    async fn of(socket: TcpSocket, addr: SocketAddr, tally: &Arc<Tally>) -> io::Result<Opened> {
        let stream = socket.connect(addr).await?;
        stream.set_nodelay(true)?;
        // Closed at once, and not held by the system for a minute more: it would be out of ports.
        stream.set_zero_linger()?;
        tally.open.fetch_add(1, Ordering::Relaxed);
        tally.made.fetch_add(1, Ordering::Relaxed);
        Ok(Opened { stream, tally: Arc::clone(tally) })
    }

    /// Waits for what the server says, which ends the connection, and counts it.
    pub(super) async fn answer(&mut self) -> io::Result<u16> {
        let mut read = [0; 512];
        match self.stream.read(&mut read).await {
            Ok(bytes @ 1..) => {
                let status = wire::status(&read[..bytes])?;
                self.tally.answered(status);
                Ok(status)
            }
            end => {
                self.tally.cut.fetch_add(1, Ordering::Relaxed);
                Err(end.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()))
            }
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.tally.open.fetch_sub(1, Ordering::Relaxed);
    }
}
