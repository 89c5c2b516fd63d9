//! `/openapi.json` says what the routes do: every answer in these tests is checked against it (see `contract`), and
//! here that nothing is missing in it.

use std::collections::BTreeSet;

use ackd_api::QueryEnvelope;
use serde_json::{Value, json};

use crate::common::{Request, Server};
use crate::contract;

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"];

/// Every operation: its path, its method and what is said of it.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().unwrap().clone();
        let path = path.clone();
        methods.into_iter().map(move |(method, operation)| (path.clone(), method.to_uppercase(), operation))
    };
    paths.iter().flat_map(of_path).collect()
}

#[tokio::test]
async fn the_document_is_openapi_and_complete_in_itself() {
    let server = Server::start().await;
    let document = server.call(Request::get("/openapi.json")).await.json();
    assert_eq!((&document["openapi"], &document["info"]["title"]), (&json!("3.1.0"), &json!("ackd")));
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert!(ids.insert(id.clone()), "{id} stands twice");
        let of_path = operation["parameters"].as_array().unwrap().iter().filter(|it| it["in"] == "path").count();
        assert_eq!(of_path, path.matches('{').count(), "{method} {path}");
        assert!(
            operation["responses"].as_object().unwrap().keys().any(|status| status.starts_with('2') || status == "101")
        );
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
    }
    assert_eq!(document["components"]["schemas"]["Envelope"]["required"], json!(["queue"]));
}

#[tokio::test]
async fn what_is_not_described_is_not_there() {
    let server = Server::start().await;
    let document = server.document().await;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let target = path.replace("{id}", "01941f29-7c00-7abc-8def-0123456789ab").replace(['{', '}'], "");
        for method in METHODS {
            let described = methods.get(method.to_lowercase()).is_some();
            let answer = server.call(Request::new(method, &format!("{target}?nonsense=1"))).await;
            if described {
                answer.is_problem(400, "invalid-request").points_at("/nonsense");
            } else {
                answer.is_problem(405, "method-not-allowed");
                let allowed = answer.header("allow").unwrap();
                let named: BTreeSet<_> = allowed.split(", ").filter(|it| !matches!(*it, "HEAD" | "OPTIONS")).collect();
                let known: BTreeSet<_> = methods.as_object().unwrap().keys().map(|it| it.to_uppercase()).collect();
                assert_eq!(named, known.iter().map(String::as_str).collect(), "{path}");
            }
        }
    }
}

#[tokio::test]
async fn every_query_parameter_that_is_described_is_known() {
    let server = Server::start().await;
    for (path, method, operation) in operations(server.document().await) {
        let target = path.replace("{id}", "x").replace(['{', '}'], "");
        for parameter in operation["parameters"].as_array().unwrap().iter().filter(|it| it["in"] == "query") {
            let name = parameter["name"].as_str().unwrap().replace("<path>", "a.b");
            let request = Request::new(&method, &format!("{target}?{name}=%00"));
            let mut client = server.connect().await;
            client.send(&request).await;
            if client.head().await.status == 200 {
                // It was understood; a stream of events never ends.
                continue;
            }
            let answer = server.call(request).await;
            assert!(
                !String::from_utf8_lossy(&answer.body).contains("is not a query parameter"),
                "{method} {path} {name}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_taken_is_described() {
    let server = Server::start().await;
    let document = server.document().await;
    // A duration in a query may be a number of seconds, and a part of settings null for its default.
    let job = &document["paths"]["/v1/jobs/{id}"]["get"]["parameters"];
    let wait = job.as_array().unwrap().iter().find(|it| it["name"] == "wait").unwrap();
    assert_eq!(wait["schema"]["anyOf"][0]["type"], "integer");
    let push = &document["components"]["schemas"]["Push"]["properties"]["async"];
    assert_eq!(push["type"], json!(["boolean", "null"]));
    let put = Request::new("PUT", "/v1/queues/q").json(r#"{"push":{"url":"https://example.com","async":null}}"#);
    assert_eq!(server.call(put).await.at("/settings/push/async"), json!(false));
    server.call(Request::new("PUT", "/v1/queues/q").json(r#"["1m",5]"#)).await.is_problem(400, "invalid-request");
    // A job that comes again is not all that a job can be.
    let job =
        document["components"]["schemas"]["ScheduleRequest"]["properties"]["job"]["description"].as_str().unwrap();
    let id = server.submit(r#"{"queue":"q"}"#).await;
    for (field, value) in [
        ("delay", json!("1s")),
        ("run_at", json!("2026-12-24T18:00:00Z")),
        ("idempotency_key", json!("k")),
        ("after", json!([id])),
        ("on_failure", json!("wait")),
        ("then", json!([{"queue": "q"}])),
        ("payload_file", json!("f")),
    ] {
        assert!(job.contains(&format!("`{field}`")), "{field}: {job}");
        let body = json!({"cron": "@daily", "job": {"queue": "q", field: value}}).to_string();
        let answer = server.call(Request::new("PUT", "/v1/schedules/s").json(&body)).await;
        answer.is_problem(400, "invalid-request").points_at(&format!("/job/{field}"));
    }
    // A list that may be left out may be null.
    let lists = r#""queue":"q","tags":null,"after":null,"then":null"#;
    let envelope = &document["components"]["schemas"]["Envelope"]["properties"];
    for list in ["tags", "after", "then"] {
        assert_eq!(envelope[list]["type"], json!(["array", "null"]), "{list}");
    }
    for (method, target, body) in [
        ("POST", "/v1/jobs", format!("{{{lists}}}")),
        ("POST", "/v1/flows", format!(r#"{{"jobs":[{{"key":"a",{lists}}}]}}"#)),
        ("PUT", "/v1/schedules/s", format!(r#"{{"cron":"@daily","job":{{{lists}}}}}"#)),
        ("POST", "/v1/leases", r#"{"queues":["q"],"types":null}"#.to_owned()),
        ("PUT", "/v1/webhooks/w", r#"{"url":"https://example.com","queues":null,"events":null}"#.to_owned()),
    ] {
        let answer = server.call(Request::new(method, target).json(&body)).await;
        assert!(answer.status < 300, "{target}: {answer:?}");
    }
}

#[test]
fn the_parameters_of_a_raw_submission_are_the_envelope_s() {
    let schema = schemars::schema_for!(QueryEnvelope<'_>).to_value();
    let fields: BTreeSet<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let document = runtime.block_on(async { Server::start().await.document().await.clone() });
    let (_, path) = contract::template(&document, "/v1/queues/q/jobs").unwrap();
    let parameters = path["post"]["parameters"].as_array().unwrap().iter().filter(|it| it["in"] == "query");
    let names: BTreeSet<_> = parameters.map(|it| it["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, fields);
}

/// A call of each operation that succeeds.
#[tokio::test]
async fn every_operation_that_is_described_does_what_it_says() {
    let server = Server::start().await;
    let mut called = BTreeSet::new();
    let document = server.document().await;
    let mut call = async |request: Request| {
        let path = request.target().split('?').next().unwrap().to_owned();
        let (template, methods) = contract::template(document, &path).unwrap();
        // HEAD is described with GET.
        let operation = &methods[request.method().to_lowercase().replace("head", "get")];
        let answer = server.call(request).await;
        assert!(answer.status < 300, "{template}: {answer:?}");
        called.insert(operation["operationId"].as_str().unwrap().to_owned());
        answer
    };
    let id = call(Request::post("/v1/jobs").json(r#"{"queue":"q","payload":1}"#)).await.text("/id");
    for _ in 0..6 {
        call(Request::post("/v1/queues/q/jobs").json("2")).await;
    }
    for target in ["/v1/jobs", "/v1/queues", "/v1/queues/q", "/healthz", "/readyz", "/metrics", "/openapi.json"] {
        call(Request::get(target)).await;
    }
    call(Request::get("/problems/timeout")).await;
    call(Request::new("PUT", "/v1/queues/q").json(r#"{"lease_ttl":"1m"}"#)).await;
    call(Request::new("PATCH", "/v1/queues/q").json(r#"{"lease_ttl":null}"#)).await;
    call(Request::post("/v1/queues/q/pause")).await;
    call(Request::post("/v1/queues/q/drain")).await;
    call(Request::post("/v1/queues/q/resume")).await;
    let leased = call(Request::post("/v1/leases").json(r#"{"queues":["q"],"max":6,"worker":"w"}"#)).await;
    let lease = |at: usize| leased.text(&format!("/leases/{at}/lease"));
    call(Request::post(&format!("/v1/leases/{}/heartbeat", lease(0))).json("{}")).await;
    call(Request::post(&format!("/v1/leases/{}/complete", lease(0))).json(r#"{"result":1}"#)).await;
    call(Request::post(&format!("/v1/leases/{}/result", lease(1))).json("1")).await;
    call(Request::post(&format!("/v1/leases/{}/fail", lease(2))).json(r#"{"retryable":false}"#)).await;
    call(Request::get("/v1/queues/q/dead")).await;
    call(Request::post("/v1/queues/q/redrive?dry_run=true")).await;
    call(Request::post("/v1/queues/none/purge?confirm=none")).await;
    call(Request::post("/v1/jobs/bulk").json(r#"{"filter":{"queue":"none"},"action":"retry"}"#)).await;
    call(Request::post(&format!("/v1/leases/{}/release", lease(3))).json("{}")).await;
    let line = format!("{{\"lease\":\"{}\",\"complete\":{{}}}}", lease(4));
    call(Request::post("/v1/leases/settle").ndjson(&line)).await;
    call(Request::post("/v1/queues/q/lease")).await;
    call(Request::post("/v1/workers/w/release")).await;
    for of_job in ["", "/payload", "/result", "/timeline", "/events"] {
        call(Request::get(&format!("/v1/jobs/{id}{of_job}"))).await;
    }
    let head = call(Request::new("HEAD", "/v1/events")).await;
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    call(Request::new("PUT", "/v1/webhooks/w").json(r#"{"url":"https://example.com","queues":["r"]}"#)).await;
    call(Request::get("/v1/webhooks")).await;
    call(Request::get("/v1/webhooks/w")).await;
    call(Request::new("PUT", "/v1/schedules/s").json(r#"{"cron":"@yearly","job":{"queue":"r"}}"#)).await;
    call(Request::get("/v1/schedules")).await;
    call(Request::get("/v1/schedules/s")).await;
    call(Request::new("DELETE", "/v1/schedules/s")).await;
    let other = call(Request::post("/v1/jobs").json(r#"{"queue":"r"}"#)).await.text("/id");
    let deliverer = server.deliver();
    call(Request::post(&format!("/v1/jobs/{other}/cancel"))).await;
    let deliveries = Request::get(&format!("/v1/jobs/{other}/deliveries"));
    let delivered = async |server: &Server| server.call(deliveries.clone()).await.json()["deliveries"][0].clone();
    server.until("a delivery", async |server| delivered(server).await["status"] == "DONE").await;
    deliverer.stop().await;
    let delivery = call(deliveries.clone()).await.text("/deliveries/0/id");
    call(Request::post(&format!("/v1/deliveries/{delivery}/replay"))).await;
    call(Request::new("DELETE", "/v1/webhooks/w")).await;
    call(Request::post(&format!("/v1/jobs/{other}/retry"))).await;
    let flow = call(Request::post("/v1/flows").json(r#"{"jobs":[{"key":"a","queue":"f"}]}"#)).await.text("/flow");
    call(Request::post(&format!("/v1/flows/{flow}/cancel"))).await;
    call(Request::new("DELETE", &format!("/v1/jobs/{id}"))).await;
    call(Request::post("/v1/files").body("text/plain", "x")).await;
    call(Request::new("PUT", "/v1/files/f").body("text/plain", "x")).await;
    call(Request::get("/v1/files/f")).await;
    call(Request::new("DELETE", "/v1/files/f")).await;

    // It has no answer but the socket itself; see `socket`.
    called.insert("socket".to_owned());
    let described: BTreeSet<_> =
        operations(document).into_iter().map(|(_, _, it)| it["operationId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(called, described);
}
