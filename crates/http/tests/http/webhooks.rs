//! Webhooks: who is told of the ends of jobs, and what was sent to them.

use std::time::Duration;

use ackd_memory::Script;
use ackd_ports::Post;
use serde_json::{Value, json};

use crate::common::{Answer, Request, Server};
use crate::socket::Socket;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const HOOK: &str = "https://example.com/hook?key=hunter2";

fn signed(post: &Post) -> &ackd_ports::Signed {
    post.signed.as_ref().unwrap()
}

fn put(name: &str, body: &str) -> Request {
    Request::new("PUT", &format!("/v1/webhooks/{name}")).json(body)
}

fn get(name: &str) -> Request {
    Request::get(&format!("/v1/webhooks/{name}"))
}

fn delete(name: &str) -> Request {
    Request::new("DELETE", &format!("/v1/webhooks/{name}"))
}

fn with(field: &str) -> String {
    format!(r#"{{"url":"{HOOK}",{field}}}"#)
}

fn calling(callback: &str) -> String {
    format!(r#"{{"queue":"q","callback":{callback}}}"#)
}

/// The first `count` posts.
async fn posts(server: &Server, count: usize) -> Vec<Post> {
    let outbound = server.outbound.clone();
    let waiting = tokio::task::spawn_blocking(move || outbound.wait_for(count, Duration::from_secs(20)));
    let posts = waiting.await.unwrap();
    assert_eq!(posts.len(), count);
    posts
}

/// Submits, leases and completes a job.
async fn done(server: &Server, envelope: &str) -> String {
    let id = server.submit(envelope).await;
    let lease = server.lease("q").await;
    assert_eq!(server.settle(&lease, "complete", r#"{"result":{"n" : 7}}"#).await.status, 200);
    id
}

async fn deliveries(server: &Server, job: &str, query: &str) -> Answer {
    server.call(Request::get(&format!("/v1/jobs/{job}/deliveries{query}"))).await
}

/// Waits until the newest delivery of `job` is in `status`, with so many attempts.
async fn settled(server: &Server, job: &str, status: &str, attempts: usize) -> Value {
    let newest = async |server: &Server| deliveries(server, job, "").await.json()["deliveries"][0].clone();
    server
        .until(status, async |server| {
            let newest = newest(server).await;
            newest["status"] == status && newest["attempts"].as_array().is_some_and(|it| it.len() == attempts)
        })
        .await;
    newest(server).await
}

#[tokio::test]
async fn a_webhook_is_put_shown_changed_and_deleted() {
    let server = Server::start().await;
    let made = server.call(put("crm", &format!(r#"{{"url":"{HOOK}"}}"#))).await;
    assert_eq!((made.status, made.header("location")), (201, Some("/v1/webhooks/crm")));
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let secret = made.text("/secret");
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
    let created = made.text("/created_at");
    let expected = json!({
        "name": "crm", "url": HOOK, "queues": [], "format": "standard",
        "events": ["job.done", "job.failed", "job.cancelled", "job.expired"],
        "created_at": created, "disabled": null, "failing_since": null,
    });
    let shown = server.call(get("crm")).await;
    assert_eq!((shown.status, shown.json()), (200, expected));

    let all = r#"{"url":"http://example.com/b","queues":["q","r","q"],"events":["job.failed","job.done"],"format":"cloudevents"}"#;
    let changed = server.call(put("crm", all)).await;
    let expected = json!({
        "name": "crm", "url": "http://example.com/b", "queues": ["q", "r"], "format": "cloudevents",
        "events": ["job.done", "job.failed"], "created_at": created, "disabled": null, "failing_since": null,
    });
    assert_eq!((changed.status, changed.json(), changed.header("location")), (200, expected, None));

    assert_eq!(server.call(delete("crm")).await.status, 204);
    for gone in [get("crm"), delete("crm"), get("other")] {
        server.call(gone).await.is_problem(404, "not-found");
    }
}

#[tokio::test]
async fn a_secret_that_was_given_is_never_shown() {
    let server = Server::start().await;
    let made = server.call(put("a", &with(&format!(r#""secret":"{SECRET}""#)))).await;
    assert_eq!(made.status, 201);
    for answer in [made, server.call(get("a")).await, server.call(Request::get("/v1/webhooks")).await] {
        let text = String::from_utf8(answer.body).unwrap();
        assert!(!text.contains("secret") && !text.contains("whsec"), "{text}");
    }
}

#[tokio::test]
async fn webhooks_are_listed_by_name_page_by_page() {
    let server = Server::start().await;
    for name in ["c", "a", "b"] {
        server.call(put(name, &format!(r#"{{"url":"{HOOK}"}}"#))).await;
    }
    let names = |list: &Answer| -> Vec<Value> {
        list.at("/webhooks").as_array().unwrap().iter().map(|it| it["name"].clone()).collect()
    };
    let whole = server.call(Request::get("/v1/webhooks")).await;
    assert_eq!((names(&whole), whole.at("/next_page_token")), (vec![json!("a"), json!("b"), json!("c")], json!(null)));
    let first = server.call(Request::get("/v1/webhooks?page_size=2")).await;
    assert_eq!(names(&first), ["a", "b"]);
    let token = first.text("/next_page_token");
    let second = server.call(Request::get(&format!("/v1/webhooks?page_size=2&page_token={token}"))).await;
    assert_eq!((names(&second), second.at("/next_page_token")), (vec![json!("c")], json!(null)));
    for (query, pointer) in [("page_size=0", "/page_size"), ("page_size=1001", "/page_size"), ("queue=q", "/queue")] {
        let refused = server.call(Request::get(&format!("/v1/webhooks?{query}"))).await;
        refused.is_problem(400, "invalid-request").points_at(pointer);
    }
}

#[tokio::test]
async fn what_cannot_be_told_to_is_refused_and_changes_nothing() {
    let server = Server::start().await;
    let url = |length: usize| format!(r#"{{"url":"http://example.com/{}"}}"#, "a".repeat(length - 19));
    let queues = |count: usize| {
        let names: Vec<String> = (0..count).map(|number| format!(r#""q{number}""#)).collect();
        with(&format!(r#""queues":[{}]"#, names.join(",")))
    };
    let key = |text: &str| with(&format!(r#""secret":"{text}""#));
    for (bad, pointer) in [
        (r#"{"url":"ftp://example.com"}"#.to_owned(), "/url"),
        (r#"{"url":"https://user:pw@example.com/"}"#.to_owned(), "/url"),
        (r#"{"url":"http://0x7f.1/"}"#.to_owned(), "/url"),
        (url(2049), "/url"),
        ("{}".to_owned(), "/url"),
        (key("hunter2"), "/secret"),
        (key("whsec_c2hvcnQ="), "/secret"),
        (key("whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "/secret"),
        (with(r#""queues":["a b"]"#), "/queues/0"),
        (queues(101), "/queues"),
        (with(r#""events":["job.started"]"#), "/events/0"),
        (with(r#""format":"xml""#), "/format"),
        (with(r#""enabled":true"#), "/enabled"),
    ] {
        let refused = server.call(put("w", &bad)).await;
        refused.is_problem(400, "invalid-request").points_at(pointer);
        let text = String::from_utf8(refused.body).unwrap();
        assert!(!text.contains("hunter2") && !text.contains("c2hvcnQ"), "{text}");
    }
    let own = server.call(put("w", &with(r#""queues":["q","ackd.webhooks"]"#))).await;
    own.is_problem(403, "forbidden").points_at("/queues/1");
    for request in [put("ackd.w", &url(2048)), get("ackd.w"), delete("ackd.w")] {
        server.call(request).await.is_problem(403, "forbidden");
    }
    server.call(put("a%20b", &url(2048))).await.is_problem(400, "invalid-request");
    let text = Request::new("PUT", "/v1/webhooks/w").body("text/plain", "{}");
    server.call(text).await.is_problem(415, "unsupported-media-type");
    assert_eq!(server.call(Request::get("/v1/webhooks")).await.at("/webhooks"), json!([]));
    for (name, good) in [("a", url(2048)), ("b", queues(100)), ("c", key(SECRET))] {
        assert_eq!(server.call(put(name, &good)).await.status, 201, "{good}");
    }
}

#[tokio::test]
async fn there_are_a_thousand_webhooks_and_no_more() {
    let server = Server::start().await;
    let body = format!(r#"{{"url":"{HOOK}"}}"#);
    let mut client = server.connect().await;
    for number in 0..1000 {
        assert_eq!(client.call(put(&format!("w{number}"), &body)).await.status, 201);
    }
    let refused = client.call(put("one-more", &body)).await;
    refused.is_problem(400, "invalid-request");
    assert!(refused.text("/detail").contains("1000"), "{refused:?}");
    // One that is known can be changed, and a deleted one makes room.
    assert_eq!(client.call(put("w7", &body)).await.status, 200);
    assert_eq!(client.call(delete("w7")).await.status, 204);
    assert_eq!(client.call(put("one-more", &body)).await.status, 201);
}

#[tokio::test]
async fn pages_of_other_origins_may_not_touch_webhooks() {
    let server = Server::start().await;
    let body = format!(r#"{{"url":"{HOOK}"}}"#);
    let foreign = put("w", &body).header("origin", "https://evil.example");
    server.call(foreign).await.is_problem(403, "forbidden");
    server.call(get("w")).await.is_problem(404, "not-found");
    let allowed = server.call(Request::new("OPTIONS", "/v1/webhooks/w")).await;
    assert_eq!(allowed.header("allow"), Some("GET, PUT, DELETE, HEAD, OPTIONS"));
}

#[tokio::test]
async fn a_webhook_is_told_of_a_job_s_end() {
    let server = Server::start().await;
    let deliverer = server.deliver();
    let made = server.call(put("crm", &with(r#""queues":["q"],"events":["job.done"]"#))).await;
    let secret = made.text("/secret");
    server.submit(r#"{"queue":"other"}"#).await;
    let job = done(&server, r#"{"queue":"q","payload":"unseen","tags":["red"]}"#).await;
    let post = &posts(&server, 1).await[0];
    assert_eq!((&*post.url, &*post.content_type), (HOOK, "application/json"));
    assert_eq!(signed(post).keys.iter().map(ackd_ports::SigningKey::expose).collect::<Vec<_>>(), [secret]);
    let text = String::from_utf8(post.body.as_bytes().to_vec()).unwrap();
    let told: Value = serde_json::from_str(&text).unwrap();
    let mut shown = server.job(&job).await.json();
    shown["payload"] = json!(null);
    let expected = json!({"type": "job.done", "timestamp": shown["finished_at"], "data": shown});
    assert_eq!(told, expected);
    assert!(text.starts_with(r#"{"type":"job.done","timestamp":"#) && text.contains(r#""result":{"n" : 7}"#), "{text}");

    let delivery = settled(&server, &job, "DONE", 1).await;
    assert_eq!(
        (&delivery["target"], &delivery["event"], &delivery["next_attempt_at"]),
        (&json!("crm"), &json!("job.done"), &json!(null))
    );
    let attempt = &delivery["attempts"][0];
    assert_eq!((&attempt["status_code"], &attempt["error"]), (&json!(204), &json!(null)));
    assert!(attempt["at"].is_string() && attempt["took"].is_string(), "{attempt}");
    deliverer.stop().await;
}

#[tokio::test]
async fn a_callback_is_told_of_its_own_job_in_its_own_form() {
    let server = Server::start().await;
    let deliverer = server.deliver();
    let callback =
        format!(r#"{{"url":"{HOOK}","secret":"{SECRET}","format":"cloudevents","events":["job.cancelled"]}}"#);
    let job = server.submit(&calling(&callback)).await;
    assert_eq!(server.call(Request::post(&format!("/v1/jobs/{job}/cancel"))).await.status, 200);
    let post = &posts(&server, 1).await[0];
    assert_eq!((&*post.url, &*post.content_type), (HOOK, "application/cloudevents+json"));
    assert_eq!(signed(post).keys[0].expose(), SECRET);
    let told: Value = serde_json::from_slice(post.body.as_bytes()).unwrap();
    assert_eq!(
        (&told["type"], &told["id"], &told["source"], &told["data"]["id"]),
        (&json!("ackd.job.cancelled"), &json!(&*signed(post).id), &json!("https://ackd.example"), &json!(job))
    );
    // Of the URL only the origin is shown, for the rest may hold secrets.
    let delivery = settled(&server, &job, "DONE", 1).await;
    assert_eq!(delivery["target"], "https://example.com");
    deliverer.stop().await;
}

#[tokio::test]
async fn the_secret_of_a_callback_is_shown_once_and_nowhere_else() {
    let server = Server::start().await;
    let envelope = format!(r#"{{"queue":"q","idempotency_key":"k","callback":{{"url":"{HOOK}"}}}}"#);
    let accepted = server.call(Request::post("/v1/jobs").json(&envelope)).await;
    assert_eq!((accepted.status, accepted.at("/callback/url")), (202, json!(HOOK)));
    assert_eq!(accepted.header("cache-control"), Some("no-store"));
    let secret = accepted.text("/callback/secret");
    assert!(secret.starts_with("whsec_"), "{secret}");
    let job = accepted.text("/id");

    let again = server.call(Request::post("/v1/jobs").json(&envelope)).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (202, Some("true")));
    let lines = server.call(Request::post("/v1/jobs").ndjson(&envelope)).await;
    let lease = server.lease("q").await;
    let settled = server.settle(&lease, "complete", "{}").await;
    let mut answers = vec![again, lines, settled];
    for target in [
        format!("/v1/jobs/{job}"),
        format!("/v1/jobs/{job}/timeline"),
        format!("/v1/jobs/{job}/events"),
        format!("/v1/jobs/{job}/deliveries"),
        "/v1/jobs".to_owned(),
        "/metrics".to_owned(),
    ] {
        answers.push(server.call(Request::get(&target)).await);
    }
    for answer in answers {
        let text = String::from_utf8(answer.body).unwrap();
        assert!(!text.contains("whsec") && !text.contains("hunter2") && !text.contains("callback"), "{text}");
    }
    // One that was given is not shown at all.
    let given = calling(&format!(r#"{{"url":"{HOOK}","secret":"{SECRET}"}}"#));
    let accepted = server.call(Request::post("/v1/jobs").json(&given)).await;
    assert!(accepted.json().get("callback").is_none(), "{accepted:?}");
}

#[tokio::test]
async fn lines_and_sockets_show_the_secrets_of_callbacks_too() {
    let server = Server::start().await;
    let envelope = calling(&format!(r#"{{"url":"{HOOK}"}}"#));
    let given = calling(&format!(r#"{{"url":"{HOOK}","secret":"{SECRET}"}}"#));
    let mut secrets = Vec::new();
    for target in ["/v1/jobs", "/v1/jobs?partial=true"] {
        let lines = format!("{envelope}\n{given}\n{envelope}\n");
        let lines = server.call(Request::post(target).ndjson(&lines)).await.lines();
        assert_eq!((&lines[0]["callback"]["url"], lines[1].get("callback")), (&json!(HOOK), None));
        secrets.extend([&lines[0], &lines[2]].map(|line| line["callback"]["secret"].as_str().unwrap().to_owned()));
    }
    let mut socket = Socket::open(&server).await;
    let job: Value = serde_json::from_str(&envelope).unwrap();
    socket.say(json!({"op": "submit", "ref": "a", "job": job})).await;
    let accepted = socket.hear().await;
    secrets.push(accepted["job"]["callback"]["secret"].as_str().unwrap().to_owned());
    secrets.sort_unstable();
    secrets.dedup();
    assert_eq!(secrets.len(), 5, "{secrets:?}");
}

#[tokio::test]
async fn a_callback_that_cannot_be_called_refuses_its_job() {
    let server = Server::start().await;
    for (callback, pointer) in [
        (r#"{"url":"https://user@example.com/"}"#.to_owned(), "/callback/url"),
        (r#"{"url":"ftp://example.com/"}"#.to_owned(), "/callback/url"),
        (format!(r#"{{"url":"{HOOK}","secret":"whsec_hunter2"}}"#), "/callback/secret"),
        (format!(r#"{{"url":"{HOOK}","format":"xml"}}"#), "/callback/format"),
        (format!(r#"{{"url":"{HOOK}","queues":[]}}"#), "/callback/queues"),
        ("{}".to_owned(), "/callback/url"),
    ] {
        let refused = server.call(Request::post("/v1/jobs").json(&calling(&callback))).await;
        refused.is_problem(400, "invalid-request").points_at(pointer);
        assert!(!String::from_utf8(refused.body).unwrap().contains("hunter2"));
        let line = server.call(Request::post("/v1/jobs").ndjson(&calling(&callback))).await;
        line.is_problem(400, "invalid-request").points_at(&format!("/1{pointer}"));
        let mut socket = Socket::open(&server).await;
        let job: Value = serde_json::from_str(&calling(&callback)).unwrap();
        socket.say(json!({"op": "submit", "ref": "a", "job": job})).await;
        let told = socket.hear().await;
        assert_eq!(told["problem"]["errors"][0]["pointer"], format!("/job{pointer}"), "{told}");
    }
    let raw = Request::post("/v1/queues/q/jobs?callback=x").body("text/plain", "x");
    server.call(raw).await.is_problem(400, "invalid-request").points_at("/callback");
    assert_eq!(server.call(Request::get("/v1/jobs")).await.at("/jobs"), json!([]));
}

#[tokio::test]
async fn what_failed_is_logged_and_waits_for_its_next_attempt() {
    let server = Server::start().await;
    let deliverer = server.deliver();
    server.outbound.script(HOOK, [Script::status(500)]);
    let made = server.call(put("crm", &format!(r#"{{"url":"{HOOK}"}}"#))).await;
    assert_eq!(made.status, 201);
    let job = done(&server, r#"{"queue":"q"}"#).await;
    let delivery = settled(&server, &job, "INIT", 1).await;
    assert_eq!(delivery["attempts"][0]["status_code"], 500);
    assert!(delivery["attempts"][0]["error"].as_str().is_some_and(|error| !error.is_empty()), "{delivery}");
    assert!(delivery["next_attempt_at"].as_str() > delivery["created_at"].as_str(), "{delivery}");
    server
        .until("a failing webhook", async |server| server.call(get("crm")).await.at("/failing_since").is_string())
        .await;
    let replay = Request::post(&format!("/v1/deliveries/{}/replay", delivery["id"].as_str().unwrap()));
    server.call(replay).await.is_problem(409, "not-finished");
    deliverer.stop().await;
}

#[tokio::test]
async fn what_failed_is_seen_also_where_its_job_is_gone() {
    let server = Server::start().await;
    server.outbound.script(HOOK, [Script::status(500)]);
    let deliverer = server.deliver();
    let id = done(&server, &calling(&format!(r#"{{"url":"{HOOK}"}}"#))).await;
    settled(&server, &id, "INIT", 1).await;
    assert_eq!(server.call(Request::new("DELETE", &format!("/v1/jobs/{id}"))).await.status, 204);
    assert_eq!(server.call(Request::get(&format!("/v1/jobs/{id}"))).await.status, 404);
    let list = deliveries(&server, &id, "").await;
    assert_eq!((list.status, list.at("/deliveries/0/attempts/0/status_code")), (200, json!(500)));
    // Who knows the number of a job only is told nothing.
    let last = if id.ends_with('0') { '1' } else { '0' };
    let other = format!("{}{last}", &id[..id.len() - 1]);
    deliveries(&server, &other, "").await.is_problem(404, "not-found");
    let none = server.submit(r#"{"queue":"q"}"#).await;
    assert_eq!(deliveries(&server, &none, "").await.at("/deliveries"), json!([]));
    deliverer.stop().await;
}

#[tokio::test]
async fn who_wants_nothing_more_is_disabled_until_it_is_put_anew() {
    let server = Server::start().await;
    let deliverer = server.deliver();
    server.outbound.script(HOOK, [Script::status(410)]);
    let body = format!(r#"{{"url":"{HOOK}"}}"#);
    server.call(put("crm", &body)).await;
    let job = done(&server, r#"{"queue":"q"}"#).await;
    settled(&server, &job, "FAILED", 1).await;
    server.until("a disabled webhook", async |server| server.call(get("crm")).await.at("/disabled").is_object()).await;
    let disabled = server.call(get("crm")).await;
    assert!(disabled.at("/disabled/at").is_string() && disabled.text("/disabled/reason").contains("410"));
    assert_eq!(server.call(put("crm", &body)).await.at("/disabled"), json!(null));
    deliverer.stop().await;
}

#[tokio::test]
async fn a_delivery_is_replayed_byte_for_byte() {
    let server = Server::start().await;
    let deliverer = server.deliver();
    server.outbound.script(HOOK, [Script::status(410)]);
    let job = done(&server, &calling(&format!(r#"{{"url":"{HOOK}"}}"#))).await;
    let failed = settled(&server, &job, "FAILED", 1).await;
    let replay = |id: &Value| Request::post(&format!("/v1/deliveries/{}/replay", id.as_str().unwrap()));
    // One that failed goes on.
    let replayed = server.call(replay(&failed["id"])).await;
    assert_eq!((replayed.status, replayed.at("/id")), (202, failed["id"].clone()));
    let taken = settled(&server, &job, "DONE", 2).await;
    // One that was taken is sent by a new one.
    let replayed = server.call(replay(&taken["id"])).await;
    assert_eq!((replayed.status, replayed.at("/event")), (202, json!("job.done")));
    assert_ne!(replayed.at("/id"), taken["id"]);
    let posts = posts(&server, 3).await;
    assert!(
        posts
            .iter()
            .all(|post| post.body.as_bytes() == posts[0].body.as_bytes() && signed(post).id == signed(&posts[0]).id)
    );
    settled(&server, &job, "DONE", 1).await;

    let both = deliveries(&server, &job, "").await;
    assert_eq!((both.at("/deliveries/0/id"), both.at("/deliveries/1/id")), (replayed.at("/id"), taken["id"].clone()));
    let first = deliveries(&server, &job, "?page_size=1").await;
    assert_eq!(
        (first.at("/deliveries/0/id"), first.at("/deliveries").as_array().unwrap().len()),
        (replayed.at("/id"), 1)
    );
    let token = first.text("/next_page_token");
    let second = deliveries(&server, &job, &format!("?page_size=1&page_token={token}")).await;
    assert_eq!((second.at("/deliveries/0/id"), second.at("/next_page_token")), (taken["id"].clone(), json!(null)));

    let other = server.submit(r#"{"queue":"q"}"#).await;
    let of_other = deliveries(&server, &other, &format!("?page_token={token}")).await;
    of_other.is_problem(400, "invalid-request").points_at("/page_token");
    assert_eq!(deliveries(&server, &other, "").await.json(), json!({"deliveries": [], "next_page_token": null}));
    // The id of a job is no delivery's, nor is that of a delivery a job's.
    for id in [&job, "01941f29-7c00-7abc-8def-0123456789ab"] {
        server.call(replay(&json!(id))).await.is_problem(404, "not-found");
    }
    for id in [taken["id"].as_str().unwrap(), "01941f29-7c00-7abc-8def-0123456789ab"] {
        deliveries(&server, id, "").await.is_problem(404, "not-found");
    }
    server.call(replay(&json!("x"))).await.is_problem(400, "invalid-request");
    deliverer.stop().await;
}
