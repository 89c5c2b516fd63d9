//! Submitting: one job, lines of jobs, and a body that is the payload.

use std::time::Duration;

use ackd_http::Limits;
use serde_json::{Value, json};

use crate::common::{Answer, Request, Server};

fn one(envelope: &str) -> Request {
    Request::post("/v1/jobs").json(envelope)
}

fn lines(body: &str) -> Request {
    Request::post("/v1/jobs").ndjson(body)
}

#[tokio::test]
async fn every_field_of_an_envelope_arrives() {
    let server = Server::start().await;
    let envelope = r#"{"queue":"video","type":"clip","payload":[1 ],"delay":"1m","expires_in":"2h","priority":9,
        "max_attempts":3,"timeout":"10s","backoff":{"base":"2s"},"result_retention":"1h","idempotency_key":"k",
        "tags":["a","b"],"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}"#;
    let answer = server.call(one(envelope)).await;
    assert_eq!(answer.status, 202);
    for (pointer, value) in [
        ("/queue", json!("video")),
        ("/type", json!("clip")),
        ("/payload", json!([1])),
        ("/payload_info", json!({"content_type": "application/json", "size": 4})),
        ("/priority", json!(9)),
        ("/max_attempts", json!(3)),
        ("/timeout", json!("10s")),
        ("/idempotency_key", json!("k")),
        ("/tags", json!(["a", "b"])),
        ("/traceparent", json!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")),
        ("/waiting/reason", json!("scheduled")),
        ("/version", json!(1)),
        ("/run", json!(1)),
        ("/attempt", json!(0)),
    ] {
        assert_eq!(answer.at(pointer), value, "{pointer}");
    }
    let pause: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((55..=60).contains(&pause), "{pause}");
    let id = answer.text("/id");
    assert_eq!(answer.text("/links/events"), format!("/v1/jobs/{id}/events"));
}

#[tokio::test]
async fn a_job_without_payload_has_none() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let job = server.call(Request::get(&format!("/v1/jobs/{id}"))).await;
    assert_eq!((job.at("/payload"), job.at("/payload_info")), (json!(null), json!(null)));
    assert_eq!(server.call(Request::get(&format!("/v1/jobs/{id}/payload"))).await.status, 204);
    let null = server.submit(r#"{"queue":"q","payload":null}"#).await;
    let job = server.call(Request::get(&format!("/v1/jobs/{null}"))).await;
    assert_eq!(job.at("/payload_info/size"), 4);
    let leased = server.call(Request::post("/v1/queues/q/lease")).await;
    assert_eq!((leased.status, leased.header("content-type"), &*leased.body), (200, None, &b""[..]));
    assert_eq!(leased.header("ackd-job"), Some(&*id));
}

#[tokio::test]
async fn a_job_shows_its_group() {
    let server = Server::start().await;
    let longest = "g".repeat(512);
    let id = server.submit(&format!(r#"{{"queue":"q","group":"{longest}"}}"#)).await;
    assert_eq!(server.job(&id).await.at("/group"), longest);
    let raw = server.call(Request::post("/v1/queues/q/jobs?group=tenant-1").json("1")).await;
    assert_eq!(raw.at("/group"), "tenant-1");
    let id = server.submit(r#"{"queue":"q"}"#).await;
    assert_eq!(server.job(&id).await.at("/group"), json!(null));
    // The group is part of what the key stands for.
    let keyed = |group: &str| one(&format!(r#"{{"queue":"q","idempotency_key":"k","group":"{group}"}}"#));
    assert_eq!(server.call(keyed("a")).await.status, 202);
    server.call(keyed("b")).await.is_problem(422, "idempotency-mismatch");
    let longer = format!(r#"{{"queue":"q","group":"g{longest}"}}"#);
    server.call(one(&longer)).await.is_problem(400, "invalid-request").points_at("/group");
    server.call(one(r#"{"queue":"q","group":""}"#)).await.is_problem(400, "invalid-request").points_at("/group");
}

#[tokio::test]
async fn what_cannot_be_accepted_is_refused_and_named() {
    let server = Server::start().await;
    let refused = |body: &'static str| server.call(one(body));
    for (body, pointer) in [
        (r#"{"payload":1}"#, "/queue"),
        (r#"{"queue":"a b"}"#, "/queue"),
        (r#"{"queue":7}"#, "/queue"),
        (r#"{"queue":"q","priority":10}"#, "/priority"),
        (r#"{"queue":"q","priorty":1}"#, "/priorty"),
        (r#"{"queue":"q","delay":"soon"}"#, "/delay"),
        (r#"{"queue":"q","delay":"1s","run_at":"2030-01-01T00:00:00Z"}"#, "/run_at"),
        (r#"{"queue":"q","backoff":{"base":"31d"}}"#, "/backoff/base"),
        (r#"{"queue":"q","ordering_key":""}"#, "/ordering_key"),
        (r#"{"queue":"q","after":["x"]}"#, "/after/0"),
        (r#"{"queue":"q","after":["01941f29-7c00-7abc-8def-0123456789ab"]}"#, "/after"),
        (r#"{"queue":"q","on_failure":"never"}"#, "/on_failure"),
        (r#"{"queue":"q","payload_file":"f"}"#, "/payload_file"),
        (r#"{"queue":"q","then":[{"queue":""}]}"#, "/then/0/queue"),
        (r#"{"queue":"q","then":[{"queue":"q","idempotency_key":"k"}]}"#, "/then/0/idempotency_key"),
        (r#"{"queue":"q","then":[{"queue":"q","callback":{"url":"http://h/"}}]}"#, "/then/0/callback/secret"),
        (r#"{"queue":"q","key":"k"}"#, "/key"),
    ] {
        refused(body).await.is_problem(400, "invalid-request").points_at(pointer);
    }
    for body in ["", "{", "[]", "7", "{\"queue\":\"q\"} x"] {
        refused(body).await.is_problem(400, "invalid-request");
    }
    let deep = format!(r#"{{"queue":"q","payload":{}{}}}"#, "[".repeat(101), "]".repeat(101));
    server.call(one(&deep)).await.is_problem(400, "invalid-request").points_at("/payload");
    let deep = format!(r#"{{"queue":"q","payload":{}{}}}"#, "[".repeat(100), "]".repeat(100));
    assert_eq!(server.call(one(&deep)).await.status, 202);
    let half = r#"{"queue":"q","payload":{"a":["\ud83d"]}}"#;
    server.call(one(half)).await.is_problem(400, "invalid-request").points_at("/payload");
    let bytes = [&b"{\"queue\":\"q\",\"payload\":\""[..], b"\xff", b"\"}"].concat();
    server.call(Request::post("/v1/jobs").body("application/json", bytes)).await.is_problem(400, "invalid-request");
    refused(r#"{"queue":"ackd.x"}"#).await.is_problem(403, "forbidden").points_at("/queue");
    server.call(Request::post("/v1/queues/ackd.x/jobs").json("1")).await.is_problem(403, "forbidden");
}

/// The words are read by people, who have no pointer to hold against them.
#[tokio::test]
async fn what_is_wrong_is_told_by_its_whole_place() {
    let server = Server::start().await;
    let large = format!(r#"{{"cron":"@daily","job":{{"queue":"q","payload":"{}"}}}}"#, "x".repeat(64 << 10));
    let raw = |query: &str| Request::post(&format!("/v1/queues/q/jobs?{query}")).body("text/plain", "x");
    let unknown = "01941f29-7c00-7abc-8def-0123456789ab";
    for (request, status, words) in [
        (
            Request::post("/v1/jobs/bulk").json(r#"{"filter":{"queue":"q","limit":1},"action":"cancel"}"#),
            400,
            "`/filter/limit` is not a field that is known here",
        ),
        (
            Request::post("/v1/jobs/bulk").json(r#"{"filter":{"status":"READY"},"action":"cancel"}"#),
            400,
            "`/filter/status` must be of INIT",
        ),
        (
            Request::post("/v1/flows").json(r#"{"jobs":[{"key":"a","queue":"q","unique":"u"}]}"#),
            400,
            "`/jobs/0/unique` is for a job by itself",
        ),
        (
            one(r#"{"queue":"q","then":[{"queue":"q","idempotency_key":"k"}]}"#),
            400,
            "`/then/0/idempotency_key` is for the job",
        ),
        (Request::new("PUT", "/v1/schedules/s").json(&large), 413, "`/job/payload` has 65538 bytes"),
        (one("[]"), 400, "invalid type: array, expected an object"),
        (
            Request::post("/v1/leases/settle").body("application/x-ndjson", r#"{"lease":"t"}"#),
            400,
            "line 1: needs exactly one of `complete`",
        ),
        (raw("priority=9&priority=1"), 400, "`/priority` is given twice, and has one value only"),
        (raw("tags=a&tags=b"), 400, "`/tags` is given twice; several values are separated by commas"),
        (raw("run_at=2026-12-24T18:00:00+01:00"), 400, "`/run_at` a time is written as RFC 3339 says"),
        (Request::post(&format!("/v1/flows/{unknown}/cancel")), 404, "there is no flow with this id"),
        (Request::post("/v1/flows/x/cancel"), 400, "`x` in the path: a flow's id is a UUID"),
        (Request::post("/v1/deliveries/x/replay"), 400, "`x` in the path: a delivery's id is a UUID"),
    ] {
        let answer = server.call(request).await;
        let code = answer.text("/code");
        let told = answer.is_problem(status, &code).text("/detail");
        assert!(told.starts_with(words), "{told}");
    }
    for target in
        ["/v1/queues/q/jobs?run_at=2026-12-24T18:00:00+01:00", "/v1/jobs?created_after=2026-12-24T18:00:00+01:00"]
    {
        let method = if target.contains("run_at") { "POST" } else { "GET" };
        let told = server.call(Request::new(method, target)).await.is_problem(400, "invalid-request").text("/detail");
        assert!(told.contains("is itself written `%2B`"), "{told}");
    }
}

#[tokio::test]
async fn nothing_that_was_refused_is_there() {
    let server = Server::start().await;
    server.call(one(r#"{"queue":"q","priority":10}"#)).await.is_problem(400, "invalid-request");
    server.call(lines("{\"queue\":\"q\"}\n{\"queue\":\"\"}\n")).await.is_problem(400, "invalid-request");
    let jobs = server.call(Request::get("/v1/jobs")).await;
    assert_eq!((jobs.at("/jobs"), jobs.at("/next_page_token")), (json!([]), json!(null)));
}

#[tokio::test]
async fn what_is_compressed_is_refused_before_it_is_read() {
    let server = Server::start().await;
    for request in [
        Request::post("/v1/jobs").json("x"),
        Request::post("/v1/queues/q/jobs").body("text/plain", "x"),
        Request::new("PUT", "/v1/files/f").body("text/plain", "x"),
        Request::post("/v1/leases/x/result").body("text/plain", "x"),
    ] {
        for encoding in ["gzip", "identity, br"] {
            let answer = server.call(request.clone().header("content-encoding", encoding)).await;
            assert_eq!(answer.is_problem(415, "unsupported-media-type").header("accept-encoding"), Some("identity"));
        }
    }
    let plain = Request::post("/v1/queues/q/jobs").body("text/plain", "x").header("content-encoding", "identity");
    assert_eq!(server.call(plain).await.status, 202);
    // A client that asks first sends none of it.
    let mut client = server.connect().await;
    client
        .write(
            b"POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-encoding: gzip\r\n\
              content-length: 1000\r\n\r\n",
        )
        .await;
    client.answer("POST").await.is_problem(415, "unsupported-media-type");
}

#[tokio::test]
async fn media_types_that_are_not_read_are_refused() {
    let server = Server::start().await;
    for media in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "image/png"] {
        let answer = server.call(Request::post("/v1/jobs").body(media, r#"{"queue":"q"}"#)).await;
        answer.is_problem(415, "unsupported-media-type");
    }
    // Whoever says nothing is taken at its word that it sends JSON.
    assert_eq!(server.call(Request::post("/v1/jobs").bare_body(r#"{"queue":"q"}"#)).await.status, 202);
    // A form is refused even where any type is taken.
    let form = Request::post("/v1/queues/q/jobs").body("application/x-www-form-urlencoded", "a=1");
    server.call(form).await.is_problem(415, "unsupported-media-type");
    // Where there is no body, its type means nothing.
    let empty = Request::post("/v1/queues/q/lease").body("application/x-www-form-urlencoded", "");
    assert_ne!(server.call(empty).await.status, 415);
}

#[tokio::test]
async fn the_same_key_gets_the_same_job_and_another_request_is_refused() {
    let server = Server::start().await;
    let envelope = r#"{"queue":"q","payload":{"a" : 1},"idempotency_key":"k-1"}"#;
    let first = server.call(one(envelope)).await;
    let id = first.text("/id");
    assert_eq!(first.header("idempotent-replayed"), None);
    let lease = server.lease("q").await;
    assert_eq!(server.settle(&lease, "complete", r#"{"result":"ok"}"#).await.status, 200);

    let again = server.call(one(envelope)).await;
    assert_eq!((again.status, again.text("/id")), (202, id.clone()));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(
        (again.at("/status"), again.at("/result"), again.at("/payload")),
        (json!("DONE"), json!("ok"), json!({"a": 1}))
    );
    // By header, quoted or bare; with a trace of its own; the field may say the same.
    for (name, value, body) in [
        ("idempotency-key", "k-1", r#"{"queue":"q","payload":{"a" : 1}}"#),
        ("idempotency-key", "\"k-1\"", r#"{"queue":"q","payload":{"a" : 1}}"#),
        ("Idempotency-Key", "k-1", envelope),
    ] {
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let answer = server.call(one(body).header(name, value).header("traceparent", traceparent)).await;
        assert_eq!((answer.status, answer.text("/id")), (202, id.clone()));
    }
    let waited = server.call(one(envelope).header("prefer", "wait=5")).await;
    assert_eq!((waited.status, waited.header("idempotent-replayed")), (200, Some("true")));
    assert_eq!(waited.header("preference-applied"), Some("wait=5"));

    let other = r#"{"queue":"q","payload":{"a":1},"idempotency_key":"k-1"}"#;
    let mismatch = server.call(one(other)).await;
    assert!(mismatch.is_problem(422, "idempotency-mismatch").text("/detail").contains(&id));
    let two = server.call(one(envelope).header("idempotency-key", "k-2")).await;
    two.is_problem(400, "invalid-request").points_at("/idempotency_key");
    let bad = server.call(one(r#"{"queue":"q"}"#).header("idempotency-key", "\"k")).await;
    assert!(bad.is_problem(400, "invalid-request").text("/detail").contains("idempotency-key"));
}

#[tokio::test]
async fn a_client_that_prefers_to_wait_gets_the_ended_job() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let request = one(r#"{"queue":"q","payload":1}"#).header("prefer", "wait=20");
    client.send(&request).await;
    let lease = server.lease("q").await;
    server.settle(&lease, "complete", r#"{"result":2}"#).await;
    let answer = client.finish(&request).await;
    assert_eq!((answer.status, answer.header("preference-applied")), (200, Some("wait=20")));
    assert_eq!(
        (answer.at("/status"), answer.at("/result"), answer.at("/payload")),
        (json!("DONE"), json!(2), json!(1))
    );
    assert_eq!(answer.header("retry-after"), None);

    let answer = server.call(one(r#"{"queue":"q"}"#).header("prefer", "wait=0")).await;
    assert_eq!((answer.status, answer.header("preference-applied")), (202, Some("wait=0")));
    let answer = server.call(one(r#"{"queue":"q"}"#).header("prefer", "respond-async")).await;
    assert_eq!((answer.status, answer.header("preference-applied")), (202, None));
    let bad = server.call(one(r#"{"queue":"q"}"#).header("prefer", "wait=soon")).await;
    assert!(bad.is_problem(400, "invalid-request").text("/detail").contains("prefer"));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_over_or_too_long_ends_with_the_job_as_it_is() {
    let server = Server::start().await;
    let begun = tokio::time::Instant::now();
    let answer = server.call(one(r#"{"queue":"q"}"#).header("prefer", "wait=600")).await;
    assert_eq!((answer.status, answer.header("preference-applied")), (202, Some("wait=55")));
    assert!(begun.elapsed() >= Duration::from_secs(55) && begun.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn a_raw_body_is_the_payload() {
    let server = Server::start().await;
    let image = [0u8, 159, 146, 150];
    let target = "/v1/queues/images/jobs?type=thumb&priority=7&tags=a,b&delay=0&idempotency_key=k%201";
    let answer = server.call(Request::post(target).body("image/png", image)).await;
    assert_eq!(answer.status, 202);
    assert_eq!(
        (answer.at("/type"), answer.at("/priority"), answer.at("/tags")),
        (json!("thumb"), json!(7), json!(["a", "b"]))
    );
    assert_eq!((answer.at("/payload"), answer.at("/idempotency_key")), (json!(null), json!("k 1")));
    assert_eq!(answer.at("/payload_info"), json!({"content_type": "image/png", "size": 4}));
    let payload = server.call(Request::get(&format!("/v1/jobs/{}/payload", answer.text("/id")))).await;
    assert_eq!((payload.header("content-type"), &*payload.body), (Some("image/png"), &image[..]));

    let text = server.call(Request::post("/v1/queues/q/jobs").body("text/plain", "a \"b\"\n")).await;
    assert_eq!(text.at("/payload"), "a \"b\"\n");
    let json = server.call(Request::post("/v1/queues/q/jobs").json("[1 , 2]")).await;
    assert_eq!(json.at("/payload"), json!([1, 2]));
    let unnamed = server.call(Request::post("/v1/queues/q/jobs").bare_body("x")).await;
    assert_eq!(unnamed.at("/payload_info/content_type"), "application/octet-stream");
    let empty = server.call(Request::post("/v1/queues/q/jobs")).await;
    assert_eq!(empty.at("/payload_info/size"), 0);

    for (target, pointer) in [
        ("/v1/queues/q/jobs?prioriti=1", "/prioriti"),
        ("/v1/queues/q/jobs?priority=10", "/priority"),
        ("/v1/queues/q/jobs?priority=1&priority=1", "/priority"),
        ("/v1/queues/q/jobs?callback=x", "/callback"),
        ("/v1/queues/q/jobs?type=%ff", "/type"),
        ("/v1/queues/q/jobs?group=", "/group"),
    ] {
        server.call(Request::post(target).json("1")).await.is_problem(400, "invalid-request").points_at(pointer);
    }
    server.call(Request::post("/v1/queues/a%20b/jobs").json("1")).await.is_problem(400, "invalid-request");
    server.call(Request::post("/v1/queues/q/jobs").body("nonsense", "1")).await.is_problem(400, "invalid-request");
    let escaped = server.call(Request::post("/v1/queues/%71/jobs").json("1")).await;
    assert_eq!(escaped.at("/queue"), "q");
}

#[tokio::test]
async fn lines_are_accepted_all_or_none() {
    let server = Server::start().await;
    let answer = server.call(lines("{\"queue\":\"q\",\"payload\":1}\r\n\n{\"queue\":\"q\",\"payload\":2}")).await;
    assert_eq!((answer.status, answer.header("content-type")), (202, Some("application/x-ndjson")));
    let accepted = answer.lines();
    assert_eq!((accepted.len(), &accepted[0]["status"]), (2, &json!(202)));
    let second = accepted[1]["id"].as_str().unwrap();
    let job = server.call(Request::get(&format!("/v1/jobs/{second}"))).await;
    assert_eq!(job.at("/payload"), 2);

    let bad = "{\"queue\":\"q\"}\n\n{\"queue\":\"q\",\"priority\":10}\n{\"queue\":\"\"}\n";
    let refused = server.call(lines(bad)).await;
    refused.is_problem(400, "invalid-request").points_at("/3/priority").points_at("/4/queue");
    assert!(refused.text("/detail").contains("2 lines"), "{refused:?}");
    let reserved = server.call(lines("{\"queue\":\"q\"}\n{\"queue\":\"ackd.q\"}\n")).await;
    reserved.is_problem(403, "forbidden").points_at("/2/queue");
    for empty in ["", "\n\r\n"] {
        server.call(lines(empty)).await.is_problem(400, "invalid-request");
    }
    let header = server.call(lines("{\"queue\":\"q\"}").header("idempotency-key", "k")).await;
    assert!(header.is_problem(400, "invalid-request").text("/detail").contains("idempotency-key"));
    let partial = server.call(Request::post("/v1/jobs?partial=yes").ndjson("{\"queue\":\"q\"}")).await;
    partial.is_problem(400, "invalid-request").points_at("/partial");
    let partial = server.call(Request::post("/v1/jobs?partial=true").json("{\"queue\":\"q\"}")).await;
    partial.is_problem(400, "invalid-request").points_at("/partial");
}

#[tokio::test]
async fn the_keys_of_lines_are_kept() {
    let server = Server::start().await;
    let keyed = "{\"queue\":\"q\",\"idempotency_key\":\"a\"}\n{\"queue\":\"q\",\"idempotency_key\":\"a\"}\n";
    let first = server.call(lines(keyed)).await.lines();
    assert_eq!(first[0]["id"], first[1]["id"]);
    assert_eq!((&first[0]["replayed"], &first[1]["replayed"]), (&json!(null), &json!(true)));
    let other = "{\"queue\":\"q\"}\n{\"queue\":\"r\",\"idempotency_key\":\"a\"}\n";
    let mismatch = server.call(lines(other)).await;
    mismatch.is_problem(422, "idempotency-mismatch").points_at("/2/idempotency_key");
    let within = "{\"queue\":\"q\",\"idempotency_key\":\"b\"}\n{\"queue\":\"r\",\"idempotency_key\":\"b\"}\n";
    server.call(lines(within)).await.is_problem(422, "idempotency-mismatch").points_at("/2/idempotency_key");

    let partial = server.call(Request::post("/v1/jobs?partial=true").ndjson(other)).await;
    let statuses: Vec<_> = partial.lines().iter().map(|line| line["status"].clone()).collect();
    assert_eq!((partial.status, statuses), (207, vec![json!(202), json!(422)]));
    assert_eq!(partial.lines()[1]["problem"]["errors"][0]["pointer"], "/2/idempotency_key");
}

#[tokio::test]
async fn good_lines_are_taken_where_the_client_says_so() {
    let server = Server::start().await;
    let partial = |body: &str| server.call(Request::post("/v1/jobs?partial=true").ndjson(body));
    let mixed = partial("{\"queue\":\"q\"}\n{}\nnonsense\n{\"queue\":\"ackd.q\"}\n{\"queue\":\"q\"}\n").await;
    assert_eq!(mixed.status, 207);
    let lines = mixed.lines();
    let statuses: Vec<_> = lines.iter().map(|line| line["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [202, 400, 400, 403, 202]);
    assert_eq!(lines[1]["problem"]["errors"][0]["pointer"], "/2/queue");
    assert_eq!(lines[2]["problem"]["errors"][0]["pointer"], "/3");
    assert_eq!(partial("{\"queue\":\"q\"}\n").await.status, 202);
    assert_eq!(partial("{}\n").await.status, 207);
    let jobs = server.call(Request::get("/v1/jobs")).await;
    assert_eq!(jobs.at("/jobs").as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn what_only_the_ledger_knows_to_be_wrong_names_its_line_too() {
    let server = Server::start().await;
    let none = "01941f29-7c00-7abc-8def-0123456789ab";
    // The blank line counts.
    let body = format!(
        r#"{{"queue":"q"}}

{{"queue":"q","after":["{none}"],"payload_file":"f"}}
{{"queue":"q","then":[{{"queue":"q"}},{{"queue":"q","after":["{none}","{none}"]}}]}}"#
    );
    let refused = server.call(lines(&body)).await;
    refused.is_problem(400, "invalid-request").points_at("/3/after").points_at("/4/then/1/after");
    let detail = format!("line 3: there is no job {none}, or no longer, to come after (2 lines are at fault in all");
    assert!(refused.text("/detail").starts_with(&detail), "{refused:?}");
    assert_eq!(server.call(Request::get("/v1/jobs")).await.at("/jobs"), json!([]));

    let body = body + "\n{\"queue\":\"q\",\"payload_file\":\"f\"}\n{\"queue\":\"q\",\"priority\":10}\n";
    let partial = server.call(Request::post("/v1/jobs?partial=true").ndjson(&body)).await;
    assert_eq!(partial.status, 207);
    let told: Vec<_> = partial.lines().iter().map(|line| line["problem"]["errors"][0]["pointer"].clone()).collect();
    let pointers = ["/3/after", "/4/then/1/after", "/5/payload_file", "/6/priority"];
    assert_eq!(told[1..], pointers.map(Value::from));
    for (line, problem) in (3..).zip(&partial.lines()[1..]) {
        let detail = problem["problem"]["detail"].as_str().unwrap();
        assert!(detail.starts_with(&format!("line {line}: ")), "{detail}");
    }
}

#[tokio::test]
async fn sizes_hold_at_their_edges() {
    let limits = Limits { payload: 1000, file: 1000, ..Limits::default() };
    let server = Server::limited(limits).await;
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    let envelope = |bytes: usize| format!(r#"{{"queue":"q","payload":{}}}"#, text(bytes));
    assert_eq!(server.call(one(&envelope(1000))).await.status, 202);
    server.call(one(&envelope(1001))).await.is_problem(413, "too-large").points_at("/payload");
    let raw = |bytes: usize| server.call(Request::post("/v1/queues/q/jobs").json(&text(bytes)));
    assert_eq!(raw(1000).await.status, 202);
    raw(1001).await.is_problem(413, "too-large");
    let line = |bytes: usize| server.call(lines(&envelope(bytes)));
    assert_eq!(line(1000).await.status, 202);
    line(1001).await.is_problem(413, "too-large").points_at("/1/payload");
    // The envelope around a payload has its room, and no more.
    let padded = |bytes: usize| format!("{}{}", envelope(1000), " ".repeat(bytes - envelope(1000).len()));
    assert_eq!(server.call(one(&padded(1000 + (128 << 10)))).await.status, 202);
    server.call(one(&padded(1001 + (128 << 10)))).await.is_problem(413, "too-large");

    let many = |lines: usize| "{\"queue\":\"q\"}\n".repeat(lines);
    let answer = server.call(lines(&many(10_000))).await;
    assert_eq!((answer.status, answer.lines().len()), (202, 10_000));
    server.call(lines(&many(10_001))).await.is_problem(413, "too-large");
}

#[tokio::test]
async fn a_batch_has_16_mib_at_most() {
    let server = Server::start().await;
    let envelope = format!("{{\"queue\":\"q\",\"payload\":\"{}\"}}\n", "x".repeat(900_000));
    let most = 16 << 20;
    let full = |bytes: usize| {
        let mut body = envelope.repeat(18);
        body.push_str(&" ".repeat(bytes - body.len()));
        body
    };
    assert_eq!(server.call(lines(&full(most))).await.status, 202);
    server.call(lines(&full(most + 1))).await.is_problem(413, "too-large");
    // Nor does it help to say nothing of the length.
    let mut client = server.connect().await;
    client.write(b"POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let chunk = " ".repeat(1 << 20);
    for _ in 0..3 {
        client.write(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes()).await;
    }
    client.answer("POST").await.is_problem(413, "too-large");
}

#[tokio::test]
async fn large_payloads_are_kept_to_the_byte() {
    let server = Server::start().await;
    let payload = format!("\"{}\"", "é".repeat(300_000));
    let id = server.submit(&format!(r#"{{"queue":"q","payload":{payload}}}"#)).await;
    let stored = server.call(Request::get(&format!("/v1/jobs/{id}/payload"))).await;
    assert!(stored.body == payload.as_bytes());
    let job = server.call(Request::get(&format!("/v1/jobs/{id}"))).await;
    assert_eq!((job.at("/payload"), job.at("/payload_info/size")), (json!(null), json!(payload.len())));
}

#[tokio::test]
async fn a_body_in_chunks_is_a_body() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.write(b"POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for chunk in ["{\"queue\":", "\"q\",\"payload\"", ":[1]}"] {
        client.write(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes()).await;
    }
    client.write(b"0\r\n\r\n").await;
    let answer: Answer = client.answer("POST").await;
    assert_eq!((answer.status, answer.at("/payload")), (202, json!([1])));
    client.write(b"POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n").await;
    client.answer("POST").await.is_problem(400, "invalid-request");
}
