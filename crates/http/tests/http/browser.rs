//! What keeps other people's pages out, and lets allowed ones in.

use ackd_http::Config;

use crate::common::{Request, Server};

#[tokio::test]
async fn a_host_that_is_not_this_server_is_misdirected() {
    let server = Server::with(Config { hosts: vec!["ackd.example".into()], ..Config::default() }).await;
    for host in ["localhost", "127.0.0.1:8202", "[::1]:8202", "ackd.example", "Ackd.Example:443"] {
        assert_eq!(server.call(Request::get("/healthz").header("host", host)).await.status, 200, "{host}");
    }
    for host in ["evil.example", "ackd.example.evil.example"] {
        let answer = server.call(Request::get("/healthz").header("host", host)).await;
        answer.is_problem(421, "misdirected-request");
    }
    let twice = Request::get("/healthz").header("host", "localhost").header("host", "localhost");
    server.call(twice).await.is_problem(400, "invalid-request");
    let mut client = server.connect().await;
    client.write(b"GET /healthz HTTP/1.1\r\n\r\n").await;
    client.answer("GET").await.is_problem(400, "invalid-request");
    let absolute = Request::get("http://evil.example/healthz").header("host", "localhost");
    let mut client = server.connect().await;
    client.send(&absolute).await;
    client.answer("GET").await.is_problem(421, "misdirected-request");
}

#[tokio::test]
async fn a_foreign_page_is_refused_before_its_body_is_read() {
    let server = Server::start().await;
    for origin in ["https://evil.example", "null", "http://localhost:3000"] {
        let mut client = server.connect().await;
        let head =
            format!("POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\norigin: {origin}\r\ncontent-length: 13\r\n\r\n");
        client.write(head.as_bytes()).await;
        let answer = client.answer("POST").await;
        answer.is_problem(403, "forbidden");
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(client.rest().await.is_empty());
    }
    for target in ["/v1/jobs", "/healthz", "/nowhere"] {
        server.call(Request::get(target).header("origin", "null")).await.is_problem(403, "forbidden");
    }
    assert!(server.call(Request::get("/v1/jobs")).await.at("/jobs").as_array().unwrap().is_empty());
}

#[tokio::test]
async fn pages_of_this_server_and_of_allowed_origins_may_call() {
    let config = Config {
        public_url: Some("https://ackd.example/".into()),
        origins: vec!["https://app.example".into()],
        ..Config::default()
    };
    let server = Server::with(config).await;
    for (host, origin) in [
        ("localhost:8202", "http://localhost:8202"),
        ("localhost:8202", "https://app.example"),
        ("localhost:8202", "https://ackd.example"),
        ("ackd.example", "https://ackd.example"),
    ] {
        let submit = Request::post("/v1/jobs").header("host", host).header("origin", origin).json(r#"{"queue":"q"}"#);
        let answer = server.call(submit).await;
        assert_eq!(answer.status, 202, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert_eq!(answer.header("vary"), Some("Origin"));
        assert!(answer.header("access-control-expose-headers").is_some_and(|names| names.contains("Location")));
    }
    // Of an error too, or the page could not read it; and its kind is absolute now.
    let refused = server.call(Request::get("/v1/jobs/x").header("origin", "https://app.example")).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (400, Some("https://app.example")));
    assert_eq!(refused.at("/type"), "https://ackd.example/problems/invalid-request");
    let lines = server.call(Request::post("/v1/jobs?partial=true").ndjson("{}")).await.lines();
    assert_eq!(lines[0]["problem"]["type"], "https://ackd.example/problems/invalid-request");
}

#[tokio::test]
async fn a_browser_that_asks_first_is_told_what_it_may_send() {
    let server = Server::with(Config { origins: vec!["https://app.example".into()], ..Config::default() }).await;
    let preflight = |target: &str, origin: &str| {
        Request::new("OPTIONS", target)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type, idempotency-key")
    };
    let answer = server.call(preflight("/v1/jobs", "https://app.example")).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, Some("https://app.example")));
    assert_eq!(answer.header("access-control-allow-methods"), Some("POST, GET, HEAD, OPTIONS"));
    let headers = answer.header("access-control-allow-headers").unwrap();
    for name in ["Content-Type", "Idempotency-Key", "If-None-Match", "Prefer", "Last-Event-ID"] {
        assert!(headers.contains(name), "{name}");
    }
    assert_eq!(answer.header("access-control-max-age"), Some("600"));
    server.call(preflight("/v1/jobs", "https://evil.example")).await.is_problem(403, "forbidden");
    server.call(preflight("/nowhere", "https://app.example")).await.is_problem(404, "not-found");
    let plain = server.call(Request::new("OPTIONS", "/v1/leases")).await;
    assert_eq!((plain.status, plain.header("allow")), (204, Some("POST, OPTIONS")));
    assert_eq!(plain.header("access-control-allow-methods"), None);
}

#[tokio::test]
async fn what_cannot_be_meant_is_no_configuration() {
    let server = Server::start().await;
    let app = |config: Config| {
        ackd_http::App::new(server.engine.clone(), server.files.clone(), server.outbounds(), config)
            .map(drop)
            .unwrap_err()
            .to_string()
    };
    assert!(app(Config { hosts: vec!["http://x".into()], ..Config::default() }).contains("`http://x`"));
    assert!(app(Config { origins: vec!["https://x/y".into()], ..Config::default() }).contains("`https://x/y`"));
    assert!(app(Config { public_url: Some("x".into()), ..Config::default() }).contains("`x`"));
    let limits = ackd_http::Limits { payload: (64 << 20) + 1, ..ackd_http::Limits::default() };
    assert!(app(Config { limits, ..Config::default() }).contains("67108865"));
}
