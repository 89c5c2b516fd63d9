//! The protocol of NATS and the JSON of JetStream, as far as they are needed here.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::Written;
use super::server::PATIENCE;
use crate::error::{Doing, Done, broken};
use crate::workload::AGAIN;

/// How long an answer is waited for.
const ANSWER: Duration = Duration::from_secs(5);

/// A connection with an inbox of its own.
struct Connection(BufReader<TcpStream>);

pub(super) async fn prepare(at: SocketAddr) -> Done {
    let stream = json!({"name": "chaos", "subjects": ["chaos"], "storage": "file", "retention": "limits"}).to_string();
    let started = Instant::now();
    loop {
        // Where it is there with these settings already, that is the answer.
        let made = request(at, "$JS.API.STREAM.CREATE.chaos", &stream).await;
        if made.is_ok_and(|answer| answer["config"].is_object()) {
            return Ok(());
        }
        if started.elapsed() > PATIENCE {
            return broken("JetStream does not come back");
        }
        sleep(AGAIN).await;
    }
}

/// Writes one message after the other until the server is gone. A message is known by its number in the stream.
pub(super) async fn write(at: SocketAddr, written: &Written) -> io::Result<()> {
    let mut connection = Connection::open(at).await?;
    loop {
        let payload = format!("{}-{}", written.next(), "x".repeat(100));
        let answer = connection.request("chaos", &payload).await?;
        if let Some(number) = answer["seq"].as_u64() {
            written.acknowledged(number);
        }
    }
}

pub(super) async fn present(at: SocketAddr) -> Done<BTreeSet<u64>> {
    let answer = request(at, "$JS.API.STREAM.INFO.chaos", r#"{"deleted_details":true}"#).await.doing("JetStream")?;
    let state = &answer["state"];
    let number = |name: &str| state[name].as_u64();
    let (Some(first), Some(last)) = (number("first_seq"), number("last_seq")) else {
        return broken(format!("JetStream says {answer}"));
    };
    let deleted = state["deleted"].as_array().map_or(&[][..], Vec::as_slice);
    let deleted: BTreeSet<u64> = deleted.iter().filter_map(Value::as_u64).collect();
    Ok((first.max(1)..=last).filter(|number| !deleted.contains(number)).collect())
}

async fn request(at: SocketAddr, subject: &str, payload: &str) -> io::Result<Value> {
    Connection::open(at).await?.request(subject, payload).await
}

impl Connection {
    async fn open(at: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(at).await?;
        stream.set_nodelay(true)?;
        let inbox = stream.local_addr()?.port();
        let mut connection = Connection(BufReader::new(stream));
        let hello = format!("CONNECT {{\"verbose\":false,\"pedantic\":false}}\r\nSUB inbox.{inbox} 1\r\n");
        connection.0.get_mut().write_all(hello.as_bytes()).await?;
        Ok(connection)
    }

    async fn request(&mut self, subject: &str, payload: &str) -> io::Result<Value> {
        let inbox = self.0.get_ref().local_addr()?.port();
        let message = format!("PUB {subject} inbox.{inbox} {}\r\n{payload}\r\n", payload.len());
        self.0.get_mut().write_all(message.as_bytes()).await?;
        timeout(ANSWER, self.answer()).await?
    }

    async fn answer(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.0.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let mut words = line.split_whitespace();
            match words.next() {
                Some("PING") => self.0.get_mut().write_all(b"PONG\r\n").await?,
                Some(kind @ ("MSG" | "HMSG")) => {
                    let lengths: Vec<usize> = words.filter_map(|word| word.parse().ok()).collect();
                    let length = lengths.last().copied().unwrap_or(0);
                    let mut payload = vec![0; length + 2];
                    self.0.read_exact(&mut payload).await?;
                    // With headers: nobody listens there yet.
                    if kind == "MSG" {
                        return serde_json::from_slice(&payload[..length]).map_err(io::Error::other);
                    }
                    return Ok(Value::Null);
                }
                _ => {}
            }
        }
    }
}
