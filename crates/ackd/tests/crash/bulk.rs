//! Redrives and bulk actions go on after a kill where they were, and do nothing twice.

use serde_json::{Value, json};

use crate::http::Connection;
use crate::server::Server;

/// How many jobs there are.
const JOBS: usize = 60;

/// Submits jobs and fails them all for good.
fn dead(connection: &mut Connection) -> Vec<String> {
    let lines = vec![r#"{"queue":"q"}"#.to_owned(); JOBS];
    let accepted = connection.post_lines("/v1/jobs", &lines).unwrap();
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let leases = connection.post("/v1/leases", &json!({"queues": ["q"], "max": JOBS}).to_string()).unwrap().json();
    let leases = leases["leases"].as_array().unwrap().iter();
    let fail =
        |lease: &Value| json!({"lease": lease["lease"], "fail": {"error": "no", "retryable": false}}).to_string();
    let settled = connection.post("/v1/leases/settle", &leases.map(fail).collect::<Vec<_>>().join("\n")).unwrap();
    assert!(settled.lines().iter().all(|line| line["status"] == 200), "{settled:?}");
    accepted.lines().iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect()
}

/// Kills the server again and again while the bulk job `id` is under way; then what came of it.
fn killed(data: &std::path::Path, mut server: Server, id: &str) -> (Server, Value) {
    let path = format!("/v1/jobs/{id}");
    for kill in 0..3 {
        let mut seen = server.get(&path);
        let progress = seen.json()["progress"].clone();
        // Until it has taken a part since the server was started.
        while seen.json()["progress"] == progress {
            assert_ne!(seen.json()["status"], "DONE", "it was over before kill {kill}");
            seen = server.get(&path);
        }
        server.kill();
        server = Server::start(data);
    }
    let ended = server.get(&format!("{path}?wait=55s")).json();
    assert_eq!(ended["status"], "DONE", "{ended}");
    (server, ended["result"].clone())
}

fn each_is_redriven_once(server: &Server, ids: &[String]) {
    for id in ids {
        let timeline = server.get(&format!("/v1/jobs/{id}/timeline")).json();
        let events: Vec<&str> =
            timeline["entries"].as_array().unwrap().iter().map(|entry| entry["event"].as_str().unwrap()).collect();
        assert_eq!(events, ["submitted", "leased", "failed", "redriven"], "{id}");
    }
    let counts = server.get("/v1/queues/q").json()["counts"].clone();
    assert_eq!((&counts["INIT"], &counts["FAILED"]), (&json!(JOBS), &json!(0)));
}

#[test]
fn a_throttled_redrive_outlives_kills_and_runs_each_job_again_once() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let ids = dead(&mut server.connect());
    let redrive = server.post("/v1/queues/q/redrive", r#"{"rate":{"limit":20,"per":"1s"}}"#).json();
    assert_eq!(redrive["redriven"], JOBS);
    let (server, result) = killed(data.path(), server, redrive["job"].as_str().unwrap());
    assert_eq!(result, json!({"matched": JOBS, "changed": JOBS, "refused": 0}));
    each_is_redriven_once(&server, &ids);
}

#[test]
fn a_redrive_during_a_redrive_outlives_kills_and_runs_each_job_again_once() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let ids = dead(&mut server.connect());
    let redrive = || server.post("/v1/queues/q/redrive", r#"{"rate":{"limit":10,"per":"1s"}}"#).json();
    let [one, other] = [redrive(), redrive()].map(|it| it["job"].as_str().unwrap().to_owned());
    let (server, one) = killed(data.path(), server, &one);
    let other = server.get(&format!("/v1/jobs/{other}?wait=55s")).json()["result"].clone();
    let changed = [&one, &other].map(|result| result["changed"].as_u64().unwrap());
    assert_eq!(changed.iter().sum::<u64>(), JOBS as u64, "{one} {other}");
    assert!(!changed.contains(&0), "one did all: {one} {other}");
    each_is_redriven_once(&server, &ids);
}

/// It is as fast as it can be, so that the kill comes wherever it comes.
#[test]
fn a_bulk_action_outlives_a_kill_and_does_nothing_twice() {
    const MANY: usize = 5_000;
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let lines = vec![r#"{"queue":"q"}"#.to_owned(); MANY];
    assert_eq!(server.connect().post_lines("/v1/jobs", &lines).unwrap().status, 202);
    let bulk = server.post("/v1/jobs/bulk", r#"{"filter":{"queue":"q"},"action":"cancel"}"#);
    assert_eq!(bulk.status, 202, "{bulk:?}");
    let id = bulk.json()["id"].as_str().unwrap().to_owned();
    server.kill();
    let server = Server::start(data.path());
    let ended = server.get(&format!("/v1/jobs/{id}?wait=55s")).json();
    assert_eq!(ended["result"], json!({"matched": MANY, "changed": MANY, "refused": 0}), "{ended}");
    let counts = server.get("/v1/queues/q").json()["counts"].clone();
    assert_eq!((&counts["INIT"], &counts["CANCELLED"]), (&json!(0), &json!(MANY)));
}
