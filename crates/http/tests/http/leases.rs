//! Workers: asking for jobs, and telling what became of them.

use std::time::Duration;

use ackd_http::Limits;
use serde_json::json;

use crate::common::{Request, Server};

fn lease(body: &str) -> Request {
    Request::post("/v1/leases").json(body)
}

#[tokio::test]
async fn a_worker_gets_as_many_jobs_as_it_asks_for() {
    let server = Server::start().await;
    for number in 0..3 {
        server.submit(&format!(r#"{{"queue":"q","type":"t{number}","payload":{number}}}"#)).await;
    }
    server.submit(r#"{"queue":"r","payload":3}"#).await;
    let two = server.call(lease(r#"{"queues":["q","q"],"max":2,"ttl":"10s","worker":"w"}"#)).await;
    assert_eq!((two.at("/leases/0/job/payload"), two.at("/leases/1/job/payload")), (json!(0), json!(1)));
    assert_eq!((two.at("/leases/0/expires_in"), two.at("/leases/0/job/worker")), (json!("10s"), json!("w")));
    assert_eq!(two.header("cache-control"), Some("no-store"));
    let typed = server.call(lease(r#"{"queues":["q"],"types":["x","t2"],"max":1000}"#)).await;
    assert_eq!(typed.at("/leases").as_array().unwrap().len(), 1);
    let other = server.call(lease(r#"{"queues":["q","r"],"max":10}"#)).await;
    assert_eq!(other.at("/leases/0/job/payload"), 3);
    let nothing = server.call(lease(r#"{"queues":["q","r"]}"#)).await;
    assert_eq!((nothing.status, nothing.body.len()), (204, 0));
}

#[tokio::test]
async fn a_worker_that_waits_gets_the_job_as_it_is_accepted() {
    let server = Server::start().await;
    let mut worker = server.connect().await;
    let request = lease(r#"{"queues":["q"],"wait":"20s"}"#);
    worker.send(&request).await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    assert_eq!(worker.finish(&request).await.at("/leases/0/job/id"), id.as_str());
}

#[tokio::test(start_paused = true)]
async fn a_worker_waits_no_longer_than_it_said_or_may() {
    let server = Server::start().await;
    let begun = tokio::time::Instant::now();
    assert_eq!(server.call(lease(r#"{"queues":["q"],"wait":"3s"}"#)).await.status, 204);
    assert!(begun.elapsed() >= Duration::from_secs(3) && begun.elapsed() < Duration::from_secs(5));
    assert_eq!(server.call(Request::post("/v1/queues/q/lease?wait=1h")).await.status, 204);
    assert!(begun.elapsed() >= Duration::from_secs(58) && begun.elapsed() < Duration::from_secs(62));
}

#[tokio::test]
async fn asking_for_what_cannot_be_is_refused() {
    let server = Server::start().await;
    for (body, pointer) in [
        (r#"{"queues":[]}"#, "/queues"),
        (r#"{}"#, "/queues"),
        (r#"{"queues":["a b"]}"#, "/queues/0"),
        (r#"{"queues":["q"],"max":1001}"#, "/max"),
        (r#"{"queues":["q"],"ttl":"999ms"}"#, "/ttl"),
        (r#"{"queues":["q"],"wait":5}"#, "/wait"),
        (r#"{"queues":["q"],"worker":"w w"}"#, "/worker"),
        (r#"{"queue":"q"}"#, "/queue"),
    ] {
        server.call(lease(body)).await.is_problem(400, "invalid-request").points_at(pointer);
    }
    server.call(lease(r#"{"queues":["q","ackd.q"]}"#)).await.is_problem(403, "forbidden").points_at("/queues/1");
    server.call(Request::post("/v1/queues/ackd.q/lease")).await.is_problem(403, "forbidden");
    for (query, pointer) in
        [("ttl=1h1s", "/ttl"), ("ttl=0", "/ttl"), ("wait=x", "/wait"), ("worker=w%20w", "/worker"), ("max=2", "/max")]
    {
        let answer = server.call(Request::post(&format!("/v1/queues/q/lease?{query}"))).await;
        answer.is_problem(400, "invalid-request").points_at(pointer);
    }
}

#[tokio::test]
async fn a_raw_lease_is_a_payload_with_headers() {
    let server = Server::start().await;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let submit = Request::post("/v1/queues/q/jobs").body("text/html", "<p>").header("traceparent", traceparent);
    let id = server.call(submit).await.text("/id");
    let leased = server.call(Request::post("/v1/queues/q/lease?worker=w&ttl=5s")).await;
    assert_eq!((leased.status, &*leased.body), (200, &b"<p>"[..]));
    assert_eq!(leased.header("content-type"), Some("text/html"));
    assert_eq!(leased.header("content-security-policy"), Some("sandbox"));
    assert_eq!(leased.header("ackd-job"), Some(&*id));
    assert_eq!(leased.header("ackd-attempt"), Some("1"));
    assert_eq!(leased.header("traceparent"), Some(traceparent));
    let token = leased.header("ackd-lease").unwrap();
    assert_eq!(token.len(), 43);
    let beat = server.settle(token, "heartbeat", "").await;
    assert_eq!((beat.at("/expires_in"), beat.at("/cancel_requested")), (json!("5s"), json!(false)));
    assert_eq!(server.settle(token, "heartbeat", r#"{"ttl":"9s"}"#).await.at("/expires_in"), "9s");
    let done = server.call(Request::post(&format!("/v1/leases/{token}/result")).body("text/plain", "ok")).await;
    assert_eq!(done.at("/status"), "DONE");
    assert_eq!(server.job(&id).await.at("/worker"), "w");
}

#[tokio::test]
async fn a_lease_is_settled_once_and_the_same_verb_says_the_same() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let token = server.lease("q").await;
    let first = server.settle(&token, "complete", r#"{"result":1}"#).await;
    let again = server.settle(&token, "complete", r#"{"result":2}"#).await;
    assert_eq!((first.status, first.json()), (200, again.json()));
    assert_eq!(server.job(&id).await.at("/result"), 1);
    for (verb, body) in [("fail", r#"{"error":"x"}"#), ("release", "{}"), ("heartbeat", "{}")] {
        server.settle(&token, verb, body).await.is_problem(409, "lease-lost");
    }
    for stranger in ["x", &"A".repeat(43), "%ff", &"A".repeat(600)] {
        let answer = server.settle(stranger, "complete", "{}").await;
        assert!(matches!(answer.status, 400 | 409), "{answer:?}");
    }
    server.settle(&"A".repeat(43), "result", "1").await.is_problem(409, "lease-lost");
}

/// The queue's timeout stands in no document of the job: a worker learns of it here.
#[tokio::test]
async fn a_lease_lasts_no_longer_than_its_attempt_may() {
    let server = Server::start().await;
    let patch = Request::new("PATCH", "/v1/queues/q").json(r#"{"timeout":"20s","lease_ttl":"1h"}"#);
    assert_eq!(server.call(patch).await.status, 200);
    for (job, at_most) in [(r#"{"queue":"q"}"#, "20s"), (r#"{"queue":"q","timeout":"10s"}"#, "10s")] {
        server.submit(job).await;
        let leased = server.call(lease(r#"{"queues":["q"]}"#)).await;
        assert_eq!(leased.at("/leases/0/expires_in"), at_most);
        let token = leased.text("/leases/0/lease");
        let most: ackd_api::Duration = at_most.parse().unwrap();
        let within = |text: String| text.parse::<ackd_api::Duration>().unwrap().get() <= most.get();
        assert!(within(server.settle(&token, "heartbeat", "{}").await.text("/expires_in")));
        let line = format!("{{\"lease\":\"{token}\",\"heartbeat\":{{}}}}\n");
        let lines = server.call(Request::post("/v1/leases/settle").ndjson(&line)).await.lines();
        assert!(within(lines[0]["heartbeat"]["expires_in"].as_str().unwrap().to_owned()), "{lines:?}");
    }
}

#[tokio::test]
async fn a_superseded_lease_is_lost() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let old = server.lease("q").await;
    assert_eq!(server.settle(&old, "release", r#"{"checkpoint":[1 ]}"#).await.at("/status"), "INIT");
    let new = server.lease("q").await;
    server.settle(&old, "complete", "{}").await.is_problem(409, "lease-lost");
    server.settle(&old, "release", "{}").await.is_problem(409, "lease-lost");
    let job = server.job(&id).await;
    assert_eq!(
        (job.at("/status"), job.at("/attempt"), job.at("/checkpoint")),
        (json!("PROCESSING"), json!(1), json!([1]))
    );
    assert_eq!(server.settle(&new, "complete", "{}").await.at("/status"), "DONE");
}

#[tokio::test]
async fn what_a_worker_tells_is_checked() {
    let server = Server::start().await;
    server.submit(r#"{"queue":"q"}"#).await;
    let token = server.lease("q").await;
    for (verb, body, pointer) in [
        ("heartbeat", r#"{"progress":{"percent":101}}"#, "/progress/percent"),
        ("heartbeat", r#"{"ttl":"2h"}"#, "/ttl"),
        ("heartbeat", r#"{"progres":1}"#, "/progres"),
        ("complete", r#"{"resul":1}"#, "/resul"),
        ("fail", r#"{"error":7}"#, "/error"),
        ("fail", r#"{"retry_after":"x"}"#, "/retry_after"),
        ("release", r#"{"delay":"x"}"#, "/delay"),
    ] {
        server.settle(&token, verb, body).await.is_problem(400, "invalid-request").points_at(pointer);
    }
    let text = Request::post(&format!("/v1/leases/{token}/complete")).body("text/plain", "1");
    server.call(text).await.is_problem(415, "unsupported-media-type");
    let checkpoint = |bytes: usize| format!(r#"{{"checkpoint":"{}"}}"#, "x".repeat(bytes - 2));
    assert_eq!(server.settle(&token, "heartbeat", &checkpoint(64 << 10)).await.status, 200);
    let large = server.settle(&token, "heartbeat", &checkpoint((64 << 10) + 1)).await;
    large.is_problem(400, "invalid-request").points_at("/checkpoint");
    assert_eq!(server.settle(&token, "complete", "{}").await.at("/status"), "DONE");
}

#[tokio::test]
async fn results_have_the_limit_of_payloads() {
    let server = Server::limited(Limits { payload: 100, file: 100, ..Limits::default() }).await;
    for _ in 0..3 {
        server.submit(r#"{"queue":"q"}"#).await;
    }
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    let token = server.lease("q").await;
    let result = |bytes: usize| format!(r#"{{"result":{}}}"#, text(bytes));
    server.settle(&token, "complete", &result(101)).await.is_problem(413, "too-large").points_at("/result");
    server.settle(&token, "result", &text(101)).await.is_problem(413, "too-large");
    let line = format!("{{\"lease\":\"{token}\",\"complete\":{}}}", result(101));
    let many = server.call(Request::post("/v1/leases/settle").ndjson(&line)).await;
    many.is_problem(413, "too-large").points_at("/1/complete/result");
    assert_eq!(server.settle(&token, "complete", &result(100)).await.status, 200);
    let token = server.lease("q").await;
    assert_eq!(server.settle(&token, "result", &text(100)).await.status, 200);
}

#[tokio::test]
async fn many_leases_are_settled_in_one_go() {
    let server = Server::start().await;
    for _ in 0..4 {
        server.submit(r#"{"queue":"q"}"#).await;
    }
    let leased = server.call(lease(r#"{"queues":["q"],"max":4}"#)).await;
    let token = |at: usize| leased.text(&format!("/leases/{at}/lease"));
    let lines = [
        format!(r#"{{"lease":"{}","complete":{{"result":[1 ]}}}}"#, token(0)),
        format!(r#"{{"lease":"{}","fail":{{"error":"boom","retryable":false}}}}"#, token(1)),
        String::new(),
        format!(r#"{{"lease":"{}","release":{{}}}}"#, token(2)),
        format!(r#"{{"lease":"{}","heartbeat":{{"ttl":"7s"}}}}"#, token(3)),
        format!(r#"{{"lease":"{}","release":{{}}}}"#, token(0)),
        r#"{"lease":"stranger","complete":{}}"#.to_owned(),
    ];
    let answer = server.call(Request::post("/v1/leases/settle").ndjson(&lines.join("\n"))).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/x-ndjson")));
    let told = answer.lines();
    let statuses: Vec<_> = told.iter().map(|line| line["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 409, 409]);
    assert_eq!(told[0]["lease"], token(0));
    assert_eq!(told[0]["settled"]["status"], "DONE");
    assert_eq!(told[1]["settled"]["status"], "FAILED");
    assert_eq!(told[2]["settled"]["status"], "INIT");
    assert_eq!(told[3]["heartbeat"]["expires_in"], "7s");
    assert_eq!(told[4]["problem"]["code"], "lease-lost");
    assert_eq!((&told[5]["lease"], &told[5]["problem"]["code"]), (&json!("stranger"), &json!("lease-lost")));
}

#[tokio::test]
async fn lines_that_cannot_be_read_settle_nothing() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let token = server.lease("q").await;
    let good = format!(r#"{{"lease":"{token}","complete":{{}}}}"#);
    for (bad, pointer) in [
        (r#"{"complete":{}}"#, "/2/lease"),
        (r#"{"lease":"t"}"#, "/2"),
        (r#"{"lease":"t","heartbeat":{"ttl":1}}"#, "/2/heartbeat/ttl"),
        ("nonsense", "/2"),
    ] {
        let answer = server.call(Request::post("/v1/leases/settle").ndjson(&format!("{good}\n{bad}"))).await;
        answer.is_problem(400, "invalid-request").points_at(pointer);
    }
    server.call(Request::post("/v1/leases/settle").ndjson("\n")).await.is_problem(400, "invalid-request");
    server.call(Request::post("/v1/leases/settle").json(&good)).await.is_problem(415, "unsupported-media-type");
    let many = format!("{good}\n").repeat(10_001);
    server.call(Request::post("/v1/leases/settle").ndjson(&many)).await.is_problem(413, "too-large");
    assert_eq!(server.job(&id).await.at("/status"), "PROCESSING");
    let many = server.call(Request::post("/v1/leases/settle").ndjson(&format!("{good}\n").repeat(10_000))).await;
    assert_eq!(many.lines().len(), 10_000);
}

#[tokio::test]
async fn a_worker_gives_all_its_leases_back() {
    let server = Server::start().await;
    for _ in 0..3 {
        server.submit(r#"{"queue":"q"}"#).await;
    }
    let mine = server.call(lease(r#"{"queues":["q"],"max":2,"worker":"w"}"#)).await;
    server.call(lease(r#"{"queues":["q"],"worker":"other"}"#)).await;
    let released = server.call(Request::post("/v1/workers/w/release")).await;
    assert_eq!(released.json(), json!({"released": 2}));
    let job = server.job(&mine.text("/leases/0/job/id")).await;
    assert_eq!((job.at("/status"), job.at("/attempt")), (json!("INIT"), json!(0)));
    assert_eq!(server.call(Request::post("/v1/workers/w/release")).await.json(), json!({"released": 0}));
    server.call(Request::post("/v1/workers/w%20w/release")).await.is_problem(400, "invalid-request");
}

#[tokio::test]
async fn a_worker_that_goes_away_while_it_waits_loses_no_job() {
    let server = Server::start().await;
    for target in ["/v1/queues/q/lease?wait=50s", "/v1/leases"] {
        let mut worker = server.connect().await;
        let request = Request::post(target);
        let request = if target == "/v1/leases" { request.json(r#"{"queues":["q"],"wait":"50s"}"#) } else { request };
        worker.send(&request).await;
        server.until("a parked worker", async |server| parked(server) == 1).await;
        drop(worker);
        server.until("no parked worker", async |server| parked(server) == 0).await;
    }
    let id = server.submit(r#"{"queue":"q"}"#).await;
    server.lease("q").await;
    assert_eq!(server.timeline(&id).await, ["submitted", "leased"]);
}

fn parked(server: &Server) -> u64 {
    server.engine.stats().parked_asks.load(std::sync::atomic::Ordering::Relaxed)
}

/// A payload that no socket's buffers take whole.
const LARGE: usize = 32 << 20;

async fn large_job() -> (Server, String) {
    let server = Server::limited(Limits { payload: LARGE, ..Limits::default() }).await;
    let submitted =
        server.call(Request::post("/v1/queues/q/jobs").body("application/octet-stream", vec![7; LARGE])).await;
    (server, submitted.text("/id"))
}

#[tokio::test]
async fn a_lease_whose_answer_could_not_be_written_is_released() {
    let (server, id) = large_job().await;
    let mut worker = server.connect().await;
    worker.send(&Request::post("/v1/queues/q/lease")).await;
    assert_eq!(worker.head().await.status, 200);
    drop(worker);
    let released = async |server: &Server| server.timeline(&id).await == ["submitted", "leased", "released"];
    server.until("a release", released).await;
    let job = server.job(&id).await;
    assert_eq!((job.at("/status"), job.at("/attempt")), (json!("INIT"), json!(0)));
}

#[tokio::test(start_paused = true)]
async fn a_lease_whose_worker_does_not_take_it_is_released() {
    let (server, id) = large_job().await;
    let mut worker = server.connect().await;
    worker.send(&Request::post("/v1/queues/q/lease")).await;
    assert_eq!(worker.head().await.status, 200);
    // The rest is not read, and after a while the server gives up. The clock is a paused one: nobody sleeps.
    tokio::time::sleep(Duration::from_secs(31)).await;
    let released = async |server: &Server| server.timeline(&id).await == ["submitted", "leased", "released"];
    server.until("a release", released).await;
}

#[tokio::test]
async fn a_lease_that_was_written_stays_with_its_worker() {
    let (server, id) = large_job().await;
    let mut worker = server.connect().await;
    let leased = worker.call(Request::post("/v1/queues/q/lease")).await;
    assert_eq!(leased.body.len(), LARGE);
    drop(worker);
    let token = leased.header("ackd-lease").unwrap();
    assert_eq!(server.settle(token, "heartbeat", "{}").await.status, 200);
    assert_eq!(server.timeline(&id).await, ["submitted", "leased"]);
}
