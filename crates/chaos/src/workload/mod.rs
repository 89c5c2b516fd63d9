//! Those who use the server, each over HTTP, and write down what they asked, were answered and saw.

mod events;
mod follower;
mod poller;
mod receiver;
mod socket;
mod submitter;
mod worker;

pub(crate) use follower::{Face, Follower};
pub(crate) use poller::Poller;
pub(crate) use receiver::Receiver;
pub(crate) use submitter::{Shape, Submitter};
pub(crate) use worker::{Held, Worker};

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};

/// The queue that all use.
pub(crate) const QUEUE: &str = "chaos";

/// The pause before somebody tries again who was not answered.
pub(crate) const AGAIN: Duration = Duration::from_millis(20);

/// The bytes that the system keeps for one who follows: so few that the server notices who does not read, and more than the
/// largest segment of a loopback, beneath which TCP waits for a fifth of a second again and again.
const BUFFER: u32 = 256 << 10;

/// Opens a connection for one who follows.
async fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(BUFFER)?;
    socket.connect(to).await
}

/// What goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Things fail, and some clients are careless.
    Storm,
    /// Nothing fails any more: what was begun is brought to its end.
    Calm,
}
