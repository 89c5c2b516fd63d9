use std::io::{BufReader, Write};
use std::net::Shutdown;
use std::sync::mpsc;
use std::time::Duration;

use ackd_outbound::HEAD_BYTES;
use ackd_ports::{Outbound, OutboundError, Post};

use crate::receiver::{Receiver, read_request};
use crate::{PATIENCE, outbound, post};

#[tokio::test]
async fn a_post_is_what_the_standard_says_and_nothing_more() {
    let (sender, requests) = mpsc::channel();
    let receiver = Receiver::start(move |stream, _| {
        let mut reader = BufReader::new(stream);
        sender.send(read_request(&mut reader).unwrap()).unwrap();
        reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let url = format!("{}?a=%20b", receiver.url());
    assert_eq!(outbound().post(post(&url)).await.unwrap().status, 200);
    let request = requests.recv_timeout(PATIENCE).unwrap();
    assert_eq!(request.body, br#"{"test": 2432232314}"#);
    let mut lines: Vec<&str> = request.head.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "POST /hook?a=%20b HTTP/1.1");
    lines.sort_unstable();
    let (host, agent) =
        (format!("host: {}", receiver.address), concat!("user-agent: ackd/", env!("CARGO_PKG_VERSION")));
    let expected = [
        "content-length: 20",
        "content-type: application/json",
        &host,
        agent,
        "webhook-id: msg_1",
        // HMAC-SHA256 of `msg_1.1614265330.{"test": 2432232314}`, as Python's hmac module computes it.
        "webhook-signature: v1,9o7UeFkn1GjVbcY4emAJruJCYqgH2EIf8u/slvVRBZI=",
        "webhook-timestamp: 1614265330",
    ];
    assert_eq!(lines, expected);
}

/// RFC 9110, section 8.6: without it many servers answer 411.
#[tokio::test]
async fn a_post_without_a_body_says_so() {
    let (sender, requests) = mpsc::channel();
    let receiver = Receiver::start(move |stream, _| {
        let mut reader = BufReader::new(stream);
        sender.send(read_request(&mut reader).unwrap()).unwrap();
        reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let empty = Post { body: bytes::Bytes::new().into(), ..post(&receiver.url()) };
    assert_eq!(outbound().post(empty).await.unwrap().status, 200);
    let head = requests.recv_timeout(PATIENCE).unwrap().head;
    let lengths = head.lines().filter(|line| line.to_ascii_lowercase().starts_with("content-length"));
    assert_eq!(lengths.collect::<Vec<_>>(), ["content-length: 0"], "{head}");
    assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "{head}");
}

#[tokio::test]
async fn a_media_type_that_cannot_be_kept_is_none() {
    let longest = format!("text/{}", "x".repeat(250));
    let too_long = format!("{longest}x");
    for (given, kept) in [
        ("image/png", Some("image/png")),
        ("text/plain; charset=utf-8", Some("text/plain; charset=utf-8")),
        (&longest, Some(&*longest)),
        (&too_long, None),
        ("", None),
        ("text/\u{e4}", None),
        ("text/plain;\tcharset=utf-8", None),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: {given}\r\nContent-Length: 0\r\n\r\n");
        let reply = outbound().post(post(&Receiver::answering(answer).url())).await.unwrap();
        assert_eq!(reply.content_type.as_deref(), kept, "{given:?}");
    }
    let receiver = Receiver::answering("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(outbound().post(post(&receiver.url())).await.unwrap().content_type, None);
}

#[tokio::test]
async fn a_redirect_to_the_clouds_metadata_is_an_answer_and_is_not_followed() {
    let location = "http://169.254.169.254/latest/meta-data/";
    let answer = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    let receiver = Receiver::answering(answer);
    let outbound = outbound();
    let reply = outbound.post(post(&receiver.url())).await.unwrap();
    assert_eq!((reply.status, reply.is_success()), (302, false));
    assert_eq!(receiver.accepted(), 1);
    let error = outbound.post(post(location)).await.unwrap_err();
    assert!(matches!(error, OutboundError::Refused { literal: true, .. }), "{error}");
}

#[tokio::test]
async fn what_is_no_answer_is_an_error_that_says_so() {
    for (answer, protocol) in [
        ("SSH-2.0-OpenSSH_9.6\r\n", true),
        ("\0\x01\x02\x03\u{fffd}\r\n\r\n", true),
        ("<html>hello</html>\r\n\r\n", true),
        ("HTTP/1.1 twohundred OK\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", true),
        ("HTTP/2 200\r\n\r\n", true),
        ("", false),
        ("HTTP/1.1 200 OK\r\nCut-Of", false),
    ] {
        let receiver = Receiver::start(move |stream, _| {
            let mut reader = BufReader::new(stream);
            read_request(&mut reader).unwrap();
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
            reader.get_ref().shutdown(Shutdown::Write).unwrap();
            // Read until the client has closed, so that no reset overtakes the answer.
            read_request(&mut reader);
        });
        let error = outbound().post(post(&receiver.url())).await.unwrap_err();
        match error {
            OutboundError::Protocol(_) if protocol => {}
            OutboundError::Closed(_) if !protocol => {}
            other => panic!("{answer:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_head_is_read_up_to_its_limit_and_no_further() {
    let answer = |length: usize| {
        let empty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: \r\n\r\n";
        empty.replace("X: ", &format!("X: {}", "x".repeat(length - empty.len())))
    };
    let receiver = Receiver::answering(answer(HEAD_BYTES));
    assert_eq!(outbound().post(post(&receiver.url())).await.map(|reply| reply.status), Ok(200));
    let receiver = Receiver::answering(answer(HEAD_BYTES + 1));
    let error = outbound().post(post(&receiver.url())).await.unwrap_err();
    assert_eq!(error, OutboundError::TooLarge { limit: HEAD_BYTES });
}

#[tokio::test]
async fn a_receiver_may_say_when_to_come_again_in_seconds_or_with_a_date() {
    // The attempt is made at 2021-02-25T15:02:10Z; its answer is read a little later.
    for (value, least, most) in [("90", 90, 90), ("Thu, 25 Feb 2021 15:04:10 GMT", 100, 120), ("soon", 0, 0)] {
        let answer = format!("HTTP/1.1 503 Busy\r\nRetry-After: {value}\r\nContent-Length: 0\r\n\r\n");
        let reply = outbound().post(post(&Receiver::answering(answer).url())).await.unwrap();
        let wait = reply.retry_after.unwrap_or_default();
        assert!((Duration::from_secs(least)..=Duration::from_secs(most)).contains(&wait), "{value}: {wait:?}");
        assert_eq!(reply.retry_after.is_some(), value != "soon");
    }
}
