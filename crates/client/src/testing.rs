//! A server that does what a test tells it, request by request.
//!
//! Most tests talk to it in memory: with tokio's paused clock, time then passes only when both sides wait for it.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use crate::{Client, ClientBuilder};

/// A connection of a client under test.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Memory(DuplexStream),
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Stream {
        Stream::Tcp(stream)
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

macro_rules! forward {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Tcp($stream) => $call,
            Stream::Memory($stream) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        forward!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        forward!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        forward!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        forward!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

/// Connects to a [`Server`] in memory.
#[derive(Debug, Clone)]
pub(crate) struct Dialer(mpsc::UnboundedSender<Request>);

impl Dialer {
    pub(crate) fn connect(&self) -> impl Future<Output = std::io::Result<Stream>> + Send + use<> {
        let (near, far) = tokio::io::duplex(64 << 10);
        let requests = self.0.clone();
        async move {
            if requests.is_closed() {
                return Err(std::io::ErrorKind::ConnectionRefused.into());
            }
            tokio::spawn(serve(far, requests));
            Ok(Stream::Memory(near))
        }
    }
}

/// The requests of a client, in the order in which they came, over all of its connections.
pub(crate) struct Server {
    requests: mpsc::UnboundedReceiver<Request>,
}

/// One request, waiting for its answer.
#[derive(Debug)]
pub(crate) struct Request {
    /// Method and path with query.
    pub(crate) line: String,
    /// Headers, with names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    answer: oneshot::Sender<Answer>,
}

/// A connection that is no longer HTTP's.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin + 'static> Duplex for S {}

/// What a test answers.
#[derive(Debug)]
struct Answer {
    bytes: Vec<u8>,
    /// What follows, until its sender is dropped; then the connection closes.
    stream: Option<mpsc::Receiver<Vec<u8>>>,
    /// Who gets the connection afterwards.
    switch: Option<oneshot::Sender<Box<dyn Duplex>>>,
}

impl Server {
    /// A server in memory and a client of it.
    pub(crate) fn memory() -> (Server, Client) {
        Server::with(Client::builder())
    }

    /// The same with what a builder says.
    pub(crate) fn with(builder: ClientBuilder) -> (Server, Client) {
        let (sender, requests) = mpsc::unbounded_channel();
        let client = builder.dial(crate::transport::Dial::Memory(Dialer(sender))).build().unwrap();
        (Server { requests }, client)
    }

    /// A server behind a real socket and a client of it.
    pub(crate) async fn tcp() -> (Server, Client) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, sender.clone()));
            }
        });
        (Server { requests }, Client::builder().url(url).build().unwrap())
    }

    /// The next request.
    pub(crate) async fn next(&mut self) -> Request {
        self.requests.recv().await.unwrap()
    }

    /// The next request, which has to be this one: method and path with query.
    pub(crate) async fn expect(&mut self, line: &str) -> Request {
        let request = self.next().await;
        assert_eq!(request.line, line);
        request
    }

    /// Whether there is no request for so long, by the paused clock.
    pub(crate) async fn stays_quiet(&mut self, time: std::time::Duration) -> bool {
        tokio::time::timeout(time, self.requests.recv()).await.is_err()
    }

    /// Whether there is no request now.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.requests.try_recv().is_err()
    }
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The lines of an NDJSON body.
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Answers with JSON.
    pub(crate) fn answer(self, status: u16, body: &str) {
        self.answer_with(status, &[("content-type", "application/json")], body);
    }

    /// Answers with a problem of this code.
    pub(crate) fn refuse(self, code: ackd_api::Code) {
        let problem = ackd_api::Problem::new(code, "as the test says");
        let headers = [("content-type", ackd_api::problem::MEDIA_TYPE)];
        self.answer_with(code.status(), &headers, &serde_json::to_string(&problem).unwrap());
    }

    pub(crate) fn answer_with(self, status: u16, headers: &[(&str, &str)], body: &str) {
        let head = head(status, headers, &format!("content-length: {}", body.len()));
        // The client may have gone.
        let _ = self.answer.send(Answer { bytes: (head + body).into_bytes(), stream: None, switch: None });
    }

    /// Answers 200 with a body that goes on until the sender is dropped.
    pub(crate) fn stream(self, content_type: &str) -> mpsc::Sender<Vec<u8>> {
        let (sender, chunks) = mpsc::channel(16);
        let head = head(200, &[("content-type", content_type)], "connection: close");
        let _ = self.answer.send(Answer { bytes: head.into_bytes(), stream: Some(chunks), switch: None });
        sender
    }

    /// The same with a body that is to have so many bytes.
    pub(crate) fn stream_of(self, length: usize) -> mpsc::Sender<Vec<u8>> {
        let (sender, chunks) = mpsc::channel(16);
        let head = head(200, &[], &format!("content-length: {length}"));
        let _ = self.answer.send(Answer { bytes: head.into_bytes(), stream: Some(chunks), switch: None });
        sender
    }

    /// Answers 101 and gives the connection.
    pub(crate) async fn switch(self, headers: &[(&str, &str)]) -> Box<dyn Duplex> {
        let (sender, stream) = oneshot::channel();
        let head = head(101, headers, "x-switched: yes");
        let _ = self.answer.send(Answer { bytes: head.into_bytes(), stream: None, switch: Some(sender) });
        stream.await.unwrap()
    }

    /// Breaks the connection without an answer.
    pub(crate) fn hang_up(self) {}

    /// Waits until the client has given the request up.
    pub(crate) async fn given_up(mut self) {
        self.answer.closed().await;
    }
}

fn head(status: u16, headers: &[(&str, &str)], last: &str) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("HTTP/1.1 {status} Scripted\r\n{headers}{last}\r\n\r\n")
}

/// Reads requests from a connection one by one and writes what the test answers.
async fn serve(mut stream: impl Duplex, requests: mpsc::UnboundedSender<Request>) {
    let mut buffer = Vec::new();
    loop {
        let Some(end) = read_until(&mut stream, &mut buffer, |bytes| {
            bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
        })
        .await
        else {
            return;
        };
        let head = String::from_utf8(buffer.drain(..end).collect()).unwrap();
        let mut lines = head.lines();
        let line = lines.next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length =
            headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, length)| length.parse().unwrap());
        let Some(end) = read_until(&mut stream, &mut buffer, |bytes| (bytes.len() >= length).then_some(length)).await
        else {
            return;
        };
        let body = buffer.drain(..end).collect();
        let (answer, mut answered) = oneshot::channel();
        if requests.send(Request { line, headers, body, answer }).is_err() {
            return;
        }
        let mut byte = [0];
        let answer = tokio::select! {
            answer = &mut answered => answer,
            // The client went away, or broke the rule of one request at a time.
            _ = stream.read(&mut byte) => return,
        };
        let Ok(answer) = answer else { return };
        if stream.write_all(&answer.bytes).await.is_err() {
            return;
        }
        if let Some(switch) = answer.switch {
            // The test may have ended.
            let _ = switch.send(Box::new(stream));
            return;
        }
        let Some(mut chunks) = answer.stream else { continue };
        loop {
            tokio::select! {
                chunk = chunks.recv() => match chunk {
                    Some(chunk) => if stream.write_all(&chunk).await.is_err() { return },
                    None => return,
                },
                _ = stream.read(&mut byte) => return,
            }
        }
    }
}

async fn read_until(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    done: impl Fn(&[u8]) -> Option<usize>,
) -> Option<usize> {
    loop {
        if let Some(end) = done(buffer) {
            return Some(end);
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// A job document in this status.
pub(crate) fn job(id: &str, status: &str, version: u64) -> String {
    job_with(id, status, version, serde_json::json!({}))
}

/// The same with some fields replaced.
pub(crate) fn job_with(id: &str, status: &str, version: u64, fields: serde_json::Value) -> String {
    let mut job = serde_json::json!({
        "id": id, "queue": "q", "type": null, "status": status, "version": version, "run": 1, "attempt": 1,
        "max_attempts": 20, "priority": 5, "progress": null, "payload": null, "payload_info": null, "result": null,
        "result_info": null, "error": null, "waiting": null, "cancel_requested_at": null, "checkpoint": null,
        "worker": null, "tags": [], "idempotency_key": null, "ordering_key": null, "group": null, "after": [],
        "flow": null, "inputs": {}, "reply_to": null, "traceparent": null, "timeout": null,
        "created_at": "2026-11-20T10:00:00.000Z", "run_at": "2026-11-20T10:00:00.000Z", "started_at": null,
        "finished_at": null, "expires_at": null, "position": version.to_string(),
        "links": {
            "self": format!("/v1/jobs/{id}"),
            "result": format!("/v1/jobs/{id}/result"),
            "events": format!("/v1/jobs/{id}/events"),
        },
    });
    for (name, value) in fields.as_object().unwrap() {
        job[name] = value.clone();
    }
    job.to_string()
}
