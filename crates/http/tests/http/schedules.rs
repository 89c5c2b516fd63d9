//! Schedules: jobs that are made at certain times.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ackd_domain::Timestamp;
use ackd_http::Config;
use ackd_ports::{Clock, LedgerError, SystemClock};
use serde_json::{Value, json};

use crate::common::{Answer, Request, Server, SharedLedger};

/// A wall clock that stands still until it is set.
struct SetClock {
    now: AtomicI64,
    steady: SystemClock,
}

impl SetClock {
    fn at(time: &str) -> Arc<SetClock> {
        let clock = SetClock { now: AtomicI64::new(0), steady: SystemClock::start() };
        clock.set(time);
        Arc::new(clock)
    }

    fn set(&self, time: &str) {
        let time: ackd_api::Time = time.parse().unwrap();
        self.now.store(time.0, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        self.steady.monotonic()
    }
}

fn put(name: &str, body: &str) -> Request {
    Request::new("PUT", &format!("/v1/schedules/{name}")).json(body)
}

fn get(name: &str) -> Request {
    Request::get(&format!("/v1/schedules/{name}"))
}

fn delete(name: &str) -> Request {
    Request::new("DELETE", &format!("/v1/schedules/{name}"))
}

/// How many jobs there are.
async fn jobs(server: &Server) -> usize {
    server.call(Request::get("/v1/jobs")).await.at("/jobs").as_array().unwrap().len()
}

async fn shown(server: &Server, name: &str) -> Value {
    let schedule = server.call(get(name)).await;
    assert_eq!(schedule.status, 200);
    schedule.json()
}

#[tokio::test]
async fn a_schedule_is_put_shown_changed_and_deleted() {
    let clock = SetClock::at("2026-03-27T22:00:00Z");
    let server = Server::at(&SharedLedger::new(), Config::default(), clock).await;
    let made = server.call(put("nightly", r#"{"cron":"30 2 * * *","job":{"queue":"reports"}}"#)).await;
    assert_eq!((made.status, made.header("location")), (201, Some("/v1/schedules/nightly")));
    let created_at = made.text("/created_at");
    // Time itself goes on though the wall clock stands.
    assert!(created_at.starts_with("2026-03-27T22:00:0"), "{created_at}");
    let expected = json!({
        "name": "nightly", "cron": "30 2 * * *", "timezone": "UTC", "missed": "one", "paused": false,
        "job": {"queue": "reports"}, "created_at": created_at,
        "next_run_at": "2026-03-28T02:30:00.000Z", "last_run_at": null, "last_job": null,
    });
    assert_eq!(made.json(), expected);
    assert_eq!(shown(&server, "nightly").await, expected);

    let job = json!({
        "queue": "reports", "type": "daily", "payload": {"n": 1.50}, "expires_in": "1h", "priority": 9,
        "max_attempts": 3, "timeout": "10m", "backoff": {"base": "1s", "factor": 2.0, "max": "1m", "jitter": 0.5},
        "result_retention": "24h", "ordering_key": "o", "group": "g", "tags": ["a", "b"],
        "callback": {"url": "https://example.com/hook", "events": ["job.done"], "format": "cloudevents"},
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    });
    let mut asked = job.clone();
    asked["callback"]["secret"] = json!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let all = json!({"cron": "30 2 * * *", "timezone": "europe/berlin", "missed": "all", "job": asked});
    let changed = server.call(put("nightly", &all.to_string())).await;
    assert_eq!((changed.status, changed.header("location")), (200, None));
    assert_eq!((changed.text("/timezone"), changed.text("/missed")), ("Europe/Berlin".into(), "all".into()));
    assert_eq!((changed.at("/job"), changed.text("/next_run_at")), (job, "2026-03-28T01:30:00.000Z".into()));
    for answer in [changed, server.call(get("nightly")).await, server.call(Request::get("/v1/schedules")).await] {
        let text = String::from_utf8(answer.body).unwrap();
        assert!(!text.contains("secret") && !text.contains("whsec"), "{text}");
    }
    let paused = server.call(put("nightly", r#"{"cron":"@daily","paused":true,"job":{"queue":"q"}}"#)).await;
    assert_eq!((paused.at("/paused"), paused.at("/next_run_at")), (json!(true), json!(null)));

    assert_eq!(server.call(delete("nightly")).await.status, 204);
    for gone in [get("nightly"), delete("nightly"), get("other")] {
        server.call(gone).await.is_problem(404, "not-found");
    }
}

#[tokio::test]
async fn schedules_are_listed_by_name_page_by_page_without_payloads() {
    let server = Server::start().await;
    for name in ["c", "a", "b"] {
        let answer = server.call(put(name, r#"{"cron":"@yearly","job":{"queue":"q","payload":[1]}}"#)).await;
        assert_eq!(answer.at("/job"), json!({"queue": "q", "payload": [1]}));
    }
    let names = |list: &Answer| -> Vec<Value> {
        list.at("/schedules").as_array().unwrap().iter().map(|it| it["name"].clone()).collect()
    };
    let whole = server.call(Request::get("/v1/schedules")).await;
    assert_eq!((names(&whole), whole.at("/next_page_token")), (vec![json!("a"), json!("b"), json!("c")], json!(null)));
    assert_eq!(whole.at("/schedules/0/job"), json!({"queue": "q"}));
    let first = server.call(Request::get("/v1/schedules?page_size=2")).await;
    assert_eq!(names(&first), ["a", "b"]);
    let token = first.text("/next_page_token");
    let second = server.call(Request::get(&format!("/v1/schedules?page_size=2&page_token={token}"))).await;
    assert_eq!((names(&second), second.at("/next_page_token")), (vec![json!("c")], json!(null)));
    for (query, pointer) in [("page_size=0", "/page_size"), ("page_size=1001", "/page_size"), ("queue=q", "/queue")] {
        let refused = server.call(Request::get(&format!("/v1/schedules?{query}"))).await;
        refused.is_problem(400, "invalid-request").points_at(pointer);
    }
}

#[tokio::test]
async fn what_can_never_come_is_refused_and_changes_nothing() {
    let server = Server::start().await;
    let cron = |cron: &str| json!({"cron": cron, "job": {"queue": "q"}}).to_string();
    let zone = |zone: &str| json!({"cron": "@daily", "timezone": zone, "job": {"queue": "q"}}).to_string();
    let job = |field: &str| format!(r#"{{"cron":"@daily","job":{{"queue":"q",{field}}}}}"#);
    for (bad, pointer, words) in [
        (cron("0 0 30 2 *"), "/cron", "never comes"),
        (cron("0 0 * *"), "/cron", "has 4 fields; five are needed"),
        (cron("0 0 * * * *"), "/cron", "has 6 fields"),
        (cron("0 25 * * *"), "/cron", "`25` in the hour: an hour is 0 to 23"),
        (cron("@reboot"), "/cron", "@hourly"),
        (cron(&"*".repeat(256)), "/cron", "255"),
        (zone("Mars/Olympus"), "/timezone", "Europe/Berlin"),
        (zone("+01:00"), "/timezone", "IANA"),
        (zone(&"x".repeat(65)), "/timezone", "64"),
        (job(r#""delay":"5s""#), "/job/delay", "the schedule says when"),
        (job(r#""run_at":"2026-11-20T10:00:00Z""#), "/job/run_at", "the schedule says when"),
        (job(r#""idempotency_key":"k""#), "/job/idempotency_key", "a job of its own"),
        (job(r#""callback":{"url":"https://example.com/hook"}"#), "/job/callback/secret", "must be given"),
        (job(r#""backoff":{"base":"2h","max":"1h"}"#), "/job/backoff/max", "at least"),
        (job(r#""after":["01941f29-7c00-7abc-8def-0123456789ab"]"#), "/job/after", "comes after none"),
        (job(r#""then":[{"queue":"q"}]"#), "/job/then", "not supported yet"),
        (job(r#""key":"k""#), "/job/key", "flow"),
        (job(r#""reply_to":"topic""#), "/job/reply_to", "`/job/reply_to` is not supported yet"),
        (r#"{"cron":"@daily"}"#.to_owned(), "/job", "job"),
    ] {
        let refused = server.call(put("s", &bad)).await;
        refused.is_problem(400, "invalid-request").points_at(pointer);
        assert!(refused.text("/detail").contains(words), "{bad}: {}", refused.text("/detail"));
    }
    let payload = |bytes: usize| job(&format!(r#""payload":"{}""#, "x".repeat(bytes - 2)));
    server.call(put("s", &payload((64 << 10) + 1))).await.is_problem(413, "too-large").points_at("/job/payload");
    server.call(put("s", r#"{"cron":"@daily","job":{"queue":"ackd.x"}}"#)).await.is_problem(403, "forbidden");
    for request in [put("ackd.s", &cron("@daily")), get("ackd.s"), delete("ackd.s")] {
        server.call(request).await.is_problem(403, "forbidden");
    }
    server.call(put("a%20b", &cron("@daily"))).await.is_problem(400, "invalid-request");
    server.faults.fail_next(LedgerError::Full("no room".into()));
    server.call(put("s", &cron("@daily"))).await.is_problem(507, "storage-full");
    server.call(get("s")).await.is_problem(404, "not-found");
    assert_eq!(server.call(put("s", &payload(64 << 10))).await.status, 201);
}

#[tokio::test]
async fn there_are_a_thousand_schedules_and_no_more() {
    let server = Server::start().await;
    let body = r#"{"cron":"@yearly","job":{"queue":"q"}}"#;
    let mut client = server.connect().await;
    for n in 0..1000 {
        assert_eq!(client.call(put(&format!("s{n}"), body)).await.status, 201, "{n}");
    }
    let refused = client.call(put("s1000", body)).await;
    refused.is_problem(400, "invalid-request");
    assert!(refused.text("/detail").contains("1000 schedules"), "{}", refused.text("/detail"));
    assert_eq!(client.call(put("s7", body)).await.status, 200);
}

#[tokio::test]
async fn jobs_are_made_once_over_restarts_and_whatever_the_clock_does() {
    let (ledger, clock) = (SharedLedger::new(), SetClock::at("2026-03-28T00:00:00Z"));
    let server = Server::at(&ledger, Config::default(), clock.clone()).await;
    let nightly =
        r#"{"cron":"30 2 * * *","timezone":"Europe/Berlin","job":{"queue":"q","payload":{"n" : 1},"tags":["t"]}}"#;
    server.call(put("nightly", nightly)).await;
    assert_eq!(jobs(&server).await, 0);
    clock.set("2026-03-28T01:30:00.000Z");
    server.lease("q").await;
    let schedule = shown(&server, "nightly").await;
    // In the next night there is no half past two.
    assert_eq!(
        (&schedule["last_run_at"], &schedule["next_run_at"]),
        (&json!("2026-03-28T01:30:00.000Z"), &json!("2026-03-29T01:00:00.000Z"))
    );
    let job = server.job(schedule["last_job"].as_str().unwrap()).await;
    assert_eq!((job.at("/payload"), job.at("/tags"), job.text("/queue")), (json!({"n": 1}), json!(["t"]), "q".into()));
    assert!(job.text("/created_at").starts_with("2026-03-28T01:30:0"), "{job:?}");
    server.stop().await;

    // A clock that goes back, and another server.
    clock.set("2026-03-28T01:00:00Z");
    let server = Server::at(&ledger, Config::default(), clock.clone()).await;
    clock.set("2026-03-28T01:30:00Z");
    let nothing = Request::post("/v1/leases").json(r#"{"queues":["q"]}"#);
    assert_eq!((server.call(nothing).await.status, jobs(&server).await), (204, 1));
    server.stop().await;

    // Weeks without a server: one job for all that was missed.
    clock.set("2026-04-20T12:00:00Z");
    let server = Server::at(&ledger, Config::default(), clock.clone()).await;
    server.lease("q").await;
    let schedule = shown(&server, "nightly").await;
    assert_eq!(
        (&schedule["last_run_at"], &schedule["next_run_at"]),
        (&json!("2026-04-20T00:30:00.000Z"), &json!("2026-04-21T00:30:00.000Z"))
    );
    assert_eq!(jobs(&server).await, 2);

    // What is due when it is put anew is made.
    clock.set("2026-04-21T00:30:00.000Z");
    server.call(put("nightly", nightly)).await;
    server.lease("q").await;
    assert_eq!(jobs(&server).await, 3);
    assert_eq!(server.call(delete("nightly")).await.status, 204);
    clock.set("2026-05-01T00:00:00Z");
    server.call(put("other", r#"{"cron":"@yearly","job":{"queue":"q"}}"#)).await;
    assert_eq!(jobs(&server).await, 3);
}
