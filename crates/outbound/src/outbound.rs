use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{Timestamp, limits};
use ackd_ports::{Outbound, OutboundError, Phase, Post, Posted, Reply, SigningKey, Wanted};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use rustls::RootCertStore;
use tokio::time::{Instant, timeout_at};

use crate::allow::Allow;
use crate::body::Outgoing;
use crate::cache::Cache;
use crate::connect::Connector;
pub use crate::connection::{BODY_BYTES, HEAD_BYTES};
use crate::connection::{BodyRead, Connection, Reading, SendError};
use crate::own::{OwnAddresses, SystemAddresses};
use crate::pool::{Pool, PoolLimits};
use crate::resolve::{Resolve, SystemResolver};
use crate::retry_after;
use crate::sign::Signer;
use crate::target::Target;
use crate::tls::Tls;

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const AGENT: HeaderValue = HeaderValue::from_static(concat!("ackd/", env!("CARGO_PKG_VERSION")));

/// How many URLs are remembered as they were read.
const TARGETS: usize = 4096;

/// How long the body of an answer may take once its head is there, where only its beginning is wanted. The status has
/// said what became of the post; the body is for a log only, and worth no wait.
const BODY_WAIT: Duration = Duration::from_secs(1);

/// How long a connection is used at most, so that one in steady use does not miss for ever that its name leads elsewhere.
const MAX_AGE: Duration = Duration::from_secs(300);

/// The longest timeout of a post.
const MAX_TIMEOUT: Duration = Duration::from_secs(3600);

/// What an [`HttpOutbound`] is told.
pub struct Options {
    /// Ranges that would be refused, and are not.
    pub allow: Allow,
    /// The flag by which the operator names them, for errors.
    pub allow_flag: &'static str,
    /// The most bytes of answers that are being read at a time; what finds no room among them is lost.
    pub reading: usize,
    /// How long look-up, connecting and TLS may take together; never longer than the post's own timeout.
    pub connect_timeout: Duration,
    /// How many idle connections to one server are kept.
    pub idle_per_server: usize,
    /// How many idle connections are kept in all.
    pub idle_in_all: usize,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// Who looks names up.
    pub resolver: Arc<dyn Resolve>,
    /// Who knows the machine's own addresses.
    pub own: Arc<dyn OwnAddresses>,
    /// Whom https trusts; without it, whom the system trusts.
    pub roots: Option<Arc<RootCertStore>>,
}

impl Default for Options {
    /// Nothing allowed beyond what is public, 256 MiB of answers being read, 10 s to connect, 64 idle connections a
    /// server and 256 in all for 4 s, the system's resolver and CAs.
    fn default() -> Options {
        Options {
            allow: Allow::default(),
            allow_flag: "--webhook-allow",
            reading: 256 << 20,
            connect_timeout: Duration::from_secs(10),
            idle_per_server: 64,
            idle_in_all: 256,
            // Many receivers close after five idle seconds (Node.js, Apache, uvicorn). Whoever gives up first is never
            // met by a request that crosses the other's close.
            idle_timeout: Duration::from_secs(4),
            resolver: Arc::new(SystemResolver::default()),
            own: Arc::new(SystemAddresses),
            roots: None,
        }
    }
}

/// The [`Outbound`] that sends, over HTTP/1.1, plain or over TLS.
///
/// A post occupies at most some 20 KiB beside its own body, or a piece of it where it is streamed, and what is wanted of the
/// answer's, whatever the receiver does.
/// How many are under way at a time is the caller's to bound. All posts run on one tokio runtime, whose I/O and time are enabled. A clone is the same.
#[derive(Clone)]
pub struct HttpOutbound(Arc<Shared>);

struct Shared {
    targets: Cache<Arc<str>, Target>,
    signer: Signer,
    connector: Connector,
    reading: Reading,
    pool: Arc<Pool<Connection>>,
}

impl HttpOutbound {
    /// One that does as `options` say. Nothing is connected to, looked up or read yet.
    #[must_use]
    pub fn new(options: Options) -> HttpOutbound {
        let limits =
            PoolLimits { per_server: options.idle_per_server, in_all: options.idle_in_all, idle: options.idle_timeout };
        HttpOutbound(Arc::new(Shared {
            targets: Cache::new(TARGETS),
            signer: Signer::new(),
            connector: Connector {
                resolver: options.resolver,
                own: options.own,
                allow: options.allow,
                flag: options.allow_flag,
                tls: Tls::new(options.roots),
                timeout: options.connect_timeout,
            },
            reading: Reading::new(options.reading),
            pool: Pool::new(limits),
        }))
    }
}

impl Outbound for HttpOutbound {
    fn check(&self, url: &str) -> Result<(), OutboundError> {
        self.0.connector.check(&Target::parse(url)?)
    }

    fn check_key(&self, key: &SigningKey) -> Result<(), OutboundError> {
        Signer::check(key)
    }

    fn post(&self, post: Post) -> Posted {
        let shared = Arc::clone(&self.0);
        Box::pin(async move { shared.post(post).await })
    }
}

impl Shared {
    async fn post(&self, post: Post) -> Result<Reply, OutboundError> {
        let started = Instant::now();
        let limit = post.timeout.min(MAX_TIMEOUT);
        let deadline = started + limit;
        let target = self.targets.get(&post.url, || Target::parse(&post.url))?;
        let head = self.head(&post, &target)?;
        let answering = async {
            let body = Outgoing::open(post.body.clone()).await?;
            let mut request = head.map(|()| body);
            while let Some(mut connection) = self.pool.take(&target.server) {
                // That its receiver has closed it may be known to the system and not yet to the runtime, which looks
                // whenever a task yields.
                tokio::task::yield_now().await;
                if !connection.is_idle().await {
                    continue;
                }
                match connection.send(request).await {
                    Ok(response) => return Ok((connection, response)),
                    // Its receiver had gone; nothing was sent, so that another may be tried.
                    Err(SendError::Unsent(again)) => request = again,
                    Err(SendError::Failed(error)) => return Err(error),
                }
            }
            let mut connection = self.connector.open(&target, deadline).await?;
            match connection.send(request).await {
                Ok(response) => Ok((connection, response)),
                Err(SendError::Unsent(_)) => Err(OutboundError::Closed("the receiver closed it at once".into())),
                Err(SendError::Failed(error)) => Err(error),
            }
        };
        let Ok(answered) = timeout_at(deadline, answering).await else {
            return Err(OutboundError::Timeout { during: Phase::Answering, limit });
        };
        let (mut connection, response) = answered?;
        let (head, body) = response.into_parts();
        let wanted = if head.status.is_success() { post.wanted } else { Wanted::Beginning };
        let body_deadline = match wanted {
            Wanted::Beginning => deadline.min(Instant::now() + BODY_WAIT),
            Wanted::Whole(_) => deadline,
        };
        let mut read = BodyRead::new(&self.reading);
        // Where time runs out, what has come by then is all.
        drop(timeout_at(body_deadline, connection.read(body, wanted, &mut read)).await);
        let took = started.elapsed();
        if read.is_over && connection.opened.elapsed() < MAX_AGE && connection.is_idle().await {
            self.pool.put(&target.server, connection);
        }
        let retry_after = retry_after(&head.headers, post.at.after(took));
        let (body, end) = (std::mem::take(&mut read.bytes).into(), read.end);
        let content_type = content_type(&head.headers);
        Ok(Reply { status: head.status.as_u16(), retry_after, took, content_type, body, end })
    }

    fn head(&self, post: &Post, target: &Target) -> Result<Request<()>, OutboundError> {
        post.check_headers()?;
        let value = |text: &str, what| HeaderValue::from_str(text).map_err(|_| OutboundError::Header(what));
        let mut headers = HeaderMap::with_capacity(8 + post.headers.len());
        headers.insert(HOST, target.authority.clone());
        headers.insert(USER_AGENT, AGENT);
        if post.body.length() == 0 {
            // RFC 9110, section 8.6. hyper names no length where there is no body, and many servers answer that by 411.
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if !post.content_type.is_empty() {
            headers.insert(CONTENT_TYPE, value(&post.content_type, "the media type")?);
        }
        if let Some(signed) = &post.signed {
            let timestamp = (post.at.millis() / 1000).to_string();
            headers.insert(WEBHOOK_ID, value(&signed.id, "the webhook's id")?);
            headers.insert(WEBHOOK_TIMESTAMP, value(&timestamp, "the time")?);
            if let Some(signature) = self.signer.sign(signed, &timestamp, post.body.as_bytes())? {
                headers.insert(WEBHOOK_SIGNATURE, signature);
            }
        }
        for (name, text) in &post.headers {
            let header = HeaderName::try_from(*name).map_err(|_| OutboundError::Header(name))?;
            headers.insert(header, value(text, name)?);
        }
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = target.path.clone();
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// The media type that the receiver names, where it can be kept with what it is of.
fn content_type(headers: &HeaderMap) -> Option<Arc<str>> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?.trim();
    let is_kept = (1..=limits::CONTENT_TYPE_BYTES).contains(&text.len()) && !text.contains('\t');
    is_kept.then(|| Arc::from(text))
}

fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    headers.get(RETRY_AFTER).and_then(|value| retry_after::parse(value.as_bytes(), now))
}
