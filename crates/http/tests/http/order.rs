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
    let third = server.call(Request::post("/v1/jobs").json(keyed)).await;
    assert_eq!(third.at("/waiting"), json!({"reason": "blocked", "jobs": [first]}), "the answer says so at once");
    let cancelled = server.call(Request::post(&format!("{}/cancel", third.header("location").unwrap()))).await;
    assert_eq!(cancelled.at("/status"), "CANCELLED");
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
async fn what_is_retried_names_the_job_that_runs_meanwhile() {
    let server = Server::start().await;
    let keyed = r#"{"queue":"q","ordering_key":"customer-1"}"#;
    let (first, second, third) = (server.submit(keyed).await, server.submit(keyed).await, server.submit(keyed).await);
    let (_, token) = lease(&server, "q").await.unwrap();
    settle(&server, &token, "fail", r#"{"error":"no","retryable":false}"#).await;
    assert_eq!(lease(&server, "q").await.unwrap().0, second);
    assert_eq!(server.call(Request::post(&format!("/v1/jobs/{first}/retry"))).await.status, 200);
    for waiting in [&first, &third] {
        assert_eq!(reason(&server, waiting).await, json!({"reason": "blocked", "jobs": [second]}));
    }
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

#[tokio::test]
async fn a_flow_is_a_graph_whose_results_are_handed_on() {
    let server = Server::start().await;
    let graph = r#"{"jobs":[
        {"key":"join","queue":"join","after":["left","right"]},
        {"key":"left","queue":"left","after":["cut"]},
        {"key":"right","queue":"right","after":["cut"]},
        {"key":"cut","queue":"cut","payload":{"file":"cat.mp4"}}]}"#;
    let submit = || Request::post("/v1/flows").json(graph).header("idempotency-key", "flow-1");
    let flow = server.call(submit()).await;
    assert_eq!(flow.status, 202, "{flow:?}");
    let id = |key: &str| flow.at(&format!("/jobs/{key}")).as_str().unwrap().to_owned();
    assert_eq!(flow.at("/flow"), id("cut"));
    assert_eq!(flow.header("location"), Some(&*format!("/v1/jobs?flow={}", id("cut"))));
    let again = server.call(submit()).await;
    assert_eq!((again.header("idempotent-replayed"), again.at("/jobs")), (Some("true"), flow.at("/jobs")));
    let list = server.call(Request::get(&format!("/v1/jobs?flow={}", id("cut")))).await;
    assert_eq!(list.at("/jobs").as_array().unwrap().len(), 4);
    assert_eq!(list.at("/jobs/0/flow"), id("cut"));
    for (queue, result) in [("cut", "1"), ("left", "{\"a\" : 2}"), ("right", "\"three\"")] {
        let (_, token) = lease(&server, queue).await.unwrap();
        settle(&server, &token, "complete", &format!("{{\"result\":{result}}}")).await;
    }
    let leased = server.call(Request::post("/v1/leases").json(r#"{"queues":["join"]}"#)).await;
    assert_eq!(leased.at("/leases/0/job/inputs"), json!({"left": {"a": 2}, "right": "three"}));
    assert_eq!(server.job(&id("join")).await.at("/inputs/right"), "three");
    // By its id where there is no key.
    let after = server.submit(&format!(r#"{{"queue":"after","after":["{}"]}}"#, id("cut"))).await;
    assert_eq!(server.job(&after).await.at("/inputs"), json!({(id("cut")): 1}));
}

#[tokio::test]
async fn a_flow_that_cannot_be_is_refused_and_nothing_of_it_is_there() {
    let server = Server::start().await;
    let flow = |jobs: &str| Request::post("/v1/flows").json(&format!("{{\"jobs\":[{jobs}]}}"));
    for (jobs, pointer) in [
        ("", "/jobs"),
        (r#"{"queue":"q"}"#, "/jobs/0/key"),
        (r#"{"key":"a","queue":"q","after":["b"]}"#, "/jobs/0/after/0"),
        (r#"{"key":"a","queue":"q"},{"key":"a","queue":"q"}"#, "/jobs/1/key"),
        (r#"{"key":"a","queue":"q"},{"key":"b","queue":"q","payload_file":"f"}"#, "/jobs/1/payload_file"),
        // The order in which they are accepted is another than that in which they were written.
        (r#"{"key":"b","queue":"q","payload_file":"f","after":["a"]},{"key":"a","queue":"q"}"#, "/jobs/0/payload_file"),
        (r#"{"key":"a","queue":"q","callback":{"url":"http://h/"}}"#, "/jobs/0/callback/secret"),
    ] {
        server.call(flow(jobs)).await.is_problem(400, "invalid-request").points_at(pointer);
    }
    let cycle = r#"{"key":"a","queue":"q","after":["b"]},{"key":"b","queue":"q","after":["a"]}"#;
    let refused = server.call(flow(cycle)).await;
    refused.is_problem(400, "invalid-request").points_at("/jobs/0/after");
    assert!(refused.at("/detail").as_str().unwrap().contains("cycle"), "{refused:?}");
    server.call(flow(r#"{"key":"a","queue":"ackd.x"}"#)).await.is_problem(403, "forbidden");
    assert_eq!(server.call(Request::get("/v1/jobs")).await.at("/jobs"), json!([]));
    let alone = server.submit(r#"{"queue":"q"}"#).await;
    server.call(Request::post(&format!("/v1/flows/{alone}/cancel"))).await.is_problem(404, "not-found");
}

#[tokio::test]
async fn a_cancelled_flow_reaches_what_runs() {
    let server = Server::start().await;
    let graph = r#"{"jobs":[{"key":"a","queue":"a"},{"key":"b","queue":"b","after":["a"],"on_failure":"continue"},
        {"key":"c","queue":"c"}]}"#;
    let flow = server.call(Request::post("/v1/flows").json(graph)).await;
    let id = flow.at("/flow").as_str().unwrap().to_owned();
    let (_, token) = lease(&server, "c").await.unwrap();
    let cancelled = server.call(Request::post(&format!("/v1/flows/{id}/cancel"))).await;
    assert_eq!((cancelled.status, cancelled.at("/cancelled"), cancelled.at("/asked")), (202, json!(2), json!(1)));
    let beat = server.call(Request::post(&format!("/v1/leases/{token}/heartbeat")).json("{}")).await;
    assert_eq!(beat.at("/cancel_requested"), true);
    assert_eq!(lease(&server, "b").await, None);
}

#[tokio::test]
async fn what_comes_next_is_accepted_with_the_job_and_once() {
    let server = Server::start().await;
    let body = r#"{"queue":"encode","idempotency_key":"k","then":[{"queue":"mail","payload":{"to":"a@b.c"}}]}"#;
    let id = server.submit(body).await;
    assert_eq!(server.submit(body).await, id);
    let list = server.call(Request::get("/v1/jobs?queue=mail")).await;
    assert_eq!(list.at("/jobs").as_array().unwrap().len(), 1);
    assert_eq!(list.at("/jobs/0/waiting"), json!({"reason": "blocked", "jobs": [id]}));
    let other = body.replace("a@b.c", "d@e.f");
    server.call(Request::post("/v1/jobs").json(&other)).await.is_problem(422, "idempotency-mismatch");
    let (_, token) = lease(&server, "encode").await.unwrap();
    settle(&server, &token, "complete", r#"{"result":"cat-720.mp4"}"#).await;
    let leased = server.call(Request::post("/v1/leases").json(r#"{"queues":["mail"]}"#)).await;
    assert_eq!(leased.at("/leases/0/job/payload"), json!({"to": "a@b.c"}));
    assert_eq!(leased.at("/leases/0/job/inputs"), json!({(id): "cat-720.mp4"}));
}
