//! Requests and answers of HTTP/1.1 word by word.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// A request that submits a job to `queue`, which has a payload of `payload` bytes.
pub(crate) fn submit(queue: &str, payload: usize) -> Vec<u8> {
    let body = format!(r#"{{"queue":"{queue}","payload":"{}"}}"#, "x".repeat(payload));
    let length = body.len();
    format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n\
         {body}"
    )
    .into_bytes()
}

/// Reads an answer to its end, as far as `content-length` says where that is, and gives its status.
pub(crate) async fn answer(stream: &mut (impl AsyncRead + Unpin), read: &mut Vec<u8>) -> io::Result<u16> {
    read.clear();
    loop {
        if let Some(end) = find(read, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
            if read.len() >= end + 4 + length.unwrap_or_default() {
                return status(read);
            }
        }
        if stream.read_buf(read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The status of an answer that has begun.
pub(crate) fn status(answer: &[u8]) -> io::Result<u16> {
    let digits = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_read_to_its_end() {
        let mut bytes: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 204 No Content\r\n\r\n";
        let mut read = Vec::new();
        // What has come beyond an answer was not asked for.
        assert_eq!(answer(&mut bytes, &mut read).await.ok(), Some(202));
        assert_eq!(answer(&mut &b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab"[..], &mut read).await.ok(), None);
        assert_eq!(status(b"HTTP/1.1 408 Timeout").ok(), Some(408));
        assert!(status(b"HTTP/1.1 ").is_err());
    }
}
