//! A disk that fills up, and then has room again.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::server::Server;

#[test]
fn a_full_disk_refuses_submits_and_recovers() {
    // `cargo xtask test` mounts one; without it there is no small disk to fill.
    let Ok(disk) = std::env::var("TEST_SMALL_DISK").map(PathBuf::from) else { return };
    let (data, ballast) = (disk.join("data"), disk.join("ballast"));
    let server = Server::start(&data);
    let mut connection = server.connect();
    let big = "x".repeat(200_000);
    let envelope = json!({"queue": "full", "payload": big}).to_string();
    let first = connection.post("/v1/jobs", &envelope).unwrap();
    assert_eq!(first.status, 202);
    let id = first.json()["id"].as_str().unwrap().to_owned();
    let lease = connection.post("/v1/leases", r#"{"queues":["full"]}"#).unwrap().json();
    let lease = lease["leases"][0]["lease"].as_str().unwrap().to_owned();

    // Another program takes nearly all the room.
    fs::write(&ballast, vec![0; 24 << 20]).unwrap();
    let mut accepted = vec![id.clone()];
    let refused = loop {
        let answer = connection.post("/v1/jobs", &envelope).unwrap();
        if answer.status != 202 {
            break answer;
        }
        accepted.push(answer.json()["id"].as_str().unwrap().to_owned());
        assert!(accepted.len() < 1_000, "64 MiB are never full");
    };
    assert_eq!((refused.status, &refused.json()["code"]), (507, &json!("storage-full")));
    assert_eq!(server.get("/readyz").status, 503);

    // Work can still be settled.
    let settled = connection.post(&format!("/v1/leases/{lease}/complete"), r#"{"result":"small"}"#).unwrap();
    assert_eq!(settled.status, 200, "{settled:?}");
    assert_eq!(server.get(&format!("/v1/jobs/{id}")).json()["status"], "DONE");

    fs::remove_file(&ballast).unwrap();
    let again = (0..50).find_map(|_| {
        let answer = connection.post("/v1/jobs", &envelope).unwrap();
        (answer.status == 202).then_some(answer)
    });
    accepted.push(again.expect("there is room again").json()["id"].as_str().unwrap().to_owned());
    drop(connection);
    server.kill();

    let server = Server::start(&data);
    for id in accepted {
        assert_eq!(server.get(&format!("/v1/jobs/{id}")).status, 200, "job {id} was acknowledged, and is lost");
    }
    server.kill();
    fs::remove_dir_all(&data).unwrap();
}
