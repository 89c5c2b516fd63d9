//! One request and its answer over HTTP/1.1, with pooled connections.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ackd_api::Problem;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tower_service::Service;

use crate::address::{Address, Path};
use crate::upload::Sending;
use crate::{Download, Error, Upload};

/// The largest answer in bytes that is read, 256 MiB: a thousand leases with large payloads are far below it.
const ANSWER_BYTES: usize = 256 << 20;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an idle connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// The characters of a foreign answer that an error repeats.
const DETAIL_SHOWN: usize = 200;

/// Asks for files themselves rather than for links to them.
const LINKS: HeaderName = HeaderName::from_static("ackd-links");

/// The media type of JSON (RFC 8259).
pub(crate) const JSON: &str = "application/json";

/// The media type of JSON lines.
pub(crate) const NDJSON: &str = "application/x-ndjson";

/// The body of a request: there already, or read as it goes.
type Sent = Either<Full<Bytes>, Sending>;

/// Sends requests to one server. Cloning shares the connections.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    http: HttpClient<Dial, Sent>,
    address: Arc<Address>,
    timeout: Duration,
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
    /// How long the server may hold its answer back.
    hold: Duration,
}

impl Call {
    pub(crate) fn new(method: Method, path: Path) -> Call {
        Call { method, path: path.into_string(), headers: HeaderMap::new(), body: Bytes::new(), hold: Duration::ZERO }
    }

    /// A GET of a path that was put together before.
    pub(crate) fn get_path(path: String) -> Call {
        Call { path, ..Call::get(Path::new("")) }
    }

    pub(crate) fn get(path: Path) -> Call {
        Call::new(Method::GET, path)
    }

    pub(crate) fn post(path: Path) -> Call {
        Call::new(Method::POST, path)
    }

    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Result<Call, Error> {
        let value = HeaderValue::from_str(value).map_err(|error| Error::BadRequest(format!("{name}: {error}")))?;
        self.headers.insert(name, value);
        Ok(self)
    }

    pub(crate) fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Result<Call, Error> {
        self.body = body.into();
        self.header(CONTENT_TYPE, content_type)
    }

    pub(crate) fn json(self, body: &impl serde::Serialize) -> Result<Call, Error> {
        let body = serde_json::to_vec(body).map_err(|error| Error::BadRequest(error.to_string()))?;
        self.body(JSON, body)
    }

    /// Lets the server hold its answer back for so long.
    pub(crate) fn hold(mut self, hold: Duration) -> Call {
        self.hold = hold;
        self
    }
}

/// An answer that is no error.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| bad_answer(self.status, &error.to_string()))
    }

    /// The documents of an NDJSON answer.
    pub(crate) fn lines<T: DeserializeOwned>(&self) -> Result<Vec<T>, Error> {
        ackd_api::ndjson::lines(&self.body)
            .map(|(number, line)| {
                serde_json::from_slice(line)
                    .map_err(|error| bad_answer(self.status, &format!("line {number}: {error}")))
            })
            .collect()
    }

    /// Whether a header says `true`.
    pub(crate) fn says(&self, header: &str) -> bool {
        self.headers.get(header).is_some_and(|value| value == "true")
    }

    pub(crate) fn content_type(&self) -> &str {
        self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("application/octet-stream")
    }
}

fn bad_answer(status: StatusCode, detail: &str) -> Error {
    Error::BadAnswer { status: status.as_u16(), detail: detail.to_owned() }
}

impl Transport {
    pub(crate) fn new(dial: Dial, address: Address, timeout: Duration) -> Transport {
        let http = HttpClient::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(dial);
        Transport { http, address: Arc::new(address), timeout }
    }

    /// Sends a request and reads the whole answer; 304 is an answer, 4xx and 5xx are errors.
    pub(crate) async fn send(&self, call: Call) -> Result<Answer, Error> {
        let timeout = self.timeout + call.hold;
        let answer = async {
            let response = self.request(call).await?;
            read(response).await
        };
        let answer = tokio::time::timeout(timeout, answer).await.map_err(|_| Error::Timeout(timeout))??;
        accepted(answer)
    }

    /// Sends a request and leaves the answer's body to be read piece by piece, unless it is an error.
    pub(crate) async fn open(&self, call: Call) -> Result<Response<Incoming>, Error> {
        let timeout = self.timeout + call.hold;
        let opened = async {
            let response = self.request(call).await?;
            if response.status().is_success() {
                return Ok(response);
            }
            let answer = accepted(read(response).await?)?;
            Err(bad_answer(answer.status, "an answer to a question that was not asked"))
        };
        tokio::time::timeout(timeout, opened).await.map_err(|_| Error::Timeout(timeout))?
    }

    /// Asks for another protocol on the connection: an answer of 101, unless it is an error.
    pub(crate) async fn upgrade(&self, call: Call) -> Result<Response<Incoming>, Error> {
        let upgraded = async {
            let response = self.request(call).await?;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(response);
            }
            let answer = accepted(read(response).await?)?;
            Err(bad_answer(answer.status, "no answer of one who speaks WebSocket"))
        };
        tokio::time::timeout(self.timeout, upgraded).await.map_err(|_| Error::Timeout(self.timeout))?
    }

    /// Sends a request whose body is read as it goes. The client's timeout is for a standstill, not for all of it.
    pub(crate) async fn upload(&self, mut call: Call, upload: Upload) -> Result<Answer, Error> {
        let moved = Arc::new(Notify::new());
        let (body, content_type, fault) = upload.into_parts(Arc::clone(&moved));
        if let Some(content_type) = content_type {
            call = call.header(CONTENT_TYPE, &content_type)?;
        }
        let mut answer = pin!(async { read(self.request_with(call, Either::Right(body)).await?).await });
        let answer = loop {
            tokio::select! {
                answer = &mut answer => break answer,
                () = moved.notified() => {}
                () = tokio::time::sleep(self.timeout) => break Err(Error::Timeout(self.timeout)),
            }
        };
        match fault.take() {
            Some(error) if answer.is_err() => Err(Error::Local(error)),
            _ => accepted(answer?),
        }
    }

    /// Sends a request and leaves the answer's body to be downloaded.
    pub(crate) async fn download(&self, call: Call) -> Result<Download, Error> {
        Ok(Download::new(self.open(call).await?, self.timeout))
    }

    async fn request(&self, mut call: Call) -> Result<Response<Incoming>, Error> {
        let body = Full::new(std::mem::take(&mut call.body));
        self.request_with(call, Either::Left(body)).await
    }

    async fn request_with(&self, call: Call, body: Sent) -> Result<Response<Incoming>, Error> {
        let uri = self.address.uri(&call.path).map_err(|error| Error::BadRequest(error.to_string()))?;
        let mut request = Request::new(body);
        *request.method_mut() = call.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = call.headers;
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("ackd-client/", env!("CARGO_PKG_VERSION"))));
        // A file may lie in a store that speaks TLS only, and this client does not.
        headers.insert(LINKS, HeaderValue::from_static("no"));
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        self.http.request(request).await.map_err(|error| Error::Unreachable(error.into()))
    }
}

async fn read(response: Response<Incoming>) -> Result<Answer, Error> {
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES).collect().await.map_err(Error::Unreachable)?.to_bytes();
    Ok(Answer { status: parts.status, headers: parts.headers, body })
}

/// The answer, unless its status says that it is an error.
fn accepted(answer: Answer) -> Result<Answer, Error> {
    if answer.status.is_success() || answer.status == StatusCode::NOT_MODIFIED {
        return Ok(answer);
    }
    let retry_after = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    let is_problem = answer.content_type().starts_with(ackd_api::problem::MEDIA_TYPE);
    match serde_json::from_slice::<Problem>(&answer.body) {
        Ok(mut problem) if is_problem => {
            // A problem may leave its status out; the answer's own decides (RFC 9457, section 3.1.3).
            problem.status = answer.status.as_u16();
            Err(Error::Refused { problem, retry_after })
        }
        _ => {
            let text: String = String::from_utf8_lossy(&answer.body).chars().take(DETAIL_SHOWN).collect();
            Err(bad_answer(answer.status, text.trim()))
        }
    }
}

/// Opens connections.
#[derive(Debug, Clone)]
pub(crate) enum Dial {
    /// Over TCP, to the host and port of the URL.
    Tcp,
    /// To a server in the same test, in memory.
    #[cfg(test)]
    Memory(crate::testing::Dialer),
}

#[cfg(not(test))]
type Stream = tokio::net::TcpStream;
#[cfg(test)]
type Stream = crate::testing::Stream;

impl Service<Uri> for Dial {
    type Response = TokioIo<Stream>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<TokioIo<Stream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        match self {
            Dial::Tcp => Box::pin(async move {
                let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
                let connecting = tokio::net::TcpStream::connect((host, uri.port_u16().unwrap_or(80)));
                let stream = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
                    .await
                    .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
                // Requests are small and wait for their answer: Nagle's algorithm would only delay them.
                stream.set_nodelay(true)?;
                Ok(TokioIo::new(Stream::from(stream)))
            }),
            #[cfg(test)]
            Dial::Memory(dialer) => {
                let connected = dialer.connect();
                Box::pin(async move { connected.await.map(TokioIo::new) })
            }
        }
    }
}
