//! Setting queues, and holding them up.

use crate::ackd::Server;

#[test]
fn settings_are_changed_and_taken_back() {
    let server = Server::start();
    let set = |args: &[&str]| server.run(&[&["queue", "set", "q", "--json"], args].concat()).documents().remove(0);
    let queue = set(&["--lease-ttl", "3s", "--max-attempts", "5", "--backoff-base", "1m", "--timeout", "1h"]);
    let settings = &queue["settings"];
    assert_eq!((settings["lease_ttl"].as_str(), settings["max_attempts"].as_u64()), (Some("3s"), Some(5)));
    assert_eq!((settings["backoff"]["base"].as_str(), settings["timeout"].as_str()), (Some("1m"), Some("1h")));
    let queue = set(&["--lease-ttl", "default", "--backoff-base", "default"]);
    let settings = &queue["settings"];
    assert_eq!((settings["lease_ttl"].as_str(), settings["backoff"]["base"].as_str()), (Some("30s"), Some("1s")));
    assert_eq!(settings["max_attempts"], 5);

    server.submit(&["q", "1"]);
    let shown = server.run(&["queue", "show", "q"]).fine();
    assert!(shown.contains("INIT              1") && shown.contains("max_attempts      5"), "{shown}");
    let table = server.run(&["queue", "list"]).fine();
    assert!(table.lines().nth(1).is_some_and(|line| line.starts_with("q      1 ")), "{table}");
    assert_eq!(server.run(&["queue", "list", "--json"]).documents()[0]["counts"]["INIT"], 1);
}

#[test]
fn a_queue_that_is_paused_stands_still_until_it_is_resumed() {
    let server = Server::start();
    let paused = server.run(&["queue", "pause", "q"]).fine();
    assert!(paused.starts_with("q  paused"), "{paused}");
    let id = server.submit(&["q", "1"]);
    let _worker = server.work(&[], "cat");
    // Another queue is worked on meanwhile; the worker has asked for both.
    assert_eq!(server.get(&id)["waiting"]["reason"], "paused");
    assert_eq!(server.run(&["queue", "resume", "q", "--json"]).documents()[0]["paused"], false);
    assert_eq!(server.run(&["result", &id, "--wait", "1m"]).fine(), "1");
}
