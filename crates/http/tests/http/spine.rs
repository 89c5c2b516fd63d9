//! A job from its submission to its result, and back.

use crate::common::{Request, Server};

#[tokio::test]
async fn a_job_is_accepted_worked_and_answered() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let accepted =
        client.call(Request::post("/v1/jobs").json(r#"{"queue":"video","payload":{"file" : "cat.mp4"}}"#)).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let id = accepted.text("/id");
    assert_eq!(accepted.header("location"), Some(&*format!("/v1/jobs/{id}")));
    assert_eq!(accepted.header("content-location"), accepted.header("location"));
    assert_eq!(accepted.header("etag"), Some("W/\"1\""));
    assert_eq!(accepted.header("retry-after"), Some("1"));
    assert_eq!(accepted.at("/status"), "INIT");
    assert!(String::from_utf8_lossy(&accepted.body).contains(r#""payload":{"file" : "cat.mp4"},"#), "{accepted:?}");

    let leased = client.call(Request::post("/v1/leases").json(r#"{"queues":["video"],"worker":"host-1"}"#)).await;
    assert_eq!(leased.status, 200, "{leased:?}");
    let lease = leased.text("/leases/0/lease");
    assert_eq!(leased.at("/leases/0/job/id"), id.as_str());
    assert_eq!(leased.at("/leases/0/job/attempt"), 1);
    assert_eq!(leased.at("/leases/0/expires_in"), "30s");

    let beat = client
        .call(
            Request::post(&format!("/v1/leases/{lease}/heartbeat"))
                .json(r#"{"progress":{"percent":42,"message":"720p"}}"#),
        )
        .await;
    assert_eq!(beat.at("/cancel_requested"), false);
    let job = client.call(Request::get(&format!("/v1/jobs/{id}"))).await;
    assert_eq!((job.at("/status"), job.at("/progress/percent")), ("PROCESSING".into(), 42.0.into()));
    assert_eq!(job.at("/worker"), "host-1");

    let done = client.call(Request::post(&format!("/v1/leases/{lease}/complete")).json(r#"{"result":[1 ,2]}"#)).await;
    assert_eq!(done.json(), serde_json::json!({"id": id, "status": "DONE", "version": 4}));
    let result = client.call(Request::get(&format!("/v1/jobs/{id}/result"))).await;
    assert_eq!((result.status, &*result.body), (200, &b"[1 ,2]"[..]));
    let job = client.call(Request::get(&format!("/v1/jobs/{id}"))).await;
    assert_eq!((job.at("/status"), job.at("/result")), ("DONE".into(), serde_json::json!([1, 2])));
    assert_eq!(job.header("retry-after"), None);
    server.stop().await;
}
