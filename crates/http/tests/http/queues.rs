//! Queues and their settings.

use serde_json::json;

use crate::common::{Request, Server};

fn put(queue: &str, body: &str) -> Request {
    Request::new("PUT", &format!("/v1/queues/{queue}")).json(body)
}

fn patch(queue: &str, body: &str) -> Request {
    Request::new("PATCH", &format!("/v1/queues/{queue}")).body("application/merge-patch+json", body)
}

#[tokio::test]
async fn a_queue_needs_no_creation() {
    let server = Server::start().await;
    let queue = server.call(Request::get("/v1/queues/q")).await;
    assert_eq!(
        queue.json(),
        json!({
            "name": "q",
            "settings": {
                "lease_ttl": "30s", "max_attempts": 20, "backoff": {"base": "1s", "factor": 2.0, "max": "1h", "jitter": 1.0},
                "timeout": null, "concurrency": null, "group_concurrency": null, "rate": null, "expires_in": "336h",
                "result_retention": "168h", "dead_letter": null, "push": null,
            },
            "counts": {"INIT": 0, "PROCESSING": 0, "DONE": 0, "FAILED": 0, "CANCELLED": 0, "EXPIRED": 0},
            "paused": false,
            "draining": false,
        })
    );
    server.submit(r#"{"queue":"q"}"#).await;
    server.submit(r#"{"queue":"q"}"#).await;
    server.lease("q").await;
    let queue = server.call(Request::get("/v1/queues/q")).await;
    assert_eq!((queue.at("/counts/INIT"), queue.at("/counts/PROCESSING")), (json!(1), json!(1)));
}

#[tokio::test]
async fn settings_are_replaced_and_merged() {
    let server = Server::start().await;
    let set =
        server.call(put("q", r#"{"lease_ttl":"1m","max_attempts":3,"backoff":{"base":"2h"},"timeout":"10m"}"#)).await;
    assert_eq!((set.at("/settings/lease_ttl"), set.at("/settings/timeout")), (json!("1m"), json!("10m")));
    assert_eq!(set.at("/settings/backoff"), json!({"base": "2h", "factor": 2.0, "max": "2h", "jitter": 1.0}));
    let merged = server.call(patch("q", r#"{"max_attempts":null,"backoff":{"jitter":0},"expires_in":"1h"}"#)).await;
    assert_eq!((merged.at("/settings/lease_ttl"), merged.at("/settings/max_attempts")), (json!("1m"), json!(20)));
    assert_eq!(merged.at("/settings/backoff"), json!({"base": "2h", "factor": 2.0, "max": "2h", "jitter": 0.0}));
    assert_eq!(merged.at("/settings/expires_in"), "1h");
    let replaced = server.call(put("q", "{}")).await;
    assert_eq!((replaced.at("/settings/lease_ttl"), replaced.at("/settings/timeout")), (json!("30s"), json!(null)));

    server.call(put("q", r#"{"max_attempts":2,"lease_ttl":"5s"}"#)).await;
    server.submit(r#"{"queue":"q"}"#).await;
    let leased = server.call(Request::post("/v1/leases").json(r#"{"queues":["q"]}"#)).await;
    assert_eq!((leased.at("/leases/0/job/max_attempts"), leased.at("/leases/0/expires_in")), (json!(2), json!("5s")));
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused_and_change_nothing() {
    let server = Server::start().await;
    server.call(put("q", r#"{"lease_ttl":"1m","backoff":{"base":"1m","max":"1h"}}"#)).await;
    for (request, pointer) in [
        (put("q", r#"{"lease_ttl":"999ms"}"#), "/lease_ttl"),
        (put("q", r#"{"lease_ttl":30}"#), "/lease_ttl"),
        (put("q", r#"{"paused":true}"#), "/paused"),
        (patch("q", r#"{"backoff":{"max":"1s"}}"#), "/backoff/max"),
        (patch("q", r#"{"lease_tt":"1s"}"#), "/lease_tt"),
        (put("q", r#"{"concurrency":0}"#), "/concurrency"),
        (put("q", r#"{"concurrency":1000001}"#), "/concurrency"),
        (patch("q", r#"{"group_concurrency":0}"#), "/group_concurrency"),
        (put("q", r#"{"group_concurrency":1000001}"#), "/group_concurrency"),
        (patch("q", r#"{"rate":{"limit":0,"per":"1s"}}"#), "/rate/limit"),
        (patch("q", r#"{"rate":{"limit":1000001,"per":"1s"}}"#), "/rate/limit"),
        (patch("q", r#"{"rate":{"limit":1,"per":"0s"}}"#), "/rate/per"),
        (put("q", r#"{"rate":{"limit":1,"per":"3651d"}}"#), "/rate/per"),
        (patch("q", r#"{"rate":{"limit":1}}"#), "/rate/per"),
        (put("q", r#"{"dead_letter":"q"}"#), "/dead_letter"),
        (patch("q", r#"{"dead_letter":"a b"}"#), "/dead_letter"),
        (put("q", r#"{"push":{"concurrency":1}}"#), "/push/url"),
    ] {
        server.call(request).await.is_problem(400, "invalid-request").points_at(pointer);
    }
    assert_eq!(server.call(patch("q", r#"{"concurrency":null}"#)).await.status, 200);
    assert_eq!(server.call(Request::get("/v1/queues/q")).await.at("/settings/lease_ttl"), "1m");
    server.call(put("ackd.q", "{}")).await.is_problem(403, "forbidden");
    server.call(Request::get("/v1/queues/ackd.q")).await.is_problem(403, "forbidden");
    server.call(Request::get("/v1/queues/a%20b")).await.is_problem(400, "invalid-request");
    let text = Request::new("PUT", "/v1/queues/q").body("text/plain", "{}");
    server.call(text).await.is_problem(415, "unsupported-media-type");
}

#[tokio::test]
async fn a_group_has_no_more_leases_than_its_queue_allows() {
    let server = Server::start().await;
    let set = server.call(patch("q", r#"{"group_concurrency":1000000}"#)).await;
    assert_eq!(set.at("/settings/group_concurrency"), 1_000_000);
    assert_eq!(server.call(put("q", r#"{"group_concurrency":1}"#)).await.at("/settings/group_concurrency"), 1);
    let first = server.submit(r#"{"queue":"q","group":"a"}"#).await;
    let second = server.submit(r#"{"queue":"q","group":"a"}"#).await;
    let other = server.submit(r#"{"queue":"q","group":"b"}"#).await;
    let asking = Request::post("/v1/leases").json(r#"{"queues":["q"],"max":9}"#);
    let leased = server.call(asking).await;
    let ids: Vec<_> = [0, 1].map(|at| leased.text(&format!("/leases/{at}/job/id"))).into();
    assert_eq!((ids, leased.at("/leases").as_array().unwrap().len()), (vec![first, other], 2));
    let waiting = server.job(&second).await.at("/waiting");
    assert_eq!(waiting, json!({"reason": "limited", "limit": "group_concurrency"}));
    // A worker that waits gets the next one as soon as the limit is lifted.
    let mut worker = server.connect().await;
    let asking = Request::post("/v1/queues/q/lease?wait=20");
    worker.send(&asking).await;
    assert_eq!(
        server.call(patch("q", r#"{"group_concurrency":null}"#)).await.at("/settings/group_concurrency"),
        json!(null)
    );
    assert_eq!(worker.finish(&asking).await.header("ackd-job"), Some(&*second));
}

/// Whom a worker gets that asks for nine jobs at once.
async fn leased(server: &Server) -> Vec<String> {
    let answer = server.call(Request::post("/v1/leases").json(r#"{"queues":["q"],"max":9}"#)).await;
    if answer.status == 204 {
        return Vec::new();
    }
    let leases = answer.at("/leases");
    leases.as_array().unwrap().iter().map(|lease| lease["job"]["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_queue_has_no_more_leases_than_it_allows_and_begins_no_more_than_it_may() {
    let server = Server::start().await;
    let edge = r#"{"concurrency":1000000,"rate":{"limit":1000000,"per":"3650d"}}"#;
    let set = server.call(put("q", edge)).await;
    assert_eq!((set.at("/settings/concurrency"), set.at("/settings/rate/limit")), (json!(1_000_000), json!(1_000_000)));
    server.call(put("q", r#"{"concurrency":2}"#)).await;
    let mut jobs = Vec::new();
    for _ in 0..5 {
        jobs.push(server.submit(r#"{"queue":"q"}"#).await);
    }
    assert_eq!(leased(&server).await, jobs[..2]);
    assert_eq!(server.job(&jobs[4]).await.at("/waiting"), json!({"reason": "limited", "limit": "concurrency"}));
    // A worker that waits gets the next one as soon as the limit is lifted; and only the rate counts from then on.
    let mut worker = server.connect().await;
    let asking = Request::post("/v1/queues/q/lease?wait=20");
    worker.send(&asking).await;
    let rate = patch("q", r#"{"concurrency":null,"rate":{"limit":1,"per":"1h"}}"#);
    assert_eq!(server.call(rate).await.at("/settings/rate"), json!({"limit": 1, "per": "1h"}));
    assert_eq!(worker.finish(&asking).await.header("ackd-job"), Some(&*jobs[2]));
    assert!(leased(&server).await.is_empty());
    assert_eq!(server.job(&jobs[4]).await.at("/waiting"), json!({"reason": "limited", "limit": "rate"}));
    // A part of the rate may change.
    assert_eq!(server.call(patch("q", r#"{"rate":{"limit":2}}"#)).await.at("/settings/rate/per"), "1h");
    assert_eq!(leased(&server).await, [&*jobs[3]]);
}

#[tokio::test]
async fn a_paused_queue_hands_nothing_out() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    assert_eq!(server.call(Request::post("/v1/queues/q/pause")).await.at("/paused"), true);
    assert_eq!(server.job(&id).await.at("/waiting/reason"), "paused");
    assert_eq!(server.call(Request::post("/v1/queues/q/lease")).await.status, 204);
    // Settings say nothing of it.
    assert_eq!(server.call(put("q", "{}")).await.at("/paused"), true);
    let mut worker = server.connect().await;
    let asking = Request::post("/v1/queues/q/lease?wait=20");
    worker.send(&asking).await;
    assert_eq!(server.call(Request::post("/v1/queues/q/resume")).await.at("/paused"), false);
    assert_eq!(worker.finish(&asking).await.header("ackd-job"), Some(&*id));
}

#[tokio::test]
async fn queues_are_listed_by_name_page_by_page() {
    let server = Server::start().await;
    for queue in ["b", "a", "c"] {
        server.submit(&format!(r#"{{"queue":"{queue}"}}"#)).await;
    }
    server.call(put("d", r#"{"lease_ttl":"1m"}"#)).await;
    let names = |answer: &crate::common::Answer| -> Vec<String> {
        let queues = answer.at("/queues");
        queues.as_array().unwrap().iter().map(|queue| queue["name"].as_str().unwrap().to_owned()).collect()
    };
    let all = server.call(Request::get("/v1/queues")).await;
    assert_eq!(
        (names(&all), all.at("/next_page_token")),
        (vec!["a".into(), "b".into(), "c".into(), "d".into()], json!(null))
    );
    assert_eq!((all.at("/queues/0/counts/INIT"), all.at("/queues/3/settings/lease_ttl")), (json!(1), json!("1m")));
    let first = server.call(Request::get("/v1/queues?page_size=3")).await;
    let token = first.text("/next_page_token");
    let second = server.call(Request::get(&format!("/v1/queues?page_size=3&page_token={token}"))).await;
    assert_eq!(
        (names(&first).len(), names(&second), second.at("/next_page_token")),
        (3, vec!["d".into()], json!(null))
    );
    server.call(Request::get("/v1/queues?page_token=a%20b")).await.is_problem(400, "invalid-request");
}

#[tokio::test]
async fn a_drained_queue_takes_nothing_new_and_works_off_what_it_has() {
    let server = Server::start().await;
    let keyed = r#"{"queue":"q","idempotency_key":"k"}"#;
    let id = server.submit(keyed).await;
    let drained = server.call(Request::post("/v1/queues/q/drain")).await;
    assert_eq!((drained.status, drained.at("/draining"), drained.at("/paused")), (200, json!(true), json!(false)));
    let then = r#"{"queue":"other","then":[{"queue":"q"}]}"#;
    for body in [r#"{"queue":"q"}"#, then] {
        let refused = server.call(Request::post("/v1/jobs").json(body)).await;
        assert!(refused.is_problem(503, "draining").header("retry-after").is_some());
        // It is the queue, and not the server that stops.
        assert!(refused.text("/detail").starts_with("queue q is being drained"), "{refused:?}");
        assert!(!refused.text("/title").contains("server"), "{refused:?}");
    }
    let lines = "{\"queue\":\"q\"}\n{\"queue\":\"other\"}\n";
    server.call(Request::post("/v1/jobs").ndjson(lines)).await.is_problem(503, "draining");
    let partial = server.call(Request::post("/v1/jobs?partial=true").ndjson(lines)).await;
    let statuses: Vec<_> = partial.lines().iter().map(|line| line["status"].clone()).collect();
    assert_eq!((partial.status, statuses), (207, vec![json!(503), json!(202)]));
    // What was accepted before is answered as before, worked off, and may run again.
    assert_eq!(server.submit(keyed).await, id);
    let lease = server.lease("q").await;
    server.settle(&lease, "fail", r#"{"retryable":false}"#).await;
    assert_eq!(server.call(Request::post(&format!("/v1/jobs/{id}/retry"))).await.status, 200);
    let resumed = server.call(Request::post("/v1/queues/q/resume")).await;
    assert_eq!(resumed.at("/draining"), json!(false));
    server.submit(r#"{"queue":"q"}"#).await;
}
