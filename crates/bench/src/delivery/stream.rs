//! A client of server-sent events, or of a WebSocket, that counts events and hardly looks at them.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wire::find;

/// A stream of events.
pub(crate) struct Stream {
    tcp: TcpStream,
    /// What every event has once.
    mark: &'static [u8],
    /// The end of what was read, in which a mark may have begun.
    tail: Vec<u8>,
    last_id: String,
}

impl Stream {
    /// Opens `path`, behind `after` where it is given, and reads the answer's head and the first frame.
    ///
    /// Where more come at once than the system lets wait, it cuts some off, and they come again.
    pub(crate) async fn open(addr: &str, path: &str, after: Option<&str>) -> io::Result<Stream> {
        loop {
            match Stream::try_open(addr, path, after).await {
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                opened => return opened,
            }
        }
    }

    async fn try_open(addr: &str, path: &str, after: Option<&str>) -> io::Result<Stream> {
        let mut tcp = TcpStream::connect(addr).await?;
        let after = after.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        tcp.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{after}\r\n").as_bytes()).await?;
        let mut stream = Stream { tcp, mark: b"\nevent: ", tail: Vec::new(), last_id: String::new() };
        let mut read = Vec::with_capacity(1024);
        while find(&read, b"retry: 3000\n").is_none() {
            if stream.tcp.read_buf(&mut read).await? == 0 {
                return Err(io::Error::other(String::from_utf8_lossy(&read).into_owned()));
            }
        }
        if !read.starts_with(b"HTTP/1.1 200") {
            return Err(io::Error::other(String::from_utf8_lossy(&read).into_owned()));
        }
        stream.tail = read;
        stream.note_id();
        Ok(stream)
    }

    /// Opens a WebSocket and sends `frame` on it, of less than 126 bytes.
    pub(crate) async fn socket(addr: &str, frame: &str) -> io::Result<Stream> {
        let mut tcp = TcpStream::connect(addr).await?;
        tcp.set_nodelay(true)?;
        tcp.write_all(
            b"GET /v1/ws HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
              sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
              sec-websocket-protocol: ackd.v1\r\n\r\n",
        )
        .await?;
        let mut read = Vec::with_capacity(1024);
        while find(&read, b"\r\n\r\n").is_none() {
            if tcp.read_buf(&mut read).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        if !read.starts_with(b"HTTP/1.1 101") {
            return Err(io::Error::other(String::from_utf8_lossy(&read).into_owned()));
        }
        let length =
            u8::try_from(frame.len()).ok().filter(|length| *length < 126).ok_or(io::ErrorKind::InvalidInput)?;
        // A text in one frame, masked with zeros, which leave it as it is (RFC 6455, section 5.2).
        tcp.write_all(&[&[0x81, 0x80 | length, 0, 0, 0, 0], frame.as_bytes()].concat()).await?;
        Ok(Stream { tcp, mark: b"\"op\":\"event\"", tail: Vec::new(), last_id: String::new() })
    }

    /// Reads until `count` further events have come; says when the last of them did. `buffer` is for all streams of
    /// a thread.
    pub(crate) async fn events(&mut self, count: usize, buffer: &std::cell::RefCell<Vec<u8>>) -> io::Result<Instant> {
        let mut seen = self.count();
        while seen < count {
            self.tcp.readable().await?;
            let mut buffer = buffer.borrow_mut();
            match self.tcp.try_read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    self.tail.extend_from_slice(&buffer[..read]);
                    drop(buffer);
                    seen += self.count();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Instant::now())
    }

    /// The id of the last event, or of the beginning.
    pub(crate) fn last_id(&self) -> &str {
        &self.last_id
    }

    /// Counts the events in what was read, of which only what may be a part of the next mark is kept.
    fn count(&mut self) -> usize {
        self.note_id();
        let mut seen = 0;
        let mut at = 0;
        while let Some(found) = find(&self.tail[at..], self.mark) {
            seen += 1;
            at += found + self.mark.len();
        }
        let keep = self.tail.len().saturating_sub(40).max(at);
        self.tail.drain(..keep);
        seen
    }

    fn note_id(&mut self) {
        const ID: &[u8] = b"\nid: ";
        let found = self.tail.windows(ID.len()).rposition(|window| window == ID);
        if let Some(at) = found
            && let Some(id) = self.tail.get(at + ID.len()..at + ID.len() + 16)
        {
            self.last_id = String::from_utf8_lossy(id).into_owned();
        }
    }
}
