//! Connections: malformed requests, slow clients, too many of them, and the server's end.

use std::time::Duration;

use ackd_http::Limits;
use tokio::time::Instant;

use crate::common::{Answer, Request, Server};

async fn answer_to(server: &Server, bytes: &[u8]) -> (Answer, Vec<u8>) {
    let mut client = server.connect().await;
    client.write(bytes).await;
    let answer = client.answer("GET").await;
    (answer, client.rest().await)
}

#[tokio::test]
async fn what_is_no_http_is_answered_by_a_problem() {
    let server = Server::start().await;
    for bytes in [
        &b"NONSENSE\r\n\r\n"[..],
        b"GET /healthz HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: localhost\r\ncontent-length: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"GET /healthz HTTP/3.7\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let (answer, rest) = answer_to(&server, bytes).await;
        answer.is_problem(400, "invalid-request");
        assert_eq!((answer.header("connection"), rest.len()), (Some("close"), 0));
    }
    // What was asked before is answered first.
    let mut client = server.connect().await;
    client.write(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\nNONSENSE\r\n\r\n").await;
    assert_eq!(client.answer("GET").await.status, 200);
    client.answer("GET").await.is_problem(400, "invalid-request");
}

#[tokio::test]
async fn a_head_has_its_limits() {
    let server = Server::start().await;
    let with = |headers: String| format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n").into_bytes();
    let fields = |count: usize| with((1..count).map(|at| format!("x-{at}: 1\r\n")).collect());
    assert_eq!(answer_to_open(&server, &fields(100)).await.status, 200);
    let (answer, _) = answer_to(&server, &fields(101)).await;
    assert_eq!((answer.status, answer.text("/code").as_str()), (431, "too-large"));
    let size = |bytes: usize| with(format!("x: {}\r\n", "x".repeat(bytes - with(String::new()).len() - 5)));
    assert_eq!(size(64 << 10).len(), 64 << 10);
    assert_eq!(answer_to_open(&server, &size(64 << 10)).await.status, 200);
    let (answer, _) = answer_to(&server, &size((64 << 10) + 1)).await;
    assert_eq!((answer.status, answer.text("/code").as_str()), (431, "too-large"));
}

async fn answer_to_open(server: &Server, bytes: &[u8]) -> Answer {
    let mut client = server.connect().await;
    client.write(bytes).await;
    client.answer("GET").await
}

#[tokio::test]
async fn paths_and_methods_that_lead_nowhere_are_problems() {
    let server = Server::start().await;
    for target in ["/", "/v1", "/v1/jobs/", "/v1/event", "/v1/topics", "/v1/deliveries", "//v1/jobs"] {
        server.call(Request::get(target)).await.is_problem(404, "not-found");
    }
    let answer = server.call(Request::new("DELETE", "/v1/jobs")).await;
    assert_eq!(answer.is_problem(405, "method-not-allowed").header("allow"), Some("POST, GET, HEAD, OPTIONS"));
    let answer = server.call(Request::new("BREW", "/v1/queues/q")).await;
    assert_eq!(answer.is_problem(405, "method-not-allowed").header("allow"), Some("GET, PUT, PATCH, HEAD, OPTIONS"));
}

#[tokio::test]
async fn requests_in_a_row_are_answered_in_a_row() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let one = Request::get("/healthz").bytes();
    let two = Request::post("/v1/jobs").json(r#"{"queue":"q"}"#).bytes();
    client.write(&[one.clone(), two, one].concat()).await;
    for status in [200, 202, 200] {
        assert_eq!(client.answer("GET").await.status, status);
    }
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on_or_not() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let head = |length: usize| {
        format!("POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n")
    };
    client.write(head(13).as_bytes()).await;
    assert_eq!(client.head().await.status, 100);
    client.write(br#"{"queue":"q"}"#).await;
    assert_eq!(client.answer("POST").await.status, 202);
    client.write(head(64 << 20).as_bytes()).await;
    client.answer("POST").await.is_problem(413, "too-large");
}

#[tokio::test(start_paused = true)]
async fn a_slow_head_ends_in_time() {
    let server = Server::start().await;
    let begun = Instant::now();
    let (answer, rest) = answer_to(&server, b"GET /healthz HTT").await;
    answer.is_problem(408, "timeout");
    assert!(rest.is_empty());
    assert!(begun.elapsed() >= Duration::from_secs(10) && begun.elapsed() < Duration::from_secs(15));
    // It does not help to send a little now and then.
    let mut client = server.connect().await;
    client.write(Request::get("/healthz").bytes().as_slice()).await;
    assert_eq!(client.answer("GET").await.status, 200);
    let begun = Instant::now();
    for byte in b"GET /heal" {
        client.write(&[*byte]).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    client.answer("GET").await.is_problem(408, "timeout");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_without_a_word() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let begun = Instant::now();
    assert!(client.rest().await.is_empty());
    assert!(begun.elapsed() >= Duration::from_secs(75) && begun.elapsed() < Duration::from_secs(155));

    let mut client = server.connect().await;
    for _ in 0..4 {
        assert_eq!(client.call(Request::get("/healthz")).await.status, 200);
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    assert_eq!(client.call(Request::get("/healthz")).await.status, 200);
    let begun = Instant::now();
    assert!(client.rest().await.is_empty());
    assert!(begun.elapsed() >= Duration::from_secs(70) && begun.elapsed() < Duration::from_secs(155));
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_ends_in_time() {
    let server = Server::start().await;
    let head = b"POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n";
    let begun = Instant::now();
    let (answer, _) = answer_to(&server, &[head, &b"{"[..]].concat()).await;
    assert_eq!(answer.is_problem(408, "timeout").header("connection"), Some("close"));
    assert!(begun.elapsed() >= Duration::from_secs(30) && begun.elapsed() < Duration::from_secs(40));

    // It does not help to send a little now and then.
    let mut client = server.connect().await;
    client.write(head).await;
    let begun = Instant::now();
    for _ in 0..4 {
        client.write(b" ").await;
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
    client.answer("POST").await.is_problem(408, "timeout");
    assert!(begun.elapsed() < Duration::from_secs(90));
}

#[tokio::test]
async fn bodies_have_a_share_of_memory_together() {
    let server = Server::limited(Limits { bodies: 300 << 10, ..Limits::default() }).await;
    let body = vec![b' '; 200 << 10];
    let head = b"POST /v1/queues/q/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-length: 204801\r\n\r\n";
    let mut first = server.connect().await;
    first.write(&[&head[..], &body].concat()).await;
    // The other is refused once the first has come so far.
    let refused = async |server: &Server| {
        let answer = server.call(Request::post("/v1/queues/q/jobs").body("text/plain", body.clone())).await;
        answer.status == 503 && answer.is_problem(503, "overloaded").status == 503
    };
    server.until("a refusal", refused).await;
    first.write(b" ").await;
    assert_eq!(first.answer("POST").await.status, 202);
    let again = server.call(Request::post("/v1/queues/q/jobs").body("text/plain", body.clone())).await;
    assert_eq!(again.status, 202);
}

#[tokio::test]
async fn too_many_connections_are_told_so() {
    let server = Server::limited(Limits { connections: 2, ..Limits::default() }).await;
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    assert_eq!(first.call(Request::get("/healthz")).await.status, 200);
    assert_eq!(second.call(Request::get("/healthz")).await.status, 200);
    let mut third = server.connect().await;
    third.send(&Request::get("/healthz")).await;
    let answer = third.answer("GET").await;
    assert_eq!(answer.is_problem(503, "overloaded").header("connection"), Some("close"));
    assert!(third.rest().await.is_empty());
    drop(first);
    let room = async |server: &Server| {
        let mut client = server.connect().await;
        client.send(&Request::get("/healthz")).await;
        client.answer("GET").await.status == 200
    };
    server.until("room", room).await;
}

#[tokio::test]
async fn an_address_has_only_so_many_connections() {
    let server = Server::limited(Limits { connections_per_address: 1, ..Limits::default() }).await;
    let mut first = server.connect().await;
    assert_eq!(first.call(Request::get("/healthz")).await.status, 200);
    let mut second = server.connect().await;
    second.send(&Request::get("/healthz")).await;
    let answer = second.answer("GET").await;
    let answer = answer.is_problem(429, "rate-limited");
    assert_eq!((answer.header("connection"), answer.header("retry-after")), (Some("close"), Some("1")));
    // It goes on with what it has, and has room for another once that is closed.
    assert_eq!(first.call(Request::get("/healthz")).await.status, 200);
    drop(first);
    let room = async |server: &Server| {
        let mut client = server.connect().await;
        client.send(&Request::get("/healthz")).await;
        client.answer("GET").await.status == 200
    };
    server.until("room", room).await;
}

#[tokio::test]
async fn the_server_finishes_what_is_under_way_and_ends() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"r"}"#).await;
    let mut idle = server.connect().await;
    assert_eq!(idle.call(Request::get("/healthz")).await.status, 200);
    let fresh = server.connect().await;
    let mut worker = server.connect().await;
    let asking = Request::post("/v1/leases").json(r#"{"queues":["q"],"wait":"50s"}"#);
    worker.send(&asking).await;
    let mut poller = server.connect().await;
    let polling = Request::get(&format!("/v1/jobs/{id}?wait=50s"));
    poller.send(&polling).await;
    let parked = async |server: &Server| {
        let asks = server.engine.stats().parked_asks.load(std::sync::atomic::Ordering::Relaxed);
        asks == 1 && server.engine.followers() == 1
    };
    server.until("waiting clients", parked).await;
    let mut sending = server.connect().await;
    let head = "POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 13\r\n\r\n";
    sending.write(head.as_bytes()).await;
    // The server has begun with it.
    assert_eq!(sending.head().await.status, 100);
    sending.write(br#"{"queue":"#).await;

    let address = server.address;
    let stopping = tokio::spawn(server.stop());
    assert_eq!(worker.answer("POST").await.status, 204);
    let answer = poller.answer("GET").await;
    assert_eq!((answer.status, answer.at("/status")), (200, "INIT".into()));
    assert!(worker.rest().await.is_empty() && poller.rest().await.is_empty() && idle.rest().await.is_empty());
    drop(fresh);
    sending.write(br#""q"}"#).await;
    let answer = sending.answer("POST").await;
    assert_eq!(answer.status, 202);
    assert!(sending.rest().await.is_empty());
    stopping.await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_server_does_not_wait_for_ever() {
    let server = Server::start().await;
    let mut sending = server.connect().await;
    sending.write(b"POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-length: 13\r\n\r\n{").await;
    let begun = Instant::now();
    server.stop().await;
    assert!(begun.elapsed() <= Duration::from_secs(11), "{:?}", begun.elapsed());
    assert!(sending.rest().await.is_empty());
}
