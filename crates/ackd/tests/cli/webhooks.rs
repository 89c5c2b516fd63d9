//! Telling others of the ends of jobs.

use serde_json::{Value, json};

use crate::ackd::Server;
use crate::receiver::Receiver;

const ALLOW: [&str; 2] = ["--webhook-allow", "127.0.0.0/8"];

/// Looks again and again, until it holds.
fn until(what: &str, holds: impl Fn() -> bool) {
    assert!((0..1000).any(|_| holds()), "it never came to be {what}");
}

/// The one delivery that tells of a job, once its status is this: the server takes an answer down after it got it.
fn settled(server: &Server, job: &str, status: &str) -> Value {
    let deliveries = || server.run(&["webhook", "deliveries", job, "--json"]).documents();
    until(status, || deliveries()[0]["status"] == status);
    let mut deliveries = deliveries();
    assert_eq!(deliveries.len(), 1, "{deliveries:?}");
    deliveries.remove(0)
}

#[test]
fn a_webhook_is_told_and_what_was_sent_is_shown_and_sent_again() {
    let (server, receiver) = (Server::with(&ALLOW), Receiver::start());
    let url = receiver.url();
    let made = server.run(&["webhook", "put", "crm", &url, "--queue", "q", "--event", "job.done"]);
    assert!(made.stderr.contains("shown this once"), "{}", made.stderr);
    let made = made.fine();
    assert!(made.starts_with("crm\n") && made.contains("\n  secret    whsec_"), "{made}");
    let shown = server.run(&["webhook", "get", "crm"]).fine();
    assert!(shown.contains(&url) && shown.contains("  events    job.done\n") && !shown.contains("whsec"), "{shown}");
    let table = server.run(&["webhook", "list"]).fine();
    assert!(table.lines().nth(1).is_some_and(|line| line.starts_with("crm ")), "{table}");

    let id = server.submit(&["q", "7"]);
    let _worker = server.work(&[], "cat");
    let posted = receiver.next();
    assert_eq!((&posted.body["type"], &posted.body["data"]["id"]), (&json!("job.done"), &json!(id)));
    assert_eq!(posted.body["data"]["result"], 7);
    assert!(posted.header("webhook-signature").starts_with("v1,"), "{}", posted.header("webhook-signature"));
    let first = posted.header("webhook-id").to_owned();
    posted.answer(410);

    let delivery = settled(&server, &id, "FAILED");
    assert_eq!(delivery["attempts"][0]["status_code"], 410);
    let table = server.run(&["webhook", "deliveries", &id]).fine();
    assert!(table.contains("FAILED") && table.contains("the receiver answered 410"), "{table}");
    until("disabled", || server.run(&["webhook", "list"]).fine().contains("disabled: it answered 410"));

    // Put anew it is told again, of the former end too.
    server.run(&["webhook", "put", "crm", &url]).fine();
    let delivery = delivery["id"].as_str().unwrap();
    let replayed = server.run(&["webhook", "replay", delivery]).fine();
    assert_eq!(replayed, format!("{delivery} job.done crm\n"));
    let posted = receiver.next();
    assert_eq!(posted.header("webhook-id"), first);
    posted.answer(204);
    server.run(&["webhook", "delete", "crm"]).fine();
    assert!(server.run(&["webhook", "get", "crm"]).failed(1).contains("no webhook of this name"));
}

#[test]
fn a_post_under_way_is_made_again_after_the_server_was_killed() {
    let (mut server, receiver) = (Server::with(&ALLOW), Receiver::start());
    server.run(&["webhook", "put", "crm", &receiver.url()]).fine();
    let id = server.submit(&["q", "1"]);
    server.run(&["cancel", &id]).fine();
    let lost = receiver.next();
    server.kill();
    server.start_again();
    let again = receiver.next();
    assert_eq!((again.header("webhook-id"), &again.body), (lost.header("webhook-id"), &lost.body));
    again.answer(204);
    settled(&server, &id, "DONE");
}

#[test]
fn private_addresses_are_refused_unless_they_are_allowed() {
    let server = Server::start();
    let said = server.run(&["webhook", "put", "crm", "http://127.0.0.1:9/hook"]).failed(1);
    assert!(said.contains("/url") && said.contains("--webhook-allow"), "{said}");
    server.run(&["webhook", "put", "crm", "https://example.com/hook"]).fine();
    assert!(server.run(&["webhook", "deliveries", "x"]).failed(1).contains('x'));
    let server = server.run(&["serve", "--webhook-allow", "127.0.0.1/8"]);
    assert!(server.failed(2).contains("127.0.0.0/8"));
}
