//! Dead jobs of a queue, and running them again.

use serde_json::json;

use crate::common::{Request, Server};

/// Fails one waiting job of `queue` for good, of `error`.
async fn died(server: &Server, queue: &str, error: &str) -> String {
    let id = server.submit(&format!(r#"{{"queue":"{queue}"}}"#)).await;
    let lease = server.lease(queue).await;
    let answer = server.settle(&lease, "fail", &format!(r#"{{"error":{error},"retryable":false}}"#)).await;
    assert_eq!(answer.at("/status"), "FAILED");
    id
}

async fn redrive(server: &Server, query: &str, body: &str) -> crate::common::Answer {
    server.call(Request::post(&format!("/v1/queues/q/redrive{query}")).json(body)).await
}

#[tokio::test]
async fn the_dead_are_told_by_their_causes() {
    let server = Server::start().await;
    let none = server.call(Request::get("/v1/queues/q/dead")).await;
    assert_eq!(none.json(), json!({"causes": []}));
    let quota = r#"{"type":"https://x.example/quota","title":"no more"}"#;
    let first = died(&server, "q", quota).await;
    let second = died(&server, "q", quota).await;
    let third = died(&server, "q", r#""broken pipe""#).await;
    died(&server, "other", quota).await;
    let dead = server.call(Request::get("/v1/queues/q/dead")).await;
    assert_eq!(
        dead.json(),
        json!({"causes": [
            {"cause": "https://x.example/quota", "count": 2, "examples": [second, first]},
            {"cause": "broken pipe", "count": 1, "examples": [third]},
        ]})
    );
    server.call(Request::get("/v1/queues/ackd.bulk/dead")).await.is_problem(403, "forbidden");
}

#[tokio::test]
async fn a_cause_that_was_cut_at_a_blank_is_found_as_it_is_shown() {
    let server = Server::start().await;
    let _bulk = server.bulk();
    let title = format!("{} and more", "x".repeat(254));
    let error = json!({ "title": title }).to_string();
    died(&server, "q", &error).await;
    let cause = server.call(Request::get("/v1/queues/q/dead")).await.text("/causes/0/cause");
    assert_eq!(cause, format!("{} ", "x".repeat(254)));
    let of = async |cause: &str| {
        redrive(&server, "?dry_run=true", &json!({ "cause": cause }).to_string()).await.at("/redriven")
    };
    for given in [&*cause, &title, &format!(" {title}\n")] {
        assert_eq!(of(given).await, 1, "{given:?}");
    }
    let answer = redrive(&server, "", &json!({ "cause": cause }).to_string()).await;
    assert_eq!(answer.at("/redriven"), 1);
    assert_eq!(server.call(Request::get("/v1/queues/q/dead")).await.at("/causes"), json!([]));
    // What surrounds a cause that was not cut does not matter.
    died(&server, "q", r#"" broken pipe ""#).await;
    assert_eq!((of("broken pipe").await, of(" broken pipe ").await), (json!(1), json!(1)));
}

/// A worker's error need not be a good one for its failure to be recorded, shown and run again.
#[tokio::test]
async fn an_error_that_says_little_is_told_all_the_same() {
    let server = Server::start().await;
    let _bulk = server.bulk();
    let errors =
        ["{}", r#"{"detail":"d"}"#, r#"{"type":"about:blank"}"#, r#"{"type":7,"title":null}"#, "null", r#""""#];
    for error in errors {
        let id = died(&server, "q", error).await;
        assert_eq!(server.job(&id).await.at("/error/title"), "failed", "{error}");
    }
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let line = format!(
        r#"{{"lease":"{}","fail":{{"error":{{"title":"no","status":"x","x":1}},"retryable":false}}}}"#,
        server.lease("q").await
    );
    server.call(Request::post("/v1/leases/settle").body("application/x-ndjson", line)).await;
    assert_eq!(server.job(&id).await.at("/error"), json!({"title": "no", "x": 1}));
    let dead = server.call(Request::get("/v1/queues/q/dead")).await.at("/causes");
    let causes: Vec<_> = dead.as_array().unwrap().iter().map(|it| (it["cause"].clone(), it["count"].clone())).collect();
    assert_eq!(causes, [(json!("failed"), json!(errors.len())), (json!("no"), json!(1))]);
    assert_eq!(redrive(&server, "", r#"{"cause":"failed"}"#).await.at("/redriven"), errors.len());
    let lease = server.lease("q").await;
    server.settle(&lease, "fail", r#"{"error":7}"#).await.is_problem(400, "invalid-request").points_at("/error");
}

#[tokio::test]
async fn a_redrive_runs_all_again_or_a_cause_or_some() {
    let server = Server::start().await;
    let _bulk = server.bulk();
    let quota = died(&server, "q", r#"{"type":"quota"}"#).await;
    let broken = died(&server, "q", r#""broken""#).await;
    let other = died(&server, "other", r#""broken""#).await;
    for (body, count) in [("", 2), (r#"{"cause":"quota"}"#, 1), (r#"{"cause":"none"}"#, 0)] {
        let answer = redrive(&server, "?dry_run=true", body).await;
        assert_eq!((answer.status, answer.json()), (202, json!({"redriven": count, "job": null})), "{body}");
    }
    let timeline = server.timeline(&quota).await;
    assert_eq!(timeline, ["submitted", "leased", "failed"], "a dry run changes nothing");

    let answer = redrive(&server, "", r#"{"cause":"quota"}"#).await;
    assert_eq!((answer.status, answer.at("/redriven")), (202, json!(1)));
    let bulk = answer.text("/job");
    assert_eq!(answer.header("location"), Some(&*format!("/v1/jobs/{bulk}")));
    assert_eq!(server.timeline(&quota).await, ["submitted", "leased", "failed", "redriven"]);
    assert_eq!(server.job(&broken).await.at("/status"), "FAILED");

    // Its progress is a job's: by its id it is there for clients, and nowhere else.
    let job = server.job(&bulk).await;
    assert_eq!(
        (job.at("/status"), job.at("/queue"), job.at("/type")),
        (json!("DONE"), json!("ackd.bulk"), json!("redrive"))
    );
    assert_eq!(job.at("/result"), json!({"matched": 1, "changed": 1, "refused": 0}));
    assert_eq!((job.at("/progress/percent"), job.at("/progress/message")), (json!(100.0), json!("1 of 1 changed")));
    assert_eq!(job.at("/payload"), json!({"action": "redrive", "queue": "q", "cause": "quota"}));
    let list = server.call(Request::get("/v1/jobs")).await;
    assert!(!String::from_utf8_lossy(&list.body).contains(&bulk));
    server.call(Request::post("/v1/jobs").json(r#"{"queue":"ackd.bulk"}"#)).await.is_problem(403, "forbidden");

    let named = redrive(&server, "", &json!({"ids": [broken, broken, other, bulk, quota]}).to_string()).await;
    assert_eq!(named.at("/redriven"), 1);
    assert_eq!((server.job(&broken).await.at("/run"), server.job(&other).await.at("/run")), (json!(2), json!(1)));
    assert_eq!(redrive(&server, "", "").await.json(), json!({"redriven": 0, "job": null}));
}

#[tokio::test]
async fn a_throttled_redrive_is_followed_by_its_job() {
    let server = Server::start().await;
    let _bulk = server.bulk();
    for _ in 0..3 {
        died(&server, "q", r#""no""#).await;
    }
    let answer = redrive(&server, "", r#"{"rate":{"limit":1,"per":"20ms"}}"#).await;
    assert_eq!((answer.status, answer.at("/redriven")), (202, json!(3)));
    let job = server.call(Request::get(&format!("/v1/jobs/{}?wait=20s", answer.text("/job")))).await;
    assert_eq!(job.at("/result"), json!({"matched": 3, "changed": 3, "refused": 0}));
    let counts = server.call(Request::get("/v1/queues/q")).await.at("/counts");
    assert_eq!((&counts["INIT"], &counts["FAILED"]), (&json!(3), &json!(0)));
}

#[tokio::test]
async fn a_redrive_that_cannot_be_meant_changes_nothing() {
    let server = Server::start().await;
    let id = died(&server, "q", r#""no""#).await;
    for (body, at) in [
        (r#"{"causes":"no"}"#, "/causes"),
        (r#"{"ids":[]}"#, "/ids"),
        (r#"{"ids":["x"]}"#, "/ids/0"),
        (r#"{"cause":""}"#, "/cause"),
        (r#"{"rate":{"limit":0,"per":"1s"}}"#, "/rate/limit"),
        (r#"{"rate":{"limit":1}}"#, "/rate/per"),
    ] {
        redrive(&server, "", body).await.is_problem(400, "invalid-request").points_at(at);
    }
    redrive(&server, "?dry_run=maybe", "").await.is_problem(400, "invalid-request").points_at("/dry_run");
    redrive(&server, "?dry=true", "").await.is_problem(400, "invalid-request").points_at("/dry");
    assert_eq!(server.timeline(&id).await, ["submitted", "leased", "failed"]);
}

/// Has the dead letters of `queue` go to `dead_letter`.
async fn lead(server: &Server, queue: &str, dead_letter: &str) -> crate::common::Answer {
    let body = json!({"dead_letter": dead_letter}).to_string();
    server.call(Request::new("PATCH", &format!("/v1/queues/{queue}")).json(&body)).await
}

#[tokio::test]
async fn a_dead_letter_leads_to_the_job_that_died() {
    let server = Server::start().await;
    assert_eq!(lead(&server, "q", "graveyard").await.at("/settings/dead_letter"), "graveyard");
    let id = server.submit(r#"{"queue":"q","type":"clip","tags":["demo"],"payload":{"n": 1}}"#).await;
    let lease = server.lease("q").await;
    let fail = r#"{"error":"broken","retryable":false}"#;
    assert_eq!(server.settle(&lease, "fail", fail).await.at("/status"), "FAILED");
    let died = server.job(&id).await;
    assert_eq!((died.at("/status"), died.at("/error/title")), (json!("FAILED"), json!("broken")));
    assert_eq!(died.json().get("dead_letter_of"), None);

    // A worker of the dead-letter queue gets it, payload and all.
    let asked = json!({"queues": ["graveyard"], "wait": "10s"}).to_string();
    let leases = server.call(Request::post("/v1/leases").json(&asked)).await;
    let made = leases.json()["leases"][0]["job"].clone();
    assert_eq!((&made["dead_letter_of"], &made["payload"]), (&json!(id), &json!({"n": 1})));
    assert_eq!((&made["type"], &made["tags"], &made["attempt"]), (&json!("clip"), &json!(["demo"]), &json!(1)));
    let made = made["id"].as_str().unwrap_or_default();
    assert_eq!(server.job(made).await.at("/dead_letter_of"), json!(id));
    assert_eq!(server.timeline(made).await, ["submitted", "leased"]);
}

#[tokio::test]
async fn a_worker_that_waits_gets_the_dead_letter_in_time() {
    let server = Server::start().await;
    lead(&server, "q", "graveyard").await;
    server.submit(r#"{"queue":"q"}"#).await;
    let lease = server.lease("q").await;
    let waits = server.call(Request::post("/v1/leases").json(r#"{"queues":["graveyard"],"wait":"20s"}"#));
    let fails = server.settle(&lease, "fail", r#"{"error":"no","retryable":false}"#);
    let (leases, failed) = tokio::join!(waits, fails);
    assert_eq!((leases.status, failed.status), (200, 200));
}

#[tokio::test]
async fn dead_letters_that_would_come_back_are_refused() {
    let server = Server::start().await;
    lead(&server, "q", "q").await.is_problem(400, "invalid-request").points_at("/dead_letter");
    lead(&server, "q", "a").await;
    lead(&server, "a", "b").await;
    let ring = lead(&server, "b", "q").await;
    ring.is_problem(400, "invalid-request").points_at("/dead_letter");
    assert_eq!(server.call(Request::get("/v1/queues/b")).await.at("/settings/dead_letter"), json!(null));
    lead(&server, "b", "ackd.bulk").await.is_problem(403, "forbidden");
    let put = Request::new("PUT", "/v1/queues/b").json(r#"{"dead_letter":"q"}"#);
    server.call(put).await.is_problem(400, "invalid-request").points_at("/dead_letter");
    for queue in 0..8 {
        lead(&server, &format!("q{}", 7 - queue), &format!("q{}", 8 - queue)).await;
    }
    lead(&server, "more", "q0").await.is_problem(400, "invalid-request").points_at("/dead_letter");
    assert_eq!(lead(&server, "more", "q1").await.status, 200);
}
