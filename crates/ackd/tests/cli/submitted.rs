//! Submitting, and what becomes of payloads, results and errors.

use crate::ackd::Server;

#[test]
fn payloads_come_back_as_they_were_sent() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("payload");
    std::fs::write(&file, b"\x00\xff png").unwrap();
    let file = file.to_str().unwrap();

    for (args, input, content_type, bytes) in [
        (&["q", "{\"a\": 1}"][..], &b""[..], "application/json", &b"{\"a\": 1}"[..]),
        (&["q", "-5"], b"", "application/json", b"-5"),
        (&["q", "hello"], b"", "text/plain; charset=utf-8", b"hello"),
        (&["q", "1", "--content-type", "text/csv"], b"", "text/csv", b"1"),
        (&["q", "--file", file], b"", "application/octet-stream", b"\x00\xff png"),
        (&["q", "--file", "-"], b"[1,\n2]\n", "application/json", b"[1,\n2]"),
    ] {
        let said = server.run_with(&[&["submit", "--json"], args].concat(), input);
        let job = &said.documents()[0];
        assert_eq!(job["payload_info"]["content_type"], content_type, "{args:?}");
        let payload = server.run(&["payload", job["id"].as_str().unwrap()]);
        assert_eq!((payload.code, &payload.stdout[..]), (Some(0), bytes), "{args:?}");
    }
    let id = server.submit(&["q"]);
    assert!(server.get(&id)["payload_info"].is_null());
    assert_eq!(server.run(&["payload", &id]).fine(), "");
}

#[test]
fn every_option_reaches_the_job() {
    let server = Server::start();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let id = server.submit(&[
        "q",
        "1",
        "--type",
        "t",
        "--priority",
        "9",
        "--group",
        "tenant-1",
        "--delay",
        "1h",
        "--max-attempts",
        "3",
        "--timeout",
        "90",
        "--key",
        "k",
        "--tag",
        "a",
        "--tag",
        "b",
        "--traceparent",
        trace,
    ]);
    let job = server.get(&id);
    assert_eq!(
        (job["type"].as_str(), job["priority"].as_u64(), job["max_attempts"].as_u64()),
        (Some("t"), Some(9), Some(3))
    );
    assert_eq!(job["group"], "tenant-1");
    assert_eq!((job["timeout"].as_str(), job["idempotency_key"].as_str()), (Some("1m30s"), Some("k")));
    assert_eq!((&job["tags"], job["traceparent"].as_str()), (&serde_json::json!(["a", "b"]), Some(trace)));
    assert_eq!(job["waiting"]["reason"], "scheduled");
    let shown = server.run(&["get", &id]).fine();
    assert!(shown.contains("scheduled for") && shown.contains("a, b"), "{shown}");
}

#[test]
fn the_same_key_is_the_same_job() {
    let server = Server::start();
    let id = server.submit(&["q", "1", "--key", "k"]);
    let again = server.run(&["submit", "q", "1", "--key", "k"]);
    assert!(again.stderr.contains("used before"), "{again:?}");
    assert_eq!(again.fine().trim_end(), id);
    let other = server.run(&["submit", "q", "2", "--key", "k"]).failed(1);
    assert!(other.contains("The idempotency key belongs to another request"), "{other}");
}

#[test]
fn lines_are_jobs() {
    let server = Server::start();
    let lines = (0..5001).map(|number| format!("{{\"n\":{number}}}\n")).collect::<String>();
    let ids = server.run_with(&["submit", "q", "--ndjson", "--file", "-", "--tag", "x"], lines.as_bytes()).fine();
    let ids: Vec<&str> = ids.lines().collect();
    assert_eq!(ids.len(), 5001);
    for (id, number) in [(ids[0], 0), (ids[5000], 5000)] {
        let job = server.get(id);
        assert_eq!((&job["payload"]["n"], &job["tags"][0]), (&number.into(), &"x".into()));
    }
    let said = server.run_with(&["submit", "q", "--ndjson", "--file", "-"], b"1\n{}\n{x}\n").failed(1);
    assert!(said.contains("payload 3: it is no JSON") && said.contains("nothing was submitted"), "{said}");
    assert_eq!(server.run(&["queue", "show", "q", "--json"]).documents()[0]["counts"]["INIT"], 5001);
    let documents = server.run_with(&["submit", "q", "--ndjson", "--file", "-", "--json"], b"1\n").documents();
    assert_eq!(documents[0]["status"], 202);
}

#[test]
fn waiting_prints_the_result_and_tells_how_it_ended() {
    let server = Server::start();
    let _worker = server.work(&["-j", "2"], "cat; case $ACKD_TYPE in bad) echo sorry >&2; exit 65;; esac");
    assert_eq!(server.run(&["submit", "q", "{\"b\": 1, \"a\": [2]}", "--wait"]).fine(), "{\"b\": 1, \"a\": [2]}");
    assert_eq!(server.run(&["submit", "q", "hello", "--wait", "1m"]).fine(), "hello");
    let bytes = server.run_with(&["submit", "q", "--file", "-", "--wait"], b"\x00\xff");
    assert_eq!((bytes.code, &bytes.stdout[..]), (Some(0), &b"\x00\xff"[..]));
    let nothing = server.run(&["submit", "q", "--wait", "--json"]).documents().remove(0);
    assert_eq!((nothing["status"].as_str(), nothing["result_info"].is_null()), (Some("DONE"), true));

    let failed = server.run(&["submit", "q", "1", "--wait", "--type", "bad"]).failed(1);
    assert!(failed.contains("FAILED: exit code 65") && failed.contains("sorry"), "{failed}");
    let failed = server.run(&["submit", "q", "1", "--wait", "--type", "bad", "--json"]);
    assert_eq!(failed.code, Some(1));
    assert!(String::from_utf8(failed.stdout).unwrap().contains(r#""status":"FAILED""#));
}

#[test]
fn waiting_has_an_end() {
    let server = Server::start();
    let id = server.submit(&["q", "1"]);
    let late = server.run(&["result", &id, "--wait", "10ms"]).failed(1);
    assert!(late.contains("has not ended after 10ms") && late.contains(&format!("ackd watch {id}")), "{late}");
    let late = server.run(&["result", &id]).failed(1);
    assert!(late.contains("is INIT") && late.contains("--wait"), "{late}");
    let late = server.run(&["submit", "q", "1", "--wait", "10ms"]).failed(1);
    assert!(late.contains("has not ended after 10ms"), "{late}");
}

#[test]
fn what_went_wrong_is_said_with_what_to_do() {
    let server = Server::start();
    for (args, code, texts) in [
        (&["submit", "q q", "1"][..], 1, &["The request is not valid", "/queue"][..]),
        (&["submit", "ackd.q", "1"], 1, &["This is not allowed", "choose another"]),
        (&["submit", "q", "x", "--tag", "a,b"], 2, &["/tags/0", "comma"]),
        (&["submit", "q", "--file", "/no/such/file"], 1, &["cannot read /no/such/file"]),
        (&["submit", "q", "--content-type", "a/b"], 2, &["there is none"]),
        (&["get", "01a1fb8b-9750-7000-8000-0000c653896e"], 1, &["There is nothing here"]),
        (&["get", "nonsense"], 1, &["UUID"]),
        (&["list", "--url", "https://localhost"], 2, &["https is not supported yet"]),
        (&["list", "--url", "nonsense"], 2, &["nonsense"]),
        (&["list", "--url", "http://127.0.0.1:1"], 1, &["refused", "ackd serve", "ACKD_URL"]),
        (&["watch", "01a1fb8b-9750-7000-8000-0000c653896e", "--url", "http://127.0.0.1:1"], 1, &["ackd serve"]),
        (&["work", "q", "--", "/no/such/program"], 2, &["there is no program /no/such/program"]),
        (&["queue", "set", "q"], 2, &["required"]),
        (&["queue", "set", "q", "--lease-ttl", "1ms"], 1, &["/lease_ttl"]),
        (&["nonsense"], 2, &["nonsense"]),
    ] {
        let said = server.run(args).failed(code);
        for text in texts {
            assert!(said.contains(text), "{args:?}: {said}");
        }
    }
}

#[test]
fn a_payload_that_is_too_large_is_refused() {
    let server = Server::with(&["--max-file", "2000000"]);
    for byte in [b'x', b'\xff'] {
        let refused = server.run_with(&["submit", "q", "--file", "-"], &vec![byte; 2_000_001]).failed(1);
        assert!(refused.contains("too large"), "{refused}");
    }
    assert!(server.run(&["list"]).stderr.contains("no such jobs"));
}
