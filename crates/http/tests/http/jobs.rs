//! Looking at a job, waiting for it, and changing what becomes of it.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::common::{Request, Server};

fn get(id: &str) -> Request {
    Request::get(&format!("/v1/jobs/{id}"))
}

const STRANGER: &str = "01941f29-7c00-7abc-8def-0123456789ab";

#[tokio::test]
async fn a_job_that_is_known_already_is_not_sent_again() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let job = server.call(get(&id)).await;
    assert_eq!((job.status, job.header("etag")), (200, Some("W/\"1\"")));
    assert_eq!(job.header("cache-control"), Some("private, no-cache"));
    assert_eq!(job.header("retry-after"), Some("1"));
    for tag in ["W/\"1\"", "\"1\"", "W/\"7\", W/\"1\"", "*"] {
        let same = server.call(get(&id).header("if-none-match", tag)).await;
        assert_eq!((same.status, same.header("etag"), same.body.len()), (304, Some("W/\"1\""), 0), "{tag}");
    }
    assert_eq!(server.call(get(&id).header("if-none-match", "W/\"2\"")).await.status, 200);
    let bad = server.call(get(&id).header("if-none-match", "1")).await;
    assert!(bad.is_problem(400, "invalid-request").text("/detail").contains("if-none-match"));
    let head = server.call(Request::new("HEAD", &format!("/v1/jobs/{id}"))).await;
    assert_eq!((head.status, head.header("etag"), head.body.len()), (200, Some("W/\"1\""), 0));
}

#[tokio::test]
async fn a_job_that_is_not_there_is_not_found_and_what_is_no_id_is_refused() {
    let server = Server::start().await;
    for target in ["", "/result", "/payload", "/timeline", "/events"] {
        server.call(Request::get(&format!("/v1/jobs/{STRANGER}{target}"))).await.is_problem(404, "not-found");
        let answer = server.call(Request::get(&format!("/v1/jobs/42{target}"))).await;
        assert!(answer.is_problem(400, "invalid-request").text("/detail").contains("`42` in the path"));
    }
    for verb in ["cancel", "retry"] {
        server.call(Request::post(&format!("/v1/jobs/{STRANGER}/{verb}"))).await.is_problem(404, "not-found");
        server.call(Request::post(&format!("/v1/jobs/%ff/{verb}"))).await.is_problem(400, "invalid-request");
    }
}

#[tokio::test]
async fn a_long_poll_ends_with_the_job() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let mut client = server.connect().await;
    let request = Request::get(&format!("/v1/jobs/{id}?wait=20s"));
    client.send(&request).await;
    let lease = server.lease("q").await;
    server.settle(&lease, "complete", r#"{"result":[1]}"#).await;
    let answer = client.finish(&request).await;
    assert_eq!((answer.status, answer.at("/status"), answer.at("/result")), (200, json!("DONE"), json!([1])));
    // One that ended before is there at once.
    let again = client.call(request).await;
    assert_eq!((again.at("/status"), again.at("/result")), (json!("DONE"), json!([1])));
}

#[tokio::test]
async fn a_long_poll_with_a_version_ends_with_the_next() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let mut client = server.connect().await;
    let request = get(&id).header("prefer", "wait=20").header("if-none-match", "W/\"1\"");
    client.send(&request).await;
    server.lease("q").await;
    let answer = client.finish(&request).await;
    assert_eq!((answer.status, answer.at("/version"), answer.at("/status")), (200, json!(2), json!("PROCESSING")));
    assert_eq!(answer.header("preference-applied"), Some("wait=20"));
    // It is behind already: there is nothing to wait for.
    assert_eq!(client.call(request).await.at("/version"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_in_vain_says_so() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let begun = Instant::now();
    let known = get(&id).header("prefer", "wait=7").header("if-none-match", "W/\"1\"");
    let answer = server.call(known).await;
    assert_eq!((answer.status, answer.header("preference-applied")), (304, Some("wait=7")));
    assert!(begun.elapsed() >= Duration::from_secs(7));
    let answer = server.call(Request::get(&format!("/v1/jobs/{id}?wait=1h"))).await;
    assert_eq!((answer.status, answer.at("/status")), (200, json!("INIT")));
    assert!(begun.elapsed() >= Duration::from_secs(62) && begun.elapsed() < Duration::from_secs(70));
    let result = server.call(Request::get(&format!("/v1/jobs/{id}/result?wait=5"))).await;
    result.is_problem(409, "not-finished");
    server
        .call(Request::get(&format!("/v1/jobs/{id}?wait=x")))
        .await
        .is_problem(400, "invalid-request")
        .points_at("/wait");
}

#[tokio::test]
async fn a_result_is_given_as_it_was_handed_in() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q","payload":"<b>"}"#).await;
    let result = Request::get(&format!("/v1/jobs/{id}/result"));
    let early = server.call(result.clone()).await;
    assert_eq!(early.is_problem(409, "not-finished").header("retry-after"), Some("1"));
    let lease = server.lease("q").await;
    let mut client = server.connect().await;
    let waiting = Request::get(&format!("/v1/jobs/{id}/result?wait=20"));
    client.send(&waiting).await;
    let html = "<script>alert(1)</script>";
    let done = server.call(Request::post(&format!("/v1/leases/{lease}/result")).body("text/html", html)).await;
    assert_eq!(done.at("/status"), "DONE");
    for answer in [client.finish(&waiting).await, server.call(result).await] {
        assert_eq!((answer.status, &*answer.body), (200, html.as_bytes()));
        assert_eq!(answer.header("content-type"), Some("text/html"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("content-security-policy"), Some("sandbox"));
        assert_eq!(answer.header("content-disposition"), Some("attachment"));
        assert_eq!(answer.header("etag"), Some("W/\"3\""));
    }
    for (tag, status) in [("W/\"3\"", 304), ("\"3\"", 304), ("*", 304), ("W/\"2\"", 200)] {
        let known = Request::get(&format!("/v1/jobs/{id}/result")).header("if-none-match", tag);
        let known = server.call(known).await;
        assert_eq!((known.status, known.body.is_empty()), (status, status == 304), "{tag}");
        assert_eq!(known.header("etag"), Some("W/\"3\""));
    }
    let payload = server.call(Request::get(&format!("/v1/jobs/{id}/payload"))).await;
    assert_eq!((payload.status, &*payload.body), (200, &b"\"<b>\""[..]));
    assert_eq!(payload.header("content-security-policy"), Some("sandbox"));
    assert_eq!(payload.header("content-disposition"), Some("attachment"));
    // A text stands in the document as one.
    assert_eq!(server.job(&id).await.at("/result"), html);
}

#[tokio::test]
async fn a_job_that_ended_otherwise_has_no_result() {
    let server = Server::start().await;
    let result = async |id: &str| server.call(Request::get(&format!("/v1/jobs/{id}/result"))).await;

    let failed = server.submit(r#"{"queue":"q"}"#).await;
    let lease = server.lease("q").await;
    let settled = server.settle(&lease, "fail", r#"{"error":"boom","retryable":false}"#).await;
    assert_eq!(settled.at("/status"), "FAILED");
    assert_eq!(result(&failed).await.is_problem(409, "job-failed").at("/error/title"), "boom");
    assert_eq!(server.job(&failed).await.at("/error"), json!({"title": "boom"}));

    let cancelled = server.submit(r#"{"queue":"q"}"#).await;
    server.call(Request::post(&format!("/v1/jobs/{cancelled}/cancel"))).await;
    result(&cancelled).await.is_problem(409, "job-cancelled");

    let expired = server.submit(r#"{"queue":"q","expires_in":"1ms"}"#).await;
    let waited = server.call(Request::get(&format!("/v1/jobs/{expired}?wait=30"))).await;
    assert_eq!(waited.at("/status"), "EXPIRED");
    result(&expired).await.is_problem(410, "expired");

    let empty = server.submit(r#"{"queue":"q"}"#).await;
    let lease = server.lease("q").await;
    server.settle(&lease, "complete", "").await;
    assert_eq!(result(&empty).await.status, 204);
}

#[tokio::test]
async fn a_timeline_tells_every_change() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let lease = server.lease("q").await;
    server.settle(&lease, "heartbeat", r#"{"progress":{"percent":1}}"#).await;
    server.settle(&lease, "heartbeat", r#"{"checkpoint":{"at":7}}"#).await;
    server.settle(&lease, "fail", r#"{"error":{"title":"boom"},"retry_after":"0s"}"#).await;
    let lease = server.lease("q").await;
    assert_eq!(server.job(&id).await.at("/checkpoint"), json!({"at": 7}));
    server.settle(&lease, "release", "{}").await;
    let lease = server.lease("q").await;
    server.call(Request::post(&format!("/v1/jobs/{id}/cancel"))).await;
    server.settle(&lease, "fail", r#"{"cancelled":true}"#).await;
    server.call(Request::post(&format!("/v1/jobs/{id}/retry"))).await;

    let answer = server.call(Request::get(&format!("/v1/jobs/{id}/timeline"))).await;
    let entries = answer.at("/entries");
    let told: Vec<_> = entries
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let text = |name: &str| entry[name].as_str().unwrap().to_owned();
            (
                text("event"),
                text("status"),
                text("hop"),
                entry["version"].as_u64().unwrap(),
                entry["attempt"].as_u64().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("submitted", "INIT", "submit", 1, 0),
        ("leased", "PROCESSING", "dispatch", 2, 1),
        ("progress", "PROCESSING", "work", 3, 1),
        ("checkpoint", "PROCESSING", "work", 4, 1),
        ("failed", "INIT", "work", 5, 1),
        ("leased", "PROCESSING", "dispatch", 6, 2),
        ("released", "INIT", "work", 7, 1),
        ("leased", "PROCESSING", "dispatch", 8, 2),
        ("cancel_requested", "PROCESSING", "control", 9, 2),
        ("failed", "CANCELLED", "work", 10, 2),
        ("retried", "INIT", "control", 11, 0),
    ];
    let expected: Vec<_> = expected
        .map(|(event, status, hop, version, attempt)| {
            (event.to_owned(), status.to_owned(), hop.to_owned(), version, attempt)
        })
        .into();
    assert_eq!(told, expected);
    assert_eq!((answer.at("/truncated"), answer.at("/entries/4/error/title")), (json!(false), json!("boom")));
    assert_eq!((answer.at("/entries/5/error"), answer.at("/entries/10/run")), (json!(null), json!(2)));
}

#[tokio::test]
async fn a_job_is_cancelled_at_once_or_its_worker_is_told() {
    let server = Server::start().await;
    let cancel = async |id: &str| server.call(Request::post(&format!("/v1/jobs/{id}/cancel"))).await;
    let id = server.submit(r#"{"queue":"q","payload":1}"#).await;
    for _ in 0..2 {
        let answer = cancel(&id).await;
        assert_eq!((answer.status, answer.at("/status"), answer.at("/payload")), (200, json!("CANCELLED"), json!(1)));
        assert_eq!((answer.at("/expires_at"), answer.header("etag")), (json!(null), Some("W/\"2\"")));
    }
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let lease = server.lease("q").await;
    for _ in 0..2 {
        let told = cancel(&id).await;
        assert_eq!((told.status, told.at("/status"), told.at("/version")), (202, json!("PROCESSING"), json!(3)));
        assert!(told.at("/cancel_requested_at").is_string());
    }
    assert_eq!(server.settle(&lease, "heartbeat", "{}").await.at("/cancel_requested"), true);
    assert_eq!(server.settle(&lease, "complete", r#"{"result":1}"#).await.at("/status"), "DONE");
    assert_eq!(server.job(&id).await.at("/cancel_requested_at"), json!(null));
    cancel(&id).await.is_problem(409, "already-finished");
    // A body says nothing here, and may not seem to.
    let with_body = Request::post(&format!("/v1/jobs/{id}/cancel"));
    with_body_is_refused(&server, with_body).await;
}

#[tokio::test]
async fn an_erased_job_is_not_found_and_its_key_is_free() {
    let server = Server::start().await;
    let delete = async |id: &str| server.call(Request::new("DELETE", &format!("/v1/jobs/{id}"))).await;
    let envelope = r#"{"queue":"q","payload":"p","idempotency_key":"k","tags":["t"]}"#;
    let id = server.submit(envelope).await;
    delete(&id).await.is_problem(409, "not-finished");
    let lease = server.lease("q").await;
    delete(&id).await.is_problem(409, "not-finished");
    server.settle(&lease, "complete", r#"{"result":1}"#).await;
    with_body_is_refused(&server, Request::new("DELETE", &format!("/v1/jobs/{id}"))).await;
    delete(&id).await.is_problem(404, "not-found");
    for path in ["", "/payload", "/result", "/timeline", "/events", "/deliveries", "?wait=1s", "/result?wait=1s"] {
        server.call(Request::get(&format!("/v1/jobs/{id}{path}"))).await.is_problem(404, "not-found");
    }
    for verb in ["cancel", "retry"] {
        server.call(Request::post(&format!("/v1/jobs/{id}/{verb}"))).await.is_problem(404, "not-found");
    }
    server.settle(&lease, "heartbeat", "{}").await.is_problem(409, "lease-lost");
    assert_eq!(server.call(Request::get("/v1/jobs")).await.at("/jobs"), json!([]));
    let queues = server.call(Request::get("/v1/queues")).await;
    assert_eq!(queues.at("/queues"), json!([]), "{queues:?}");
    // Its key makes another job.
    assert_ne!(server.submit(envelope).await, id);
}

async fn with_body_is_refused(server: &Server, request: Request) {
    server.call(request.clone().json(r#"{"reason":"x"}"#)).await.is_problem(400, "invalid-request");
    assert_ne!(server.call(request.json("{}")).await.status, 400);
}

#[tokio::test]
async fn a_job_that_ended_badly_runs_again_when_asked() {
    let server = Server::start().await;
    let retry = async |id: &str| server.call(Request::post(&format!("/v1/jobs/{id}/retry"))).await;
    let id = server.submit(r#"{"queue":"q","payload":"p"}"#).await;
    retry(&id).await.is_problem(409, "not-finished");
    server.call(Request::post(&format!("/v1/jobs/{id}/cancel"))).await;
    let again = retry(&id).await;
    assert_eq!(
        (again.status, again.at("/status"), again.at("/run"), again.at("/attempt")),
        (200, json!("INIT"), json!(2), json!(0))
    );
    assert_eq!(again.at("/payload"), "p");
    let lease = server.lease("q").await;
    server.settle(&lease, "complete", "{}").await;
    retry(&id).await.is_problem(409, "already-finished");
}
