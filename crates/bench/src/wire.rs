//! A client of HTTP/1.1 that costs as little as it can, so that a run measures the server: requests
//! are bytes that stand ready, answers are read up to their length and hardly looked at.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A keep-alive connection.
pub(crate) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer. The body is only valid until the next request.
pub(crate) struct Answer<'a> {
    /// The status code.
    pub(crate) status: u16,
    /// The head, for the few headers anybody asks for.
    pub(crate) head: &'a [u8],
    /// The body.
    pub(crate) body: &'a [u8],
}

impl Wire {
    /// Connects to `addr`, as "127.0.0.1:8202".
    pub(crate) async fn connect(addr: &str) -> io::Result<Wire> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Wire { stream, buffer: Vec::with_capacity(64 << 10) })
    }

    /// Sends a whole request and reads the whole answer.
    pub(crate) async fn send(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let mut head = None;
        loop {
            if head.is_none()
                && let Some(end) = find(&self.buffer, b"\r\n\r\n")
            {
                head = Some((end + 4, length(&self.buffer[..end])?));
            }
            if let Some((start, length)) = head
                && self.buffer.len() >= start + length
            {
                let (head, body) = self.buffer.split_at(start);
                let status = std::str::from_utf8(&head[9..12]).ok().and_then(|text| text.parse().ok());
                return Ok(Answer { status: status.ok_or(io::ErrorKind::InvalidData)?, head, body: &body[..length] });
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// The bytes of a request with a body.
pub(crate) fn request(method: &str, path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The values of the string field `name` in `body`, wherever it stands, without parsing the rest.
pub(crate) fn fields<'a>(body: &'a [u8], name: &'static str) -> impl Iterator<Item = &'a str> {
    let body = std::str::from_utf8(body).unwrap_or_default();
    let mark = format!("\"{name}\":\"");
    let mut rest = body;
    std::iter::from_fn(move || {
        let at = rest.find(&mark)? + mark.len();
        let value = &rest[at..];
        let end = value.find('"')?;
        rest = &value[end..];
        Some(&value[..end])
    })
}

fn length(head: &[u8]) -> io::Result<usize> {
    const NAME: &[u8] = b"\r\ncontent-length:";
    let Some(at) = head.windows(NAME.len()).position(|window| window.eq_ignore_ascii_case(NAME)) else {
        return Ok(0);
    };
    let value = &head[at + NAME.len()..];
    let end = find(value, b"\r\n").unwrap_or(value.len());
    let text = std::str::from_utf8(&value[..end]).map_err(io::Error::other)?;
    text.trim().parse().map_err(io::Error::other)
}

pub(crate) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
