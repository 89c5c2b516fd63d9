//! Jobs that wait for others: of one ordering key, and after those they name.

use serde_json::{Value, json};

use crate::common::{Request, Server};

async fn reason(server: &Server, id: &str) -> Value {
    server.job(id).await.at("/waiting").clone()
}

async fn lease(server: &Server, queue: &str) -> Option<(String, String)> {
    let answer = server.call(Request::post(&format!("/v1/queues/{queue}/lease"))).await;
    Some((answer.header("ackd-job")?.to_owned(), answer.header("ackd-lease")?.to_owned()))
}

async fn settle(server: &Server, lease: &str, how: &str, body: &str) {
    let answer = server.call(Request::post(&format!("/v1/leases/{lease}/{how}")).json(body)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn of_an_ordering_key_one_runs_at_a_time_and_in_order() {
    let server = Server::start().await;
    let keyed = r#"{"queue":"q","ordering_key":"customer-1"}"#;
    let (first, second) = (server.submit(keyed).await, server.submit(keyed).await);
    assert_eq!(server.job(&first).await.at("/ordering_key"), "customer-1");
    assert_eq!(reason(&server, &second).await, json!({"reason": "blocked", "jobs": [first]}));
    let list = server.call(Request::get("/v1/jobs?queue=q")).await;
    assert_eq!(list.at("/jobs/0/waiting"), json!({"reason": "blocked", "jobs": [first]}));
    let (leased, token) = lease(&server, "q").await.unwrap();
    assert_eq!(leased, first);
    assert_eq!(lease(&server, "q").await, None);
    settle(&server, &token, "complete", "{}").await;
    assert_eq!(reason(&server, &second).await, json!({"reason": "queued"}));
    assert_eq!(lease(&server, "q").await.unwrap().0, second);
    let timeline = server.call(Request::get(&format!("/v1/jobs/{second}/timeline"))).await;
    let events: Vec<_> = (0..3).map(|at| timeline.at(&format!("/entries/{at}/event")).clone()).collect();
    assert_eq!(events, ["submitted", "unblocked", "leased"]);
    // As a parameter of the raw form too, to its edge and one beyond.
    let raw = |key: &str| Request::post(&format!("/v1/queues/r/jobs?ordering_key={key}")).json("1");
    assert_eq!(server.call(raw(&"k".repeat(512))).await.status, 202);
    server.call(raw(&"k".repeat(513))).await.is_problem(400, "invalid-request").points_at("/ordering_key");
}

#[tokio::test]
async fn a_job_comes_after_others_and_what_becomes_of_it_is_its_choice() {
    let server = Server::start().await;
    let (a, b) = (server.submit(r#"{"queue":"q"}"#).await, server.submit(r#"{"queue":"q"}"#).await);
    let after = |more: &str| format!(r#"{{"queue":"next","after":["{a}","{b}"]{more}}}"#);
    let cancelled = server.submit(&after("")).await;
    let continued = server.submit(&after(r#","on_failure":"continue""#)).await;
    let waiting = server.submit(&after(r#","on_failure":"wait""#)).await;
    assert_eq!(server.job(&cancelled).await.at("/after"), json!([a, b]));
    assert_eq!(reason(&server, &continued).await, json!({"reason": "blocked", "jobs": [a, b]}));
    let (_, token) = lease(&server, "q").await.unwrap();
    settle(&server, &token, "complete", "{}").await;
    assert_eq!(reason(&server, &continued).await, json!({"reason": "blocked", "jobs": [b]}));
    let (_, token) = lease(&server, "q").await.unwrap();
    settle(&server, &token, "fail", r#"{"error":"no","retryable":false}"#).await;
    let ended = server.job(&cancelled).await;
    assert_eq!(ended.at("/status"), "CANCELLED");
    assert_eq!(ended.at("/error/predecessor"), json!(b));
    assert_eq!(reason(&server, &continued).await, json!({"reason": "queued"}));
    assert_eq!(reason(&server, &waiting).await, json!({"reason": "blocked", "jobs": [b]}));
    assert_eq!(server.call(Request::post(&format!("/v1/jobs/{b}/retry"))).await.status, 200);
    let (_, token) = lease(&server, "q").await.unwrap();
    settle(&server, &token, "complete", "{}").await;
    assert_eq!(reason(&server, &waiting).await, json!({"reason": "queued"}));
}

#[tokio::test]
async fn a_job_comes_after_a_thousand_at_most() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let after = |times: usize| {
        let ids = vec![format!("\"{id}\""); times].join(",");
        Request::post("/v1/jobs").json(&format!(r#"{{"queue":"q","after":[{ids}]}}"#))
    };
    assert_eq!(server.call(after(1000)).await.status, 202);
    server.call(after(1001)).await.is_problem(400, "invalid-request").points_at("/after");
}
