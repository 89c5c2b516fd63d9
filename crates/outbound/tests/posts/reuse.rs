//! Connections that are used again, and those that cannot be.

use std::io::{BufReader, Write};
use std::sync::mpsc;

use ackd_outbound::{HttpOutbound, Options};
use ackd_ports::{Outbound, OutboundError, Post};

use crate::receiver::{Receiver, read_request};
use crate::{options, outbound, post, signed};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn posts_one_after_the_other_use_one_connection() {
    let receiver = Receiver::answering(OK);
    let outbound = outbound();
    for _ in 0..100 {
        assert_eq!(outbound.post(post(&receiver.url())).await.unwrap().body.as_ref(), b"ok");
    }
    assert_eq!(receiver.accepted(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posts_at_the_same_time_use_no_more_connections_than_posts() {
    let receiver = Receiver::answering(OK);
    let outbound = outbound();
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (outbound, url) = (outbound.clone(), receiver.url());
            tokio::spawn(async move {
                for _ in 0..50 {
                    assert_eq!(outbound.post(post(&url)).await.unwrap().status, 200);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert!(receiver.accepted() <= 16, "{} connections", receiver.accepted());
}

#[tokio::test]
async fn without_idle_connections_each_post_has_its_own() {
    let receiver = Receiver::answering(OK);
    let outbound = HttpOutbound::new(Options { idle_per_server: 0, ..options() });
    for _ in 0..3 {
        outbound.post(post(&receiver.url())).await.unwrap();
    }
    assert_eq!(receiver.accepted(), 3);
}

#[tokio::test]
async fn a_connection_is_not_used_again_where_the_receiver_says_or_shows_that_it_is_over() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"[..],
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        // An answer to a request that nobody made: whoever came next would get it.
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 Smuggled\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    ] {
        let receiver = Receiver::answering(answer);
        let outbound = outbound();
        for posts in 1..=2 {
            let reply = outbound.post(post(&receiver.url())).await.unwrap();
            assert!([200, 101].contains(&reply.status), "{}", reply.status);
            assert_eq!(receiver.accepted(), posts, "{}", String::from_utf8_lossy(answer));
        }
    }
}

#[tokio::test]
async fn a_connection_that_the_receiver_closed_meanwhile_is_replaced_by_a_fresh_one() {
    let (sender, mut closed) = tokio::sync::mpsc::unbounded_channel();
    let receiver = Receiver::start(move |stream, _| {
        let mut reader = BufReader::new(stream);
        read_request(&mut reader).unwrap();
        reader.get_mut().write_all(OK).unwrap();
        drop(reader);
        sender.send(()).unwrap();
    });
    let outbound = outbound();
    for posts in 1..=5 {
        let reply = outbound.post(post(&receiver.url())).await;
        assert_eq!(reply.map(|reply| reply.status), Ok(200), "post {posts}");
        assert_eq!(receiver.accepted(), posts);
        closed.recv().await.unwrap();
    }
}

#[tokio::test]
async fn what_was_sent_and_not_answered_is_not_sent_again() {
    let (sender, requests) = mpsc::channel();
    let receiver = Receiver::start(move |stream, _| {
        let mut reader = BufReader::new(stream);
        for answered in [true, false] {
            let request = read_request(&mut reader).unwrap();
            sender.send(request.header("webhook-id").unwrap().to_owned()).unwrap();
            if answered {
                reader.get_mut().write_all(OK).unwrap();
            }
        }
    });
    let outbound = outbound();
    let send = |id: &str| outbound.post(Post { signed: signed(id), ..post(&receiver.url()) });
    assert!(send("first").await.is_ok());
    let error = send("second").await.unwrap_err();
    assert!(matches!(error, OutboundError::Closed(_)), "{error:?}");
    assert!(!error.is_permanent());
    assert_eq!(requests.try_iter().collect::<Vec<_>>(), ["first", "second"]);
    assert_eq!(receiver.accepted(), 1);
}
