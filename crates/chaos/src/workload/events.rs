//! Following by server-sent events (WHATWG HTML, section 9.2).

use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Follower, QUEUE};
use crate::document::{position, snapshot};

/// A stream says where it is more often than so.
const SILENCE: Duration = Duration::from_secs(40);

pub(super) async fn follow(follower: &mut Follower, at: &mut Option<String>) -> io::Result<()> {
    let cuts = follower.address.cuts();
    let mut stream = follower.open().await?;
    // HTTP/1.0, as many proxies speak it: the stream is the body, without chunks.
    let request = match &*at {
        Some(id) => format!("GET /v1/events?queue={QUEUE} HTTP/1.0\r\nhost: localhost\r\nlast-event-id: {id}\r\n\r\n"),
        None => format!("GET /v1/events?queue={QUEUE}&after=earliest HTTP/1.0\r\nhost: localhost\r\n\r\n"),
    };
    stream.get_mut().write_all(request.as_bytes()).await?;
    let mut text = String::new();
    line(follower, &mut stream, &mut text).await?;
    if text.get(9..12) != Some("200") {
        return Err(io::ErrorKind::InvalidData.into());
    }
    while text != "\r\n" {
        line(follower, &mut stream, &mut text).await?;
    }
    follower.begins(at.as_deref());
    let (mut id, mut name, mut data) = (String::new(), String::new(), String::new());
    loop {
        line(follower, &mut stream, &mut text).await?;
        if follower.address.cuts() != cuts {
            return Ok(());
        }
        // An event counts once it is whole (section 9.2.6).
        match text.trim_end_matches('\n').split_once(": ") {
            Some(("id", value)) => value.clone_into(&mut id),
            Some(("event", value)) => value.clone_into(&mut name),
            Some(("data", value)) => value.clone_into(&mut data),
            _ if text == "\n" && !data.is_empty() => {
                told(follower, &id, &name, &data);
                *at = Some(id.clone());
                name.clear();
                data.clear();
            }
            _ => {}
        }
    }
}

fn told(follower: &Follower, id: &str, name: &str, data: &str) {
    let document: Value = serde_json::from_str(data).unwrap_or_default();
    match (name, snapshot(&document), position(id)) {
        ("reset", ..) => follower.was_reset(),
        (_, Some(job), Some(position)) => follower.saw(position, job),
        _ => follower.history.odd(format!("a follower is told {name:?} {id:?} {data}")),
    }
}

async fn line(follower: &mut Follower, stream: &mut BufReader<TcpStream>, text: &mut String) -> io::Result<()> {
    follower.may_read().await;
    text.clear();
    timeout(SILENCE, stream.read_line(text)).await??;
    if text.ends_with('\n') { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
