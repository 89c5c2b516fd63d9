//! Receivers that take too long or say too much.

use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Duration;

use ackd_outbound::{HEAD_BYTES, HttpOutbound, Options};
use ackd_ports::{BodyEnd, Outbound, OutboundError, Phase, Post, Reply, Wanted};
use bytes::Bytes;

use crate::receiver::{Receiver, read_request};
use crate::{PATIENCE, SHORT, options, outbound, post};

/// Far more than the sockets' buffers hold, and far less than an endless answer.
const BOUNDED: usize = 64 << 20;

fn late(during: Phase) -> OutboundError {
    OutboundError::Timeout { during, limit: SHORT }
}

/// Reads until the client closes the connection.
fn await_close(stream: &mut TcpStream) {
    let mut rest = [0; 1024];
    while stream.read(&mut rest).is_ok_and(|read| read > 0) {}
}

/// Writes `bytes` again and again until the client closes the connection; how many bytes it took.
fn write_for_ever(stream: &mut TcpStream, bytes: &[u8]) -> usize {
    let mut written = 0;
    while written < BOUNDED && stream.write_all(bytes).is_ok() {
        written += bytes.len();
    }
    written
}

/// Writes a byte every few milliseconds until the client closes the connection.
fn trickle(stream: &mut TcpStream, bytes: &[u8]) {
    stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    for byte in bytes.iter().cycle() {
        match stream.read(&mut [0; 1]) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            _ => return,
        }
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
    }
}

/// A receiver that reads a request, does as it is told, and says with a signal what that came to.
fn receiver<T: Send + 'static>(
    after: impl Fn(&mut TcpStream) -> T + Send + Sync + 'static,
) -> (Receiver, mpsc::Receiver<T>) {
    let (sender, signal) = mpsc::channel();
    let receiver = Receiver::start(move |stream, _| {
        let mut reader = BufReader::new(stream);
        read_request(&mut reader).unwrap();
        // The test may have seen enough.
        drop(sender.send(after(reader.get_mut())));
    });
    (receiver, signal)
}

#[tokio::test]
async fn a_receiver_that_hangs_costs_its_time_and_its_connection() {
    let (receiver, closed) = receiver(await_close);
    let short = Post { timeout: SHORT, ..post(&receiver.url()) };
    assert_eq!(outbound().post(short).await, Err(late(Phase::Answering)));
    closed.recv_timeout(PATIENCE).expect("the connection was left open");
}

#[tokio::test]
async fn a_post_that_nobody_awaits_any_longer_closes_its_connection() {
    let (arrived, mut arrival) = tokio::sync::mpsc::unbounded_channel();
    let (receiver, closed) = receiver(move |stream| {
        arrived.send(()).unwrap();
        await_close(stream);
    });
    let outbound = outbound();
    tokio::select! {
        reply = outbound.post(post(&receiver.url())) => panic!("{reply:?}"),
        arrived = arrival.recv() => assert_eq!(arrived, Some(())),
    }
    closed.recv_timeout(PATIENCE).expect("the connection was left open");
}

#[tokio::test]
async fn a_receiver_that_takes_nothing_costs_its_time() {
    let (done, test_is_done) = mpsc::channel::<()>();
    let test_is_done = std::sync::Mutex::new(test_is_done);
    // It holds the connection and takes nothing from it until the test has ended.
    let receiver = Receiver::start(move |_stream, _| {
        // It can only fail: with the end of the test, whose half of the channel goes then.
        test_is_done.lock().unwrap().recv().unwrap_err();
    });
    // More than the sockets' buffers hold.
    let body = Bytes::from(vec![0; BOUNDED]).into();
    let short = Post { timeout: SHORT, body, ..post(&receiver.url()) };
    assert_eq!(outbound().post(short).await, Err(late(Phase::Answering)));
    drop(done);
}

#[tokio::test]
async fn a_head_that_trickles_costs_its_time() {
    let (receiver, closed) =
        receiver(|stream| trickle(stream, b"HTTP/1.1 200 OK\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    let short = Post { timeout: SHORT, ..post(&receiver.url()) };
    assert_eq!(outbound().post(short).await, Err(late(Phase::Answering)));
    closed.recv_timeout(PATIENCE).expect("the connection was left open");
}

#[tokio::test]
async fn a_body_that_trickles_is_an_answer_all_the_same() {
    let (receiver, closed) = receiver(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").unwrap();
        trickle(stream, b"x");
    });
    let short = Post { timeout: SHORT, ..post(&receiver.url()) };
    let reply = outbound().post(short).await.unwrap();
    assert_eq!(reply.status, 200);
    assert!(reply.took >= SHORT, "{:?}", reply.took);
    closed.recv_timeout(PATIENCE).expect("the connection was left open");
}

#[tokio::test]
async fn a_body_of_which_all_is_wanted_has_the_time_of_the_post_and_is_lost_after_it() {
    let (receiver, closed) = receiver(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000000\r\n\r\n").unwrap();
        trickle(stream, b"x");
    });
    let short = Post { timeout: SHORT, wanted: Wanted::Whole(1 << 20), ..post(&receiver.url()) };
    let reply = outbound().post(short).await.unwrap();
    assert_eq!((reply.status, reply.end, reply.content_type.as_deref()), (200, BodyEnd::Lost, Some("text/plain")));
    closed.recv_timeout(PATIENCE).expect("the connection was left open");
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_not_whole() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12345678",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n",
    ] {
        let (receiver, _written) = receiver(move |stream| {
            stream.write_all(answer.as_bytes()).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
        });
        let whole = Post { wanted: Wanted::Whole(100), ..post(&receiver.url()) };
        assert_eq!(outbound().post(whole).await.unwrap().end, BodyEnd::Lost, "{answer:?}");
    }
}

#[tokio::test]
async fn an_answer_for_which_there_is_no_room_among_all_that_are_read_is_lost() {
    let receiver = Receiver::answering("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n12345678");
    for (reading, end) in [(8, BodyEnd::Whole), (7, BodyEnd::Lost)] {
        let outbound = HttpOutbound::new(Options { reading, ..options() });
        // Twice: what was read gives its room back.
        for _ in 0..2 {
            let whole = Post { wanted: Wanted::Whole(100), ..post(&receiver.url()) };
            assert_eq!(outbound.post(whole).await.unwrap().end, end);
        }
    }
}

#[tokio::test]
async fn an_endless_body_is_cut_and_its_connection_closed() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000\r\n",
    ] {
        let (receiver, written) = receiver(move |stream| {
            stream.write_all(head.as_bytes()).unwrap();
            write_for_ever(stream, &[b'x'; 16 << 10])
        });
        let reply = outbound().post(post(&receiver.url())).await.unwrap();
        assert_eq!(reply.status, 200);
        assert_eq!(reply.body, Bytes::from(vec![b'x'; Reply::BODY_BYTES]));
        assert!(written.recv_timeout(PATIENCE).unwrap() < BOUNDED, "{head:?} was read on and on");
    }
}

#[tokio::test]
async fn an_endless_head_is_refused() {
    for line in ["X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", "a"] {
        let (receiver, written) = receiver(move |stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\nY: ").unwrap();
            write_for_ever(stream, line.repeat(1000).as_bytes())
        });
        let posted = outbound().post(post(&receiver.url())).await;
        assert_eq!(posted, Err(OutboundError::TooLarge { limit: HEAD_BYTES }));
        assert!(written.recv_timeout(PATIENCE).unwrap() < BOUNDED, "{line:?} was read on and on");
    }
}

#[tokio::test]
async fn provisional_answers_without_end_cost_their_time() {
    let (receiver, written) = receiver(|stream| trickle(stream, b"HTTP/1.1 103 Early Hints\r\n\r\n"));
    let short = Post { timeout: SHORT, ..post(&receiver.url()) };
    assert_eq!(outbound().post(short).await, Err(late(Phase::Answering)));
    written.recv_timeout(PATIENCE).expect("the connection was left open");
}
