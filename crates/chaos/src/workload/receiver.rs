use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ackd_checker::Event;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::document::snapshot;
use crate::error::{Doing, Done};
use crate::history::History;

/// A receiver of webhooks.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    at: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    history: History,
    /// Whoever connects is cut off.
    away: AtomicBool,
    /// Of so many deliveries the first is answered 503 once; none where it is 0.
    turns_away: AtomicU64,
    met: Mutex<BTreeSet<String>>,
}

impl Receiver {
    /// Starts one.
    pub(crate) async fn start(history: History) -> Done<Receiver> {
        let listener = TcpListener::bind("127.0.0.1:0").await.doing("a receiver of webhooks")?;
        let at = listener.local_addr().doing("a receiver of webhooks")?;
        let shared = Arc::new(Shared {
            history,
            away: AtomicBool::new(false),
            turns_away: AtomicU64::new(0),
            met: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                // Whoever posts learns how it ended.
                tokio::spawn(async move { serve(stream, &shared).await });
            }
        });
        Ok(Receiver { at, shared })
    }

    /// Where webhooks are taken.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.at)
    }

    /// Where all are refused.
    pub(crate) fn refusing_url(&self) -> String {
        format!("http://{}/refuses", self.at)
    }

    /// Goes away, or comes back.
    pub(crate) fn set_away(&self, away: bool) {
        self.shared.away.store(away, Ordering::Relaxed);
    }

    /// Answers one in so many deliveries 503 when it comes for the first time.
    pub(crate) fn turn_away(&self, one_in: u64) {
        self.shared.turns_away.store(one_in, Ordering::Relaxed);
    }
}

async fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let refuses = line.contains(" /refuses ");
        let (mut length, mut id) = (0, String::new());
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().map_err(io::Error::other)?,
                "webhook-id" => value.trim().clone_into(&mut id),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        if shared.away.load(Ordering::Relaxed) {
            return Ok(());
        }
        let status = if refuses || shared.turns_away(&id) { 503 } else { 204 };
        let document: Value = serde_json::from_slice(&body).unwrap_or_default();
        match snapshot(&document["data"]) {
            Some(job) => shared.history.add(Event::Delivered { delivery: id, job, answer: status }),
            None => shared.history.odd(format!("a webhook says {document}")),
        }
        let answer = match status {
            204 => "HTTP/1.1 204 No Content\r\n\r\n",
            _ => "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
        };
        stream.get_mut().write_all(answer.as_bytes()).await?;
    }
}

impl Shared {
    fn turns_away(&self, id: &str) -> bool {
        let one_in = self.turns_away.load(Ordering::Relaxed);
        if one_in == 0 {
            return false;
        }
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let first = met.insert(id.to_owned());
        first && (met.len() as u64).is_multiple_of(one_in)
    }
}
