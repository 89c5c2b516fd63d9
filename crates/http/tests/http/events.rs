//! Following a job by server-sent events.

use ackd_http::Config;
use serde_json::Value;

use crate::common::{Client, Request, Server, SharedLedger};

/// A stream of events.
struct Stream {
    client: Client,
}

#[derive(Debug, Clone, PartialEq)]
struct Event {
    id: String,
    name: String,
    data: Value,
}

impl Event {
    /// Its name and the version of its job.
    fn brief(&self) -> (&str, u64) {
        (&self.name, self.data["version"].as_u64().unwrap_or_default())
    }
}

impl Stream {
    async fn open(server: &Server, request: Request) -> Stream {
        let mut client = server.connect().await;
        client.send(&request).await;
        let head = client.head().await;
        assert_eq!(head.status, 200, "{head:?}");
        assert_eq!(head.header("content-type"), Some("text/event-stream"));
        assert_eq!(head.header("cache-control"), Some("no-cache, no-transform"));
        assert_eq!(head.header("x-accel-buffering"), Some("no"));
        let mut stream = Stream { client };
        let begin = stream.frame().await.unwrap();
        assert!(begin.starts_with("retry: 3000\n"), "{begin}");
        stream
    }

    async fn feed(server: &Server, query: &str, last: &str) -> Stream {
        let request = Request::get(&format!("/v1/events?{query}"));
        Stream::open(server, if last.is_empty() { request } else { request.header("last-event-id", last) }).await
    }

    /// The versions of the jobs in the next `count` events, and the id of the last one.
    async fn versions(&mut self, count: usize) -> (Vec<u64>, String) {
        let (mut versions, mut id) = (Vec::new(), String::new());
        while versions.len() < count {
            let frame = self.next().await;
            assert!(!frame.is_empty(), "the stream ended after {versions:?}");
            id = frame.last().unwrap().id.clone();
            versions.extend(frame.iter().map(|event| event.brief().1));
        }
        (versions, id)
    }

    async fn frame(&mut self) -> Option<String> {
        self.client.chunk().await.map(|chunk| String::from_utf8(chunk).unwrap())
    }

    /// The events of the next frame; none at the end.
    async fn next(&mut self) -> Vec<Event> {
        let Some(frame) = self.frame().await else { return Vec::new() };
        let field = |block: &str, name: &str| {
            let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.unwrap_or_else(|| panic!("no {name} in {block:?}")).to_owned()
        };
        let has_id = |block: &str| block.starts_with("id: ");
        frame
            .split_terminator("\n\n")
            .map(|block| Event {
                id: if has_id(block) { field(block, "id") } else { String::new() },
                name: field(block, "event"),
                data: serde_json::from_str(&field(block, "data")).unwrap(),
            })
            .collect()
    }

    /// Everything to the end.
    async fn rest(mut self) -> Vec<Event> {
        let mut all = Vec::new();
        loop {
            match self.next().await {
                events if events.is_empty() => return all,
                events => all.extend(events),
            }
        }
    }
}

fn events(id: &str) -> Request {
    Request::get(&format!("/v1/jobs/{id}/events"))
}

#[tokio::test]
async fn a_job_is_followed_from_where_it_is_to_its_end() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q","payload":"secret"}"#).await;
    let mut stream = Stream::open(&server, events(&id)).await;
    let current = stream.next().await;
    assert_eq!(current[0].brief(), ("status", 1));
    assert_eq!((&current[0].data["status"], &current[0].data["payload"]), (&Value::from("INIT"), &Value::Null));
    let position = server.job(&id).await.text("/position");
    assert_eq!(current[0].id, position);

    let lease = server.lease("q").await;
    assert_eq!(stream.next().await[0].brief(), ("status", 2));
    server.settle(&lease, "heartbeat", r#"{"progress":{"percent":50},"checkpoint":"a\nb"}"#).await;
    let progress = stream.next().await;
    assert_eq!((progress[0].brief(), &progress[0].data["progress"]["percent"]), (("progress", 3), &Value::from(50.0)));
    server.settle(&lease, "complete", "{\"result\":[1,\n2]}").await;
    let rest = stream.rest().await;
    assert_eq!((rest.len(), rest[0].brief()), (1, ("status", 4)));
    assert_eq!((&rest[0].data["status"], &rest[0].data["result"]), (&Value::from("DONE"), &serde_json::json!([1, 2])));
}

#[test]
fn who_follows_is_not_in_the_way_of_who_asks() {
    let runtime = |threads| tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let (requests, streams) = (runtime(1).unwrap(), runtime(1).unwrap());
    requests.block_on(async {
        let server = Server::with_streams_on(streams.handle()).await;
        let mut stream = Stream::feed(&server, "queue=q", "").await;
        // The only thread of those who follow is as busy as with ten thousand of them.
        let (busy, is_busy) = tokio::sync::oneshot::channel();
        let (end, until) = std::sync::mpsc::channel::<()>();
        streams.spawn(async move {
            busy.send(()).unwrap();
            let _ = until.recv();
        });
        is_busy.await.unwrap();
        let id = server.submit(r#"{"queue":"q","payload":1}"#).await;
        server.lease("q").await;
        assert_eq!(server.job(&id).await.text("/status"), "PROCESSING");
        end.send(()).unwrap();
        assert_eq!(stream.versions(2).await.0, [1, 2]);
    });
}

#[tokio::test]
async fn who_comes_back_gets_what_it_missed_once_and_in_order() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let first = server.job(&id).await.text("/position");
    let lease = server.lease("q").await;
    let second = server.job(&id).await.text("/position");
    server.settle(&lease, "release", "{}").await;
    let lease = server.lease("q").await;
    server.settle(&lease, "complete", r#"{"result":7}"#).await;

    let after_first = Stream::open(&server, events(&id).header("last-event-id", &first)).await.rest().await;
    let brief: Vec<_> = after_first.iter().map(Event::brief).collect();
    assert_eq!(brief, [("status", 2), ("status", 3), ("status", 4), ("status", 5)]);
    assert_eq!(after_first[3].data["result"], 7);
    // The header says it later than the address does.
    let request = Request::get(&format!("/v1/jobs/{id}/events?after={first}")).header("last-event-id", &second);
    let after_second = Stream::open(&server, request).await.rest().await;
    assert_eq!(after_second[..], after_first[1..]);
    let request = Request::get(&format!("/v1/jobs/{id}/events?after={second}")).header("last-event-id", "");
    assert_eq!(Stream::open(&server, request).await.rest().await.len(), 3);
    let earliest = Stream::open(&server, Request::get(&format!("/v1/jobs/{id}/events?after=earliest"))).await;
    assert_eq!(earliest.rest().await.len(), 5);

    // At its end there is nothing to come back for; without a position the end itself is told.
    let last = &after_first[3].id;
    assert_eq!(server.call(events(&id).header("last-event-id", last)).await.status, 204);
    let end = Stream::open(&server, events(&id)).await.rest().await;
    assert_eq!((end.len(), end[0].brief(), &end[0].data["result"]), (1, ("status", 5), &Value::from(7)));
}

#[tokio::test]
async fn a_job_that_was_retried_goes_on_behind_its_end() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let ended = server.call(Request::post(&format!("/v1/jobs/{id}/cancel"))).await.text("/position");
    server.call(Request::post(&format!("/v1/jobs/{id}/retry"))).await;
    server.call(Request::post(&format!("/v1/jobs/{id}/cancel"))).await;
    let stream = Stream::open(&server, events(&id).header("last-event-id", &ended)).await;
    let brief: Vec<_> =
        stream.rest().await.into_iter().map(|event| event.data["status"].as_str().unwrap().to_owned()).collect();
    assert_eq!(brief, ["INIT", "CANCELLED"]);
}

#[tokio::test]
async fn a_position_that_is_no_longer_kept_is_reset() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let first = server.job(&id).await.text("/position");
    let lease = server.lease("q").await;
    server.settle(&lease, "release", "{}").await;
    server.lease("q").await;
    server.faults.purge(ackd_domain::Position(2));
    let mut stream = Stream::open(&server, events(&id).header("last-event-id", &first)).await;
    let frame = [stream.next().await, stream.next().await].concat();
    assert_eq!((frame[0].name.as_str(), frame[1].brief()), ("reset", ("status", 4)));
    let now = server.job(&id).await.text("/position");
    assert_eq!((&frame[0].data["position"], &frame[1].id), (&Value::from(now.as_str()), &now));
    // Were it cut off here, the client would have to be told anew.
    assert_eq!(frame[0].id, "");
    let timeline = server.call(Request::get(&format!("/v1/jobs/{id}/timeline"))).await;
    assert_eq!(timeline.at("/truncated"), true);
}

#[tokio::test]
async fn a_position_that_was_not_given_out_is_refused() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    for forged in ["7", "earliest", "AAAAAAAAAAAAAAAA"] {
        let answer = server.call(events(&id).header("last-event-id", forged)).await;
        assert!(answer.is_problem(400, "invalid-request").text("/detail").contains("last-event-id"));
    }
    let answer = server.call(Request::get(&format!("/v1/jobs/{id}/events?after=7"))).await;
    answer.is_problem(400, "invalid-request").points_at("/after");
}

#[tokio::test(start_paused = true)]
async fn a_stream_in_which_nothing_happens_says_where_it_is() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let position = server.job(&id).await.text("/position");
    let mut stream = Stream::open(&server, events(&id)).await;
    stream.next().await;
    let begun = tokio::time::Instant::now();
    for round in 1..4 {
        assert_eq!(stream.frame().await, Some(format!(": here\nid: {position}\n\n")));
        let passed = begun.elapsed().as_secs();
        assert!(passed >= 15 * round - 1 && passed < 15 * round + 5, "{passed}");
    }
}

#[tokio::test]
async fn a_stream_ends_with_the_server_and_goes_on_with_the_next() {
    let ledger = SharedLedger::new();
    let server = Server::over(&ledger, Config::default()).await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let mut stream = Stream::open(&server, events(&id)).await;
    let at = stream.next().await.pop().unwrap().id;
    server.stop().await;
    assert!(stream.rest().await.is_empty());

    let server = Server::over(&ledger, Config::default()).await;
    let mut stream = Stream::open(&server, events(&id).header("last-event-id", &at)).await;
    server.lease("q").await;
    assert_eq!(stream.next().await[0].brief(), ("status", 2));
}

#[tokio::test]
async fn who_goes_away_is_followed_by_nothing() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let stream = Stream::open(&server, events(&id)).await;
    assert_eq!(server.engine.followers(), 1);
    drop(stream);
    server.until("no follower", async |server| server.engine.followers() == 0).await;
    // A head without a body follows nothing either.
    let head = server.call(Request::new("HEAD", &format!("/v1/jobs/{id}/events"))).await;
    assert_eq!(head.status, 200);
    server.until("no follower", async |server| server.engine.followers() == 0).await;
}

#[tokio::test]
async fn what_happened_to_an_erased_job_is_still_told_without_its_bytes() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q","tags":["t"],"payload":"secret"}"#).await;
    let lease = server.lease("q").await;
    server.settle(&lease, "complete", r#"{"result":{"a":1}}"#).await;
    assert_eq!(server.call(Request::new("DELETE", &format!("/v1/jobs/{id}"))).await.status, 204);
    let mut feed = Stream::feed(&server, "queue=q&tag=t&after=earliest", "").await;
    for status in ["INIT", "PROCESSING", "DONE"] {
        let [event] = &feed.next().await[..] else { panic!("not one event for {status}") };
        assert_eq!((event.data["id"].as_str(), event.data["status"].as_str()), (Some(id.as_str()), Some(status)));
        assert_eq!((&event.data["payload"], &event.data["result"]), (&Value::Null, &Value::Null));
    }
    let next = server.submit(r#"{"queue":"q","tags":["t"]}"#).await;
    assert_eq!(feed.next().await[0].data["id"].as_str(), Some(next.as_str()));
}

#[tokio::test]
async fn a_feed_tells_what_its_filter_names_from_now_on() {
    let server = Server::start().await;
    server.submit(r#"{"queue":"a","tags":["x"]}"#).await;
    let mut of_a = Stream::feed(&server, "queue=a,c", "").await;
    let mut of_x = Stream::feed(&server, "tag=x&status=INIT,DONE", "").await;
    let mut of_type = Stream::feed(&server, "type=t&after=earliest", "").await;
    let other = server.submit(r#"{"queue":"b","tags":["x"],"payload":"secret"}"#).await;
    let own = server.submit(r#"{"queue":"a","type":"t"}"#).await;
    let mut of_jobs = Stream::feed(&server, &format!("job={own}&job={other}&after=earliest"), "").await;
    let event = &of_a.next().await[0];
    assert_eq!((event.brief(), event.data["id"].as_str()), (("status", 1), Some(own.as_str())));
    assert_eq!(event.id, server.job(&own).await.text("/position"));
    let event = &of_type.next().await[0];
    assert_eq!(event.data["id"].as_str(), Some(own.as_str()));
    let lease = server.lease("b").await;
    server.settle(&lease, "complete", r#"{"result":{"a":1}}"#).await;
    let events = [of_x.next().await, of_x.next().await].concat();
    let statuses: Vec<_> = events.iter().map(|event| event.data["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["INIT", "DONE"]);
    assert_eq!((&events[0].data["payload"], &events[1].data["result"]), (&Value::Null, &serde_json::json!({"a": 1})));
    assert_eq!(of_jobs.versions(4).await.0, [1, 1, 2, 3]);
}

#[tokio::test]
async fn a_feed_goes_on_where_it_was_across_a_restart() {
    let ledger = SharedLedger::new();
    let server = Server::over(&ledger, Config::default()).await;
    let mut stream = Stream::feed(&server, "queue=q", "").await;
    for _ in 0..3 {
        server.submit(r#"{"queue":"q"}"#).await;
    }
    let (_, last) = stream.versions(2).await;
    server.lease("q").await;
    server.stop().await;

    let server = Server::over(&ledger, Config::default()).await;
    server.submit(r#"{"queue":"other"}"#).await;
    let mut stream = Stream::feed(&server, "queue=q", &last).await;
    assert_eq!(stream.versions(2).await.0, [1, 2]);
    server.submit(r#"{"queue":"q"}"#).await;
    assert_eq!(stream.versions(1).await.0, [1]);
}

#[tokio::test]
async fn a_list_is_watched_from_its_position_on() {
    let server = Server::start().await;
    server.submit(r#"{"queue":"q"}"#).await;
    let list = server.call(Request::get("/v1/jobs?queue=none")).await;
    let later = server.submit(r#"{"queue":"q"}"#).await;
    let mut stream = Stream::feed(&server, &format!("after={}", list.text("/position")), "").await;
    assert_eq!(stream.next().await[0].data["id"].as_str(), Some(later.as_str()));
}

/// The changes of a job that has rested for long are all gone, and none of them is news to who has seen the last.
#[tokio::test]
async fn a_position_behind_all_that_is_no_longer_kept_is_not_reset() {
    for is_its_own in [true, false] {
        let server = Server::start().await;
        let id = server.submit(r#"{"queue":"q"}"#).await;
        let other = server.submit(r#"{"queue":"other"}"#).await;
        server.submit(r#"{"queue":"other"}"#).await;
        let seen = server.job(if is_its_own { &id } else { &other }).await.text("/position");
        server.faults.purge(ackd_domain::Position(1));
        let mut stream = Stream::open(&server, events(&id).header("last-event-id", &seen)).await;
        server.lease("q").await;
        assert_eq!(stream.next().await[0].brief(), ("status", 2), "{is_its_own}");
    }
    // A position that never was is no reason to wait.
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    server.faults.purge(ackd_domain::Position(1));
    let later = Server::start().await;
    later.submit(r#"{"queue":"q"}"#).await;
    let beyond = later.submit(r#"{"queue":"q"}"#).await;
    let beyond = later.job(&beyond).await.text("/position");
    let mut stream = Stream::open(&server, events(&id).header("last-event-id", &beyond)).await;
    assert_eq!(stream.next().await[0].name, "reset");
}

#[tokio::test]
async fn a_feed_whose_position_is_no_longer_kept_is_reset() {
    let server = Server::start().await;
    let first = server.submit(r#"{"queue":"q"}"#).await;
    let at = server.job(&first).await.text("/position");
    let second = server.submit(r#"{"queue":"q"}"#).await;
    server.submit(r#"{"queue":"q"}"#).await;
    server.faults.purge(ackd_domain::Position(2));
    // All that is kept is told.
    let mut feed = Stream::feed(&server, "queue=q", &at).await;
    let reset = feed.next().await.remove(0);
    assert_eq!((reset.name.as_str(), reset.data["position"].as_str()), ("reset", Some(reset.id.as_str())));
    assert_eq!(feed.versions(1).await.0, [1]);
    // Jobs that are named are shown as they are.
    let mut feed = Stream::feed(&server, &format!("job={first}&job={second}"), &at).await;
    let events = [feed.next().await, feed.next().await, feed.next().await].concat();
    assert_eq!((events[0].name.as_str(), events[0].id.as_str(), events[1].id.as_str()), ("reset", "", ""));
    let ids: Vec<_> = events[1..].iter().map(|event| event.data["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [&first, &second]);
    assert_eq!(events[0].data["position"].as_str(), Some(events[2].id.as_str()));
}

#[tokio::test]
async fn a_feed_that_cannot_be_is_refused() {
    let server = Server::start().await;
    let unknown = "01941f29-7c00-7abc-8def-0123456789ab";
    server.call(Request::get(&format!("/v1/events?job={unknown}"))).await.is_problem(404, "not-found");
    server.call(Request::get("/v1/events?queue=ackd.x")).await.is_problem(403, "forbidden").points_at("/queue");
    for (query, pointer) in [
        ("queue=a%20b", "/queue"),
        ("status=SOON", "/status"),
        ("job=7", "/job"),
        ("after=7", "/after"),
        ("color=red", "/color"),
        ("queue=a&queue=b", "/queue"),
    ] {
        let answer = server.call(Request::get(&format!("/v1/events?{query}"))).await;
        answer.is_problem(400, "invalid-request").points_at(pointer);
    }
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let jobs = |count: usize| vec![format!("job={id}"); count].join("&");
    Stream::feed(&server, &jobs(99), "").await;
    Stream::feed(&server, &format!("job={}", vec![id.as_str(); 100].join(",")), "").await;
    let answer = server.call(Request::get(&format!("/v1/events?job={}", vec![id.as_str(); 101].join(",")))).await;
    answer.is_problem(400, "invalid-request").points_at("/job");
}

#[tokio::test]
async fn a_quiet_feed_says_where_it_is_and_ends_after_its_time() {
    let server = Server::start().await;
    let begun = tokio::time::Instant::now();
    let mut quiet = Stream::feed(&server, "queue=quiet", "").await;
    let mut told = Stream::feed(&server, "queue=q", "").await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let at = server.job(&id).await.text("/position");
    while !told.frame().await.unwrap().contains(&at) {}
    // The thread that tells is done; from here on time would run ahead of it.
    tokio::time::pause();
    let passed_over = format!(": here\nid: {at}\n\n");
    while quiet.frame().await.unwrap() != passed_over {}
    while quiet.frame().await.is_some() {}
    let hours = begun.elapsed().as_secs_f64() / 3600.0;
    assert!((1.0..1.21).contains(&hours), "{hours}");
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_its_stream_to_the_end_of_the_connection() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    server.call(Request::post(&format!("/v1/jobs/{id}/cancel"))).await;
    let mut client = server.connect().await;
    client.write(format!("GET /v1/jobs/{id}/events HTTP/1.0\r\nhost: localhost\r\n\r\n").as_bytes()).await;
    let head = client.head().await;
    assert_eq!((head.status, head.header("transfer-encoding"), head.header("connection")), (200, None, Some("close")));
    let body = String::from_utf8(client.rest().await).unwrap();
    assert!(body.starts_with("retry: 3000\n\nid: ") && body.ends_with("}\n\n"), "{body}");
}
