//! A store that is full, fails or stops, and what the server says of itself.

use ackd_http::Config;
use ackd_ports::LedgerError;
use serde_json::json;

use crate::common::{Request, Server};

fn submit() -> Request {
    Request::post("/v1/jobs").json(r#"{"queue":"q"}"#)
}

#[tokio::test]
async fn a_full_disk_refuses_and_recovers() {
    let server = Server::start().await;
    server.faults.fail_next(LedgerError::Full("no room".into()));
    server.call(submit()).await.is_problem(507, "storage-full");
    assert_eq!(server.call(submit()).await.status, 202);
    server.faults.fail_next(LedgerError::Full("no room".into()));
    let lines = Request::post("/v1/jobs?partial=true").ndjson("{\"queue\":\"q\"}\n");
    server.call(lines).await.is_problem(507, "storage-full");
    assert_eq!(server.call(Request::get("/readyz")).await.json(), json!({"ready": true}));
}

#[tokio::test]
async fn a_failed_store_says_so_and_what_is_there_can_be_read() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let lease = server.lease("q").await;
    server.faults.fail_next(LedgerError::Failed("fsync".into()));
    for _ in 0..2 {
        assert!(server.call(submit()).await.is_problem(503, "store-failed").text("/detail").contains("fsync"));
    }
    server.settle(&lease, "complete", "{}").await.is_problem(503, "store-failed");
    server.call(Request::post("/v1/queues/q/lease")).await.is_problem(503, "store-failed");
    server.call(Request::post("/v1/queues/q/pause")).await.is_problem(503, "store-failed");
    assert_eq!(server.job(&id).await.at("/status"), "PROCESSING");
    let ready = server.call(Request::get("/readyz")).await;
    let trouble = ready.is_problem(503, "not-ready").at("/trouble");
    assert!(trouble[0].as_str().unwrap().contains("fsync"), "{trouble}");
    assert_eq!(server.call(Request::get("/healthz")).await.status, 200);
}

#[tokio::test]
async fn a_server_that_stops_says_so() {
    let server = Server::with(Config { version: "7.8.9".into(), ..Config::default() }).await;
    let health = server.call(Request::get("/healthz")).await;
    assert_eq!((health.at("/status"), health.at("/version")), (json!("ok"), json!("7.8.9")));
    assert!(health.at("/started_at").is_string());
    let engine = server.engine.clone();
    tokio::task::spawn_blocking(move || engine.stop()).await.unwrap();
    server.call(submit()).await.is_problem(503, "draining");
    server.call(Request::get("/readyz")).await.is_problem(503, "not-ready");
}

#[tokio::test]
async fn metrics_count_what_happens() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"video"}"#).await;
    server.lease("video").await;
    server.call(Request::get(&format!("/v1/jobs/{id}"))).await;
    server.call(Request::get("/v1/jobs/x")).await;
    server.call(Request::get("/nowhere")).await;
    let answer = server.call(Request::get("/metrics")).await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = String::from_utf8(answer.body).unwrap();
    for line in [
        "ackd_jobs{queue=\"video\",status=\"PROCESSING\"} 1",
        "ackd_jobs{queue=\"video\",status=\"INIT\"} 0",
        "ackd_changes_total{kind=\"submitted\"} 1",
        "ackd_changes_total{kind=\"leased\"} 1",
        "ackd_live_leases 1",
        "ackd_http_requests_total{method=\"POST\",route=\"/v1/jobs\",status=\"2xx\"} 1",
        "ackd_http_requests_total{method=\"GET\",route=\"/v1/jobs/{id}\",status=\"4xx\"} 1",
        "ackd_http_requests_total{method=\"\",route=\"\",status=\"4xx\"} 1",
        "# TYPE ackd_commit_seconds histogram",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    // Each name has its help and its type once, before its values.
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        assert!(seen.insert(line.split(' ').next().unwrap().to_owned()), "{line}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let family = name.split('{').next().unwrap();
        let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| family.strip_suffix(end));
        assert!(seen.contains(family) || of_histogram.is_some_and(|family| seen.contains(family)), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

#[tokio::test]
async fn a_problem_s_code_is_explained() {
    let server = Server::start().await;
    let answer = server.call(Request::get("/problems/lease-lost")).await;
    assert!(String::from_utf8(answer.body).unwrap().starts_with("lease-lost (HTTP status 409)"));
    let answer = server.call(Request::get("/problems/timeout")).await;
    let text = String::from_utf8(answer.body).unwrap();
    assert!(text.starts_with("timeout (HTTP status 408)") && text.contains("\nAs the `error` of a job: "), "{text}");
    let answer = server.call(Request::get("/problems/predecessor-ended")).await;
    assert!(String::from_utf8(answer.body).unwrap().starts_with("predecessor-ended\n\nAs the `error` of a job: a job"));
    server.call(Request::get("/problems/later")).await.is_problem(404, "not-found");
}
