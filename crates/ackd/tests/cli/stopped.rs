//! Commands that have to stop: cancelled, out of time, or with their worker.

use rustix::process::Signal;

use crate::ackd::Server;
use crate::pipes::{Bell, Gate, Lifeline};

/// A script that starts a child and an orphan which hold a pipe, says `up`, and then does `rest`.
fn tree(lifeline: &Lifeline, rest: &str) -> String {
    format!("exec 9>{}; sleep 1000 & (sleep 1000 </dev/null >/dev/null 2>&1 &); echo up >&9; {rest}", lifeline.name())
}

#[test]
fn a_job_that_is_cancelled_stops_with_all_that_it_started() {
    let server = Server::start();
    let lifeline = Lifeline::make();
    let id = server.submit(&["q", "1"]);
    let mut worker = server.work(&["--ttl", "1s"], &tree(&lifeline, "sleep 1000"));
    let mut lives = lifeline.held();
    assert_eq!(lives.line(), "up");
    let said = server.run(&["cancel", &id]).fine();
    assert!(said.contains("cancel requested"), "{said}");
    assert_eq!(lives.end(), "");
    assert!(worker.says(" ends ").ends_with("cancelled"));
    assert!(server.run(&["result", &id, "--wait", "1m"]).failed(1).contains("CANCELLED"));
    // The worker goes on.
    let id = server.submit(&["q", "1"]);
    worker.says(&format!("{id} starts"));
}

#[test]
fn what_a_shell_started_may_tidy_up_after_the_shell_has_ended() {
    let server = Server::start();
    let (lifeline, mut gate) = (Lifeline::make(), Gate::make());
    let id = server.submit(&["q", "1"]);
    // The shell dies of SIGTERM at once. What it started takes longer.
    let script = format!(
        "exec 9>{}; sh -c 'trap \"read word < {}; echo tidy >&9; exit\" TERM; echo up >&9; \
         while :; do sleep 0.1; done'; true",
        lifeline.name(),
        gate.name()
    );
    let mut worker = server.work(&["--ttl", "1s"], &script);
    let mut lives = lifeline.held();
    assert_eq!(lives.line(), "up");
    server.run(&["cancel", &id]).fine();
    gate.open();
    assert_eq!(lives.end(), "tidy\n");
    assert!(worker.says(" ends ").ends_with("cancelled"));
}

#[test]
fn a_command_that_does_not_heed_sigterm_is_killed_after_the_grace() {
    let server = Server::start();
    let lifeline = Lifeline::make();
    let id = server.submit(&["q", "1"]);
    let script = tree(&lifeline, "trap 'echo told >&9' TERM; while :; do sleep 1000; done");
    let _worker = server.work(&["--ttl", "1s", "--grace", "300ms"], &script);
    let mut lives = lifeline.held();
    assert_eq!(lives.line(), "up");
    server.run(&["cancel", &id]).fine();
    assert_eq!(lives.end(), "told\n");
    server.run(&["result", &id, "--wait", "1m"]).failed(1);
}

#[test]
fn a_job_that_is_out_of_time_stops() {
    let server = Server::start();
    let lifeline = Lifeline::make();
    let id = server.submit(&["q", "1", "--timeout", "500ms", "--max-attempts", "1"]);
    let _worker = server.work(&[], &tree(&lifeline, "sleep 1000"));
    let mut lives = lifeline.held();
    assert_eq!(lives.line(), "up");
    assert_eq!(lives.end(), "");
    assert!(server.run(&["result", &id, "--wait", "1m"]).failed(1).contains("FAILED"));
}

#[test]
fn a_worker_that_is_told_to_stop_finishes_what_it_does() {
    let server = Server::start();
    let (mut up, mut go) = (Bell::make(), Gate::make());
    let id = server.submit(&["q", "1"]);
    let mut worker = server.work(&[], &format!("echo up > {}; read word < {}; cat", up.name(), go.name()));
    up.line();
    worker.signal(Signal::TERM);
    worker.says("stopping");
    let waiting = server.submit(&["q", "2"]);
    go.open();
    assert_eq!(worker.end().code, Some(0));
    assert_eq!(server.run(&["result", &id]).fine(), "1");
    assert_eq!(
        (server.get(&waiting)["status"].as_str(), server.get(&waiting)["attempt"].as_u64()),
        (Some("INIT"), Some(0))
    );
}

#[test]
fn what_does_not_finish_in_time_is_given_back_uncounted() {
    let server = Server::start();
    let lifeline = Lifeline::make();
    let id = server.submit(&["q", "1"]);
    let mut worker = server.work(&["--grace", "200ms"], &tree(&lifeline, "echo 'ackd:checkpoint 5' >&2; sleep 1000"));
    let mut lives = lifeline.held();
    assert_eq!(lives.line(), "up");
    worker.signal(Signal::INT);
    assert_eq!(lives.end(), "");
    assert!(worker.says(" ends ").ends_with("given back"));
    assert_eq!(worker.end().code, Some(0));
    let job = server.get(&id);
    assert_eq!(
        (job["status"].as_str(), job["attempt"].as_u64(), job["checkpoint"].as_u64()),
        (Some("INIT"), Some(0), Some(5))
    );
}

#[test]
fn a_second_signal_stops_at_once() {
    let server = Server::start();
    let lifeline = Lifeline::make();
    server.submit(&["q", "1"]);
    let mut worker = server.work(&[], &tree(&lifeline, "trap '' TERM; sleep 1000"));
    let mut lives = lifeline.held();
    assert_eq!(lives.line(), "up");
    worker.signal(Signal::TERM);
    worker.says("stopping");
    worker.signal(Signal::TERM);
    assert_eq!(worker.end().code, Some(1));
    assert_eq!(lives.end(), "");
}
