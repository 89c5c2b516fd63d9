//! What a command gets, what it can tell, and what becomes of how it ends.

use crate::ackd::{Running, Server, ackd};
use crate::pipes::{Bell, Gate};

#[test]
fn a_command_finds_its_job_in_its_environment() {
    let server = Server::start();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let id = server.submit(&["q", "hello", "--type", "t", "--traceparent", trace, "--max-attempts", "3"]);
    let bare = server.submit(&["q"]);
    let script = "env | grep -E '^(ACKD|TRACE)' | grep -v '^ACKD_LEASE=' | sort; \
                  [ ${#ACKD_LEASE} -gt 20 ] && echo lease";
    // Variables of the worker's own are not a job's.
    let mut command = ackd(&server.url, ["work", "q", "--", "sh", "-c", script]);
    for name in ["ACKD_TYPE", "TRACEPARENT", "ACKD_CHECKPOINT", "ACKD_CONTENT_TYPE"] {
        command.env(name, "stale");
    }
    let _worker = Running::start(&mut command);
    let url = &server.url;
    assert_eq!(
        server.run(&["result", &id, "--wait", "1m"]).fine(),
        format!(
            "ACKD_ATTEMPT=1\nACKD_CONTENT_TYPE=text/plain; charset=utf-8\nACKD_JOB_ID={id}\nACKD_MAX_ATTEMPTS=3\n\
             ACKD_QUEUE=q\nACKD_TYPE=t\nACKD_URL={url}\nTRACEPARENT={trace}\nlease\n"
        )
    );
    assert_eq!(
        server.run(&["result", &bare, "--wait", "1m"]).fine(),
        format!("ACKD_ATTEMPT=1\nACKD_JOB_ID={bare}\nACKD_MAX_ATTEMPTS=20\nACKD_QUEUE=q\nACKD_URL={url}\nlease\n")
    );
}

#[test]
fn reports_reach_the_job_and_other_lines_the_worker() {
    let server = Server::start();
    server.run(&["queue", "set", "q", "--backoff-base", "1ms"]).fine();
    let (mut up, mut go) = (Bell::make(), Gate::make());
    let script = format!(
        "echo ackd:progress 42.5 encoding >&2; echo 'ackd:checkpoint {{\"at\":17}}' >&2; echo a line >&2; \
         echo ackd:checkpoint oops >&2; echo up > {}; read word < {}; printf 'the end' >&2; \
         [ \"$ACKD_CHECKPOINT\" = '{{\"at\":17}}' ] || exit 3",
        up.name(),
        go.name()
    );
    let id = server.submit(&["q", "1"]);
    let mut watch = server.spawn(["watch", &id, "--json"]);
    let mut worker = server.work(&[], &script);
    up.line();
    let told = loop {
        let job: serde_json::Value = serde_json::from_str(&watch.line()).unwrap();
        if !job["progress"].is_null() {
            break job;
        }
    };
    assert_eq!(
        (told["progress"]["percent"].as_f64(), told["progress"]["message"].as_str()),
        (Some(42.5), Some("encoding"))
    );
    assert_eq!(worker.says("a line"), format!("{id}: a line"));
    worker.says("it is no JSON, and no checkpoint");
    go.open();
    assert_eq!(worker.says("the end"), format!("{id}: the end"));
    assert!(worker.says(" ends ").ends_with("failed: exit code 3"));

    // The next attempt finds the checkpoint, which was recorded before the failure.
    up.line();
    let job = server.get(&id);
    assert_eq!((job["attempt"].as_u64(), &job["checkpoint"]), (Some(2), &serde_json::json!({"at": 17})));
    assert_eq!(job["error"]["title"], "exit code 3");
    assert_eq!(job["error"]["detail"], "exit code 3\na line\nackd:checkpoint oops\nthe end");
    go.open();
    assert_eq!(server.run(&["result", &id, "--wait", "1m"]).fine(), "");
    assert!(worker.says(" ends ").ends_with("done"));
}

#[test]
fn the_exit_code_decides() {
    let server = Server::start();
    server.run(&["queue", "set", "q", "--backoff-base", "1ms"]).fine();
    let _worker = server.work(&["-j", "4"], "eval \"$(cat)\"");
    let end = |script: &str| {
        let said = server.run(&["submit", "q", script, "--max-attempts", "2", "--wait", "--json"]);
        let job: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
        (job["status"].as_str().unwrap().to_owned(), job["attempt"].as_u64().unwrap(), job["error"].clone())
    };
    for (script, status, attempts, title) in [
        ("exit 0", "DONE", 1, None),
        ("exit 65", "FAILED", 1, Some("exit code 65")),
        ("exit 3", "FAILED", 2, Some("exit code 3")),
        ("kill -SEGV $$", "FAILED", 2, Some("killed by SIGSEGV")),
        ("[ $ACKD_ATTEMPT = 2 ]", "DONE", 2, None),
        // What leaves the group and keeps a stream full is not waited for.
        ("setsid yes & exit 65", "FAILED", 1, Some("exit code 65")),
        // What a supervisor would die of, too.
        ("kill -KILL 0", "FAILED", 2, Some("the command's supervisor was killed")),
        ("kill -TERM 0", "FAILED", 2, Some("killed by SIGTERM")),
    ] {
        let (ended, attempt, error) = end(script);
        assert_eq!((ended.as_str(), attempt), (status, attempts), "{script}: {error}");
        if let Some(title) = title {
            assert_eq!(error["title"], title, "{script}");
        }
    }
}

#[test]
fn a_result_is_what_it_looks_like() {
    let server = Server::start();
    let _worker = server.work(&["-j", "4"], "cat");
    for (input, content_type) in [
        (&b"{\"a\": 1}\n"[..], "application/json"),
        (b"a b\n", "text/plain; charset=utf-8"),
        (b"\xff", "application/octet-stream"),
    ] {
        let said = server.run_with(&["submit", "q", "--file", "-", "--content-type", "a/b", "--wait", "--json"], input);
        assert_eq!(said.documents()[0]["result_info"]["content_type"], content_type, "{input:?}");
    }
}

#[test]
fn a_result_that_is_too_large_fails_for_good() {
    let server = Server::with(&["--max-file", "3000000"]);
    let _worker = server.work(&["-j", "2", "--max-result", "4000000"], "eval \"$(cat)\"");
    for (script, text) in [
        // More than this server takes.
        ("head -c 3000001 /dev/zero", "too large"),
        ("yes | head -c 3000001", "too large"),
        // More than this worker takes, and without an end.
        ("yes", "larger than the 4000000 bytes"),
    ] {
        let said = server.run(&["submit", "q", script, "--wait"]).failed(1);
        assert!(said.contains(text), "{script}: {said}");
    }
    assert_eq!(server.run(&["submit", "q", "yes | head -c 3000000", "--wait"]).fine().len(), 3_000_000);
}

#[test]
fn payloads_and_results_may_be_files() {
    let server = Server::start();
    let bytes: Vec<u8> = (0..60_000_000u32).map(|at| at.to_le_bytes()[(at % 3) as usize]).collect();
    // With the shortest of leases: it is kept by heartbeats while payload and result are on their way.
    let worker = server.work(&["--ttl", "1s"], "cat");
    let said = server.run_with(&["submit", "q", "--file", "-", "--wait"], &bytes);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout == bytes);
    // Neither is ever in its memory as a whole, let alone both.
    assert!(worker.peak() < 52 << 20, "{}", worker.peak());
}

#[test]
fn a_command_may_leave_a_large_payload_unread() {
    let server = Server::start();
    let _worker = server.work(&[], "exec 0<&-; echo $ACKD_CONTENT_TYPE");
    let said = server.run_with(&["submit", "q", "--file", "-", "--content-type", "a/b", "--wait"], &vec![0; 3_000_000]);
    assert_eq!(said.fine(), "a/b\n");
}

#[test]
fn a_command_that_reads_nothing_and_says_much_keeps_its_lease() {
    let server = Server::start();
    let payload = vec![b'x'; 1 << 20];
    // Longer than the lease: three heartbeats are due meanwhile. The sleep is the slow work itself.
    let mut worker = server.work(&["--ttl", "1s"], "yes error | head -c 3000000 >&2; sleep 2.5; echo $ACKD_ATTEMPT");
    // Read it all, or the command has to wait.
    let drained = std::thread::spawn(move || (worker.says(" ends "), worker));
    let said = server.run_with(&["submit", "q", "--file", "-", "--wait"], &payload);
    assert_eq!(said.fine(), "1");
    let (end, _worker) = drained.join().unwrap();
    assert!(end.ends_with("done"), "{end}");
}

#[test]
fn several_jobs_run_at_once_and_types_and_queues_are_kept_to() {
    let server = Server::start();
    let (mut up, mut go) = (Bell::make(), Gate::make());
    let script = format!("echo $ACKD_QUEUE > {}; read word < {}", up.name(), go.name());
    let other = server.submit(&["q", "1", "--type", "other"]);
    let jobs = [server.submit(&["q", "1", "--type", "t"]), server.submit(&["r", "1", "--type", "u"])];
    let args = ["work", "q", "r", "-j", "2", "--type", "t", "--type", "u", "--name", "w", "--", "sh", "-c", &script];
    let _worker = server.spawn(args);
    let mut queues = [up.line(), up.line()];
    queues.sort();
    assert_eq!(queues, ["q", "r"]);
    for job in &jobs {
        assert_eq!(
            (server.get(job)["status"].as_str(), server.get(job)["worker"].as_str()),
            (Some("PROCESSING"), Some("w"))
        );
    }
    go.open();
    go.open();
    for job in &jobs {
        server.run(&["result", job, "--wait", "1m"]).fine();
    }
    assert_eq!(server.get(&other)["status"], "INIT");
}
