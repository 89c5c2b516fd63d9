//! Workers and servers that are killed, and servers that are not there yet.

use crate::ackd::Server;
use crate::pipes::{Bell, Gate, Lifeline};

#[test]
fn a_worker_that_is_killed_takes_its_commands_with_it_and_another_does_the_job() {
    let server = Server::start();
    server.run(&["queue", "set", "q", "--lease-ttl", "1s", "--backoff-base", "1ms"]).fine();
    let lifeline = Lifeline::make();
    let id = server.submit(&["q", "1"]);
    // A child, an orphan that lets go of every stream, and the command itself.
    let script = format!(
        "exec 9>{}; sleep 1000 & (trap '' HUP TERM; sleep 1000 </dev/null >/dev/null 2>&1 &); echo up >&9; sleep 1000",
        lifeline.name()
    );
    let mut worker = server.work(&["--name", "first"], &script);
    let mut lives = lifeline.held();
    assert_eq!(lives.line(), "up");
    worker.kill();
    assert_eq!(lives.end(), "");
    let _other = server.work(&["--name", "second"], "echo $ACKD_ATTEMPT");
    assert_eq!(server.run(&["result", &id, "--wait", "1m"]).fine(), "2");
    assert_eq!(server.get(&id)["worker"], "second");
}

#[test]
fn all_go_on_when_the_server_is_killed_and_comes_back() {
    let mut server = Server::start();
    let (mut up, mut go) = (Bell::make(), Gate::make());
    let script = format!(
        "echo ackd:progress 10 >&2; echo up > {}; read word < {}; echo ackd:progress 90 >&2; echo $ACKD_ATTEMPT",
        up.name(),
        go.name()
    );
    // With a slot free, so that it asks for jobs meanwhile.
    let mut worker = server.work(&["-j", "2"], &script);
    let mut submit = server.spawn(["submit", "q", "1", "--wait"]);
    up.line();
    let id = server.run(&["list", "--json"]).documents()[0]["id"].as_str().unwrap().to_owned();
    let mut watch = server.spawn(["watch", &id, "--json"]);
    assert!(watch.line().contains("PROCESSING"));

    server.kill();
    // Each of them notices, and says so once.
    for waiting in [&mut submit, &mut watch, &mut worker] {
        let line = waiting.says("trying again");
        assert!(line.starts_with("ackd: "), "{line}");
    }
    // The command ends while the server is away.
    go.open();
    server.start_again();

    assert_eq!(submit.end().fine(), "1");
    let events = watch.end().documents();
    assert_eq!(events.last().unwrap()["status"], "DONE");
    let versions: Vec<u64> = events.iter().map(|job| job["version"].as_u64().unwrap()).collect();
    assert!(versions.is_sorted_by(|one, next| one < next), "{versions:?}");
    assert!(worker.says(" ends ").ends_with("done"));
    assert_eq!(server.get(&id)["attempt"], 1);
    // The worker asks for more.
    let more = server.submit(&["q", "2"]);
    up.line();
    go.open();
    assert_eq!(server.run(&["result", &more, "--wait", "1m"]).fine(), "1");
}

#[test]
fn a_worker_waits_for_a_server_that_is_not_there_yet() {
    let mut server = Server::later();
    let mut worker = server.work(&[], "cat");
    let line = worker.says("cannot reach the server");
    assert!(line.contains("trying again"), "{line}");
    server.start_again();
    assert_eq!(server.run(&["submit", "q", "1", "--wait"]).fine(), "1");
    worker.says("the server is back");
}
