//! Searching by what stands in payloads, in lists and by bulk jobs.

use ackd_engine::Field;
use ackd_http::Limits;
use serde_json::{Value, json};

use crate::common::{Request, Server};

/// The ids of the jobs that are found.
async fn found(server: &Server, query: &str) -> Vec<String> {
    let list = server.call(Request::get(&format!("/v1/jobs?{query}"))).await;
    assert_eq!(list.status, 200, "{list:?}");
    let ids = list.at("/jobs").as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(list.at("/next_page_token"), Value::Null);
    ids
}

#[tokio::test]
async fn jobs_are_found_by_what_their_payloads_say() {
    let server = Server::start().await;
    let order = r#"{"order":{"id":10,"paid":true,"note":null,"items":[{"sku":"a,b c"}]}}"#;
    let a = server.submit(&format!(r#"{{"queue":"a","payload":{order}}}"#)).await;
    let b = server.submit(&format!(r#"{{"queue":"b","payload":{order}}}"#)).await;
    server.submit(r#"{"queue":"a","payload":{"order":{"id":11,"items":[]}}}"#).await;
    server.submit(r#"{"queue":"a"}"#).await;
    let raw = |queue: &str, content_type: &str, body: &str| {
        server.call(Request::post(&format!("/v1/queues/{queue}/jobs")).body(content_type, body))
    };
    let event = raw("c", "application/problem+json", order).await.text("/id");
    raw("c", "text/plain", order).await;
    for query in [
        "payload.order.id=10",
        "payload.order.id=10.0",
        "payload.order.paid=true",
        "payload.order.note=null",
        "payload.order.items.0.sku=a,b+c",
        "payload.order.items.0.sku=a%2Cb%20c&payload.order.id=1e1&status=INIT",
    ] {
        assert_eq!(found(&server, query).await, [&*event, &*b, &*a], "{query}");
        assert_eq!(found(&server, &format!("{query}&queue=a")).await, [&*a], "{query}");
    }
    for query in ["payload.order.id=010", "payload.order.id=", "payload.order=10", "payload.order.items.1.sku=x"] {
        assert!(found(&server, query).await.is_empty(), "{query}");
    }
}

#[tokio::test]
async fn a_payload_that_is_a_file_is_not_looked_into() {
    let server = Server::limited(Limits { claim_check: 100, ..Limits::default() }).await;
    let payload = |size: usize| format!(r#"{{"a":1,"b":"{}"}}"#, "x".repeat(size));
    let mut ids = Vec::new();
    for size in [10, 100] {
        let raw = Request::post("/v1/queues/q/jobs").body("application/json", payload(size));
        let submitted = server.call(raw).await;
        assert_eq!(submitted.status, 202, "{submitted:?}");
        ids.push(submitted.text("/id"));
    }
    assert_eq!(found(&server, "payload.a=1").await, ids[..1]);
}

#[tokio::test]
async fn what_no_payload_can_be_searched_for_is_named() {
    let server = Server::start().await;
    let deep = |parts: usize| format!("payload.{}", ["a"; 20][..parts].join("."));
    let long = |bytes: usize| format!("payload.{}", "a".repeat(bytes));
    let many = |fields: usize| (0..fields).map(|at| format!("payload.a{at}=1")).collect::<Vec<_>>().join("&");
    let text = |bytes: usize| format!("payload.a={}", "x".repeat(bytes));
    let list = async |query: &str| server.call(Request::get(&format!("/v1/jobs?{query}"))).await;
    for (query, pointer) in [
        ("payload.=1", "/payload."),
        ("payload.a.=1", "/payload.a."),
        ("payload.a..b=1", "/payload.a..b"),
        ("payload=1", "/payload"),
        ("payload.a=1&payload.a=2", "/payload.a"),
        (&*deep(Field::DEPTH + 1), &*format!("/{}", deep(Field::DEPTH + 1))),
        (&*many(9), "/payload.a8"),
        (&*text(Field::TEXT_BYTES + 1), "/payload.a"),
    ] {
        list(query).await.is_problem(400, "invalid-request").points_at(pointer);
        assert_eq!(list(query).await.json()["errors"].as_array().unwrap().len(), 1, "{query}");
    }
    list(&long(Field::PATH_BYTES + 1)).await.is_problem(400, "invalid-request");
    for query in [deep(Field::DEPTH), long(Field::PATH_BYTES), many(8), text(Field::TEXT_BYTES)] {
        assert_eq!(list(&query).await.status, 200, "{query}");
    }
    // Feeds are not searched.
    for target in ["/v1/events?payload.a=1", "/v1/queues?payload.a=1"] {
        server.call(Request::get(target)).await.is_problem(400, "invalid-request").points_at("/payload.a");
    }
}

#[tokio::test]
async fn a_page_may_be_empty_while_more_follow() {
    let server = Server::start().await;
    let first = server.submit(r#"{"queue":"q","payload":{"a":1,"b":2}}"#).await;
    let lines = r#"{"queue":"q","payload":{}}"#.to_owned() + "\n";
    assert_eq!(server.call(Request::post("/v1/jobs").ndjson(&lines.repeat(1000))).await.status, 202);
    let page = server.call(Request::get("/v1/jobs?payload.a=1&payload.b=2&page_size=5")).await;
    assert_eq!((page.status, page.at("/jobs")), (200, json!([])));
    let token = page.text("/next_page_token");
    // The token is of what is searched for, in whatever order that is said.
    let next = |query: &str| server.call(Request::get(&format!("/v1/jobs?{query}&page_token={token}")));
    let page = next("payload.b=2&payload.a=1").await;
    assert_eq!((page.text("/jobs/0/id"), page.at("/next_page_token")), (first, Value::Null));
    for other in ["payload.a=1", "payload.a=2&payload.b=1", "payload.a=1&payload.b=2.0", "queue=q"] {
        next(other).await.is_problem(400, "invalid-request").points_at("/page_token");
    }
}

#[tokio::test]
async fn a_bulk_job_is_about_what_its_search_finds() {
    let server = Server::start().await;
    let _bulk = server.bulk();
    let bulk = async |body: &str| server.call(Request::post("/v1/jobs/bulk").json(body)).await;
    let one = server.submit(r#"{"queue":"a","payload":{"order":{"id":"x,1"}}}"#).await;
    let other = server.submit(r#"{"queue":"a","payload":{"order":{"id":"x"}}}"#).await;
    let elsewhere = server.submit(r#"{"queue":"b","payload":{"order":{"id":"x,1"}}}"#).await;
    for (body, at) in [
        (r#"{"filter":{"payload.order.id":7},"action":"cancel"}"#, "/filter/payload.order.id"),
        (r#"{"filter":{"payload.order.id":["x"]},"action":"cancel"}"#, "/filter/payload.order.id"),
        (r#"{"filter":{"payload.order.":"x"},"action":"cancel"}"#, "/filter/payload.order."),
        (r#"{"filter":{"payload":"x"},"action":"cancel"}"#, "/filter/payload"),
    ] {
        bulk(body).await.is_problem(400, "invalid-request").points_at(at);
    }
    let accepted = bulk(r#"{"filter":{"queue":"a","payload.order.id":"x,1"},"action":"cancel"}"#).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    assert_eq!(accepted.at("/payload/filter"), json!({"queue": ["a"], "payload": {"order.id": "x,1"}}));
    let id = accepted.text("/id");
    let ended = server.call(Request::get(&format!("/v1/jobs/{id}?wait=20s"))).await;
    assert_eq!(ended.at("/result"), json!({"matched": 1, "changed": 1, "refused": 0}));
    for (id, status) in [(one, "CANCELLED"), (other, "INIT"), (elsewhere, "INIT")] {
        assert_eq!(server.job(&id).await.at("/status"), status);
    }
}
