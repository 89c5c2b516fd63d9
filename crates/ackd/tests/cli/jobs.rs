//! Looking at jobs and deciding about them.

use serde_json::Value;

use crate::ackd::Server;

#[test]
fn a_list_follows_its_pages_to_the_limit() {
    let server = Server::start();
    let ids = ["1", "2", "3"].map(|payload| server.submit(&["q", payload, "--type", "t"]));
    let other = server.submit(&["other", "1", "--tag", "x"]);
    let list = |args: &[&str]| -> Vec<String> {
        let said = server.run(&[&["list", "--json"], args].concat());
        said.documents().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
    };
    let [first, second, third] = ids.each_ref().map(String::as_str);
    let other = other.as_str();
    // Newest first.
    assert_eq!(list(&[]), [other, third, second, first]);
    assert_eq!(list(&["-n", "2"]), [other, third]);
    assert_eq!(list(&["--queue", "q", "--limit", "2"]), [third, second]);
    assert_eq!(list(&["--type", "t,u", "--status", "init,DONE", "-n", "1"]), [third]);
    assert_eq!(list(&["--tag", "x"]), [other]);
    assert_eq!(list(&["--payload", "sku=abc"]), Vec::<String>::new());
    let found = server.submit(&["q", r#"{"order":{"items":[{"sku":"abc"}],"n":10}}"#]);
    assert_eq!(list(&["--payload", "order.items.0.sku=abc", "--payload", "order.n=10.0"]), [found.as_str()]);
    assert!(list(&["--payload", "order.items.0.sku=abc", "--payload", "order.n=11"]).is_empty());
    assert!(server.run(&["list", "--payload", "order..n=1"]).failed(1).contains("payload.order..n"));
    server.run(&["cancel", &found]).fine();
    server.run(&["delete", &found]).fine();
    assert!(list(&["--status", "failed"]).is_empty());
    assert!(list(&["-n", "0"]).is_empty());

    let table = server.run(&["list"]).fine();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 5);
    assert!(lines[0].starts_with("ID ") && lines[1].starts_with(other) && !table.contains('\x1b'), "{table}");
}

#[test]
fn jobs_that_have_ended_are_deleted() {
    let server = Server::start();
    let [ended, open] = ["1", "2"].map(|payload| server.submit(&["q", payload]));
    server.run(&["cancel", &ended]).fine();
    let said = server.run(&["delete", &ended, &open]);
    assert_eq!(said.stdout, format!("{ended} deleted\n").as_bytes());
    let complaint = said.failed(1);
    assert!(complaint.contains(&open) && complaint.contains("INIT"), "{complaint}");
    server.run(&["get", &ended]).failed(1);
    server.run(&["get", &open]).fine();
}

#[test]
fn more_jobs_than_a_page_are_listed() {
    let server = Server::start();
    // By hand, for a hundred commands take their time.
    let mut stream = std::net::TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
    let body = "{\"queue\":\"q\"}\n".repeat(230);
    let head = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/x-ndjson\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    std::io::Write::write_all(&mut stream, (head + &body).as_bytes()).unwrap();
    let answer = std::io::read_to_string(stream).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let ids = |limit: &str| -> std::collections::BTreeSet<String> {
        let said = server.run(&["list", "--json", "-n", limit]);
        said.documents().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("1000").len(), 230);
    assert_eq!(ids("150").len(), 150);
}

#[test]
fn jobs_are_cancelled_and_retried_one_by_one() {
    let server = Server::start();
    let (a, b) = (server.submit(&["q", "1"]), server.submit(&["q", "2"]));
    let none = "01a1fb8b-9750-7000-8000-0000c653896e";
    let said = server.run(&["cancel", &a, none, &b]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains(&format!("{none}: ackd: There is nothing here")), "{}", said.stderr);
    assert_eq!(String::from_utf8(said.stdout).unwrap(), format!("{a} CANCELLED\n{b} CANCELLED\n"));
    // To cancel what is cancelled is fine; there is no result, though.
    assert_eq!(server.run(&["cancel", &a, "--json"]).documents()[0]["status"], "CANCELLED");
    assert!(server.run(&["result", &a]).failed(1).contains("CANCELLED"));

    assert_eq!(server.run(&["retry", &a]).fine(), format!("{a} INIT (run 2)\n"));
    assert!(server.run(&["retry", &a]).failed(1).contains("not finished"));
    let job = server.get(&a);
    assert_eq!((job["status"].as_str(), job["run"].as_u64()), (Some("INIT"), Some(2)));
}

#[test]
fn a_job_is_watched_to_its_end() {
    let server = Server::start();
    let id = server.submit(&["q", "1"]);
    let mut watch = server.spawn(["watch", &id, "--json"]);
    let event = |line: String| -> Value { serde_json::from_str(&line).unwrap() };
    assert_eq!(event(watch.line())["status"], "INIT");
    let _worker = server.work(&["--name", "w"], "echo 'ackd:progress 42 encoding' >&2; echo 7");
    let events: Vec<Value> = watch.end().documents();
    let statuses: Vec<&str> = events.iter().map(|job| job["status"].as_str().unwrap()).collect();
    assert_eq!((statuses.first(), statuses.last()), (Some(&"PROCESSING"), Some(&"DONE")), "{statuses:?}");
    assert_eq!(events.last().unwrap()["result"], 7);

    // One that has ended is told once.
    let lines = server.run(&["watch", &id]).fine();
    assert!(lines.lines().count() == 1 && lines.contains("DONE        attempt 1 of 20 on w"), "{lines}");
    let timeline = server.run(&["timeline", &id]).fine();
    for event in ["submitted", "leased", "completed"] {
        assert!(timeline.contains(event), "{timeline}");
    }
    let timeline = server.run(&["timeline", &id, "--json"]).documents().remove(0);
    assert_eq!(timeline["entries"][0]["event"], "submitted");
}

#[test]
fn the_feed_is_watched_by_queue_and_status_or_from_a_position_on() {
    let server = Server::start();
    let first = server.submit(&["q", "1"]);
    server.submit(&["other", "1"]);
    let mut all = server.spawn(["watch", "--queue", "q,r", "--after", "earliest", "--json"]);
    let event = |line: String| -> Value { serde_json::from_str(&line).unwrap() };
    assert_eq!(event(all.line())["id"], first.as_str());
    let second = server.submit(&["r", "1"]);
    assert_eq!(event(all.line())["id"], second.as_str());
    let position = server.get(&second)["position"].as_str().unwrap().to_owned();
    server.run(&["cancel", &first]).fine();
    let mut ended = server.spawn(["watch", &first, &second, "--status", "cancelled", "--after", &position]);
    let line = ended.line();
    assert!(line.starts_with(&format!("{first}  q  ")) && line.contains("CANCELLED"), "{line}");
    assert!(server.run(&["watch", "--status", "soon"]).failed(2).contains("a status is"));
}

#[test]
fn completions_are_printed_and_a_reader_that_leaves_is_no_error() {
    let server = Server::start();
    for shell in ["bash", "zsh", "fish"] {
        let script = server.run(&["completions", shell]).fine();
        assert!(script.contains("submit") && !script.contains("supervise"), "{shell}");
    }
    server.submit(&["q", "1"]);
    let mut list = std::process::Command::new("sh");
    list.args(["-c", "\"$0\" list --json | true; \"$0\" list | head -n 0", env!("CARGO_BIN_EXE_ackd")]);
    let output = list.env("ACKD_URL", &server.url).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
