//! The same for many jobs: bulk actions and purges.

use serde_json::json;

use crate::common::{Answer, Request, Server};

async fn bulk(server: &Server, body: &str) -> Answer {
    server.call(Request::post("/v1/jobs/bulk").json(body)).await
}

/// What came of the bulk job, once it has ended.
async fn result(server: &Server, accepted: &Answer) -> serde_json::Value {
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let id = accepted.text("/id");
    assert_eq!(accepted.header("location"), Some(&*format!("/v1/jobs/{id}")));
    server.call(Request::get(&format!("/v1/jobs/{id}?wait=20s"))).await.at("/result")
}

#[tokio::test]
async fn all_that_match_are_cancelled_and_run_again() {
    let server = Server::start().await;
    let _bulk = server.bulk();
    let one = server.submit(r#"{"queue":"a","tags":["x"]}"#).await;
    let two = server.submit(r#"{"queue":"b","tags":["x"]}"#).await;
    let other = server.submit(r#"{"queue":"a"}"#).await;
    server.lease("a").await;
    let cancel = bulk(&server, r#"{"filter":{"queue":["a","b"],"tag":"x"},"action":"cancel"}"#).await;
    assert_eq!(cancel.at("/payload"), json!({"action": "cancel", "filter": {"queue": ["a", "b"], "tag": ["x"]}}));
    assert_eq!((cancel.at("/queue"), cancel.at("/type")), (json!("ackd.bulk"), json!("cancel")));
    assert_eq!(result(&server, &cancel).await, json!({"matched": 2, "changed": 2, "refused": 0}));
    assert_eq!(server.job(&two).await.at("/status"), "CANCELLED");
    assert_ne!(server.job(&one).await.at("/cancel_requested_at"), json!(null));
    assert_eq!(server.job(&other).await.at("/status"), "INIT");
    let retry = bulk(&server, r#"{"filter":{"tag":"x"},"action":"retry"}"#).await;
    assert_eq!(result(&server, &retry).await, json!({"matched": 2, "changed": 1, "refused": 1}));
    assert_eq!(server.timeline(&two).await, ["submitted", "cancelled", "retried"]);
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_and_changes_nothing() {
    let server = Server::start().await;
    let _bulk = server.bulk();
    let id = server.submit(r#"{"queue":"a"}"#).await;
    for (body, at) in [
        (r#"{"filter":{},"action":"cancel"}"#, "/filter"),
        (r#"{"filter":{"queue":"a"},"action":"purge"}"#, "/action"),
        (r#"{"filter":{"colour":"red"},"action":"cancel"}"#, "/filter/colour"),
        (r#"{"filter":{"status":"READY"},"action":"cancel"}"#, "/filter/status"),
        (r#"{"filter":{"page_size":"1"},"action":"cancel"}"#, "/filter/page_size"),
    ] {
        bulk(&server, body).await.is_problem(400, "invalid-request").points_at(at);
    }
    bulk(&server, r#"{"filter":{"queue":"ackd.bulk"},"action":"cancel"}"#).await.is_problem(403, "forbidden");
    for query in ["", "?confirm=", "?confirm=b"] {
        let purge = server.call(Request::post(&format!("/v1/queues/a/purge{query}"))).await;
        purge.is_problem(400, "invalid-request").points_at("/confirm");
    }
    assert_eq!(server.timeline(&id).await, ["submitted"]);
}

#[tokio::test]
async fn a_purge_cancels_what_waits_and_nothing_else() {
    let server = Server::start().await;
    let _bulk = server.bulk();
    let running = server.submit(r#"{"queue":"a"}"#).await;
    server.lease("a").await;
    let waiting = server.submit(r#"{"queue":"a","delay":"1h"}"#).await;
    let behind = server.submit(&format!(r#"{{"queue":"a","after":["{running}"]}}"#)).await;
    let other = server.submit(r#"{"queue":"b"}"#).await;
    let purged = server.call(Request::post("/v1/queues/a/purge?confirm=a")).await;
    assert_eq!((purged.status, purged.at("/purged")), (200, json!(2)));
    assert_eq!(server.job(&purged.text("/job")).await.at("/result"), json!({"matched": 2, "changed": 2, "refused": 0}));
    for (id, status) in [(running, "PROCESSING"), (waiting, "CANCELLED"), (behind, "CANCELLED"), (other, "INIT")] {
        assert_eq!(server.job(&id).await.at("/status"), status);
    }
    let again = server.call(Request::post("/v1/queues/a/purge?confirm=a")).await;
    assert_eq!((again.status, again.json()), (200, json!({"purged": 0, "job": null})));
}
