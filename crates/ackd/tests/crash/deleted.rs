//! Jobs that were deleted stay so, and what they were numbered by is not given out again.

use std::collections::BTreeSet;

use ackd_domain::JobId;
use serde_json::{Value, json};

use crate::http::Connection;
use crate::server::Server;

fn submit(connection: &mut Connection, key: &str, payload: usize) -> Value {
    let body = json!({"queue": "brief", "idempotency_key": key, "payload": payload}).to_string();
    let answer = connection.post("/v1/jobs", &body).unwrap();
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()
}

fn id(job: &Value) -> JobId {
    job["id"].as_str().unwrap().parse().unwrap()
}

/// Deletes every job that there is, so that no row tells how far their numbers went, and kills the server as soon as that
/// is answered.
#[test]
fn a_deletion_that_was_answered_outlives_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let mut deleted: BTreeSet<JobId> = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    for round in 0..4 {
        let server = Server::start(data.path());
        let mut connection = server.connect();
        for id in &deleted {
            for path in ["", "/result", "/payload", "/timeline", "/events"] {
                let answer = connection.get(&format!("/v1/jobs/{id}{path}")).unwrap();
                assert_eq!(answer.status, 404, "{path} in round {round}: {answer:?}");
            }
        }
        assert_eq!(connection.get("/v1/jobs").unwrap().json()["jobs"], json!([]), "in round {round}");
        // The same keys with another request each time, which they would refuse were they held.
        let jobs: Vec<JobId> = ["a", "b", "c"].map(|key| id(&submit(&mut connection, key, round))).into();
        for id in &jobs {
            assert!(numbers.last().is_none_or(|last| *last < id.number()), "{id} has a number that was given before");
            numbers.insert(id.number());
            let early = connection.send("DELETE", &format!("/v1/jobs/{id}"), "application/json", "").unwrap();
            assert_eq!((early.status, &early.json()["code"]), (409, &json!("not-finished")));
            assert_eq!(connection.post(&format!("/v1/jobs/{id}/cancel"), "").unwrap().status, 200);
        }
        for id in jobs {
            let answer = connection.send("DELETE", &format!("/v1/jobs/{id}"), "application/json", "").unwrap();
            assert_eq!(answer.status, 204, "{answer:?}");
            deleted.insert(id);
        }
        server.kill();
    }
}
