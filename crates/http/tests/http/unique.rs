//! One unfinished job of a queue for each unique key.

use serde_json::json;

use crate::common::{Answer, Request, Server};

async fn submit(server: &Server, envelope: &str) -> Answer {
    server.call(Request::post("/v1/jobs").json(envelope)).await
}

fn said(answer: &Answer) -> (u16, Option<&str>, Option<&str>) {
    (answer.status, answer.header("unique-kept"), answer.header("unique-replaced"))
}

#[tokio::test]
async fn a_further_submission_is_answered_with_the_job_that_is_there() {
    let server = Server::start().await;
    let first = submit(&server, r#"{"queue":"q","unique":"k","payload":1}"#).await;
    assert_eq!((said(&first), first.at("/unique")), ((202, None, None), json!("k")));
    let kept = submit(&server, r#"{"queue":"q","unique":{"key":"k"},"payload":2,"delay":"1h"}"#).await;
    assert_eq!(said(&kept), (202, Some("true"), None));
    assert_eq!((kept.at("/id"), kept.at("/payload"), kept.at("/version")), (first.at("/id"), json!(1), json!(1)));
    assert_eq!(kept.header("location"), first.header("location"));
    // As a parameter of the raw form too, to its edge and one beyond.
    let raw = |key: &str| Request::post(&format!("/v1/queues/q/jobs?unique={key}")).json("3");
    assert_eq!(said(&server.call(raw("k")).await), (202, Some("true"), None));
    assert_eq!(said(&server.call(raw(&"k".repeat(512))).await), (202, None, None));
    server.call(raw(&"k".repeat(513))).await.is_problem(400, "invalid-request").points_at("/unique");
    server.call(raw("")).await.is_problem(400, "invalid-request").points_at("/unique");
    let elsewhere = submit(&server, r#"{"queue":"r","unique":"k"}"#).await;
    assert_eq!(said(&elsewhere), (202, None, None));
    let plain = server.submit(r#"{"queue":"q"}"#).await;
    assert_eq!(server.job(&plain).await.at("").get("unique"), None);
}

#[tokio::test]
async fn what_waits_takes_the_new_payload_and_time_and_what_runs_is_kept() {
    let server = Server::start().await;
    let first = submit(&server, r#"{"queue":"q","unique":"k","payload":{"n":1},"delay":"1h"}"#).await;
    let debounced = r#"{"queue":"q","unique":{"key":"k","policy":"debounce"},"payload":{"n":2},"delay":"1m"}"#;
    let debounced = submit(&server, debounced).await;
    assert_eq!(said(&debounced), (202, None, Some("true")));
    assert_eq!((debounced.at("/id"), debounced.at("/payload")), (first.at("/id"), json!({"n": 2})));
    assert_eq!(debounced.at("/run_at"), first.at("/run_at"), "it is brought forward");
    let replace = r#"{"queue":"q","unique":{"key":"k","policy":"replace"},"payload":{"n":3}}"#;
    let replaced = submit(&server, replace).await;
    assert_eq!((said(&replaced), replaced.at("/version")), ((202, None, Some("true")), json!(3)));
    let id = first.text("/id");
    let payload = server.call(Request::get(&format!("/v1/jobs/{id}/payload"))).await;
    assert_eq!(&*payload.body, br#"{"n":3}"#);
    let leased = server.call(Request::post("/v1/queues/q/lease")).await;
    assert_eq!((&*leased.body, leased.header("ackd-job")), (&br#"{"n":3}"#[..], Some(&*id)));
    let running = submit(&server, replace).await;
    assert_eq!((said(&running), running.at("/status")), ((202, Some("true"), None), json!("PROCESSING")));
    assert_eq!(server.timeline(&id).await, ["submitted", "replaced", "replaced", "leased"]);
    // Two that are done with it at once: the key is free, and a further run of the first would be a second one.
    let lease = leased.header("ackd-lease").unwrap();
    let fail = Request::post(&format!("/v1/leases/{lease}/fail")).json(r#"{"error":"no","retryable":false}"#);
    assert_eq!(server.call(fail).await.status, 200);
    let next = submit(&server, replace).await;
    assert_eq!(said(&next), (202, None, None));
    let retry = server.call(Request::post(&format!("/v1/jobs/{id}/retry"))).await;
    retry.is_problem(409, "not-unique");
    assert!(retry.text("/detail").contains(&next.text("/id")), "{retry:?}");
    server.call(Request::post(&format!("/v1/jobs/{}/cancel", next.text("/id")))).await;
    assert_eq!(server.call(Request::post(&format!("/v1/jobs/{id}/retry"))).await.status, 200);
}

#[tokio::test]
async fn lines_and_frames_say_what_became_of_them() {
    let server = Server::start().await;
    let lines = [
        r#"{"queue":"q","unique":"k","payload":1}"#,
        r#"{"queue":"q","unique":"k","payload":2}"#,
        r#"{"queue":"q","unique":{"key":"k","policy":"replace"},"payload":3}"#,
    ];
    let request = || Request::post("/v1/jobs").body("application/x-ndjson", lines.join("\n").as_bytes());
    let answer = server.call(request()).await;
    let said = |answer: &Answer| -> Vec<_> {
        let lines = answer.lines();
        lines.iter().map(|line| (line["kept"].as_bool(), line["replaced"].as_bool())).collect()
    };
    assert_eq!(said(&answer), [(None, None), (Some(true), None), (None, Some(true))]);
    let ids: Vec<_> = answer.lines().iter().map(|line| line["id"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let again = server.call(request()).await;
    assert_eq!(said(&again), [(Some(true), None), (Some(true), None), (None, Some(true))]);
    assert_eq!(server.job(ids[0].as_str().unwrap()).await.at("/payload"), 3);
}

#[tokio::test]
async fn what_belongs_together_cannot_be_unique_by_itself() {
    let server = Server::start().await;
    let flow = r#"{"jobs":[{"key":"a","queue":"q","unique":"k"}]}"#;
    let flow = server.call(Request::post("/v1/flows").json(flow)).await;
    flow.is_problem(400, "invalid-request").points_at("/jobs/0/unique");
    let then = r#"{"queue":"q","then":[{"queue":"q","unique":"k"}]}"#;
    submit(&server, then).await.is_problem(400, "invalid-request").points_at("/then/0/unique");
    for policy in ["nothing", ""] {
        let unknown = format!(r#"{{"queue":"q","unique":{{"key":"k","policy":"{policy}"}}}}"#);
        submit(&server, &unknown).await.is_problem(400, "invalid-request").points_at("/unique/policy");
    }
}

/// Runs of a schedule that take longer than its interval do not pile up.
#[tokio::test]
async fn a_schedule_shows_the_unique_key_of_its_jobs() {
    let server = Server::start().await;
    let put = |unique: &str| {
        let body = format!(r#"{{"cron":"* * * * *","job":{{"queue":"q","unique":{unique}}}}}"#);
        Request::new("PUT", "/v1/schedules/s").json(&body)
    };
    assert_eq!(server.call(put(r#""sync""#)).await.at("/job/unique"), "sync");
    let long = r#"{"key":"sync","policy":"debounce"}"#;
    assert_eq!(server.call(put(long)).await.at("/job/unique"), json!({"key": "sync", "policy": "debounce"}));
}
