//! Queues whose jobs the server posts to a URL.

use serde_json::json;

use crate::ackd::Server;
use crate::receiver::Receiver;

const ALLOW: [&str; 2] = ["--push-allow", "127.0.0.0/8"];

fn pushed(server: &Server, receiver: &Receiver, options: &[&str]) {
    server.run(&[&["queue", "set", "q", "--push", &receiver.url(), "--backoff-base", "1ms"], options].concat()).fine();
}

#[test]
fn a_job_is_posted_until_the_target_takes_it_and_its_answer_is_the_result() {
    let (server, receiver) = (Server::with(&ALLOW), Receiver::start());
    pushed(&server, &receiver, &[]);
    let shown = server.run(&["queue", "show", "q"]).fine();
    assert!(shown.contains(&receiver.url()) && shown.contains("push.timeout"), "{shown}");
    let id = server.submit(&["q", "7"]);
    let first = receiver.next();
    assert_eq!((first.header("idempotency-key"), first.header("ackd-attempt"), &first.body), (&*id, "1", &json!(7)));
    assert_eq!(first.header("content-type"), "application/json");
    first.answer(503);
    let again = receiver.next();
    assert_eq!((again.header("idempotency-key"), again.header("ackd-attempt")), (&*id, "2"));
    assert_eq!(again.bytes, b"7");
    again.answer_with(200, "content-type: text/plain\r\n", "forty-nine");
    assert_eq!(server.run(&["result", &id, "--wait", "1m"]).fine(), "forty-nine");
    assert_eq!(server.get(&id)["result_info"]["content_type"], "text/plain");

    let wrong = server.submit(&["q", "8"]);
    receiver.next().answer_with(422, "content-type: text/plain\r\n", "eight is odd");
    server.run(&["result", &wrong, "--wait", "1m"]).failed(1);
    let error = &server.get(&wrong)["error"];
    assert_eq!((&error["title"], &error["answer"]), (&json!("the target answered 422"), &json!("eight is odd")));
    // It goes nowhere any more.
    server.run(&["queue", "set", "q", "--no-push"]).fine();
    let id = server.submit(&["q", "9"]);
    let _worker = server.work(&[], "cat");
    assert_eq!(server.run(&["result", &id, "--wait", "1m"]).fine(), "9");
}

#[test]
fn a_file_is_posted_as_any_other_payload() {
    let (server, receiver) = (Server::with(&ALLOW), Receiver::start());
    pushed(&server, &receiver, &[]);
    let bytes: Vec<u8> = (0..3_000_000u32).map(|at| at.to_le_bytes()[(at % 3) as usize]).collect();
    server.run_with(&["file", "put", "-", "cat.mp4", "--content-type", "video/mp4"], &bytes).fine();
    let id = server.submit(&["q", "--payload-file", "cat.mp4"]);
    let posted = receiver.next();
    assert_eq!((posted.header("content-type"), posted.header("idempotency-key")), ("video/mp4", &*id));
    assert!(posted.bytes == bytes, "other bytes were posted");
    posted.answer_with(200, "", "seen");
    assert_eq!(server.run(&["result", &id, "--wait", "1m"]).fine(), "seen");
}

#[test]
fn a_post_under_way_is_made_again_after_the_server_was_killed_and_after_it_was_stopped() {
    let (mut server, receiver) = (Server::with(&ALLOW), Receiver::start());
    pushed(&server, &receiver, &["--push-timeout", "1h"]);
    let id = server.submit(&["q", "1"]);
    let lost = receiver.next();
    server.kill();
    server.start_again();
    let again = receiver.next();
    assert_eq!((again.header("idempotency-key"), &again.body), (lost.header("idempotency-key"), &lost.body));
    // The attempt that was given up by a server that had the time to say so does not count.
    server.stop();
    again.dropped();
    server.start_again();
    let last = receiver.next();
    assert_eq!((last.header("idempotency-key"), last.header("ackd-attempt")), (&*id, "1"));
    last.answer_with(200, "", "done");
    assert_eq!(server.run(&["result", &id, "--wait", "1m"]).fine(), "done");
}

#[test]
fn a_target_settles_later_even_when_the_server_was_killed_in_between() {
    let (mut server, receiver) = (Server::with(&ALLOW), Receiver::start());
    pushed(&server, &receiver, &["--push-async", "--push-timeout", "1h"]);
    let id = server.submit(&["q", "1"]);
    let posted = receiver.next();
    let lease = posted.header("ackd-lease").to_owned();
    posted.answer(202);
    server.kill();
    server.start_again();
    let response = server.post(&format!("/v1/leases/{lease}/complete"), r#"{"result":{"n":49}}"#);
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    assert_eq!(server.run(&["result", &id, "--wait", "1m"]).fine(), r#"{"n":49}"#);
    assert_eq!(server.get(&id)["attempt"], 1);
}

#[test]
fn a_cancel_drops_the_post() {
    let (server, receiver) = (Server::with(&ALLOW), Receiver::start());
    pushed(&server, &receiver, &["--push-concurrency", "1"]);
    let id = server.submit(&["q", "1"]);
    let posted = receiver.next();
    server.run(&["cancel", &id]);
    posted.dropped();
    let next = server.submit(&["q", "2"]);
    receiver.next().answer_with(200, "", "2");
    assert_eq!(server.run(&["result", &next, "--wait", "1m"]).fine(), "2");
    assert_eq!(server.get(&id)["status"], "CANCELLED");
}

#[test]
fn private_addresses_are_refused_unless_they_are_allowed_for_pushes() {
    let server = Server::with(&["--webhook-allow", "127.0.0.0/8"]);
    let said = server.run(&["queue", "set", "q", "--push", "http://127.0.0.1:9/work"]).failed(1);
    assert!(said.contains("/push/url") && said.contains("--push-allow"), "{said}");
    // A name is judged when it is posted to.
    server.run(&["queue", "set", "q", "--push", "http://localhost:9/work", "--max-attempts", "1"]).fine();
    let id = server.submit(&["q", "1"]);
    server.run(&["result", &id, "--wait", "1m"]).failed(1);
    let error = server.get(&id)["error"]["title"].as_str().unwrap().to_owned();
    assert!(error.contains("--push-allow"), "{error}");
    let server = server.run(&["serve", "--push-allow", "127.0.0.1/8"]);
    assert!(server.failed(2).contains("--push-allow"));
}
