//! Streams of events, half of them server-sent events and half WebSockets, of which nothing is ever read.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{interval, sleep};

use super::opened::Opened;
use crate::attack::Tally;
use crate::wire;

/// The room for what is not read, as small as the system allows: what is sent waits with the server.
const ROOM: u32 = 2304;

/// How long a stream is held before another is opened in its place: the server may have given it up, which somebody who does
/// not read does not learn.
const HELD: Duration = Duration::from_secs(60);

/// How often something happens that all streams are told.
const EVERY: Duration = Duration::from_millis(50);

const SERVER_SENT: &[u8] = b"GET /v1/events?queue=news HTTP/1.1\r\nhost: localhost\r\n\r\n";

const SOCKET: &[u8] = b"GET /v1/ws HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: ackd.v1\r\n\r\n";

const SUBSCRIBE: &[u8] = br#"{"op":"subscribe","sid":1,"queue":"news"}"#;

pub(super) async fn keep_open(count: usize, addr: SocketAddr, tally: &Arc<Tally>) {
    let (shared, next) = (Arc::clone(tally), Rc::new(Cell::new(0_usize)));
    super::keep_open(count, tally, move || {
        let at = next.replace(next.get() + 1);
        one(at.is_multiple_of(2), addr, Arc::clone(&shared))
    })
    .await;
}

async fn one(is_socket: bool, addr: SocketAddr, tally: Arc<Tally>) -> io::Result<()> {
    let mut opened = Opened::with_room(ROOM, addr, &tally).await?;
    opened.stream.write_all(if is_socket { SOCKET } else { SERVER_SENT }).await?;
    let status = opened.answer().await?;
    if status == 101 {
        // A text in one frame, masked with zeros, which leave it as it is (RFC 6455, section 5.2).
        let length = u8::try_from(SUBSCRIBE.len()).map_err(io::Error::other)?;
        opened.stream.write_all(&[&[0x81, 0x80 | length, 0, 0, 0, 0], SUBSCRIBE].concat()).await?;
    }
    if matches!(status, 101 | 200) {
        sleep(HELD).await;
    }
    Ok(())
}

/// Has something happen again and again, for ever.
pub(super) async fn tell(addr: SocketAddr) {
    let submit = wire::submit("news", 512);
    let mut due = interval(EVERY);
    loop {
        if let Ok(mut stream) = TcpStream::connect(addr).await {
            while stream.write_all(&submit).await.is_ok() && wire::answer(&mut stream, &mut Vec::new()).await.is_ok() {
                due.tick().await;
            }
        }
        due.tick().await;
    }
}
