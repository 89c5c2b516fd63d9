//! CloudEvents: jobs that are asked for by an event, and jobs that are told as one.

use ackd_http::{Config, Limits};
use serde_json::json;

use crate::common::{Answer, Request, Server};

const EVENT: &str = r#"{"specversion":"1.0","id":"A-1","source":"/shop","type":"order.placed","data":{"a" : 1}}"#;
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn structured(event: &str) -> Request {
    Request::post("/v1/jobs").body("application/cloudevents+json; charset=UTF-8", event)
}

/// An event in binary mode, without a body.
fn binary() -> Request {
    let headers = [("specversion", "1.0"), ("id", "A-1"), ("source", "/shop"), ("type", "order.placed")];
    let add = |request: Request, (name, value): (&str, &str)| request.header(&format!("ce-{name}"), value);
    headers.into_iter().fold(Request::post("/v1/jobs"), add)
}

async fn payload(server: &Server, id: &str) -> (u16, Option<String>, Vec<u8>) {
    let answer = server.call(Request::get(&format!("/v1/jobs/{id}/payload"))).await;
    (answer.status, answer.header("content-type").map(str::to_owned), answer.body)
}

fn accepted(answer: &Answer) -> String {
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
    answer.text("/id")
}

#[tokio::test]
async fn an_event_asks_for_a_job_and_the_same_again_gets_it() {
    let server = Server::start().await;
    let first = server.call(structured(EVENT)).await;
    let id = accepted(&first);
    for (pointer, value) in [
        ("/queue", json!("order.placed")),
        ("/type", json!("order.placed")),
        ("/idempotency_key", json!("/shop A-1")),
        ("/payload", json!({"a": 1})),
        ("/payload_info", json!({"content_type": "application/json", "size": 9})),
        ("/traceparent", json!(null)),
    ] {
        assert_eq!(first.at(pointer), value, "{pointer}");
    }
    assert_eq!((first.header("idempotent-replayed"), first.header("location").is_some()), (None, true));
    // Byte for byte.
    assert_eq!(payload(&server, &id).await.2, br#"{"a" : 1}"#);

    // In either form; what is not kept of an event is not compared.
    let later = EVENT.replace("\"id\"", "\"time\":\"2026-11-20T10:00:00Z\",\"partitionkey\":7,\"id\"");
    let by_headers = binary().body("application/json", r#"{"a" : 1}"#);
    for again in [structured(EVENT), structured(&later), by_headers] {
        let again = server.call(again).await;
        assert_eq!((accepted(&again), again.header("idempotent-replayed")), (id.clone(), Some("true")));
    }
    let other = EVENT.replace("{\"a\" : 1}", "2");
    server.call(structured(&other)).await.is_problem(422, "idempotency-mismatch");
    let elsewhere = EVENT.replace("/shop", "/store");
    assert_ne!(accepted(&server.call(structured(&elsewhere)).await), id);
}

#[tokio::test]
async fn an_event_names_its_queue_and_its_trace() {
    let server = Server::start().await;
    let event = EVENT.replace("\"id\"", &format!("\"ackdqueue\":\"orders\",\"traceparent\":\"{TRACE}\",\"id\""));
    let answer = server.call(structured(&event).header("prefer", "wait=0")).await;
    assert_eq!((answer.at("/queue"), answer.at("/type")), (json!("orders"), json!("order.placed")));
    assert_eq!((answer.at("/traceparent"), answer.header("preference-applied")), (json!(TRACE), Some("wait=0")));
    let by_header = EVENT.replace("A-1", "A-2");
    let answer = server.call(structured(&by_header).header("traceparent", TRACE)).await;
    assert_eq!(answer.at("/traceparent"), TRACE);
    let binary = binary().header("ce-ackdqueue", "orders").header("ce-traceparent", TRACE);
    let answer = server.call(binary.header("idempotency-key", "/shop A-1").json(r#"{"a" : 1}"#)).await;
    assert_eq!((answer.status, answer.at("/queue")), (202, json!("orders")));
}

#[tokio::test]
async fn data_is_kept_as_what_it_is() {
    let server = Server::start().await;
    let event =
        |at: usize, data: &str| format!(r#"{{"specversion":"1.0","id":"{at}","source":"/s","type":"t"{data}}}"#);
    for (at, (data, status, content_type, bytes)) in [
        ("", 204, None, &b""[..]),
        (r#","data":null"#, 200, Some("application/json"), b"null"),
        (r#","datacontenttype":"text/plain","data":"\u00e4\n""#, 200, Some("text/plain"), "ä\n".as_bytes()),
        (r#","datacontenttype":"application/xml","data":"<a/>""#, 200, Some("application/xml"), b"<a/>"),
        (r#","datacontenttype":"image/png","data_base64":"AP/+""#, 200, Some("image/png"), b"\0\xff\xfe"),
        (r#","data_base64":"""#, 200, Some("application/json"), b""),
    ]
    .into_iter()
    .enumerate()
    {
        let id = accepted(&server.call(structured(&event(at, data))).await);
        let expected = (status, content_type.map(str::to_owned), bytes.to_vec());
        assert_eq!(payload(&server, &id).await, expected, "{data}");
    }
    for bad in ["AP/", "AP_-", "A", "AP/+\\n", "AQ=", "AR=="] {
        let data = format!(r#","data_base64":"{bad}""#);
        server.call(structured(&event(99, &data))).await.is_problem(400, "invalid-request").points_at("/data_base64");
    }
}

#[tokio::test]
async fn the_body_of_an_event_in_binary_mode_is_its_data() {
    let server = Server::start().await;
    let with_id = |id: &str| Request::post("/v1/jobs").header("ce-specversion", "1.0").header("ce-id", id);
    let event = |id: &str| with_id(id).header("ce-source", "/s").header("ce-type", "t").header("CE-Subject", "a%20b");
    let id = accepted(&server.call(event("1").body("image/png", b"\0\xff".to_vec())).await);
    assert_eq!(payload(&server, &id).await, (200, Some("image/png".into()), b"\0\xff".to_vec()));
    let id = accepted(&server.call(event("2").bare_body("x")).await);
    assert_eq!(payload(&server, &id).await, (200, Some("application/octet-stream".into()), b"x".to_vec()));
    let id = accepted(&server.call(event("3")).await);
    assert_eq!(payload(&server, &id).await.0, 204);
    // Neither what an event is in nor lines are looked at: they are its data.
    let id = accepted(&server.call(event("4").ndjson("{}\n{}\n")).await);
    assert_eq!(payload(&server, &id).await.2, b"{}\n{}\n");
    // Values are decoded.
    let answer = server.call(event("%E2%82%AC%20\u{20ac}").bare_body("x")).await;
    assert_eq!(answer.at("/idempotency_key"), "/s \u{20ac} \u{20ac}");
    // A document is one, whatever headers go with it (section 3.2.3).
    let both = structured(EVENT).header("ce-id", "other").header("ce-specversion", "1.0");
    assert_eq!(server.call(both).await.at("/idempotency_key"), "/shop A-1");
}

#[tokio::test]
async fn what_is_no_event_is_refused_and_named() {
    let server = Server::start().await;
    let missing = server.call(structured("{}")).await;
    for pointer in ["/specversion", "/id", "/source", "/type"] {
        missing.is_problem(400, "invalid-request").points_at(pointer);
    }
    // One header of an event makes the others missing.
    let missing = server.call(Request::post("/v1/jobs").header("ce-id", "1").json(r#"{"queue":"q"}"#)).await;
    missing
        .is_problem(400, "invalid-request")
        .points_at("/ce-specversion")
        .points_at("/ce-source")
        .points_at("/ce-type");
    for (name, value) in [("ce-datacontenttype", "a/b"), ("ce-subject", "%ff"), ("ce-my-ext", "x"), ("ce-id", "again")]
    {
        let answer = server.call(binary().header(name, value).json("1")).await;
        answer.is_problem(400, "invalid-request").points_at(&format!("/{name}"));
    }
    for body in ["", "[]", "{", "[{}]"] {
        server.call(structured(body)).await.is_problem(400, "invalid-request");
    }
    let reserved = EVENT.replace("order.placed", "ackd.job.done");
    server.call(structured(&reserved)).await.is_problem(403, "forbidden").points_at("/type");
    let reserved = binary().header("ce-ackdqueue", "ackd.x").json("1");
    server.call(reserved).await.is_problem(403, "forbidden").points_at("/ce-ackdqueue");
    let keyed = server.call(structured(EVENT).header("idempotency-key", "other")).await;
    assert!(keyed.is_problem(400, "invalid-request").text("/detail").contains("idempotency-key"));
    let partial = Request::post("/v1/jobs?partial=true").body("application/cloudevents+json", EVENT);
    server.call(partial).await.is_problem(400, "invalid-request").points_at("/partial");
    for media in ["application/cloudevents-batch+json", "application/cloudevents+avro", "application/cloudevents"] {
        let answer = server.call(Request::post("/v1/jobs").body(media, format!("[{EVENT}]"))).await;
        answer.is_problem(415, "unsupported-media-type");
    }
    assert_eq!(server.call(Request::get("/v1/jobs")).await.at("/jobs"), json!([]));
}

#[tokio::test]
async fn data_is_as_large_as_a_payload_may_be() {
    let server = Server::limited(Limits { payload: 3000, ..Limits::default() }).await;
    let json = |bytes: usize| EVENT.replace("{\"a\" : 1}", &format!("{:?}", "x".repeat(bytes - 2)));
    accepted(&server.call(structured(&json(3000))).await);
    server.call(structured(&json(3001))).await.is_problem(413, "too-large").points_at("/data");
    let base64 =
        |groups: usize| EVENT.replace("\"data\":{\"a\" : 1}", &format!("\"data_base64\":{:?}", "AAAA".repeat(groups)));
    accepted(&server.call(structured(&base64(1000).replace("A-1", "A-2"))).await);
    server.call(structured(&base64(1001))).await.is_problem(413, "too-large").points_at("/data_base64");
    let bare = |bytes: usize| binary().header("ce-ackdqueue", "q").body("text/plain", "x".repeat(bytes));
    server.call(bare(3001)).await.is_problem(413, "too-large");
}

#[tokio::test]
async fn a_job_is_told_as_an_event_to_who_would_have_it_so() {
    let public = Config { public_url: Some("https://ackd.example/".into()), ..Config::default() };
    let servers = [(Server::start().await, "/"), (Server::with(public).await, "https://ackd.example")];
    for (server, source) in servers {
        let id = server.submit(r#"{"queue":"q","payload":{"a" : 1}}"#).await;
        let get = |accept: &str| Request::get(&format!("/v1/jobs/{id}")).header("accept", accept);
        let event = server.call(get("application/cloudevents+json, application/json;q=0.9")).await;
        assert_eq!((event.status, event.header("content-type")), (200, Some("application/cloudevents+json")));
        assert_eq!((event.header("vary"), event.header("etag")), (Some("Accept"), Some("W/\"1\"")));
        for (pointer, value) in [
            ("/specversion", json!("1.0")),
            ("/id", json!(format!("{id}/1"))),
            ("/source", json!(source)),
            ("/type", json!("ackd.job.init")),
            ("/subject", json!(id)),
            ("/datacontenttype", json!("application/json")),
            ("/data/id", json!(id)),
            ("/data/payload", json!({"a": 1})),
        ] {
            assert_eq!(event.at(pointer), value, "{pointer}");
        }
        let document = server.call(get("*/*")).await;
        assert_eq!(document.header("content-type"), Some("application/json"));
        assert_eq!((document.header("vary"), document.at("/id")), (Some("Accept"), json!(id)));
        assert_eq!(event.at("/time"), document.at("/created_at"));

        // What an event tells is an event that asks for a job, where it names a queue that is not the server's own.
        let told = String::from_utf8(event.body.clone()).unwrap();
        let asks = told.replacen('{', r#"{"ackdqueue":"copies","#, 1);
        let copy = server.call(structured(&asks)).await;
        assert_eq!(accepted(&copy), copy.text("/id"));
        assert_eq!(copy.text("/idempotency_key"), format!("{source} {id}/1"));
    }
}

#[tokio::test]
async fn a_long_poll_ends_with_an_event_too() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let get = Request::get(&format!("/v1/jobs/{id}?wait=20s")).header("accept", "application/cloudevents+json");
    let mut client = server.connect().await;
    client.send(&get).await;
    let lease = server.lease("q").await;
    server.settle(&lease, "complete", r#"{"result":[1]}"#).await;
    let event = client.finish(&get).await;
    assert_eq!((event.at("/type"), event.at("/data/result")), (json!("ackd.job.done"), json!([1])));
    assert_eq!((event.at("/id"), event.at("/time")), (json!(format!("{id}/3")), event.at("/data/finished_at")));
    let known = Request::get(&format!("/v1/jobs/{id}")).header("if-none-match", "W/\"3\"");
    let same = server.call(known).await;
    assert_eq!((same.status, same.header("vary")), (304, Some("Accept")));
}
