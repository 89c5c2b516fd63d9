//! Following a job by server-sent events.

use ackd_http::Config;
use serde_json::Value;

use crate::common::{Client, Request, Server, SharedLedger};

/// A stream of events.
struct Stream {
    client: Client,
}

#[derive(Debug, PartialEq)]
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
        assert_eq!(stream.frame().await.as_deref(), Some("retry: 3000\n\n"));
        stream
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
        frame
            .split_terminator("\n\n")
            .map(|block| Event {
                id: field(block, "id"),
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
    let frame = stream.next().await;
    assert_eq!((frame[0].name.as_str(), frame[1].brief()), ("reset", ("status", 4)));
    let now = server.job(&id).await.text("/position");
    assert_eq!((&frame[0].data["position"], &frame[0].id, &frame[1].id), (&Value::from(now.as_str()), &now, &now));
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
