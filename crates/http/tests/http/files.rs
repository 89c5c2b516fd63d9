//! Files: uploads, downloads and their parts, payloads and results that are files, and what becomes of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ackd_domain::Timestamp;
use ackd_engine::FileKeeper;
use ackd_http::{Config, Limits};
use ackd_ports::{Clock, FileStoreError};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::common::{Answer, Request, Server, SharedLedger};

/// A server on which what is longer than 100 bytes is a file, and a file has at most 1000.
async fn small() -> Server {
    Server::limited(Limits { payload: 200, claim_check: 100, file: 1000, ..Limits::default() }).await
}

fn put(name: &str, body: impl Into<Vec<u8>>) -> Request {
    Request::new("PUT", &format!("/v1/files/{name}")).body("video/mp4", body)
}

fn get(name: &str) -> Request {
    Request::get(&format!("/v1/files/{name}"))
}

async fn uploaded(server: &Server, name: &str, body: &str) -> Answer {
    let answer = server.call(put(name, body)).await;
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    answer
}

/// The head of an upload of so many bytes.
fn head(name: &str, length: usize) -> Vec<u8> {
    format!("PUT /v1/files/{name} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn a_file_comes_back_as_it_was_uploaded() {
    let server = Server::start().await;
    let bytes: Vec<u8> = (0..3_000_000u32).map(|at| at.to_le_bytes()[1]).collect();
    let answer = server.call(put("cat.mp4", bytes.clone())).await;
    assert_eq!((answer.status, answer.header("location")), (201, Some("/v1/files/cat.mp4")));
    let document = answer.json();
    assert_eq!((&document["file"], &document["size"]), (&json!("cat.mp4"), &json!(3_000_000)));
    assert_eq!(document["content_type"], "video/mp4");
    assert!(document["expires_at"].is_string());
    let answer = server.call(get("cat.mp4")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("video/mp4")));
    assert!(answer.body == bytes);
    // A browser neither runs nor guesses it.
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("content-security-policy"), Some("sandbox"));
    assert_eq!(answer.header("content-disposition"), Some("attachment"));
    let etag = answer.header("etag").unwrap().to_owned();
    let known = server.call(get("cat.mp4").header("if-none-match", &etag)).await;
    assert_eq!((known.status, known.header("etag")), (304, Some(&*etag)));
    let head = server.call(Request::new("HEAD", "/v1/files/cat.mp4")).await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("3000000")));
}

/// As with S3: the bytes do not go through the server. A worker that leases with its payload has no other way to it.
#[tokio::test]
async fn where_the_store_gives_links_a_download_is_sent_there() {
    let file_links = Some(Duration::from_secs(300));
    let limits = Limits { payload: 200, claim_check: 100, ..Limits::default() };
    let server = Server::with(Config { limits, file_links, ..Config::default() }).await;
    uploaded(&server, "cat.mp4", "meow").await;
    // A store that has none is read.
    assert_eq!(server.call(get("cat.mp4")).await.body, b"meow");
    server.store.give_links("https://bucket.example/");
    let answer = server.call(get("cat.mp4")).await;
    let location = answer.header("location").unwrap();
    assert_eq!((answer.status, answer.body.len()), (307, 0));
    assert!(location.starts_with("https://bucket.example/") && location.ends_with("?expires=300"), "{location}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "who has the link has the file");
    // Whoever cannot go there says so.
    let answer = server.call(get("cat.mp4").header("ackd-links", "no")).await;
    assert_eq!((answer.status, answer.body), (200, b"meow".to_vec()));
    let part = server.call(get("cat.mp4").header("ackd-links", "no").header("range", "bytes=1-2")).await;
    assert_eq!((part.status, part.body), (206, b"eo".to_vec()));
    // What is known already needs no link.
    let etag = format!("\"{}\"", server.store.ids()[0]);
    assert_eq!(server.call(get("cat.mp4").header("if-none-match", &etag)).await.status, 304);
    let long = "x".repeat(150);
    let raw = Request::new("POST", "/v1/queues/video/jobs").body("text/plain", long.clone());
    let job = server.call(raw).await.json();
    let payload = server.call(Request::get(&format!("/v1/jobs/{}/payload", job["id"].as_str().unwrap()))).await;
    assert_eq!(payload.status, 307);
    let path = format!("/v1/jobs/{}/payload", job["id"].as_str().unwrap());
    let payload = server.call(Request::get(&path).header("ackd-links", "no")).await;
    assert_eq!((payload.status, payload.body), (200, long.clone().into_bytes()));
    let lease = server.call(Request::new("POST", "/v1/queues/video/lease")).await;
    assert_eq!((lease.status, lease.body), (200, long.into_bytes()));
}

#[tokio::test]
async fn the_server_makes_a_name_where_none_is_given() {
    let server = Server::start().await;
    let post = Request::post("/v1/files?expires_in=2h").body("text/plain", "a");
    let (one, other) = (server.call(post.clone()).await, server.call(post).await);
    assert_eq!((one.status, other.status), (201, 201));
    assert_ne!(one.text("/file"), other.text("/file"));
    assert_eq!(server.call(Request::get(one.header("location").unwrap())).await.body, b"a");
}

#[tokio::test]
async fn a_file_without_bytes_or_type_is_one() {
    let server = Server::start().await;
    let answer = server.call(Request::new("PUT", "/v1/files/empty").bare_body("")).await;
    assert_eq!((answer.status, answer.at("/size")), (201, json!(0)));
    assert_eq!(answer.at("/content_type"), "application/octet-stream");
    let answer = server.call(get("empty")).await;
    assert_eq!((answer.status, answer.body), (200, Vec::new()));
    server.call(get("empty").header("range", "bytes=0-")).await.is_problem(416, "invalid-request");
}

#[tokio::test]
async fn parts_are_what_rfc_9110_says() {
    let server = Server::start().await;
    let etag = uploaded(&server, "f", "0123456789").await;
    let etag = server.call(Request::get(etag.header("location").unwrap())).await.header("etag").unwrap().to_owned();
    let part = async |range: &str| server.call(get("f").header("range", range)).await;
    for (range, body, content_range) in [
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=8-", "89", "bytes 8-9/10"),
        ("bytes=9-100", "9", "bytes 9-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=-100", "0123456789", "bytes 0-9/10"),
    ] {
        let answer = part(range).await;
        assert_eq!((answer.status, &*answer.body), (206, body.as_bytes()), "{range}");
        assert_eq!(answer.header("content-range"), Some(content_range));
        assert_eq!(answer.header("etag"), Some(&*etag));
    }
    for range in ["bytes=10-", "bytes=-0", "bytes=100-200"] {
        let answer = part(range).await;
        answer.is_problem(416, "invalid-request");
        assert_eq!(answer.header("content-range"), Some("bytes */10"), "{range}");
    }
    for range in ["bytes=0-1,3-4", "lines=0-1", "bytes=4-2", "x"] {
        let answer = part(range).await;
        assert_eq!((answer.status, &*answer.body), (200, &b"0123456789"[..]), "{range}");
    }
    let going_on = get("f").header("range", "bytes=5-");
    let same = server.call(going_on.clone().header("if-range", &etag)).await;
    assert_eq!((same.status, &*same.body), (206, &b"56789"[..]));
    uploaded(&server, "f", "abcdefghij").await;
    let other = server.call(going_on.header("if-range", &etag)).await;
    assert_eq!((other.status, &*other.body), (200, &b"abcdefghij"[..]));
}

#[tokio::test]
async fn names_that_could_be_paths_never_are() {
    let server = Server::start().await;
    for name in ["..", ".", ".hidden", "%2e%2e%2fetc", "a%2fb", "a%00", "-rf", "%ff", "a%20b", &"n".repeat(129)] {
        for method in ["PUT", "GET", "DELETE"] {
            let answer = server.call(Request::new(method, &format!("/v1/files/{name}"))).await;
            answer.is_problem(400, "invalid-request");
        }
    }
    server.call(put("a/b", "x")).await.is_problem(404, "not-found");
    server.call(put("ackd.x", "x")).await.is_problem(403, "forbidden");
    let longest = "n".repeat(128);
    uploaded(&server, &longest, "x").await;
    uploaded(&server, "a..b", "y").await;
    assert_eq!(server.call(get(&longest)).await.body, b"x");
    assert_eq!(server.call(get("a..b")).await.body, b"y");
}

#[tokio::test]
async fn a_name_is_replaced_unless_that_is_refused() {
    let server = Server::start().await;
    assert_eq!(uploaded(&server, "f", "one").await.status, 201);
    assert_eq!(uploaded(&server, "f", "two").await.status, 200);
    assert_eq!(server.call(get("f")).await.body, b"two");
    let create = put("f", "three").header("if-none-match", "*");
    server.call(create.clone()).await.is_problem(412, "precondition-failed");
    assert_eq!(server.call(get("f")).await.body, b"two");
    assert_eq!(server.call(Request::new("DELETE", "/v1/files/f")).await.status, 204);
    server.call(Request::new("DELETE", "/v1/files/f")).await.is_problem(404, "not-found");
    server.call(get("f")).await.is_problem(404, "not-found");
    assert_eq!(server.call(create).await.status, 201);
}

#[tokio::test]
async fn limits_hold_at_their_edges_and_break_one_beyond() {
    let server = small().await;
    uploaded(&server, "edge", &"x".repeat(1000)).await;
    server.call(put("beyond", "x".repeat(1001))).await.is_problem(413, "too-large");
    // The same where the client does not say how long it is.
    let chunked = |bytes: usize| {
        let head = "PUT /v1/files/beyond HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
        format!("{head}{bytes:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(bytes))
    };
    let mut client = server.connect().await;
    client.write(chunked(1001).as_bytes()).await;
    client.answer("PUT").await.is_problem(413, "too-large");
    server.call(get("beyond")).await.is_problem(404, "not-found");
    assert_eq!(server.store.ids().len(), 1);
    for (expires_in, status) in [("1s", 201), ("3650d", 200), ("999ms", 400), ("3650d1ms", 400), ("0", 400)] {
        let request = Request::new("PUT", &format!("/v1/files/e?expires_in={expires_in}")).body("text/plain", "x");
        assert_eq!(server.call(request).await.status, status, "{expires_in}");
    }
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.write(&head("f", 100)).await;
    client.write(&[b'x'; 99]).await;
    client.stream.shutdown().await.unwrap();
    client.answer("PUT").await.is_problem(400, "invalid-request");
    server.call(get("f")).await.is_problem(404, "not-found");
    assert!(server.store.ids().is_empty());
}

#[tokio::test]
async fn an_upload_that_stalls_is_given_up() {
    let limits = Limits { body_time: Duration::from_millis(50), ..Limits::default() };
    let server = Server::limited(limits).await;
    let mut client = server.connect().await;
    client.write(&head("f", 100)).await;
    client.write(&[b'x'; 99]).await;
    client.answer("PUT").await.is_problem(408, "timeout");
    server.call(get("f")).await.is_problem(404, "not-found");
    assert!(server.store.ids().is_empty());
}

#[tokio::test]
async fn a_store_that_is_full_or_away_says_so_and_nothing_has_changed() {
    let server = small().await;
    let raw = || Request::post("/v1/queues/q/jobs").body("text/plain", "x".repeat(101));
    for request in [put("f", "x"), raw()] {
        server.store.fail_next(FileStoreError::Full("test".into()));
        server.call(request.clone()).await.is_problem(507, "storage-full");
        server.store.fail_next(FileStoreError::Failed("test".into()));
        server.call(request).await.is_problem(503, "store-failed");
    }
    server.call(get("f")).await.is_problem(404, "not-found");
    assert_eq!(server.call(Request::get("/v1/jobs")).await.at("/jobs"), json!([]));
    // The file is stored, and the ledger does not take note of it.
    server.faults.fail_next(ackd_ports::LedgerError::Full("test".into()));
    server.call(put("f", "x")).await.is_problem(507, "storage-full");
    assert!(server.store.ids().is_empty());
}

#[tokio::test]
async fn damage_is_not_handed_out() {
    let server = Server::start().await;
    uploaded(&server, "f", "0123456789").await;
    server.store.damage();
    let mut client = server.connect().await;
    client.send(&get("f")).await;
    let came = client.rest().await;
    assert!(!came.windows(9).any(|part| part == b"123456789"), "all of a damaged file came, as if it were whole");
}

#[tokio::test]
async fn a_file_is_the_payload_of_jobs() {
    let server = Server::start().await;
    uploaded(&server, "cat.mp4", "miaow").await;
    let id = server.submit(r#"{"queue":"video","payload_file":"cat.mp4"}"#).await;
    // What has the name later is none of this job's business.
    uploaded(&server, "cat.mp4", "other").await;
    server.call(Request::new("DELETE", "/v1/files/cat.mp4")).await;
    let job = server.job(&id).await;
    assert_eq!(job.at("/payload"), Value::Null);
    assert_eq!(job.at("/payload_info"), json!({"content_type": "video/mp4", "size": 5}));
    let payload = server.call(Request::get(&format!("/v1/jobs/{id}/payload"))).await;
    assert_eq!((payload.header("content-type"), &*payload.body), (Some("video/mp4"), &b"miaow"[..]));
    let part = Request::get(&format!("/v1/jobs/{id}/payload")).header("range", "bytes=1-2");
    assert_eq!(server.call(part).await.body, b"ia");
    let leases = server.call(Request::post("/v1/leases").json(r#"{"queues":["video"]}"#)).await;
    assert_eq!(leases.at("/leases/0/job/payload"), Value::Null);
    assert_eq!(leases.at("/leases/0/job/payload_info/size"), 5);
}

#[tokio::test]
async fn a_lease_by_curl_comes_with_the_file() {
    let server = Server::start().await;
    for text in ["miaow", ""] {
        uploaded(&server, "cat.mp4", text).await;
        server.submit(r#"{"queue":"video","payload_file":"cat.mp4"}"#).await;
        let leased = server.call(Request::post("/v1/queues/video/lease")).await;
        assert_eq!((leased.status, &*leased.body), (200, text.as_bytes()));
        assert_eq!(leased.header("content-type"), Some("video/mp4"));
        let lease = leased.header("ackd-lease").unwrap();
        // The lease is the worker's: it was not released for not having arrived.
        assert_eq!(server.settle(lease, "complete", r#"{"result":1}"#).await.status, 200);
    }
    // A worker that does not get all of the payload, for it went away, has no lease, and the attempt does not count.
    uploaded(&server, "cat.mp4", &"miaow".repeat(4 << 20)).await;
    let id = server.submit(r#"{"queue":"video","payload_file":"cat.mp4"}"#).await;
    let mut client = server.connect().await;
    client.send(&Request::post("/v1/queues/video/lease")).await;
    assert_eq!(client.head().await.status, 200);
    drop(client);
    server
        .until("the lease's release", async |server| server.timeline(&id).await.contains(&"released".to_owned()))
        .await;
    assert_eq!(server.job(&id).await.at("/attempt"), 0);
}

/// A clock that goes on when it is told to, and tokio's with it.
#[derive(Default)]
struct ToldClock(AtomicU64);

impl Clock for ToldClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000).after(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// A worker on a connection that takes little at once, to which the server sends its lease and, while it takes it, a file.
struct SlowWorker {
    server: Server,
    clock: Arc<ToldClock>,
    id: String,
    lease: String,
    stream: TcpStream,
    left: usize,
}

impl SlowWorker {
    /// The file is so large that neither side's buffers hold much of it.
    const BYTES: usize = 24 << 20;

    async fn start(envelope: &str, prepare: impl FnOnce(&Server)) -> SlowWorker {
        let clock = Arc::new(ToldClock::default());
        let server = Server::at(&SharedLedger::new(), Config::default(), clock.clone()).await;
        assert_eq!(server.call(put("cat.mp4", vec![b'm'; SlowWorker::BYTES])).await.status, 201);
        let id = server.submit(envelope).await;
        prepare(&server);
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 << 10).unwrap();
        let mut stream = socket.connect(server.address).await.unwrap();
        stream.write_all(&Request::post("/v1/queues/video/lease?ttl=30s").bytes()).await.unwrap();
        // The head is there: the lease is on its way.
        stream.peek(&mut [0]).await.unwrap();
        SlowWorker { server, clock, id, lease: String::new(), stream, left: SlowWorker::BYTES }
    }

    async fn head(&mut self) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let lease = head.lines().find_map(|line| line.strip_prefix("ackd-lease: "));
        self.lease = lease.unwrap().to_owned();
    }

    async fn take(&mut self, bytes: usize) {
        let mut taken = vec![0; bytes.min(self.left)];
        self.stream.read_exact(&mut taken).await.unwrap();
        self.left -= taken.len();
    }

    /// Lets time pass, in steps that are shorter than the lease, of which the engine sees each.
    async fn pass(&self, seconds: u64) {
        for _ in 0..seconds / 5 {
            self.clock.0.fetch_add(5, Ordering::SeqCst);
            // Only meanwhile: otherwise whoever waits for the engine or a socket would wait for the next timer.
            tokio::time::pause();
            tokio::time::sleep(Duration::from_secs(5)).await;
            tokio::time::resume();
            self.heard().await;
        }
    }

    /// Whatever the engine was told before is done: a command goes behind those that wait, and what the engine makes of the time
    /// in one turn is done in the next.
    async fn heard(&self) {
        for _ in 0..2 {
            self.server.engine.release_worker("nobody".into()).await.unwrap();
        }
    }

    async fn timeline(&self) -> Vec<String> {
        self.heard().await;
        self.server.timeline(&self.id).await
    }
}

const OF_CAT: &str = r#"{"queue":"video","payload_file":"cat.mp4","max_attempts":1}"#;

#[tokio::test]
async fn a_lease_lasts_while_its_worker_takes_the_payload() {
    let mut worker = SlowWorker::start(OF_CAT, |_| ()).await;
    worker.head().await;
    // More than three times as long as the lease.
    for _ in 0..10 {
        worker.take(SlowWorker::BYTES / 20).await;
        worker.pass(10).await;
    }
    assert_eq!(worker.timeline().await, ["submitted", "leased"]);
    // Sockets hold some of it back: the rest is taken at once.
    worker.pass(5).await;
    worker.take(SlowWorker::BYTES).await;
    assert_eq!(worker.timeline().await, ["submitted", "leased"]);
    // It begins when it has arrived.
    worker.pass(25).await;
    assert_eq!(worker.timeline().await, ["submitted", "leased"]);
    assert_eq!(worker.server.settle(&worker.lease, "heartbeat", "").await.at("/expires_in"), "30s");
    // From here on it is the worker who says that it lives.
    worker.pass(35).await;
    assert_eq!(worker.timeline().await, ["submitted", "leased", "lapsed"]);
}

#[tokio::test]
async fn an_attempt_takes_no_longer_for_a_worker_that_takes_its_time() {
    let limited = OF_CAT.replace("\"max", "\"timeout\":\"40s\",\"max");
    let mut worker = SlowWorker::start(&limited, |_| ()).await;
    worker.head().await;
    for expected in [&["submitted", "leased"][..], &["submitted", "leased", "lapsed"]] {
        for _ in 0..3 {
            worker.take(2 << 20).await;
            worker.pass(10).await;
        }
        assert_eq!(worker.timeline().await, expected);
    }
}

#[tokio::test]
async fn a_lease_does_not_last_by_a_payload_of_which_nothing_is_taken() {
    // The client takes nothing: its connection ends, and the attempt does not count.
    let worker = SlowWorker::start(OF_CAT, |_| ()).await;
    worker.pass(120).await;
    assert_eq!(worker.timeline().await, ["submitted", "leased", "released"]);
    // The store gives nothing.
    let worker = SlowWorker::start(OF_CAT, |server| server.store.stall()).await;
    worker.pass(120).await;
    assert_eq!(worker.timeline().await, ["submitted", "leased", "lapsed"]);
}

/// It would be handed out again and again, and nobody would hear why.
#[tokio::test]
async fn a_job_whose_file_is_damaged_fails_for_good() {
    for cut in [false, true] {
        let server = Server::start().await;
        uploaded(&server, "cat.mp4", "miaow").await;
        let id = server.submit(r#"{"queue":"video","payload_file":"cat.mp4","max_attempts":5}"#).await;
        if cut {
            server.store.cut()
        } else {
            server.store.damage()
        }
        let mut client = server.connect().await;
        client.send(&Request::post("/v1/queues/video/lease")).await;
        client.rest().await;
        server.until("the job's end", async |server| server.job(&id).await.at("/status") != "PROCESSING").await;
        let job = server.job(&id).await;
        assert_eq!((job.at("/status"), job.at("/attempt")), (json!("FAILED"), json!(1)), "{cut}");
        assert_eq!(job.at("/error/type"), "/problems/damaged");
        let ready = server.call(Request::get("/readyz")).await;
        let file = server.store.ids()[0];
        assert_eq!(ready.is_problem(503, "not-ready").at("/trouble"), json!([format!("file {file} is damaged")]));
    }
}

#[tokio::test]
async fn a_worker_gets_the_next_job_where_the_file_of_one_is_missing() {
    let server = Server::start().await;
    uploaded(&server, "cat.mp4", "miaow").await;
    let ids = [
        server.submit(r#"{"queue":"video","payload_file":"cat.mp4"}"#).await,
        server.submit(r#"{"queue":"video","payload_file":"cat.mp4"}"#).await,
    ];
    let file = server.store.ids()[0];
    server.store.lose();
    let next = server.submit(r#"{"queue":"video","payload":1}"#).await;
    let leased = server.call(Request::post("/v1/queues/video/lease")).await;
    assert_eq!((leased.status, leased.header("ackd-job")), (200, Some(&*next)));
    for id in &ids {
        // The file may be back when its next attempt comes.
        let job = server.job(id).await;
        assert_eq!((job.at("/status"), job.at("/attempt")), (json!("INIT"), json!(1)));
        assert_eq!(job.at("/error/type"), "/problems/damaged");
        // It is said to be missing, not to be other bytes.
        let payload = server.call(Request::get(&format!("/v1/jobs/{id}/payload"))).await;
        assert!(payload.is_problem(500, "damaged").text("/detail").contains(&format!("file {file} is missing")));
    }
    let trouble = server.call(Request::get("/readyz")).await.at("/trouble");
    assert_eq!(trouble, json!([format!("file {file} is missing")]));
    // Nobody needs it any more.
    server.call(Request::new("DELETE", "/v1/files/cat.mp4")).await;
    for id in &ids {
        server.call(Request::post(&format!("/v1/jobs/{id}/cancel"))).await;
        server.call(Request::new("DELETE", &format!("/v1/jobs/{id}"))).await;
    }
    let keeper = FileKeeper::start(server.files.clone());
    server
        .until("the file is forgotten", async |server| server.call(Request::get("/readyz")).await.status == 200)
        .await;
    keeper.stop().await;
}

#[tokio::test]
async fn a_job_rests_while_the_store_of_its_file_is_away() {
    let server = Server::start().await;
    uploaded(&server, "cat.mp4", "miaow").await;
    let id = server.submit(r#"{"queue":"video","payload_file":"cat.mp4","max_attempts":1}"#).await;
    server.store.fail_next(FileStoreError::Failed("away".into()));
    server.call(Request::post("/v1/queues/video/lease")).await.is_problem(503, "store-failed");
    server.until("the lease's release", async |server| server.job(&id).await.at("/status") == "INIT").await;
    assert_eq!(server.call(Request::get("/readyz")).await.status, 200);
    let job = server.engine.job(id.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(job.attempt, 0);
    let second = Duration::from_secs(1);
    assert!(job.run_at >= job.started_at.unwrap().after(second), "it is given out again at once");
}

#[tokio::test]
async fn files_that_are_not_there_are_named() {
    let server = Server::start().await;
    for (body, pointer) in [
        (r#"{"queue":"q","payload_file":"nowhere"}"#, "/payload_file"),
        (r#"{"queue":"q","then":[{"queue":"q","payload_file":"nowhere"}]}"#, "/then/0/payload_file"),
        (
            r#"{"queue":"q","then":[{"queue":"q"},{"queue":"q","then":[{"queue":"q","payload_file":"nowhere"}]}]}"#,
            "/then/1/then/0/payload_file",
        ),
    ] {
        let answer = server.call(Request::post("/v1/jobs").json(body)).await;
        answer.is_problem(400, "invalid-request").points_at(pointer);
        assert!(answer.text("/detail").contains("`nowhere`"), "{answer:?}");
    }
    let lines = "{\"queue\":\"q\"}\n{\"queue\":\"q\",\"payload_file\":\"nowhere\"}\n";
    let answer = server.call(Request::post("/v1/jobs").ndjson(lines)).await;
    answer.is_problem(400, "invalid-request").points_at("/2/payload_file");
    assert!(answer.text("/detail").starts_with("line 2: there is no file `nowhere`"), "{answer:?}");
    let post = async |body: &str| server.call(Request::post("/v1/jobs").json(body)).await;
    post(r#"{"queue":"q","payload_file":"../x"}"#).await.is_problem(400, "invalid-request").points_at("/payload_file");
    post(r#"{"queue":"q","payload_file":"ackd.x"}"#).await.is_problem(403, "forbidden").points_at("/payload_file");
    post(r#"{"queue":"q","payload_file":"x","payload":1}"#).await.is_problem(400, "invalid-request");
    let schedule = r#"{"cron":"@daily","job":{"queue":"q","payload_file":"x"}}"#;
    let answer = server.call(Request::new("PUT", "/v1/schedules/s").json(schedule)).await;
    answer.is_problem(400, "invalid-request").points_at("/job/payload_file");
}

#[tokio::test]
async fn a_large_payload_becomes_a_file() {
    let server = small().await;
    let raw = |bytes: usize| {
        Request::post("/v1/queues/q/jobs?idempotency_key=k&tags=a").body("text/plain", "x".repeat(bytes))
    };
    for bytes in [100, 101, 1000] {
        let mut request = raw(bytes);
        request = request.header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        let target = request.target().replace("=k", &format!("={bytes}"));
        let request = Request::post(&target).body("text/plain", "x".repeat(bytes));
        let answer = server.call(request.clone()).await;
        assert_eq!((answer.status, answer.at("/payload_info/size")), (202, json!(bytes)));
        assert_eq!(answer.at("/payload").is_null(), bytes > 100);
        let payload = format!("/v1/jobs/{}/payload", answer.text("/id"));
        assert_eq!(server.call(Request::get(&payload)).await.body.len(), bytes);
        // The same again is the same job, and what came with it is not kept twice.
        let files = server.store.ids();
        let again = server.call(request).await;
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!((again.text("/id"), server.store.ids()), (answer.text("/id"), files));
        let other = Request::post(&target).body("text/plain", "y".repeat(bytes));
        server.call(other).await.is_problem(422, "idempotency-mismatch");
    }
    assert_eq!(server.store.ids().len(), 2);
    server.call(raw(1001)).await.is_problem(413, "too-large");
    // What is wrong is said before the body is taken.
    let wrong = Request::post("/v1/queues/q/jobs?priority=10").body("text/plain", "x".repeat(500));
    server.call(wrong).await.is_problem(400, "invalid-request").points_at("/priority");
    assert_eq!(server.store.ids().len(), 2);
}

/// The server was started anew, with another size above which a body becomes a file.
#[tokio::test]
async fn the_same_bytes_are_the_same_request_as_a_file_or_not() {
    let raw = |body: String| {
        let target = "/v1/queues/q/jobs?idempotency_key=k&tags=a&priority=3";
        Request::post(target).body("text/plain", body)
    };
    let (here, there) = (Limits::default(), Limits { claim_check: 100, ..Limits::default() });
    for (before, now) in [(&here, &there), (&there, &here)] {
        let ledger = SharedLedger::new();
        let server = |limits: &Limits| Config { limits: limits.clone(), ..Config::default() };
        let first = Server::over(&ledger, server(before)).await;
        let made = first.call(raw("x".repeat(500))).await;
        assert_eq!((made.status, made.header("idempotent-replayed")), (202, None));
        first.stop().await;
        let server = Server::over(&ledger, server(now)).await;
        for _ in 0..2 {
            let again = server.call(raw("x".repeat(500))).await;
            assert_eq!((again.status, again.header("idempotent-replayed")), (202, Some("true")));
            assert_eq!((again.text("/id"), again.at("/payload")), (made.text("/id"), made.at("/payload")));
            assert_eq!(again.at("/payload_info"), made.at("/payload_info"));
        }
        let typed = Request::post(raw(String::new()).target()).body("text/html", "x".repeat(500));
        let urgent = Request::post(&raw(String::new()).target().replace('3', "4")).body("text/plain", "x".repeat(500));
        for other in [raw("y".repeat(500)), raw("x".repeat(501)), typed, urgent] {
            server.call(other).await.is_problem(422, "idempotency-mismatch");
        }
        let jobs = server.call(Request::get("/v1/jobs")).await;
        assert_eq!(jobs.at("/jobs").as_array().unwrap().len(), 1);
        assert_eq!(server.store.ids(), [], "what came with them is not kept");
    }
}

#[tokio::test]
async fn a_large_result_becomes_a_file() {
    let server = small().await;
    for bytes in [100, 101, 1000] {
        let id = server.submit(r#"{"queue":"q"}"#).await;
        let lease = server.lease("q").await;
        let result = Request::post(&format!("/v1/leases/{lease}/result")).body("image/png", "x".repeat(bytes));
        let done = server.call(result.clone()).await;
        assert_eq!((done.status, done.text("/status")), (200, "DONE".to_owned()));
        // The worker did not get the answer: the first result is kept, and no other bytes.
        let files = server.store.ids();
        assert_eq!(server.call(result).await.json(), done.json());
        assert_eq!(server.store.ids(), files);
        let job = server.job(&id).await;
        assert_eq!(job.at("/result_info"), json!({"content_type": "image/png", "size": bytes}));
        let result = server.call(Request::get(&format!("/v1/jobs/{id}/result"))).await;
        assert_eq!((result.header("content-type"), result.body.len()), (Some("image/png"), bytes));
        assert_eq!(result.header("content-disposition"), Some("attachment"));
    }
    let id = server.submit(r#"{"queue":"q"}"#).await;
    let lease = server.lease("q").await;
    let result = |lease: &str, bytes: usize| {
        Request::post(&format!("/v1/leases/{lease}/result")).body("image/png", "x".repeat(bytes))
    };
    server.call(result(&lease, 1001)).await.is_problem(413, "too-large");
    assert_eq!(server.job(&id).await.text("/status"), "PROCESSING");
    assert_eq!(server.settle(&lease, "release", "").await.status, 200);
    server.call(result(&lease, 500)).await.is_problem(409, "lease-lost");
    server.call(result("none", 500)).await.is_problem(409, "lease-lost");
    assert_eq!(server.store.ids().len(), 2);
}

#[tokio::test]
async fn files_go_with_the_jobs_that_had_them() {
    let server = small().await;
    let keeper = FileKeeper::start(server.files.clone());
    uploaded(&server, "f", "payload").await;
    let id = server.submit(r#"{"queue":"q","payload_file":"f"}"#).await;
    let lease = server.lease("q").await;
    let result = Request::post(&format!("/v1/leases/{lease}/result")).body("image/png", "x".repeat(500));
    assert_eq!(server.call(result).await.status, 200);
    assert_eq!(server.call(Request::new("DELETE", "/v1/files/f")).await.status, 204);
    assert_eq!(server.store.ids().len(), 2);
    assert_eq!(server.call(Request::new("DELETE", &format!("/v1/jobs/{id}"))).await.status, 204);
    let gone = tokio::time::timeout(Duration::from_secs(20), async {
        while !server.store.ids().is_empty() {
            tokio::task::yield_now().await;
        }
    });
    gone.await.expect("the files of a job that is gone stay");
    keeper.stop().await;
}

#[tokio::test]
async fn what_the_ledger_does_not_know_is_deleted_at_the_start() {
    use ackd_ports::FileStore;
    let server = Server::start().await;
    uploaded(&server, "f", "known").await;
    // As a process leaves it that was killed after a file was stored, and before the ledger took note of it.
    let upload = server.store.create(ackd_domain::FileId::new(7), "text/plain");
    upload.finish().await.unwrap();
    assert_eq!(server.store.ids().len(), 2);
    let keeper = FileKeeper::start(server.files.clone());
    let gone = tokio::time::timeout(Duration::from_secs(20), async {
        while server.store.ids().len() > 1 {
            tokio::task::yield_now().await;
        }
    });
    gone.await.expect("what nobody knows of stays");
    keeper.stop().await;
    assert_eq!(server.call(get("f")).await.body, b"known");
}
