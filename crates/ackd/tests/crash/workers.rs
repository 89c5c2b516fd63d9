//! Workers that vanish, come late, come twice, or never had the job.

use serde_json::{Value, json};

use crate::http::Connection;
use crate::server::Server;

fn submit(connection: &mut Connection) -> String {
    let answer = connection.post("/v1/jobs", r#"{"queue":"work","payload":{}}"#).unwrap();
    assert_eq!(answer.status, 202);
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// Waits for a lease and gives its token and its job.
fn lease(connection: &mut Connection, ttl: &str) -> (String, Value) {
    let ask = json!({"queues": ["work"], "wait": "20s", "ttl": ttl}).to_string();
    let answer = connection.post("/v1/leases", &ask).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let lease = answer.json()["leases"][0].clone();
    (lease["lease"].as_str().unwrap().to_owned(), lease["job"].clone())
}

fn complete(connection: &mut Connection, lease: &str, result: &str) -> (u16, Value) {
    let body = json!({"result": result}).to_string();
    let answer = connection.post(&format!("/v1/leases/{lease}/complete"), &body).unwrap();
    (answer.status, answer.json())
}

#[test]
fn a_vanished_workers_job_goes_to_another_and_the_late_one_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let mut connection = server.connect();
    let id = submit(&mut connection);
    let (late, first) = lease(&mut connection, "1s");
    // Nothing is heard of that worker. The next ask waits until the lease has lapsed.
    let (current, second) = lease(&mut connection, "30s");
    assert_eq!((&first["id"], &second["id"]), (&json!(id), &json!(id)));
    assert_eq!((&first["attempt"], &second["attempt"]), (&json!(1), &json!(2)));

    let (status, problem) = complete(&mut connection, &late, "late");
    assert_eq!((status, &problem["code"]), (409, &json!("lease-lost")));
    assert_eq!(complete(&mut connection, &current, "good").0, 200);
    assert_eq!(complete(&mut connection, &late, "late").0, 409);
    assert_eq!(server.get(&format!("/v1/jobs/{id}")).json()["result"], "good");
}

#[test]
fn a_second_completion_keeps_the_first_result() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let mut connection = server.connect();
    let id = submit(&mut connection);
    let (token, _) = lease(&mut connection, "30s");
    let once = complete(&mut connection, &token, "first");
    let twice = complete(&mut connection, &token, "second");
    assert_eq!(once, twice);
    assert_eq!(once.0, 200);
    let failed = connection.post(&format!("/v1/leases/{token}/fail"), r#"{"error":"no"}"#).unwrap();
    assert_eq!(failed.status, 409);
    assert_eq!(server.get(&format!("/v1/jobs/{id}")).json()["result"], "first");
}

#[test]
fn a_lease_that_never_was_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let mut connection = server.connect();
    let id = submit(&mut connection);
    let (token, _) = lease(&mut connection, "30s");
    let mut forged = token.clone().into_bytes();
    let last = forged.len() - 2;
    forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    for wrong in [forged.as_str(), &"A".repeat(43), "nonsense"] {
        let (status, problem) = complete(&mut connection, wrong, "stolen");
        assert_eq!((status, &problem["code"]), (409, &json!("lease-lost")), "{wrong}");
    }
    assert_eq!(server.get(&format!("/v1/jobs/{id}")).json()["status"], "PROCESSING");
}

#[test]
fn a_worker_goes_on_over_a_restart_of_the_server() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let mut connection = server.connect();
    let id = submit(&mut connection);
    let (token, _) = lease(&mut connection, "30s");
    drop(connection);
    server.kill();

    let server = Server::start(data.path());
    let mut connection = server.connect();
    let beat = connection.post(&format!("/v1/leases/{token}/heartbeat"), "{}").unwrap();
    assert_eq!(beat.status, 200, "{beat:?}");
    let nothing = connection.post("/v1/leases", r#"{"queues":["work"]}"#).unwrap();
    assert_eq!(nothing.status, 204, "the job was started a second time");
    assert_eq!(complete(&mut connection, &token, "done").0, 200);
    let job = server.get(&format!("/v1/jobs/{id}")).json();
    assert_eq!((&job["status"], &job["attempt"]), (&json!("DONE"), &json!(1)));
}
