//! A server on a port of its own over a ledger in memory, and a client that speaks HTTP/1.1 word by word.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ackd_domain::{Command, Timestamp};
use ackd_engine::{
    BulkWorker, Deliverer, Engine, Files, MailboxLimits, Parts, PushOptions, Pusher, dispatch::WindowLimits,
};
use ackd_http::{App, Config, Limits, Outbounds, WebhookRenderer, lease_text, serve};
use ackd_memory::{FakeOutbound, Faults, MemoryFiles, MemoryLedger, MemoryReader};
use ackd_ports::{Applied, Clock, Ledger, LedgerError, Reactor, SeededEntropy, SystemClock};
use serde_json::Value;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, oneshot};
use tokio::task::JoinHandle;

use crate::contract;

/// A ledger in memory that outlives the servers on it.
#[derive(Clone)]
pub(crate) struct SharedLedger(Arc<Mutex<MemoryLedger>>);

impl SharedLedger {
    pub(crate) fn new() -> SharedLedger {
        SharedLedger(Arc::new(Mutex::new(MemoryLedger::new(SeededEntropy::new(7)))))
    }

    fn reader(&self) -> Arc<MemoryReader> {
        self.0.lock().unwrap().reader()
    }

    pub(crate) fn faults(&self) -> Faults {
        self.0.lock().unwrap().faults()
    }
}

impl Ledger for SharedLedger {
    fn apply(
        &mut self,
        commands: Vec<Command>,
        now: Timestamp,
        reactor: &mut dyn Reactor,
    ) -> Result<Applied, LedgerError> {
        self.0.lock().unwrap().apply(commands, now, reactor)
    }
}

fn outbounds(webhooks: &FakeOutbound, pushes: &FakeOutbound) -> Outbounds {
    Outbounds { webhooks: Arc::new(webhooks.clone()), pushes: Arc::new(pushes.clone()) }
}

/// A server that ends with the test.
pub(crate) struct Server {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) engine: Engine,
    /// What the targets of webhooks pass; nothing is posted unless a [`Deliverer`] is started.
    pub(crate) outbound: FakeOutbound,
    /// The same for the jobs of queues that are pushed, and a [`Pusher`].
    pub(crate) pushes: FakeOutbound,
    /// The largest result in bytes.
    result: usize,
    pub(crate) faults: Faults,
    /// Where the files are.
    pub(crate) store: MemoryFiles,
    pub(crate) files: Files,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) serving: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start() -> Server {
        Server::with(Config::default()).await
    }

    pub(crate) async fn limited(limits: Limits) -> Server {
        Server::with(Config { limits, ..Config::default() }).await
    }

    pub(crate) async fn with(config: Config) -> Server {
        Server::over(&SharedLedger::new(), config).await
    }

    /// A server that begins with what an earlier one left in `ledger`.
    pub(crate) async fn over(ledger: &SharedLedger, config: Config) -> Server {
        Server::at(ledger, config, Arc::new(SystemClock::start())).await
    }

    /// The same, on this clock.
    pub(crate) async fn at(ledger: &SharedLedger, config: Config, clock: Arc<dyn Clock>) -> Server {
        Server::serving(ledger, config, clock, Handle::current()).await
    }

    /// A server whose streams run there.
    pub(crate) async fn with_streams_on(streams: &Handle) -> Server {
        let clock = Arc::new(SystemClock::start());
        Server::serving(&SharedLedger::new(), Config::default(), clock, streams.clone()).await
    }

    async fn serving(ledger: &SharedLedger, config: Config, clock: Arc<dyn Clock>, streams: Handle) -> Server {
        let (reader, faults) = (ledger.reader(), ledger.faults());
        let engine = Engine::start(Parts {
            ledger: Box::new(ledger.clone()),
            reader: reader.clone(),
            feed: reader,
            clock,
            mailbox: MailboxLimits::default(),
            window: WindowLimits::default(),
            feed_retention: ackd_domain::limits::DEFAULT_FEED_RETENTION,
        })
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let outbound = FakeOutbound::new();
        let pushes = FakeOutbound::new();
        let result = config.limits.payload;
        let store = MemoryFiles::default();
        let files = Files::new(engine.clone(), Arc::new(store.clone()), 1);
        let app = App::new(engine.clone(), files.clone(), outbounds(&outbound, &pushes), config).unwrap();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            serve(listener, app, &streams, stopped).await.unwrap();
        });
        Server { address, engine, outbound, pushes, result, faults, store, files, stop: Some(stop), serving }
    }

    /// Begins to send webhooks, by way of the server's [`FakeOutbound`].
    pub(crate) fn deliver(&self) -> Deliverer {
        let renderer = WebhookRenderer::new(Some("https://ackd.example"));
        Deliverer::start(self.engine.clone(), Arc::new(self.outbound.clone()), Arc::new(renderer))
    }

    pub(crate) fn outbounds(&self) -> Outbounds {
        outbounds(&self.outbound, &self.pushes)
    }

    /// Begins to post the jobs of queues that are pushed, by way of `pushes`.
    pub(crate) fn push(&self) -> Pusher {
        let options = PushOptions { lease: lease_text, result: self.result };
        Pusher::start(self.engine.clone(), self.files.clone(), Arc::new(self.pushes.clone()), options)
    }

    /// Begins to work off bulk jobs.
    pub(crate) fn bulk(&self) -> BulkWorker {
        BulkWorker::start(self.engine.clone())
    }

    pub(crate) async fn connect(&self) -> Client {
        let document = self.document().await;
        Client::over(TcpStream::connect(self.address).await.unwrap(), document)
    }

    /// One request on a connection of its own.
    pub(crate) async fn call(&self, request: Request) -> Answer {
        self.connect().await.call(request).await
    }

    /// The document of the API, which is the same for every server.
    pub(crate) async fn document(&self) -> &'static Value {
        static DOCUMENT: OnceCell<Value> = OnceCell::const_new();
        let fetch = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(&Request::get("/openapi.json").bytes()).await.unwrap();
            Client::over(stream, const { &Value::Null }).answer("GET").await.json()
        };
        DOCUMENT.get_or_init(|| fetch).await
    }

    /// Submits an envelope and gives its id.
    pub(crate) async fn submit(&self, envelope: &str) -> String {
        let answer = self.call(Request::post("/v1/jobs").json(envelope)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.text("/id")
    }

    /// Leases one job of `queue` and gives the lease's token.
    pub(crate) async fn lease(&self, queue: &str) -> String {
        let body = format!(r#"{{"queues":["{queue}"],"wait":"10s"}}"#);
        let answer = self.call(Request::post("/v1/leases").json(&body)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.text("/leases/0/lease")
    }

    /// Has `verb` done to a lease.
    pub(crate) async fn settle(&self, lease: &str, verb: &str, body: &str) -> Answer {
        self.call(Request::post(&format!("/v1/leases/{lease}/{verb}")).json(body)).await
    }

    /// The job with this id.
    pub(crate) async fn job(&self, id: &str) -> Answer {
        self.call(Request::get(&format!("/v1/jobs/{id}"))).await
    }

    /// What happened to a job, in words.
    pub(crate) async fn timeline(&self, id: &str) -> Vec<String> {
        let answer = self.call(Request::get(&format!("/v1/jobs/{id}/timeline"))).await;
        let entries = answer.at("/entries");
        entries.as_array().unwrap().iter().map(|entry| entry["event"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until something holds, looking again and again.
    pub(crate) async fn until(&self, what: &str, mut holds: impl AsyncFnMut(&Server) -> bool) {
        for _ in 0..100_000 {
            if holds(self).await {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("it never came to {what}");
    }

    /// Tells the server to stop, and waits until it has.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        (&mut self.serving).await.unwrap();
        // The ledger is of no other from here on. It blocks, and a test's runtime must not.
        let engine = self.engine.clone();
        tokio::task::spawn_blocking(move || engine.stop()).await.unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
        let engine = self.engine.clone();
        // It blocks, and a test's runtime must not.
        std::thread::spawn(move || engine.stop());
    }
}

/// A request, to be written as it stands.
#[derive(Clone)]
pub(crate) struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    pub(crate) fn new(method: &str, target: &str) -> Request {
        Request { method: method.to_owned(), target: target.to_owned(), headers: Vec::new(), body: None }
    }

    pub(crate) fn get(target: &str) -> Request {
        Request::new("GET", target)
    }

    pub(crate) fn post(target: &str) -> Request {
        Request::new("POST", target)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Request {
        let mut request = self.header("content-type", content_type);
        request.body = Some(body.into());
        request
    }

    pub(crate) fn bare_body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = Some(body.into());
        self
    }

    pub(crate) fn json(self, body: &str) -> Request {
        self.body("application/json", body)
    }

    pub(crate) fn ndjson(self, body: &str) -> Request {
        self.body("application/x-ndjson", body)
    }

    pub(crate) fn method(&self) -> &str {
        &self.method
    }

    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !self.headers.iter().any(|(name, _)| name == "host") {
            head += "host: localhost\r\n";
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(body) = &self.body {
            head += &format!("content-length: {}\r\n", body.len());
        }
        head += "\r\n";
        [head.into_bytes(), self.body.clone().unwrap_or_default()].concat()
    }
}

/// One connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
    document: &'static Value,
}

impl Client {
    fn over(stream: TcpStream, document: &'static Value) -> Client {
        Client { stream, buffer: Vec::new(), document }
    }

    /// Sends a request and takes its answer, which must be what the document of the API says.
    pub(crate) async fn call(&mut self, request: Request) -> Answer {
        self.send(&request).await;
        self.finish(&request).await
    }

    /// Takes the answer to a request that was sent.
    pub(crate) async fn finish(&mut self, request: &Request) -> Answer {
        let answer = self.answer(&request.method).await;
        contract::check(self.document, request, &answer);
        answer
    }

    pub(crate) async fn send(&mut self, request: &Request) {
        self.write(&request.bytes()).await;
    }

    /// Writes bytes; a server that closed the connection may still have answered.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// Reads more. Says whether there was any.
    async fn more(&mut self) -> bool {
        self.buffer.reserve(65536);
        matches!(self.stream.read_buf(&mut self.buffer).await, Ok(read) if read > 0)
    }

    /// Everything until the server closes the connection.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.buffer)
    }

    /// The bytes up to and with `end`; `None` where the connection ends before.
    pub(crate) async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|window| window == end) {
                return Some(self.buffer.drain(..at + end.len()).collect());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// The head of an answer; the body is left unread.
    pub(crate) async fn head(&mut self) -> Answer {
        let head = self.until(b"\r\n\r\n").await.expect("the connection ended before an answer");
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = BTreeMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap_or((line.trim_end_matches(':'), ""));
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        Answer { status, headers, body: Vec::new() }
    }

    /// An answer to a request by `method`.
    pub(crate) async fn answer(&mut self, method: &str) -> Answer {
        let mut answer = self.head().await;
        let has_body = method != "HEAD" && !matches!(answer.status, 204 | 304);
        if !has_body {
            return answer;
        }
        if answer.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk().await {
                answer.body.extend(chunk);
            }
            return answer;
        }
        let length: usize = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.buffer.len() < length {
            assert!(self.more().await, "the body of {answer:?} broke off");
        }
        answer.body = self.buffer.drain(..length).collect();
        answer
    }

    /// The next chunk of a chunked body; `None` at its end, or where the connection ends.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = self.until(b"\r\n").await?;
        let length = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim_end(), 16).unwrap();
        while self.buffer.len() < length + 2 {
            assert!(self.more().await, "a chunk broke off");
        }
        let chunk: Vec<u8> = self.buffer.drain(..length + 2).take(length).collect();
        (length > 0).then_some(chunk)
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        let text = std::str::from_utf8(&self.body).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What stands at a JSON pointer.
    pub(crate) fn at(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).unwrap_or_else(|| panic!("nothing at {pointer} in {self:?}")).clone()
    }

    /// The text at a JSON pointer.
    pub(crate) fn text(&self, pointer: &str) -> String {
        self.at(pointer).as_str().unwrap_or_else(|| panic!("no text at {pointer} in {self:?}")).to_owned()
    }

    /// Checks that this is the problem with `code`, whole and with its status.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str) -> &Answer {
        assert_eq!(self.status, status, "{self:?} {}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["type"], format!("/problems/{code}"), "{problem}");
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
        // The place that the words name is the one that is pointed at.
        let detail = problem["detail"].as_str().unwrap();
        let place =
            detail.strip_prefix("`/").and_then(|rest| rest.split_once('`')).map(|(place, _)| format!("/{place}"));
        assert!(place.is_none_or(|place| problem["errors"][0]["pointer"] == *place), "{problem}");
        assert!(!detail.contains("`` "), "{problem}");
        if matches!(status, 429 | 503) {
            assert!(self.header("retry-after").is_some(), "{self:?}");
        }
        self
    }

    /// Checks that a field is pointed at.
    #[track_caller]
    pub(crate) fn points_at(&self, pointer: &str) -> &Answer {
        let problem = self.json();
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        assert!(errors.iter().any(|error| error["pointer"] == pointer), "{pointer}: {problem}");
        self
    }
}
