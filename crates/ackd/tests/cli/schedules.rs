//! `ackd schedule`, with a server that is killed.

use serde_json::Value;

use crate::ackd::Server;

#[test]
fn a_schedule_is_put_shown_listed_and_deleted_over_a_kill() {
    let mut server = Server::start();
    assert!(server.run(&["schedule", "list"]).fine().is_empty());
    let nightly = ["schedule", "put", "nightly", "30 2 * * mon-fri", "reports", r#"{"kind":"daily"}"#];
    let put = server.run(&[&nightly[..], &["--timezone", "europe/berlin", "--missed", "skip"]].concat()).fine();
    for part in
        ["nightly\n", "30 2 * * mon-fri", "Europe/Berlin", "skip", r#"{"queue":"reports","payload":{"kind":"daily"}}"#]
    {
        assert!(put.contains(part), "{put}");
    }
    let before = server.run(&["schedule", "get", "nightly", "--json"]).fine();
    server.kill();
    server.start_again();
    assert_eq!(server.run(&["schedule", "get", "nightly", "--json"]).fine(), before);
    let schedule: Value = serde_json::from_str(&before).unwrap();
    let table = server.run(&["schedule", "list"]).fine();
    for part in ["NAME", "nightly", "reports", schedule["next_run_at"].as_str().unwrap()] {
        assert!(table.contains(part), "{table}");
    }
    let paused = server.run(&["schedule", "put", "nightly", "@daily", "reports", "--paused"]).fine();
    assert!(paused.contains("paused"), "{paused}");
    server.run(&["schedule", "delete", "nightly"]).fine();
    assert!(server.run(&["schedule", "get", "nightly"]).failed(1).contains("no schedule of this name"));
}

#[test]
fn what_is_wrong_with_a_schedule_is_said() {
    let server = Server::start();
    let never = server.run(&["schedule", "put", "s", "0 0 30 2 *", "q"]).failed(1);
    assert!(never.contains("/cron") && never.contains("never comes"), "{never}");
    let nowhere = server.run(&["schedule", "put", "s", "@daily", "q", "--timezone", "Mars/Olympus"]).failed(1);
    assert!(nowhere.contains("/timezone"), "{nowhere}");
    assert!(server.run(&["schedule", "put", "s", "@daily", "q", "{"]).failed(2).contains("not JSON"));
}
