//! Following over a WebSocket (RFC 6455).

use std::io;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{Follower, QUEUE};
use crate::document::{position, snapshot};

pub(super) async fn follow(follower: &mut Follower, at: &mut Option<String>) -> io::Result<()> {
    let cuts = follower.address.cuts();
    let mut stream = follower.open().await?;
    let request = "GET /v1/ws HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                   sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                   sec-websocket-protocol: ackd.v1\r\n\r\n";
    stream.get_mut().write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    if !head.starts_with(b"HTTP/1.1 101") {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let from = at.as_deref().unwrap_or("earliest");
    let subscribe = json!({"op": "subscribe", "sid": 1, "queue": QUEUE, "after": from}).to_string();
    send(&mut stream, 0x1, subscribe.as_bytes()).await?;
    follower.begins(at.as_deref());
    loop {
        follower.may_read().await;
        let (opcode, payload) = receive(&mut stream).await?;
        if follower.address.cuts() != cuts {
            return Ok(());
        }
        match opcode {
            0x1 => told(follower, &payload, at),
            0x8 => return Ok(()),
            0x9 => send(&mut stream, 0xa, &payload).await?,
            _ => {}
        }
    }
}

fn told(follower: &Follower, payload: &[u8], at: &mut Option<String>) {
    let frame: Value = serde_json::from_slice(payload).unwrap_or_default();
    let id = frame["id"].as_str().unwrap_or_default();
    match (frame["op"].as_str(), snapshot(&frame["job"]), position(id)) {
        (Some("event"), Some(job), Some(position)) => {
            follower.saw(position, job);
            *at = Some(id.to_owned());
        }
        (Some("reset"), ..) => follower.was_reset(),
        (Some("caught_up" | "lagging" | "ended"), ..) => {}
        _ => follower.history.odd(format!("a WebSocket says {frame}")),
    }
}

/// Sends a frame, masked with zeros, which leave it as it is (RFC 6455, section 5.2).
async fn send(stream: &mut BufReader<TcpStream>, opcode: u8, payload: &[u8]) -> io::Result<()> {
    let length = u16::try_from(payload.len()).map_err(io::Error::other)?;
    let mut frame = vec![0x80 | opcode];
    match u8::try_from(length) {
        Ok(short @ 0..126) => frame.push(0x80 | short),
        _ => {
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    stream.get_mut().write_all(&frame).await
}

/// The next frame. The server sends every message in one.
async fn receive(stream: &mut BufReader<TcpStream>) -> io::Result<(u8, Vec<u8>)> {
    let opcode = stream.read_u8().await? & 0xf;
    let length = match stream.read_u8().await? & 0x7f {
        126 => u64::from(stream.read_u16().await?),
        127 => stream.read_u64().await?,
        short => u64::from(short),
    };
    let mut payload = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    stream.read_exact(&mut payload).await?;
    Ok((opcode, payload))
}
