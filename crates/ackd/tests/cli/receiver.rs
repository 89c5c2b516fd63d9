//! A receiver of webhooks and pushed jobs that answers when it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use serde_json::Value;

pub(crate) struct Receiver(TcpListener);

/// A post that waits for its answer.
pub(crate) struct Posted {
    stream: TcpStream,
    /// The request line and the headers.
    head: String,
    pub(crate) bytes: Vec<u8>,
    /// The body, where it is JSON.
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
        let mut bytes = vec![0; header(&head, "content-length").parse().unwrap()];
        reader.read_exact(&mut bytes).unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Posted { stream: reader.into_inner(), head, bytes, body }
    }
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let found = lines.into_iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
    found.unwrap_or_else(|| panic!("no {name} in {head}")).1
}

impl Posted {
    pub(crate) fn header(&self, name: &str) -> &str {
        header(&self.head, name)
    }

    pub(crate) fn answer(self, status: u16) {
        self.answer_with(status, "", "");
    }

    /// Answers with further headers, each with its line's end, and a body.
    pub(crate) fn answer_with(mut self, status: u16, headers: &str, body: &str) {
        let length = body.len();
        let head = format!("HTTP/1.1 {status} \r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n");
        // A server that was killed meanwhile takes no answer.
        let _ = self.stream.write_all(&[head.as_bytes(), body.as_bytes()].concat());
    }

    /// Waits until the other end closes the connection without having had an answer.
    pub(crate) fn dropped(mut self) {
        assert_eq!(self.stream.read(&mut [0; 1]).unwrap(), 0);
    }
}
