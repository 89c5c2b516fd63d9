//! An fsync that fails: the store may not be what it was told to be. Nothing is accepted any more.

use std::process::{Command, Stdio};

use crate::server::Server;

const ENVELOPE: &str = r#"{"queue":"sync","payload":{}}"#;

#[test]
fn after_a_failed_fsync_nothing_is_accepted_and_nothing_acknowledged_is_lost() {
    // `cargo xtask test` installs it; without it no fsync can be made to fail.
    let Ok(strace) = std::env::var("TEST_STRACE") else { return };
    let data = tempfile::tempdir().unwrap();
    let healthy = Server::start(data.path());
    assert_eq!(healthy.post("/v1/jobs", ENVELOPE).status, 202);
    healthy.kill();

    let mut command = Command::new(&strace);
    // The first twenty succeed: starting takes some, and the first jobs are to be accepted.
    // -D: the tracer is the grandchild, so that killing the child kills the server.
    command.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync"]);
    command.args(["-e", "inject=fdatasync:error=EIO:when=20+", env!("CARGO_BIN_EXE_ackd")]);
    let server = Server::start_as(command, data.path());
    let mut connection = server.connect();
    let mut accepted = Vec::new();
    let refused = loop {
        let answer = connection.post("/v1/jobs", ENVELOPE).unwrap();
        if answer.status != 202 {
            break answer;
        }
        accepted.push(answer.json()["id"].as_str().unwrap().to_owned());
        assert!(accepted.len() < 100, "the fsync does not fail");
    };
    assert!(!accepted.is_empty());
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(connection.post("/v1/jobs", ENVELOPE).unwrap().status, 503);
    let ready = server.get("/readyz");
    assert_eq!(ready.status, 503);
    assert!(String::from_utf8_lossy(&ready.body).contains("the store has failed"), "{ready:?}");
    assert_eq!(server.get("/healthz").status, 200);
    drop(connection);
    server.kill();

    let server = Server::start(data.path());
    for id in accepted {
        assert_eq!(server.get(&format!("/v1/jobs/{id}")).status, 200, "job {id} was acknowledged, and is lost");
    }
}

/// SQLite syncs the folder in which its log is, and says nothing where that fails. A log without a durable name is none.
#[test]
fn a_folder_that_cannot_be_synced_is_told_at_the_start() {
    let Ok(strace) = std::env::var("TEST_STRACE") else { return };
    let data = tempfile::tempdir().unwrap();
    let healthy = Server::start(data.path());
    assert_eq!(healthy.post("/v1/jobs", ENVELOPE).status, 202);
    healthy.kill();

    // A server that starts all the same is stopped after a while.
    let mut command = Command::new("timeout");
    // The folder only: neither a file in it nor another folder.
    command.args(["20", &strace, "-D", "-f", "-qq", "-o", "/dev/null", "-P"]).arg(data.path());
    command.args(["-e", "trace=fsync", "-e", "inject=fsync:error=EIO", env!("CARGO_BIN_EXE_ackd"), "serve"]);
    let started = command.args(["--listen", "127.0.0.1:0", "--data"]).arg(data.path()).stdin(Stdio::null()).output();
    let started = started.unwrap();
    assert_eq!(started.status.code(), Some(1), "{started:?}");
    assert!(started.stdout.is_empty(), "{started:?}");
    assert!(String::from_utf8_lossy(&started.stderr).contains("Input/output error"), "{started:?}");
    assert_eq!(Server::start(data.path()).get("/v1/jobs").json()["jobs"].as_array().unwrap().len(), 1);
}
