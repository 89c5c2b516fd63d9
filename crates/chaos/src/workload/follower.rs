use std::io;
use std::time::Duration;

use ackd_checker::Event;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::{AGAIN, QUEUE, connect};
use crate::address::Address;
use crate::document::{position, snapshot};
use crate::history::History;

/// A stream says where it is more often than so.
const SILENCE: Duration = Duration::from_secs(40);

/// Follows the feed of the queue from its beginning by server-sent events, and goes on where it was whenever its
/// connection breaks.
#[derive(Debug)]
pub(crate) struct Follower {
    pub(crate) number: u64,
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
            // However the stream ends, it goes on where it was.
            let _ = self.follow(&mut at).await;
            sleep(AGAIN).await;
        }
    }

    async fn follow(&mut self, at: &mut Option<String>) -> io::Result<()> {
        let cuts = self.address.cuts();
        let to = self.address.get().ok_or(io::ErrorKind::NotConnected)?;
        let mut stream = BufReader::new(connect(to).await?);
        // HTTP/1.0, as many proxies speak it: the stream is the body, without chunks.
        let request = match &*at {
            Some(id) => {
                format!("GET /v1/events?queue={QUEUE} HTTP/1.0\r\nhost: localhost\r\nlast-event-id: {id}\r\n\r\n")
            }
            None => format!("GET /v1/events?queue={QUEUE}&after=earliest HTTP/1.0\r\nhost: localhost\r\n\r\n"),
        };
        stream.get_mut().write_all(request.as_bytes()).await?;
        let mut line = String::new();
        self.line(&mut stream, &mut line).await?;
        if line.get(9..12) != Some("200") {
            return Err(io::ErrorKind::InvalidData.into());
        }
        while line != "\r\n" {
            self.line(&mut stream, &mut line).await?;
        }
        let after = at.as_deref().and_then(position).unwrap_or(0);
        self.history.add(Event::Follows { subscriber: self.name(), after });
        let (mut id, mut name, mut data) = (String::new(), String::new(), String::new());
        loop {
            self.line(&mut stream, &mut line).await?;
            if self.address.cuts() != cuts {
                return Ok(());
            }
            // An event counts once it is whole (WHATWG HTML, section 9.2.6).
            match line.trim_end_matches('\n').split_once(": ") {
                Some(("id", value)) => value.clone_into(&mut id),
                Some(("event", value)) => value.clone_into(&mut name),
                Some(("data", value)) => value.clone_into(&mut data),
                _ if line == "\n" && !data.is_empty() => {
                    self.event(&id, &name, &data);
                    *at = Some(id.clone());
                    name.clear();
                    data.clear();
                }
                _ => {}
            }
        }
    }

    fn event(&self, id: &str, name: &str, data: &str) {
        let document: Value = serde_json::from_str(data).unwrap_or_default();
        match (name, snapshot(&document), position(id)) {
            ("reset", ..) => self.history.add(Event::Reset { subscriber: self.name() }),
            (_, Some(job), Some(position)) => {
                let ended = job.status.is_terminal().then(|| job.job.clone());
                self.history.add(Event::Seen { subscriber: self.name(), position, job });
                if let Some(ended) = ended {
                    self.last.send_replace(ended);
                }
            }
            _ => self.history.odd(format!("a follower is told {name:?} {id:?} {data}")),
        }
    }

    fn name(&self) -> String {
        format!("follower-{}", self.number)
    }

    async fn line(&mut self, stream: &mut BufReader<TcpStream>, line: &mut String) -> io::Result<()> {
        if self.reads.wait_for(|reads| *reads).await.is_err() {
            return std::future::pending().await;
        }
        line.clear();
        timeout(SILENCE, stream.read_line(line)).await??;
        if line.ends_with('\n') { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}
