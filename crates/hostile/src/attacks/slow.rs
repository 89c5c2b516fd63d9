//! Requests that never end (slowloris): a byte now and then, or most of it at once and then nothing.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::{interval, sleep};

use super::opened::Opened;
use crate::attack::Tally;

/// How often a byte is sent.
const EVERY: Duration = Duration::from_secs(1);

/// Nearly the largest head that is read.
const HEAD: usize = 60 << 10;

/// Nearly all that is read of a body before it is counted.
const BODY: usize = 60 << 10;

/// The length of a large body, and how much of it is sent.
const LARGE_BODY: (usize, usize) = (1 << 20, 1000 << 10);

pub(super) async fn head(addr: SocketAddr, tally: Arc<Tally>) -> io::Result<()> {
    let mut opened = Opened::connect(addr, &tally).await?;
    opened.stream.write_all(b"POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\nx-slow: ").await?;
    drip(opened).await
}

pub(super) async fn body(addr: SocketAddr, tally: Arc<Tally>) -> io::Result<()> {
    let mut opened = Opened::connect(addr, &tally).await?;
    opened.stream.write_all(&request(BODY)).await?;
    drip(opened).await
}

pub(super) async fn large_head(addr: SocketAddr, tally: Arc<Tally>) -> io::Result<()> {
    let mut opened = Opened::connect(addr, &tally).await?;
    let head = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: {}", "x".repeat(HEAD));
    opened.stream.write_all(head.as_bytes()).await?;
    opened.answer().await.map(drop)
}

pub(super) async fn large_body(addr: SocketAddr, tally: Arc<Tally>) -> io::Result<()> {
    let mut opened = Opened::connect(addr, &tally).await?;
    let (length, sent) = LARGE_BODY;
    let body = [request(length), vec![b'x'; sent]].concat();
    // Where the server refuses it, it does not take the rest, and has said so.
    let _ = opened.stream.write_all(&body).await;
    opened.answer().await?;
    sleep(EVERY).await;
    Ok(())
}

/// Says nothing, from an address of its own.
pub(super) async fn silent(addr: SocketAddr, tally: Arc<Tally>) -> io::Result<()> {
    let mut opened = Opened::from([127, 0, 0, 2].into(), addr, &tally).await?;
    let refused = opened.answer().await;
    // Who is told to come later, does.
    sleep(EVERY).await;
    refused.map(drop)
}

/// The head of a request with a body of so many bytes.
fn request(length: usize) -> Vec<u8> {
    format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
    .into_bytes()
}

/// Sends a byte each second until the server has had enough.
async fn drip(mut opened: Opened) -> io::Result<()> {
    let mut due = interval(EVERY);
    loop {
        tokio::select! {
            answer = opened.answer() => return answer.map(drop),
            _ = due.tick() => {}
        }
        opened.stream.write_all(b"x").await?;
    }
}
