//! One request, from its head to its answer.

use std::borrow::Cow;
use std::convert::Infallible;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use ackd_api::{Code, Problem, cloud_event};
use ackd_domain::{JobId, Name};
use ackd_engine::{Engine, Files};
use http::header;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body;
use hyper::body::Incoming;

use crate::app::Shared;
use crate::browser;
use crate::connection::Link;
use crate::headers::{self, Media};
use crate::intake::{self, Arrived, Flow, Whole};
use crate::outlet::{Outlet, Served};
use crate::problem::Rejection;
use crate::query::{self, Query};
use crate::router::{self, Found};
use crate::takeover::Takeover;

/// What an operation comes to.
pub(crate) type Outcome = Result<Response<Outlet>, Rejection>;

/// An operation under way.
pub(crate) type Handling = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A request on its way through an operation.
pub(crate) struct Call {
    pub(crate) query: Query,
    head: Parts,
    body: Option<Incoming>,
    pub(crate) link: Arc<Link>,
    /// Where in the path the parameter stands.
    parameter: Range<usize>,
}

impl Call {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.link.shared
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.link.shared.engine
    }

    pub(crate) fn files(&self) -> &Files {
        &self.link.shared.files
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    pub(crate) fn method(&self) -> &http::Method {
        &self.head.method
    }

    /// What the client speaks.
    pub(crate) fn version(&self) -> http::Version {
        self.head.version
    }

    /// The parameter of the path, decoded.
    pub(crate) fn parameter(&self) -> Result<Cow<'_, str>, Rejection> {
        let text = self.head.uri.path().get(self.parameter.clone()).unwrap_or_default();
        query::segment(text).ok_or_else(|| {
            Rejection::new(Code::InvalidRequest, format!("`{text}` in the path is not percent-encoded UTF-8"))
        })
    }

    /// The job's id in the path.
    pub(crate) fn job_id(&self) -> Result<JobId, Rejection> {
        self.id_of("job")
    }

    /// The id in the path of what is called `what`, and has that of a job.
    pub(crate) fn id_of(&self, what: &str) -> Result<JobId, Rejection> {
        let text = self.parameter()?;
        let expected = format_args!("a {what}'s id is a UUID of version 7 in its usual form of 36 characters");
        text.parse().map_err(|_| in_path(&text, expected))
    }

    /// The name in the path, which is not the server's own.
    pub(crate) fn name(&self) -> Result<Name, Rejection> {
        let text = self.parameter()?;
        let name = Name::new(&text).map_err(|error| in_path(&text, error))?;
        if name.is_reserved() {
            return Err(reserved("").into());
        }
        Ok(name)
    }

    /// What the body is. Where there is none it may be called anything.
    pub(crate) fn media(&self) -> Result<Media<'_>, Rejection> {
        if self.body.as_ref().is_none_or(Body::is_end_stream) {
            return Ok(Media::Unnamed);
        }
        Ok(headers::media(&self.head.headers)?)
    }

    /// The body, of which at most `limit` bytes are taken.
    pub(crate) async fn body(&mut self, limit: usize) -> Result<Whole, Rejection> {
        let flow = self.flow()?;
        let received = intake::receive(self.shared(), flow, limit).await;
        if received.is_err() {
            self.link.left_unread();
        }
        received
    }

    /// The body, where it has at most `limit` bytes, or else what has come of it and the rest.
    pub(crate) async fn arrived(&mut self, limit: usize) -> Result<Arrived, Rejection> {
        let flow = self.flow()?;
        let arrived = flow.gather(self.shared(), limit).await;
        if arrived.is_err() {
            self.link.left_unread();
        }
        arrived
    }

    /// The body, to be taken as it comes.
    pub(crate) fn flow(&mut self) -> Result<Flow, Rejection> {
        match self.body.take() {
            Some(body) => Ok(Flow::new(body)),
            None => Err(Rejection::new(Code::Internal, "the body was read twice")),
        }
    }

    /// A body of JSON that carries a payload, a result or less.
    pub(crate) async fn json(&mut self) -> Result<Whole, Rejection> {
        match self.media()? {
            Media::Unnamed | Media::Json => self.body(self.shared().limits.json()).await,
            other => Err(unsupported(other, "application/json")),
        }
    }

    /// Sees to it that the request asks for nothing by a body where none is known.
    pub(crate) async fn no_body(&mut self) -> Result<(), Rejection> {
        if self.body.as_ref().is_none_or(Body::is_end_stream) {
            // It is let go, so that hyper watches for the client's going away.
            self.body = None;
            return Ok(());
        }
        let whole = self.body(1024).await?;
        match whole.bytes().trim_ascii() {
            b"" | b"{}" => Ok(()),
            _ => Err(Rejection::new(Code::InvalidRequest, "this operation takes no body; leave it out")),
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.body.as_ref().is_some_and(|body| !body.is_end_stream()) {
            self.link.left_unread();
        }
    }
}

fn in_path(text: &str, error: impl std::fmt::Display) -> Rejection {
    let shown: String = text.chars().take(100).collect();
    Rejection::new(Code::InvalidRequest, format!("`{shown}` in the path: {error}"))
}

/// The name is one of the server's own.
pub(crate) fn reserved(pointer: &str) -> Problem {
    let detail = format!("names that begin with `{}` are the server's own; choose another", Name::RESERVED_PREFIX);
    let problem = Problem::new(Code::Forbidden, detail.clone());
    if pointer.is_empty() { problem } else { problem.with_error(pointer, detail) }
}

/// The body's media type is not `expected`.
pub(crate) fn unsupported(media: Media<'_>, expected: &str) -> Rejection {
    let given = match media {
        Media::Form => {
            return form();
        }
        Media::Unnamed => "nothing",
        Media::Json => "application/json",
        Media::MergePatch => "application/merge-patch+json",
        Media::Ndjson => headers::NDJSON,
        Media::CloudEvent => cloud_event::MEDIA_TYPE,
        Media::OtherEvents(other) | Media::Other(other) => other,
    };
    Rejection::new(
        Code::UnsupportedMediaType,
        format!("`Content-Type` says {given}; {expected} is read here. Name what the body is"),
    )
}

fn form() -> Rejection {
    Rejection::new(
        Code::UnsupportedMediaType,
        "bodies of forms are not read, for any web page may send them; name what the body is, as with \
         `curl --json …` or `curl -H 'content-type: application/json' …`",
    )
}

fn encoded() -> Rejection {
    let detail = "bodies are not decompressed here; send it as it is, without `Content-Encoding`";
    // RFC 7694, section 3.
    Rejection::new(Code::UnsupportedMediaType, detail)
        .with(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))
}

/// Answers the requests of one connection.
pub(crate) struct Caller {
    link: Arc<Link>,
}

impl Caller {
    pub(crate) fn new(link: Arc<Link>) -> Caller {
        Caller { link }
    }

    /// What can be said of a request by its head alone; then its operation begins.
    fn begin(&self, request: Request<Incoming>, answering: &mut Answering) -> Result<State, Rejection> {
        let (head, body) = request.into_parts();
        let mut call =
            Call { query: Query::default(), head, body: Some(body), link: Arc::clone(&self.link), parameter: 0..0 };
        let Parts { method, uri, version, headers, .. } = &call.head;
        answering.origin = self.link.shared.admit(uri.authority(), *version, headers)?;
        let (operation, at, parameter) = match router::find(method, uri.path())? {
            Found::Operation(operation, at, parameter) => (operation, at, parameter),
            Found::Options(allowed) => return Ok(State::Known(Ok(browser::options(allowed, headers)))),
        };
        answering.operation = at;
        if browser::has_body(method) {
            if call.media()? == Media::Form {
                return Err(form().closing());
            }
            if !headers::is_plain(headers) {
                return Err(encoded().closing());
            }
        }
        call.query = Query::parse(uri.query(), |name| operation.values(name))?;
        call.parameter = parameter;
        Ok(State::Handling((operation.handle)(call)))
    }
}

impl hyper::service::Service<Request<Incoming>> for Caller {
    type Response = Response<Outlet>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        self.link.begin();
        let mut answering = Answering {
            link: Arc::clone(&self.link),
            origin: None,
            operation: crate::metrics::NO_OPERATION,
            state: State::Over,
        };
        answering.state = self.begin(request, &mut answering).unwrap_or_else(|rejection| State::Known(Err(rejection)));
        answering
    }
}

/// A request that is being answered.
pub(crate) struct Answering {
    link: Arc<Link>,
    /// The origin whose pages may read the answer.
    origin: Option<HeaderValue>,
    /// The operation's place in the table.
    operation: usize,
    state: State,
}

enum State {
    Handling(Handling),
    Known(Outcome),
    Over,
}

impl Future for Answering {
    type Output = Served;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Served> {
        let outcome = match &mut self.state {
            State::Handling(handling) => ready!(handling.as_mut().poll(cx)),
            State::Known(_) | State::Over => match std::mem::replace(&mut self.state, State::Over) {
                State::Known(outcome) => outcome,
                _ => Err(Rejection::new(Code::Internal, "an answer was asked for twice")),
            },
        };
        self.state = State::Over;
        let mut response = outcome.unwrap_or_else(|rejection| {
            if rejection.problem.status == 500 {
                tracing::error!(problem = %rejection.problem, "a request met with an error of the server's");
            }
            rejection.into_response(self.link.shared.public_url.as_deref())
        });
        self.link.shared.metrics.count(self.operation, response.status());
        if let Some(origin) = self.origin.take() {
            browser::allow(origin, response.headers_mut());
        }
        if let Some(run) = response.body_mut().take_run() {
            self.link.take_over(Takeover::new(response.map(|_| run)));
            // The connection sees that it is taken over, and never asks again.
            return Poll::Pending;
        }
        Poll::Ready(Ok(response.map(|outlet| outlet.through(&self.link))))
    }
}
