//! Queues whose jobs are posted to a URL.

use ackd_domain::limits;
use ackd_memory::Script;
use ackd_ports::{Post, Reply};
use bytes::Bytes;
use serde_json::json;

use crate::common::{Request, Server};

const URL: &str = "https://slow.example/work?key=hunter2";

fn put(queue: &str, push: &str) -> Request {
    Request::new("PUT", &format!("/v1/queues/{queue}")).json(&format!(r#"{{"push":{push}}}"#))
}

fn patch(queue: &str, body: &str) -> Request {
    Request::new("PATCH", &format!("/v1/queues/{queue}")).body("application/merge-patch+json", body)
}

fn header<'a>(post: &'a Post, name: &str) -> &'a str {
    &post.headers.iter().find(|(given, _)| *given == name).unwrap().1
}

/// The first `count` posts, once there are so many.
async fn posts(server: &Server, count: usize) -> Vec<Post> {
    let pushes = server.pushes.clone();
    let waited = tokio::task::spawn_blocking(move || pushes.wait_for(count, std::time::Duration::from_secs(20)));
    let posts = waited.await.unwrap();
    assert_eq!(posts.len(), count, "so many posts");
    posts
}

#[tokio::test]
async fn a_slow_endpoint_is_made_asynchronous() {
    let server = Server::start().await;
    let _pusher = server.push();
    server.call(put("slow", &format!(r#"{{"url":"{URL}"}}"#))).await;
    let png = Bytes::from_static(b"\x89PNG");
    let answer = Reply { content_type: Some("image/png".into()), body: png.clone(), ..Reply::empty(201) };
    server.pushes.script(URL, [Script::Reply(answer)]);
    let submit = Request::post("/v1/queues/slow/jobs").body("text/csv", "a,b").header("prefer", "wait=20");
    let done = server.call(submit).await;
    assert_eq!((done.status, done.at("/status"), done.at("/worker")), (200, json!("DONE"), json!("ackd.push")));
    let post = &posts(&server, 1).await[0];
    assert_eq!((&*post.url, &*post.content_type, post.body.as_bytes()), (URL, "text/csv", &b"a,b"[..]));
    let id = done.text("/id");
    assert_eq!([header(post, "idempotency-key"), header(post, "ackd-job")], [&*id, &*id]);
    let result = server.call(Request::get(&format!("/v1/jobs/{id}/result"))).await;
    assert_eq!((result.status, result.header("content-type"), &*result.body), (200, Some("image/png"), &png[..]));
}

#[tokio::test]
async fn a_target_settles_later_by_the_lease_that_it_got() {
    let server = Server::start().await;
    let _pusher = server.push();
    server.call(put("slow", &format!(r#"{{"url":"{URL}","async":true,"timeout":"1h"}}"#))).await;
    server.pushes.script(URL, [Script::status(202), Script::status(202)]);
    let done = server.submit(r#"{"queue":"slow","payload":1}"#).await;
    let failed = server.submit(r#"{"queue":"slow","payload":2}"#).await;
    let leases: Vec<String> =
        posts(&server, 2).await.iter().map(|post| header(post, "ackd-lease").to_owned()).collect();
    let progress = server.settle(&leases[0], "heartbeat", r#"{"progress":{"percent":50}}"#).await;
    assert_eq!(progress.status, 200);
    assert_eq!(server.settle(&leases[0], "complete", r#"{"result":42}"#).await.at("/status"), "DONE");
    let fail = r#"{"error":"no","retryable":false}"#;
    assert_eq!(server.settle(&leases[1], "fail", fail).await.at("/status"), "FAILED");
    for (id, status) in [(done, "DONE"), (failed, "FAILED")] {
        assert_eq!(server.job(&id).await.at("/status"), status);
    }
}

#[tokio::test]
async fn a_worker_may_work_on_a_queue_that_is_pushed_too() {
    let server = Server::start().await;
    server.call(put("slow", &format!(r#"{{"url":"{URL}"}}"#))).await;
    server.submit(r#"{"queue":"slow"}"#).await;
    let lease = server.lease("slow").await;
    assert_eq!(server.settle(&lease, "complete", "{}").await.at("/status"), "DONE");
}

#[tokio::test]
async fn a_push_is_shown_with_its_defaults_merged_and_taken_back() {
    let server = Server::start().await;
    let url = r#""url":"https://slow.example/""#;
    let shown = server.call(put("q", &format!("{{{url}}}"))).await.at("/settings/push");
    let defaults = json!({
        "url": "https://slow.example/", "concurrency": 10, "timeout": "30s", "async": false,
        "fail_on": [400, 410, 413, 415, 422],
    });
    assert_eq!(shown, defaults);
    let change = r#"{"push":{"async":true,"timeout":"2m","fail_on":[404],"concurrency":3},"timeout":"1h"}"#;
    let merged = server.call(patch("q", change)).await;
    let expected = json!({
        "url": "https://slow.example/", "concurrency": 3, "timeout": "2m", "async": true, "fail_on": [404],
    });
    assert_eq!((merged.at("/settings/push"), merged.at("/settings/timeout")), (expected.clone(), json!("1h")));
    // Another setting leaves it.
    assert_eq!(server.call(patch("q", r#"{"timeout":null}"#)).await.at("/settings/push"), expected);
    let back = server.call(patch("q", r#"{"push":{"fail_on":null,"timeout":null,"async":null,"concurrency":null}}"#));
    assert_eq!(back.await.at("/settings/push"), defaults);
    assert_eq!(server.call(patch("q", r#"{"push":null}"#)).await.at("/settings/push"), json!(null));
    server.call(put("q", &format!("{{{url}}}"))).await;
    let replaced = server.call(Request::new("PUT", "/v1/queues/q").json("{}")).await;
    assert_eq!(replaced.at("/settings/push"), json!(null));
}

#[tokio::test]
async fn a_push_that_cannot_be_is_refused_and_changes_nothing() {
    let server = Server::start().await;
    server.call(put("q", r#"{"url":"https://slow.example/"}"#)).await;
    for (push, pointer) in [
        (r#"{"url":"ftp://slow.example/"}"#, "/push/url"),
        (r#"{"url":"https://user@slow.example/"}"#, "/push/url"),
        (r#"{"url":"https://0x7f.1/"}"#, "/push/url"),
        (r#"{"url":"https://x/","concurrency":1001}"#, "/push/concurrency"),
        (r#"{"url":"https://x/","concurrency":0}"#, "/push/concurrency"),
        (r#"{"url":"https://x/","timeout":"999ms"}"#, "/push/timeout"),
        (r#"{"url":"https://x/","timeout":"3601s"}"#, "/push/timeout"),
        (r#"{"url":"https://x/","fail_on":[399]}"#, "/push/fail_on/0"),
        (r#"{"url":"https://x/","retry":1}"#, "/push/retry"),
    ] {
        server.call(put("q", push)).await.is_problem(400, "invalid-request").points_at(pointer);
        let patch = patch("q", &format!(r#"{{"push":{push},"timeout":"1m"}}"#));
        server.call(patch).await.is_problem(400, "invalid-request").points_at(pointer);
    }
    let settings = server.call(Request::get("/v1/queues/q")).await;
    assert_eq!(
        (settings.at("/settings/push/url"), settings.at("/settings/timeout")),
        (json!("https://slow.example/"), json!(null))
    );
    server.call(put("ackd.q", r#"{"url":"https://slow.example/"}"#)).await.is_problem(403, "forbidden");
}

#[tokio::test]
async fn all_pushes_together_have_a_limit() {
    let server = Server::start().await;
    let most = limits::PUSH_CONCURRENCY_IN_ALL / limits::PUSH_CONCURRENCY;
    let push = |concurrency: u32| format!(r#"{{"url":"https://x/","concurrency":{concurrency}}}"#);
    for queue in 0..most {
        let put = put(&format!("q{queue}"), &push(limits::PUSH_CONCURRENCY));
        assert_eq!(server.call(put).await.status, 200);
    }
    server.call(put("more", &push(1))).await.is_problem(400, "invalid-request").points_at("/push/concurrency");
    // A queue's own does not count against it, and what it gives up another may have.
    assert_eq!(server.call(put("q0", &push(limits::PUSH_CONCURRENCY))).await.status, 200);
    assert_eq!(server.call(put("q0", &push(limits::PUSH_CONCURRENCY - 1))).await.status, 200);
    server.call(put("more", &push(2))).await.is_problem(400, "invalid-request").points_at("/push/concurrency");
    assert_eq!(server.call(put("more", &push(1))).await.status, 200);
}
