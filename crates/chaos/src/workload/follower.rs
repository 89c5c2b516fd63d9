use std::io;

use ackd_checker::{Event, Snapshot};
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;

use super::{AGAIN, connect, events, socket};
use crate::address::Address;
use crate::document::position;
use crate::history::History;

/// By what one follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    /// Server-sent events.
    Events,
    /// A WebSocket.
    Socket,
}

/// Follows the feed of the queue from its beginning, and goes on where it was whenever its connection breaks.
#[derive(Debug)]
pub(crate) struct Follower {
    pub(crate) number: u64,
    pub(crate) face: Face,
    pub(crate) address: Address,
    pub(crate) history: History,
    /// It reads while this is true.
    pub(crate) reads: watch::Receiver<bool>,
    /// The job whose end it was told last.
    pub(crate) last: watch::Sender<String>,
}

impl Follower {
    /// Follows until it is dropped.
    pub(crate) async fn run(mut self) {
        let mut at = None;
        loop {
            self.address.up().await;
            // However it ends, it goes on where it was.
            let _ = match self.face {
                Face::Events => events::follow(&mut self, &mut at).await,
                Face::Socket => socket::follow(&mut self, &mut at).await,
            };
            sleep(AGAIN).await;
        }
    }

    pub(super) async fn open(&self) -> io::Result<BufReader<TcpStream>> {
        let to = self.address.get().ok_or(io::ErrorKind::NotConnected)?;
        Ok(BufReader::new(connect(to).await?))
    }

    /// Waits until it is to read.
    pub(super) async fn may_read(&mut self) {
        if self.reads.wait_for(|reads| *reads).await.is_err() {
            std::future::pending().await
        }
    }

    /// It follows from `at` on.
    pub(super) fn begins(&self, at: Option<&str>) {
        let after = at.and_then(position).unwrap_or(0);
        self.history.add(Event::Follows { subscriber: self.name(), after });
    }

    /// It was told of a change.
    pub(super) fn saw(&self, position: u64, job: Snapshot<String>) {
        let ended = job.status.is_terminal().then(|| job.job.clone());
        self.history.add(Event::Seen { subscriber: self.name(), position, job });
        if let Some(ended) = ended {
            self.last.send_replace(ended);
        }
    }

    /// It was told that what it missed is no longer kept.
    pub(super) fn was_reset(&self) {
        self.history.add(Event::Reset { subscriber: self.name() });
    }

    fn name(&self) -> String {
        match self.face {
            Face::Events => format!("follower-{}", self.number),
            Face::Socket => format!("socket-{}", self.number),
        }
    }
}
