//! A client of server-sent events that counts them and hardly looks at them.

use std::io;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wire::find;

/// A stream of events.
pub(crate) struct Stream {
    tcp: TcpStream,
    /// The end of what was read, in which a mark may have begun.
    tail: Vec<u8>,
    last_id: String,
}

/// What every event has once.
const MARK: &[u8] = b"\nevent: ";

impl Stream {
    /// Opens `path`, behind `after` where it is given, and reads the answer's head and the first frame.
    pub(crate) async fn open(addr: &str, path: &str, after: Option<&str>) -> io::Result<Stream> {
        let mut tcp = TcpStream::connect(addr).await?;
        let after = after.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        tcp.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{after}\r\n").as_bytes()).await?;
        let mut stream = Stream { tcp, tail: Vec::new(), last_id: String::new() };
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
        while let Some(found) = find(&self.tail[at..], MARK) {
            seen += 1;
            at += found + MARK.len();
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
