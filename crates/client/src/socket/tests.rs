use std::time::Duration;

use ackd_api::Code;
use ackd_websocket::{Close, CloseCode, Decoder, Incoming, Side, frame, handshake};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::testing::{Duplex, Request, Server, job};

/// The server's side of a socket.
struct Far {
    stream: Box<dyn Duplex>,
    decoder: Decoder,
    unread: Vec<u8>,
}

impl Far {
    async fn accept(request: Request) -> Far {
        assert_eq!(request.line, "GET /v1/ws");
        assert_eq!(request.header("sec-websocket-protocol"), Some("ackd.v1"));
        let accept = handshake::accept(request.header("sec-websocket-key").unwrap());
        let headers = [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", &*accept)];
        let stream = request.switch(&headers).await;
        Far { stream, decoder: Decoder::new(Side::Server, 1 << 20), unread: Vec::new() }
    }

    async fn say(&mut self, frame: Value) {
        let mut out = Vec::new();
        frame::text(&mut out, None, frame.to_string().as_bytes());
        self.stream.write_all(&out).await.unwrap();
    }

    async fn event(&mut self, sid: u64, id: u64, status: &str) {
        let job: Value = serde_json::from_str(&job("a", status, id)).unwrap();
        let id = id.to_string();
        self.say(json!({"op": "event", "sid": sid, "id": id, "event": "status", "job": job})).await;
    }

    async fn close(&mut self, code: CloseCode) {
        let mut out = Vec::new();
        frame::close(&mut out, None, Some(&Close { code, reason: String::new() }));
        self.stream.write_all(&out).await.unwrap();
    }

    async fn incoming(&mut self) -> Option<Incoming> {
        loop {
            let mut rest = &self.unread[..];
            let read = self.decoder.read(&mut rest).unwrap();
            let taken = self.unread.len() - rest.len();
            self.unread.drain(..taken);
            if read.is_some() || self.stream.read_buf(&mut self.unread).await.unwrap_or(0) == 0 {
                return read;
            }
        }
    }

    async fn hear(&mut self) -> Value {
        match self.incoming().await {
            Some(Incoming::Text(text)) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

async fn text(subscription: &mut Subscription) -> String {
    match subscription.next().await {
        Some(Ok(Event::Status { position, job })) => format!("{} {position}", job.status),
        Some(Ok(Event::Progress { position, .. })) => format!("progress {position}"),
        Some(Ok(Event::Reset { position })) => format!("reset {position}"),
        Some(Err(error)) => format!("error {error}"),
        None => "end".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_are_submitted_and_followed_and_the_socket_closes_behind_the_last() {
    let (mut server, client) = Server::memory();
    let socket = client.socket();
    let submitting = tokio::spawn({
        let socket = socket.clone();
        async move { socket.submit(Submission::new("q")).await }
    });
    let mut far = Far::accept(server.next().await).await;
    assert_eq!(far.hear().await, json!({"op": "submit", "ref": 1, "job": {"queue": "q"}}));
    let document: Value = serde_json::from_str(&job("a", "INIT", 1)).unwrap();
    far.say(json!({"op": "accepted", "ref": 1, "job": document, "replayed": true})).await;
    let submitted = submitting.await.unwrap().unwrap();
    assert_eq!((submitted.id.as_ref(), submitted.replayed), ("a", true));

    let mut following = socket.follow("a").await.unwrap();
    assert_eq!(far.hear().await, json!({"op": "subscribe", "sid": 2, "job": "a", "credit": 64}));
    far.event(2, 1, "INIT").await;
    far.say(json!({"op": "caught_up", "sid": 2, "id": "1"})).await;
    far.say(json!({"op": "later", "sid": 2})).await;
    far.event(2, 2, "DONE").await;
    far.say(json!({"op": "ended", "sid": 2})).await;
    assert_eq!([text(&mut following).await, text(&mut following).await], ["INIT 1", "DONE 2"]);
    assert_eq!(text(&mut following).await, "end");

    let refused = tokio::spawn({
        let socket = socket.clone();
        async move { socket.submit(Submission::new("ackd.x")).await.unwrap_err() }
    });
    assert_eq!(far.hear().await["ref"], 3);
    let problem = ackd_api::Problem::new(Code::Forbidden, "");
    far.say(json!({"op": "error", "ref": 3, "problem": problem})).await;
    assert!(refused.await.unwrap().is(Code::Forbidden));

    drop((socket, following));
    assert_eq!(far.incoming().await, Some(Incoming::Close(None)));
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_breaks_off_goes_on_where_it_was() {
    let (mut server, client) = Server::memory();
    let socket = client.socket();
    let filter = EventFilter { queues: vec!["q".into()], after: Some("0".into()), ..EventFilter::default() };
    let mut events = socket.events(&filter).await.unwrap();
    let mut far = Far::accept(server.next().await).await;
    assert_eq!(far.hear().await, json!({"op": "subscribe", "sid": 1, "queue": ["q"], "after": "0", "credit": 64}));
    far.event(1, 5, "INIT").await;
    assert_eq!(text(&mut events).await, "INIT 5");
    let submitting = tokio::spawn({
        let socket = socket.clone();
        async move { socket.submit(Submission::new("q")).await }
    });
    assert_eq!(far.hear().await["op"], "submit");
    far.close(CloseCode::GOING_AWAY).await;
    drop(far);
    // Whether it was accepted is not known.
    assert!(matches!(submitting.await.unwrap(), Err(Error::Unreachable(_))));

    server.next().await.hang_up();
    server.next().await.refuse(Code::Draining);
    let mut far = Far::accept(server.next().await).await;
    assert_eq!(far.hear().await, json!({"op": "subscribe", "sid": 1, "queue": ["q"], "after": "5", "credit": 63}));
    // A position without an event is one too.
    far.say(json!({"op": "caught_up", "sid": 1, "id": "9"})).await;
    far.say(json!({"op": "reset", "sid": 1, "id": "10"})).await;
    assert_eq!(text(&mut events).await, "reset 10");
    drop(far);
    let mut far = Far::accept(server.next().await).await;
    assert_eq!(far.hear().await["after"], "10");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_taken_is_not_sent() {
    let (mut server, client) = Server::memory();
    let mut events = client.socket().events(&EventFilter::default()).await.unwrap();
    let mut far = Far::accept(server.next().await).await;
    assert_eq!(far.hear().await["credit"], WINDOW);
    for id in 1..=WINDOW {
        far.event(1, id, "INIT").await;
    }
    for id in 1..=WINDOW / 2 {
        assert_eq!(text(&mut events).await, format!("INIT {id}"));
    }
    assert_eq!(far.hear().await, json!({"op": "credit", "sid": 1, "n": WINDOW / 2}));
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_given_up_and_a_refusal_is_final() {
    let (mut server, client) = Server::memory();
    let mut events = client.socket().events(&EventFilter::default()).await.unwrap();
    let begun = tokio::time::Instant::now();
    let mut silent = Far::accept(server.next().await).await;
    assert_eq!(silent.hear().await["op"], "subscribe");
    let mut far = Far::accept(server.next().await).await;
    assert!(begun.elapsed() >= Duration::from_secs(45) && begun.elapsed() < Duration::from_secs(47));
    assert_eq!(far.hear().await["op"], "subscribe");
    let mut ping = Vec::new();
    frame::ping(&mut ping, None);
    far.stream.write_all(&ping).await.unwrap();
    assert_eq!(far.incoming().await, Some(Incoming::Pong));
    far.close(CloseCode::POLICY).await;
    assert!(text(&mut events).await.contains("1008"));
    assert_eq!(text(&mut events).await, "end");

    let mut events = client.socket().events(&EventFilter::default()).await.unwrap();
    server.next().await.refuse(Code::Forbidden);
    assert!(matches!(events.next().await, Some(Err(error)) if error.is(Code::Forbidden)));

    let mut following = client.socket().follow("a").await.unwrap();
    let mut far = Far::accept(server.next().await).await;
    far.hear().await;
    let problem = ackd_api::Problem::new(Code::NotFound, "");
    far.say(json!({"op": "error", "sid": 1, "problem": problem})).await;
    far.say(json!({"op": "ended", "sid": 1})).await;
    assert!(matches!(following.next().await, Some(Err(error)) if error.is(Code::NotFound)));
    assert_eq!(text(&mut following).await, "end");
}
