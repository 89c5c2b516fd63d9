//! WebSockets on real connections.

use std::time::Duration;

use ackd_http::{Config, Limits};
use ackd_websocket::{Decoder, Incoming, Side, frame};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::common::{Request, Server, SharedLedger};

const MASK: Option<[u8; 4]> = Some([1, 2, 3, 4]);

fn request() -> Request {
    Request::get("/v1/ws")
        .header("connection", "keep-alive, Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-protocol", "ackd.v1")
}

/// A client's side of a socket.
pub(crate) struct Socket {
    stream: TcpStream,
    decoder: Decoder,
    unread: Vec<u8>,
}

impl Socket {
    pub(crate) async fn open(server: &Server) -> Socket {
        let mut client = server.connect().await;
        client.send(&request()).await;
        let head = client.head().await;
        assert_eq!(head.status, 101, "{head:?}");
        assert_eq!(head.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(head.header("sec-websocket-protocol"), Some("ackd.v1"));
        Socket { stream: client.stream, decoder: Decoder::new(Side::Client, 64 << 20), unread: Vec::new() }
    }

    pub(crate) async fn say(&mut self, frame: Value) {
        self.say_text(&frame.to_string()).await;
    }

    async fn say_text(&mut self, text: &str) {
        let mut out = Vec::new();
        frame::text(&mut out, MASK, text.as_bytes());
        self.write(&out).await;
    }

    /// Writes bytes; a server that has closed does not take them.
    async fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// What comes next; `None` where the connection ends.
    async fn incoming(&mut self) -> Option<Incoming> {
        loop {
            let mut rest = &self.unread[..];
            let read = self.decoder.read(&mut rest).unwrap();
            let taken = self.unread.len() - rest.len();
            self.unread.drain(..taken);
            if read.is_some() {
                return read;
            }
            match self.stream.read_buf(&mut self.unread).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next message, as JSON. Pings are answered.
    pub(crate) async fn hear(&mut self) -> Value {
        loop {
            match self.incoming().await {
                Some(Incoming::Text(text)) => return serde_json::from_str(&text).unwrap(),
                Some(Incoming::Ping(payload)) => {
                    let mut out = Vec::new();
                    frame::pong(&mut out, MASK, &payload);
                    self.write(&out).await;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next message: its `op`, and what else tells it apart.
    async fn brief(&mut self) -> String {
        let frame = self.hear().await;
        let text = |pointer: &str| frame.pointer(pointer).map(|it| it.as_str().map_or(it.to_string(), str::to_owned));
        let parts = ["/op", "/ref", "/sid", "/event", "/job/status", "/job/version", "/problem/code"];
        parts.into_iter().filter_map(text).collect::<Vec<_>>().join(" ")
    }

    /// The code with which the server closes, after whatever else it says.
    async fn closed(&mut self) -> u16 {
        loop {
            match self.incoming().await {
                Some(Incoming::Close(Some(close))) => {
                    assert_eq!(self.incoming().await, None);
                    return close.code.0;
                }
                Some(Incoming::Text(_) | Incoming::Ping(_) | Incoming::Pong) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_job_is_submitted_and_followed_on_one_socket() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server).await;
    socket.say(json!({"op": "submit", "ref": "r", "job": {"queue": "q", "payload": {"n": 1}}})).await;
    let accepted = socket.hear().await;
    assert_eq!(
        (&accepted["op"], &accepted["ref"], &accepted["job"]["payload"]),
        (&"accepted".into(), &"r".into(), &json!({"n": 1}))
    );
    let id = accepted["job"]["id"].as_str().unwrap().to_owned();
    assert_eq!(server.job(&id).await.at("/position"), accepted["job"]["position"]);

    socket.say(json!({"op": "subscribe", "sid": 1, "job": id})).await;
    assert_eq!(socket.brief().await, "event 1 status INIT 1");
    assert_eq!(socket.brief().await, "caught_up 1");
    let lease = server.lease("q").await;
    assert_eq!(socket.brief().await, "event 1 status PROCESSING 2");
    server.settle(&lease, "heartbeat", r#"{"progress":{"percent":50}}"#).await;
    assert_eq!(socket.brief().await, "event 1 progress PROCESSING 3");
    server.settle(&lease, "complete", "{\"result\":[1,\n2]}").await;
    let done = socket.hear().await;
    assert_eq!((&done["job"]["result"], &done["job"]["payload"]), (&json!([1, 2]), &Value::Null));
    assert_eq!(done["id"], server.job(&id).await.at("/position"));
    assert_eq!(socket.brief().await, "ended 1");

    // From its end on nothing follows; without a position the end itself is told; from the beginning everything is.
    socket.say(json!({"op": "subscribe", "sid": 1, "job": id, "after": done["id"]})).await;
    assert_eq!(socket.brief().await, "ended 1");
    socket.say(json!({"op": "subscribe", "sid": 1, "job": id})).await;
    assert_eq!([socket.brief().await, socket.brief().await], ["event 1 status DONE 4", "ended 1"]);
    socket.say(json!({"op": "subscribe", "sid": 1, "job": id, "after": "earliest"})).await;
    for expected in ["status INIT 1", "status PROCESSING 2", "progress PROCESSING 3", "status DONE 4"] {
        assert_eq!(socket.brief().await, format!("event 1 {expected}"));
    }
    assert_eq!(socket.brief().await, "ended 1");
}

#[tokio::test]
async fn a_filter_begins_now_and_goes_on_where_it_was() {
    let server = Server::start().await;
    server.submit(r#"{"queue":"q"}"#).await;
    let mut socket = Socket::open(&server).await;
    socket.say(json!({"op": "subscribe", "sid": "f", "queue": ["q", "r"], "status": "INIT"})).await;
    let begun = socket.hear().await;
    assert_eq!((&begun["op"], &begun["sid"]), (&"caught_up".into(), &"f".into()));
    let id = server.submit(r#"{"queue":"r"}"#).await;
    server.submit(r#"{"queue":"other"}"#).await;
    server.lease("r").await;
    assert_eq!(socket.hear().await["job"]["id"], *id);
    drop(socket);

    let second = server.submit(r#"{"queue":"q"}"#).await;
    let mut socket = Socket::open(&server).await;
    socket
        .say(json!({"op": "subscribe", "sid": "f", "queue": ["q", "r"], "status": "INIT", "after": begun["id"]}))
        .await;
    assert_eq!([&socket.hear().await["job"]["id"], &socket.hear().await["job"]["id"]], [&*id, &*second]);
    assert_eq!(socket.brief().await, "caught_up f");
    socket.say(json!({"op": "unsubscribe", "sid": "f"})).await;
    assert_eq!(socket.brief().await, "ended f");
    server.until("nobody follows", async |server| server.engine.followers() == 0).await;
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
    let mut socket = Socket::open(&server).await;
    socket.say(json!({"op": "subscribe", "sid": 1, "job": id, "after": first})).await;
    assert_eq!([socket.brief().await, socket.brief().await], ["reset 1", "event 1 status PROCESSING 4"]);
    assert_eq!(socket.brief().await, "caught_up 1");
    socket.say(json!({"op": "subscribe", "sid": 2, "queue": "q", "after": first})).await;
    assert_eq!(socket.brief().await, "reset 2");
}

#[tokio::test]
async fn credit_holds_back_and_loses_nothing() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server).await;
    socket.say(json!({"op": "subscribe", "sid": 1, "queue": "q", "credit": 0})).await;
    assert_eq!(socket.brief().await, "caught_up 1");
    // More than is kept for one who follows.
    for _ in 0..200 {
        server.submit(r#"{"queue":"q"}"#).await;
    }
    // Nothing of it comes: what is asked for later is answered first.
    socket.say(json!({"op": "subscribe", "sid": 2, "job": "x"})).await;
    assert_eq!(socket.brief().await, "error 2 invalid-request");
    socket.say(json!({"op": "credit", "sid": 1, "n": 150})).await;
    assert_eq!(socket.brief().await, "lagging 1");
    let mut seen = Vec::new();
    for _ in 0..150 {
        seen.push(socket.hear().await["job"]["id"].as_str().unwrap().to_owned());
    }
    socket.say(json!({"op": "subscribe", "sid": 2, "job": "x"})).await;
    assert_eq!(socket.brief().await, "error 2 invalid-request");
    socket.say(json!({"op": "credit", "sid": 1, "n": 51})).await;
    for _ in 0..50 {
        seen.push(socket.hear().await["job"]["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(socket.brief().await, "caught_up 1");
    let count = seen.len();
    assert!(seen.is_sorted());
    seen.dedup();
    assert_eq!((count, seen.len()), (200, 200));
}

#[tokio::test]
async fn requests_that_open_no_socket_are_told_why() {
    let server = Server::start().await;
    let answer = server.call(Request::get("/v1/ws")).await;
    assert_eq!(
        (answer.status, answer.header("upgrade"), answer.header("sec-websocket-version")),
        (426, Some("websocket"), Some("13"))
    );
    server.call(request().header("origin", "https://evil.example")).await.is_problem(403, "forbidden");
    server.call(request().header("host", "evil.example")).await.is_problem(421, "misdirected-request");
    let other = Request::get("/v1/ws").header("connection", "upgrade").header("upgrade", "websocket");
    let other = other.header("sec-websocket-version", "13").header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    server.call(other).await.is_problem(400, "invalid-request");
    let origin = format!("http://{}", server.address);
    let mut client = server.connect().await;
    client.send(&request().header("origin", &origin).header("host", &server.address.to_string())).await;
    assert_eq!(client.head().await.status, 101);
}

#[tokio::test]
async fn what_breaks_the_protocol_is_closed_with_its_code() {
    let server = Server::start().await;
    let text = |first: u8, payload: &[u8]| {
        let mut out = Vec::new();
        frame::text(&mut out, MASK, payload);
        out[0] = first;
        out
    };
    for (bytes, code) in [
        (b"\x81\x02hi".to_vec(), 1002),
        (text(0xc1, b"{}"), 1002),
        (text(0x80, b"{}"), 1002),
        (text(0x82, b"{}"), 1003),
        (text(0x81, b"\xff"), 1007),
        ([&[0x81, 0xff][..], &(1u64 << 40).to_be_bytes(), &[0; 4]].concat(), 1009),
        (text(0x88, &1000u16.to_be_bytes()), 1000),
    ] {
        let mut socket = Socket::open(&server).await;
        socket.write(&bytes).await;
        assert_eq!(socket.closed().await, code, "{bytes:?}");
    }
}

#[tokio::test]
async fn a_message_is_as_large_as_a_body_and_no_larger() {
    let server = Server::limited(Limits { payload: 1000, ..Limits::default() }).await;
    let limit = 1000 + (128 << 10);
    let frame = |size: usize| {
        let empty = json!({"op": "submit", "ref": 1, "job": {"queue": "q", "payload": ""}}).to_string();
        let spaces = " ".repeat(size - empty.len());
        format!("{empty}{spaces}")
    };
    let mut socket = Socket::open(&server).await;
    socket.say_text(&frame(limit)).await;
    assert_eq!(socket.brief().await, "accepted 1 INIT 1");
    socket.say(json!({"op": "submit", "ref": 2, "job": {"queue": "q", "payload": "x".repeat(999)}})).await;
    assert_eq!(socket.brief().await, "error 2 too-large");
    socket.say_text(&frame(limit + 1)).await;
    assert_eq!(socket.closed().await, 1009);
}

#[tokio::test]
async fn a_hundred_thousand_subscriptions_end_in_clear_errors() {
    let server = Server::start().await;
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let mut socket = Socket::open(&server).await;
    let (mut open, mut refused) = (0, 0);
    for batch in 0..100 {
        let mut out = Vec::new();
        for at in 0..1000 {
            let text = json!({"op": "subscribe", "sid": batch * 1000 + at, "queue": "r"}).to_string();
            frame::text(&mut out, MASK, text.as_bytes());
        }
        socket.write(&out).await;
        for _ in 0..1000 {
            let frame = socket.hear().await;
            match frame["op"].as_str().unwrap() {
                "caught_up" => open += 1,
                "error" if frame["problem"]["code"] == "rate-limited" => refused += 1,
                other => panic!("{other}"),
            }
        }
    }
    assert_eq!((open, refused), (10_000, 90_000));
    // The rest of the socket is none the worse for it.
    socket.say(json!({"op": "unsubscribe", "sid": 0})).await;
    assert_eq!(socket.brief().await, "ended 0");
    socket.say(json!({"op": "subscribe", "sid": 0, "job": id})).await;
    assert_eq!([socket.brief().await, socket.brief().await], ["event 0 status INIT 1", "caught_up 0"]);
    drop(socket);
    server.until("nobody follows", async |server| server.engine.followers() == 0).await;
}

#[tokio::test]
async fn all_sockets_together_have_a_limit() {
    let server = Server::limited(Limits { subscriptions: 1, ..Limits::default() }).await;
    let mut socket = Socket::open(&server).await;
    let mut other = Socket::open(&server).await;
    socket.say(json!({"op": "subscribe", "sid": 1})).await;
    assert_eq!(socket.brief().await, "caught_up 1");
    other.say(json!({"op": "subscribe", "sid": 1})).await;
    assert_eq!([other.brief().await, other.brief().await], ["error 1 overloaded", "ended 1"]);
    socket.say(json!({"op": "unsubscribe", "sid": 1})).await;
    assert_eq!(socket.brief().await, "ended 1");
    other.say(json!({"op": "subscribe", "sid": 1})).await;
    assert_eq!(other.brief().await, "caught_up 1");
}

#[tokio::test(start_paused = true)]
async fn who_is_silent_is_asked_and_then_cut() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server).await;
    let begun = Instant::now();
    assert_eq!(socket.incoming().await, Some(Incoming::Ping(Vec::new())));
    assert!(begun.elapsed() >= Duration::from_secs(20) && begun.elapsed() < Duration::from_secs(25));
    let mut pong = Vec::new();
    frame::pong(&mut pong, MASK, b"");
    socket.write(&pong).await;
    let begun = Instant::now();
    assert_eq!(socket.incoming().await, Some(Incoming::Ping(Vec::new())));
    assert_eq!(socket.incoming().await, None);
    assert!(begun.elapsed() >= Duration::from_secs(59) && begun.elapsed() < Duration::from_secs(70));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_come_to_its_end_is_not_waited_for() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server).await;
    socket.write(&[0x81, 0x85, 1, 2, 3, 4, b'x']).await;
    let begun = Instant::now();
    assert_eq!(socket.closed().await, 1008);
    assert!(begun.elapsed() >= Duration::from_secs(30) && begun.elapsed() < Duration::from_secs(40));
}

#[tokio::test]
async fn who_reads_nothing_is_cut_and_costs_others_nothing() {
    let limits = Limits { write_time: Duration::from_millis(200), ..Limits::default() };
    let server = Server::limited(limits).await;
    let mut deaf = Socket::open(&server).await;
    let mut other = Socket::open(&server).await;
    for sid in 0..200 {
        deaf.say(json!({"op": "subscribe", "sid": sid, "queue": "q"})).await;
    }
    other.say(json!({"op": "subscribe", "sid": 1, "queue": "q"})).await;
    assert_eq!(other.brief().await, "caught_up 1");
    // Each is told to it two hundred times, until what is between it and the server is full.
    let mut told = 0;
    while server.engine.followers() > 1 {
        server.submit(r#"{"queue":"q"}"#).await;
        assert_eq!(other.hear().await["op"], "event");
        told += 1;
        assert!(told < 100_000);
    }
}

#[tokio::test]
async fn the_end_of_the_server_is_told_and_the_next_goes_on() {
    let ledger = SharedLedger::new();
    let server = Server::over(&ledger, Config::default()).await;
    let mut socket = Socket::open(&server).await;
    socket.say(json!({"op": "subscribe", "sid": 1, "queue": "q"})).await;
    let at = socket.hear().await["id"].clone();
    server.submit(r#"{"queue":"q"}"#).await;
    server.stop().await;
    assert_eq!(socket.closed().await, 1001);

    let server = Server::over(&ledger, Config::default()).await;
    let mut socket = Socket::open(&server).await;
    socket.say(json!({"op": "subscribe", "sid": 1, "queue": "q", "after": at})).await;
    assert_eq!([socket.brief().await, socket.brief().await], ["event 1 status INIT 1", "caught_up 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_implementation_is_understood() {
    use tungstenite::protocol::{Message, Role, WebSocket};
    let server = Server::start().await;
    let socket = Socket::open(&server).await;
    let stream = socket.stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    let talk = move || {
        let mut socket = WebSocket::from_raw_socket(stream, Role::Client, None);
        let frame = json!({"op": "submit", "ref": 1, "job": {"queue": "q", "payload": "x".repeat(100_000)}});
        socket.send(Message::text(frame.to_string())).unwrap();
        let answer: Value = serde_json::from_str(socket.read().unwrap().to_text().unwrap()).unwrap();
        socket.close(None).unwrap();
        while socket.read().is_ok() {}
        answer
    };
    let answer = tokio::task::spawn_blocking(talk).await.unwrap();
    assert_eq!((&answer["op"], &answer["job"]["payload_info"]["size"]), (&"accepted".into(), &100_002.into()));
}

/// What happens between a client and its server.
#[derive(Debug, Clone)]
enum Step {
    /// A job is submitted.
    Submit,
    /// A job is leased and given back.
    Work,
    /// The client grants credit and takes what comes for it.
    Credit(u64),
    /// The connection breaks, and the client comes back with the position of its last event.
    Break,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Submit),
        3 => Just(Step::Work),
        3 => (1u64..40).prop_map(Step::Credit),
        1 => Just(Step::Break),
    ];
    prop::collection::vec(step, 1..60)
}

/// A client that sees every change of a queue.
struct Watcher {
    socket: Socket,
    at: Value,
    /// Each job's versions, in the order in which they came.
    seen: std::collections::BTreeMap<String, Vec<u64>>,
}

impl Watcher {
    async fn open(server: &Server, at: &Value) -> Socket {
        let mut socket = Socket::open(server).await;
        socket.say(json!({"op": "subscribe", "sid": 1, "queue": "q", "after": at, "credit": 0})).await;
        socket
    }

    /// Takes what comes, until as many events came as were granted, or nothing is left.
    async fn take(&mut self, granted: u64, all: bool) {
        self.socket.say(json!({"op": "credit", "sid": 1, "n": granted})).await;
        // It is refused when there is nothing to tell, or in between.
        self.socket.say(json!({"op": "subscribe", "sid": "nobody", "job": "x"})).await;
        let mut asked = true;
        loop {
            let frame = self.socket.hear().await;
            match frame["op"].as_str().unwrap() {
                "event" => {
                    let job = &frame["job"];
                    let versions = self.seen.entry(job["id"].as_str().unwrap().to_owned()).or_default();
                    versions.push(job["version"].as_u64().unwrap());
                    self.at = frame["id"].clone();
                }
                "error" => asked = false,
                "caught_up" if all => return,
                "caught_up" | "lagging" => {}
                other => panic!("{other}"),
            }
            if !all && !asked {
                return;
            }
        }
    }
}

async fn play(steps: Vec<Step>) {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let mut watcher = {
        let mut socket = Socket::open(&server).await;
        socket.say(json!({"op": "subscribe", "sid": 1, "queue": "q"})).await;
        let at = socket.hear().await["id"].clone();
        let socket = Watcher::open(&server, &at).await;
        Watcher { socket, at, seen: Default::default() }
    };
    let mut jobs: std::collections::BTreeMap<String, u64> = Default::default();
    for step in steps {
        match step {
            Step::Submit => {
                let id = client.call(Request::post("/v1/jobs").json(r#"{"queue":"q"}"#)).await.text("/id");
                jobs.insert(id, 1);
            }
            Step::Work => {
                let leases = client.call(Request::post("/v1/leases").json(r#"{"queues":["q"]}"#)).await;
                if leases.status == 200 {
                    let release = format!("/v1/leases/{}/release", leases.text("/leases/0/lease"));
                    let settled = client.call(Request::post(&release).json("{}")).await;
                    jobs.insert(settled.text("/id"), settled.at("/version").as_u64().unwrap());
                }
            }
            Step::Credit(granted) => watcher.take(granted, false).await,
            Step::Break => watcher.socket = Watcher::open(&server, &watcher.at).await,
        }
    }
    // Everything that is still out comes before the end of the backlog.
    watcher.socket = Watcher::open(&server, &watcher.at).await;
    watcher.take(100_000, true).await;
    let expected = jobs.into_iter().map(|(id, version)| (id, (1..=version).collect())).collect();
    assert_eq!(watcher.seen, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn whatever_happens_every_change_comes_once_and_in_order(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(steps));
    }
}
