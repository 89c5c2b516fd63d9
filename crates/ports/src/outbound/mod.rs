use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ackd_domain::Timestamp;
use bytes::Bytes;

mod body;
mod key;
mod url;

pub use body::{Opening, PostBody, PostSource, PostStream};
pub use key::{KeyError, KeyMaterial, SigningKey};
pub use url::{Host, TargetUrl, UrlError};

/// What a post comes to.
pub type Posted = Pin<Box<dyn Future<Output = Result<Reply, OutboundError>> + Send>>;

/// Sends HTTP requests to places that strangers named: webhooks, and the jobs of queues that are pushed.
///
/// An implementation keeps the server's own network to itself: it connects only to addresses that anybody on the
/// internet may reach, or that the operator allowed, and judges the very address it connects to. It follows no
/// redirect. This port alone does not block: its future runs on the caller's runtime, and a future that is dropped
/// takes its connection with it.
pub trait Outbound: Send + Sync {
    /// Says whether posts to `url` could ever be sent. To be asked where a URL is configured, so that whoever
    /// names it learns of a mistake at once. A host name is not looked up: where it leads, each post sees anew.
    ///
    /// # Errors
    /// [`OutboundError::Url`], or [`OutboundError::Refused`] where the URL holds an address that is refused.
    fn check(&self, url: &str) -> Result<(), OutboundError>;

    /// Says whether `key` can sign. To be asked where a key is configured.
    ///
    /// # Errors
    /// [`OutboundError::Key`].
    fn check_key(&self, key: &SigningKey) -> Result<(), OutboundError>;

    /// Posts `post.body` to `post.url` and gives the answer, whatever its status. An error says that there was no
    /// answer; whether the receiver saw the request is then unknown.
    fn post(&self, post: Post) -> Posted;
}

/// One attempt to send something.
#[derive(Debug, Clone)]
pub struct Post {
    /// Where to, as [`TargetUrl`] reads it.
    pub url: Arc<str>,
    /// When this attempt is made.
    pub at: Timestamp,
    /// The media type of the body; empty where it has none, and then there is no such header.
    pub content_type: Arc<str>,
    /// What is sent, byte for byte. What is streamed cannot be signed.
    pub body: PostBody,
    /// Who it is signed by, where it is a webhook.
    pub signed: Option<Signed>,
    /// Further headers: their names, in lower case, and values of visible ASCII and spaces.
    pub headers: Vec<(&'static str, Arc<str>)>,
    /// How much of the answer's body is wanted.
    pub wanted: Wanted,
    /// How long all of it may take: look-up, connecting, sending, the answer's head, and as much of its body as is wanted.
    pub timeout: Duration,
}

/// What makes a post a webhook as [Standard Webhooks 1.0.0] says: its id, its time, which is that of the attempt in whole
/// seconds, and signatures of both and the body.
///
/// [Standard Webhooks 1.0.0]: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
#[derive(Debug, Clone)]
pub struct Signed {
    /// The `webhook-id`: visible ASCII without a full stop, which parts it from what is signed after it. It is the
    /// same in every retry.
    pub id: Arc<str>,
    /// The keys to sign with, a signature each, in this order. With none there is no `webhook-signature`.
    pub keys: Vec<SigningKey>,
}

/// How much of an answer's body is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The first [`Reply::BODY_BYTES`], for a log. It is worth no wait: what is not there soon after the head is left.
    Beginning,
    /// All of it, where the answer is a success of at most so many bytes; the beginning of any other.
    Whole(usize),
}

impl Post {
    /// The longest `webhook-id` in bytes.
    pub const MAX_ID_BYTES: usize = 256;

    /// Whether what is to stand in headers can. Every implementation of [`Outbound`] asks before it sends.
    ///
    /// # Errors
    /// [`OutboundError::Header`], or [`OutboundError::Unsignable`] where a body is to be signed that is streamed.
    pub fn check_headers(&self) -> Result<(), OutboundError> {
        if self.signed.is_some() && matches!(self.body, PostBody::Streamed(_)) {
            return Err(OutboundError::Unsignable);
        }
        let is_id = |byte: u8| byte.is_ascii_graphic() && byte != b'.';
        if let Some(Signed { id, .. }) = &self.signed
            && (!(1..=Post::MAX_ID_BYTES).contains(&id.len()) || !id.bytes().all(is_id))
        {
            return Err(OutboundError::Header("the webhook's id"));
        }
        let is_text = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        if !self.content_type.bytes().all(is_text) {
            return Err(OutboundError::Header("the media type"));
        }
        for (name, value) in &self.headers {
            if value.is_empty() || !value.bytes().all(is_text) {
                return Err(OutboundError::Header(name));
            }
        }
        Ok(())
    }
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status (RFC 9110, section 15). A redirect stands here as any other.
    pub status: u16,
    /// What the receiver asked for in `Retry-After` (RFC 9110, section 10.2.3). It may be any length of time: whoever
    /// obeys it bounds it.
    pub retry_after: Option<Duration>,
    /// How long it took from the call to the end of the answer.
    pub took: Duration,
    /// The media type of the body, where the receiver names one that can be handed on.
    pub content_type: Option<Arc<str>>,
    /// As much of the body as was wanted.
    pub body: Bytes,
    /// Where `body` ends.
    pub end: BodyEnd,
}

/// Where what was kept of an answer's body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyEnd {
    /// At its end.
    Whole,
    /// Before its end: there is more than was wanted.
    Cut,
    /// Before its end: the rest did not come in time, or the connection was lost.
    Lost,
}

impl Reply {
    /// How much of an answer's body is kept where only its beginning is wanted, in bytes: 1 KiB.
    pub const BODY_BYTES: usize = 1024;

    /// An answer of this status without a body, at once.
    #[must_use]
    pub const fn empty(status: u16) -> Reply {
        Reply {
            status,
            retry_after: None,
            took: Duration::ZERO,
            content_type: None,
            body: Bytes::new(),
            end: BodyEnd::Whole,
        }
    }

    /// Whether the receiver took it: 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why there is no answer. The words are for the log of deliveries, which whoever named the URL reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// Nothing can be sent to this URL.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// What is to stand in a header cannot.
    #[error("{0} is empty, too long, or holds a character that cannot stand in its header")]
    Header(&'static str),
    /// What is to be sent cannot be read, or not to its end.
    #[error("what is to be sent cannot be read: {0}")]
    Body(Arc<str>),
    /// What is streamed cannot be signed: the signature stands before it.
    #[error("what is streamed cannot be signed")]
    Unsignable,
    /// The halves of a `whsk_` key are of two pairs.
    #[error("the public half of the whsk_ key does not belong to its private half: nobody could verify its signature")]
    Key,
    /// Nothing is sent to this address.
    #[error("{host} leads to {address}, {why}: nothing is sent there unless {flag} names its range")]
    Refused {
        /// The host of the URL.
        host: Arc<str>,
        /// The address at fault.
        address: IpAddr,
        /// What is wrong with it.
        why: &'static str,
        /// Whether the URL itself holds the address; a name may lead elsewhere tomorrow.
        literal: bool,
        /// The flag by which the operator allows it.
        flag: &'static str,
    },
    /// The name leads nowhere.
    #[error("no address of {host} is known: {why}")]
    NoAddress {
        /// The host of the URL.
        host: Arc<str>,
        /// What the look-up said.
        why: Arc<str>,
    },
    /// Nobody takes the connection.
    #[error("{host} at {address} cannot be connected to: {why}")]
    Connect {
        /// The host of the URL.
        host: Arc<str>,
        /// The last address that was tried.
        address: IpAddr,
        /// What the system said.
        why: Arc<str>,
    },
    /// There is no trusted connection to the host.
    #[error("no trusted TLS connection to {host}: {why}")]
    Tls {
        /// The host of the URL.
        host: Arc<str>,
        /// What the handshake said.
        why: Arc<str>,
    },
    /// It took too long.
    #[error("no answer within {} ms: time ran out {during}", .limit.as_millis())]
    Timeout {
        /// What was being done.
        during: Phase,
        /// How long it was allowed to take.
        limit: Duration,
    },
    /// The receiver closed the connection instead of answering.
    #[error("the connection was lost before the answer: {0}")]
    Closed(Arc<str>),
    /// What came back is no HTTP answer.
    #[error("the answer is no HTTP: {0}")]
    Protocol(Arc<str>),
    /// The head of the answer is larger than is read.
    #[error("the status line and headers of the answer exceed {limit} bytes, or are more than 100")]
    TooLarge {
        /// The most that is read, in bytes.
        limit: usize,
    },
}

impl OutboundError {
    /// Whether another attempt at the same post must fail likewise.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        matches!(
            self,
            OutboundError::Url(_)
                | OutboundError::Header(_)
                | OutboundError::Unsignable
                | OutboundError::Key
                | OutboundError::Refused { literal: true, .. }
        )
    }
}

/// What was being done when the time ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The name was looked up.
    Resolving,
    /// The connection was being made, TLS included.
    Connecting,
    /// The request was sent, or its answer awaited.
    Answering,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Phase::Resolving => "while the host name was looked up",
            Phase::Connecting => "while connecting",
            Phase::Answering => "while waiting for the answer",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_change_by_itself_is_permanent() {
        let refused = |literal| OutboundError::Refused {
            host: "h".into(),
            address: IpAddr::from([10, 0, 0, 1]),
            why: "a private address",
            literal,
            flag: "--webhook-allow",
        };
        assert!(OutboundError::Url(UrlError::Fragment).is_permanent());
        assert!(OutboundError::Header("the id").is_permanent());
        assert!(OutboundError::Key.is_permanent());
        assert!(refused(true).is_permanent());
        assert!(!refused(false).is_permanent(), "a name may lead elsewhere tomorrow");
        assert!(!OutboundError::Timeout { during: Phase::Connecting, limit: Duration::from_secs(5) }.is_permanent());
        assert!(!OutboundError::Closed("reset".into()).is_permanent());
        assert!(!OutboundError::Body("the disk is away".into()).is_permanent());
        assert!(OutboundError::Unsignable.is_permanent());
    }

    #[test]
    fn success_is_2xx() {
        for (status, success) in [(199, false), (200, true), (204, true), (299, true), (300, false), (302, false)] {
            assert_eq!(Reply::empty(status).is_success(), success, "{status}");
        }
    }
}
