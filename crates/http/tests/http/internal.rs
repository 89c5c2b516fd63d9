//! The server's own jobs: for clients there are none.

use ackd_domain::{
    Answer, Body, Callback, Command, Delivery, JobId, NewDelivery, Secret, Target, WebhookEvent, WebhookEvents,
    WebhookFormat,
};
use bytes::Bytes;
use serde_json::json;

use crate::common::{Request, Server};
use crate::socket::Socket;

/// A delivery that tells of `source`.
async fn delivery(server: &Server, source: &str) -> String {
    let callback = Callback {
        url: "https://example.com/hook".into(),
        events: WebhookEvents::ALL,
        format: WebhookFormat::Standard,
        secret: Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    };
    let (source, target): (JobId, _) = (source.parse().unwrap(), Target::Callback(callback.into()));
    let webhook_id = Delivery::webhook_id(source, 2, &target);
    let delivery = Delivery { source, webhook_id, event: WebhookEvent::Cancelled, target };
    let body = Body { content_type: "application/json".into(), bytes: Bytes::from_static(b"{}") };
    let deliveries = vec![NewDelivery { delivery, body }];
    let answers = server.engine.run(vec![Command::Deliver { advance: None, deliveries }]).await.unwrap();
    match &answers[..] {
        [Ok(Answer::Accepted(accepted))] => accepted[0].job.id.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_delivery_s_id_is_no_job_s() {
    let server = Server::start().await;
    let job = server.submit(r#"{"queue":"q"}"#).await;
    let delivery = delivery(&server, &job).await;
    let paths = ["", "/payload", "/result", "/timeline", "/events", "?wait=1s"];
    let gets = paths.map(|path| Request::get(&format!("/v1/jobs/{delivery}{path}")));
    let posts = ["cancel", "retry"].map(|verb| Request::post(&format!("/v1/jobs/{delivery}/{verb}")));
    let feed = Request::get(&format!("/v1/events?job={delivery}"));
    let delete = Request::new("DELETE", &format!("/v1/jobs/{delivery}"));
    for request in gets.into_iter().chain(posts).chain([feed, delete]) {
        server.call(request).await.is_problem(404, "not-found");
    }
    // The same for one who pretends to know it already.
    let after = server.job(&job).await.text("/position");
    let resumed = Request::get(&format!("/v1/jobs/{delivery}/events?after={after}"));
    server.call(resumed).await.is_problem(404, "not-found");
    let mut socket = Socket::open(&server).await;
    socket.say(json!({"op": "subscribe", "sid": "a", "job": delivery})).await;
    let told = socket.hear().await;
    assert_eq!((&told["op"], &told["problem"]["code"]), (&json!("error"), &json!("not-found")), "{told}");
}

#[tokio::test]
async fn deliveries_are_in_no_list_feed_count_or_metric() {
    let server = Server::start().await;
    let job = server.submit(r#"{"queue":"q"}"#).await;
    let begin = server.job(&job).await.text("/position");
    let delivery = delivery(&server, &job).await;
    let list = server.call(Request::get("/v1/jobs")).await;
    assert_eq!((list.at("/jobs/0/id"), list.at("/jobs").as_array().unwrap().len()), (json!(job), 1));
    let queues = server.call(Request::get("/v1/queues")).await;
    assert_eq!((queues.at("/queues/0/name"), queues.at("/queues").as_array().unwrap().len()), (json!("q"), 1));
    let metrics = server.call(Request::get("/metrics")).await;
    let metrics = String::from_utf8(metrics.body).unwrap();
    assert!(!metrics.contains("ackd.webhooks") && !metrics.contains(&delivery), "{metrics}");

    // What follows a delivery is told, and the delivery is not.
    let last = server.submit(r#"{"queue":"q"}"#).await;
    let mut client = server.connect().await;
    client.send(&Request::get(&format!("/v1/events?after={begin}"))).await;
    let told = client.until(last.as_bytes()).await.unwrap();
    assert!(!String::from_utf8_lossy(&told).contains(&delivery), "{}", String::from_utf8_lossy(&told));
    let mut socket = Socket::open(&server).await;
    socket.say(json!({"op": "subscribe", "sid": "a", "after": begin})).await;
    let told = socket.hear().await;
    assert_eq!((&told["op"], &told["job"]["id"]), (&json!("event"), &json!(last)), "{told}");
}

#[tokio::test]
async fn the_server_s_own_names_are_refused() {
    let server = Server::start().await;
    for request in [
        Request::post("/v1/leases").json(r#"{"queues":["q"],"worker":"ackd.sender"}"#),
        Request::post("/v1/queues/q/lease?worker=ackd.sender"),
    ] {
        server.call(request).await.is_problem(403, "forbidden").points_at("/worker");
    }
    for request in [
        Request::post("/v1/leases").json(r#"{"queues":["ackd.webhooks"]}"#),
        Request::post("/v1/queues/ackd.webhooks/lease"),
        Request::post("/v1/workers/ackd.sender/release"),
        Request::post("/v1/queues/ackd.webhooks/jobs").body("text/plain", "x"),
        Request::post("/v1/queues/ackd.webhooks/pause"),
        Request::get("/v1/queues/ackd.webhooks"),
        Request::get("/v1/jobs?queue=ackd.webhooks"),
        Request::get("/v1/events?queue=ackd.webhooks"),
    ] {
        server.call(request).await.is_problem(403, "forbidden");
    }
    let wrong = server.call(Request::post("/v1/queues/q/lease?worker=a%20b")).await;
    wrong.is_problem(400, "invalid-request").points_at("/worker");
    assert_eq!(server.call(Request::post("/v1/workers/ackd/release")).await.status, 200);
}
