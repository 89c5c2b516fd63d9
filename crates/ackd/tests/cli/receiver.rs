//! A receiver of webhooks that answers when it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use serde_json::Value;

pub(crate) struct Receiver(TcpListener);

/// A post that waits for its answer.
pub(crate) struct Posted {
    stream: TcpStream,
    /// The `webhook-id`.
    pub(crate) id: String,
    /// The `webhook-signature`.
    pub(crate) signature: String,
    pub(crate) body: Value,
}

impl Receiver {
    pub(crate) fn start() -> Receiver {
        Receiver(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    /// A URL of it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook?key=hunter2", self.0.local_addr().unwrap())
    }

    /// The next post. A connection is used for one.
    pub(crate) fn next(&self) -> Posted {
        let (stream, _) = self.0.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
        }
        assert!(head.starts_with("POST /hook?key=hunter2 HTTP/1.1\r\n"), "{head}");
        let header = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            let found = lines.into_iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
            found.unwrap_or_else(|| panic!("no {name} in {head}")).1.to_owned()
        };
        let mut body = vec![0; header("content-length").parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        let body = serde_json::from_slice(&body).unwrap();
        Posted { id: header("webhook-id"), signature: header("webhook-signature"), body, stream: reader.into_inner() }
    }
}

impl Posted {
    pub(crate) fn answer(mut self, status: u16) {
        let answer = format!("HTTP/1.1 {status} \r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        // A server that was killed meanwhile takes no answer.
        let _ = self.stream.write_all(answer.as_bytes());
    }
}
