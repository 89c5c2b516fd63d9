use std::io::{BufRead, BufReader, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll};

use ackd_ports::{Opening, Outbound, OutboundError, Phase, Post, PostBody, PostSource, PostStream};
use bytes::Bytes;

use crate::receiver::{Receiver, read_request};
use crate::{PATIENCE, SHORT, outbound, post};

/// How many bytes are given at once.
const PIECE: u64 = 64 << 10;

/// Bytes without meaning, so many, and how many of them were read.
#[derive(Debug, Clone)]
struct Source {
    length: u64,
    /// After so many there is an error.
    torn: u64,
    read: Arc<AtomicU64>,
}

impl Source {
    fn new(length: u64) -> Source {
        Source { length, torn: u64::MAX, read: Arc::default() }
    }

    fn post(&self, url: &str) -> Post {
        Post { body: PostBody::Streamed(Arc::new(self.clone())), signed: None, ..post(url) }
    }

    fn byte(at: u64) -> u8 {
        at.to_le_bytes()[1] ^ at.to_le_bytes()[0]
    }
}

impl PostSource for Source {
    fn length(&self) -> u64 {
        self.length
    }

    fn open(&self) -> Opening {
        self.read.store(0, Ordering::SeqCst);
        let stream: Box<dyn PostStream> = Box::new(self.clone());
        Box::pin(async { Ok(stream) })
    }
}

impl PostStream for Source {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Arc<str>>>> {
        let start = self.read.load(Ordering::SeqCst);
        if start >= self.torn {
            return Poll::Ready(Some(Err("the disk is away".into())));
        }
        let end = self.length.min(start + PIECE);
        self.read.store(end, Ordering::SeqCst);
        let bytes: Vec<u8> = (start..end).map(Source::byte).collect();
        Poll::Ready((start < end).then_some(Ok(bytes.into())))
    }
}

#[tokio::test]
async fn a_body_that_is_streamed_has_a_length_and_leaves_its_connection_for_the_next() {
    let (sender, requests) = mpsc::channel();
    let sender = Mutex::new(sender);
    let receiver = Receiver::start(move |stream, _| {
        let mut reader = BufReader::new(stream);
        while let Some(request) = read_request(&mut reader) {
            sender.lock().unwrap().send(request).unwrap();
            reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    });
    let outbound = outbound();
    for length in [0, 1, PIECE, 3 * PIECE + 7, 5 << 20] {
        let reply = outbound.post(Source::new(length).post(&receiver.url())).await.unwrap();
        assert_eq!(reply.status, 200);
        let request = requests.recv_timeout(PATIENCE).unwrap();
        let lengths = request.head.lines().filter(|line| line.to_ascii_lowercase().starts_with("content-length:"));
        assert_eq!(lengths.collect::<Vec<_>>(), [format!("content-length: {length}")]);
        assert_eq!(request.header("transfer-encoding"), None);
        assert!(request.body.iter().copied().eq((0..length).map(Source::byte)), "{length} bytes arrived as others");
    }
    assert_eq!(receiver.accepted(), 1);
}

#[tokio::test]
async fn no_more_is_read_than_the_receiver_takes() {
    let (done, test_is_done) = mpsc::channel::<()>();
    let test_is_done = Mutex::new(test_is_done);
    let receiver = Receiver::start(move |_stream, _| {
        // It can only fail: with the end of the test, whose half of the channel goes then.
        test_is_done.lock().unwrap().recv().unwrap_err();
    });
    let source = Source::new(1 << 40);
    let short = Post { timeout: SHORT, ..source.post(&receiver.url()) };
    assert_eq!(outbound().post(short).await, Err(OutboundError::Timeout { during: Phase::Answering, limit: SHORT }));
    // The sockets' buffers hold some megabytes.
    let read = source.read.load(Ordering::SeqCst);
    assert!((1..64 << 20).contains(&read), "{read} bytes were read");
    assert_eq!(Arc::strong_count(&source.read), 1, "it is still being read");
    drop(done);
}

#[tokio::test]
async fn what_cannot_be_read_to_its_end_is_an_error_and_never_whole_at_the_receiver() {
    let (sender, taken) = mpsc::channel();
    let receiver = Receiver::start(move |stream, _| {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap() > 2 {
            line.clear();
        }
        let mut body = Vec::new();
        // The connection is closed: by its end, or with a reset where something of it was not read yet.
        drop(reader.read_to_end(&mut body));
        sender.send(body.len()).unwrap();
    });
    let source = Source { torn: 2 * PIECE, ..Source::new(4 * PIECE) };
    let torn = outbound().post(source.post(&receiver.url())).await;
    assert_eq!(torn, Err(OutboundError::Body("the disk is away".into())));
    assert!(taken.recv_timeout(PATIENCE).unwrap() as u64 <= 2 * PIECE);
    assert_eq!(receiver.accepted(), 1);
}

#[tokio::test]
async fn an_answer_before_the_end_is_the_answer_and_the_rest_is_not_sent() {
    let (sender, closed) = mpsc::channel();
    let receiver = Receiver::start(move |stream, _| {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap() > 2 {
            line.clear();
        }
        reader.get_mut().write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno").unwrap();
        // Nobody goes on with the rest.
        let mut taken = 0;
        let mut some = vec![0; 1 << 20];
        while let Ok(count @ 1..) = reader.read(&mut some) {
            taken += count;
        }
        sender.send(taken).unwrap();
    });
    let source = Source::new(1 << 40);
    let reply = outbound().post(source.post(&receiver.url())).await.unwrap();
    assert_eq!((reply.status, &*reply.body), (413, &b"no"[..]));
    closed.recv_timeout(PATIENCE).expect("the connection was kept, with a body that has not ended");
    assert_eq!(Arc::strong_count(&source.read), 1, "it is still being read");
}
