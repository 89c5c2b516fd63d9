//! A small client of HTTP/1.1. What matters is to know what is not known: whether a request without an answer was sent.

use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::address::Address;

/// How long an answer may take, beyond what the server was asked to hold it back.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const JSON: &str = "application/json";
pub(crate) const NDJSON: &str = "application/x-ndjson";

/// One who asks, with a connection that is kept.
#[derive(Debug)]
pub(crate) struct Http {
    pub(crate) address: Address,
    stream: Option<BufReader<TcpStream>>,
    /// How long it waits for an answer.
    pub(crate) patience: Duration,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// The connection is not used again.
    closes: bool,
}

/// There is no whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// There was no connection to send anything on.
    Unsent,
    /// Nobody knows what became of it.
    Lost,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The lines of an NDJSON body.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let lines = self.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap_or_default()).collect()
    }

    /// The request has changed nothing, and will not: the others say that the server is going, and whatever was under
    /// way may have happened.
    pub(crate) fn is_refusal(&self) -> bool {
        (400..500).contains(&self.status) || self.status == 507 || self.json()["code"] == "overloaded"
    }

    /// What may be answered while things fail.
    pub(crate) fn is_expected(&self) -> bool {
        matches!(self.status, 200..300 | 503 | 507)
    }

    pub(crate) fn text(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(&self.body).chars().take(500).collect::<String>())
    }
}

impl Http {
    pub(crate) fn new(address: Address) -> Http {
        Http { address, stream: None, patience: PATIENCE }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer, Unanswered> {
        self.ask("GET", path, JSON, "").await
    }

    pub(crate) async fn post(&mut self, path: &str, kind: &str, body: &str) -> Result<Answer, Unanswered> {
        self.ask("POST", path, kind, body).await
    }

    pub(crate) async fn ask(&mut self, method: &str, path: &str, kind: &str, body: &str) -> Result<Answer, Unanswered> {
        let cuts = self.address.cuts();
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect().await.map_err(|_| Unanswered::Unsent)?,
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        match timeout(self.patience, exchange(&mut stream, &request)).await {
            Ok(Ok(answer)) if self.address.cuts() == cuts => {
                if !answer.closes {
                    self.stream = Some(stream);
                }
                Ok(answer)
            }
            _ => Err(Unanswered::Lost),
        }
    }

    async fn connect(&self) -> io::Result<BufReader<TcpStream>> {
        let at = self.address.get().ok_or(io::ErrorKind::NotConnected)?;
        let stream = timeout(self.patience, TcpStream::connect(at)).await??;
        stream.set_nodelay(true)?;
        Ok(BufReader::new(stream))
    }
}

async fn exchange(stream: &mut BufReader<TcpStream>, request: &str) -> io::Result<Answer> {
    stream.get_mut().write_all(request.as_bytes()).await?;
    let mut line = String::new();
    head_line(stream, &mut line).await?;
    let status = line.get(9..12).and_then(|text| text.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let (mut length, mut closes) = (0, false);
    loop {
        head_line(stream, &mut line).await?;
        if line == "\r\n" {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        closes |= lower.starts_with("connection:") && lower.contains("close");
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Answer { status, body, closes })
}

async fn head_line(stream: &mut BufReader<TcpStream>, line: &mut String) -> io::Result<()> {
    line.clear();
    stream.read_line(line).await?;
    if line.ends_with('\n') { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Whether a line of an answer may say so while things fail.
pub(crate) fn may_be(line: &Value) -> bool {
    matches!(line["status"].as_u64(), Some(503 | 507))
}
