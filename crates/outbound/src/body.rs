use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use ackd_ports::{OutboundError, PostBody, PostStream};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The body of a request on its way. What is streamed is read as fast as the receiver takes it: beside the piece that is being
/// written, as large as its source gives it, no more than the connection's buffer is in memory.
pub(crate) enum Outgoing {
    Bytes(Bytes),
    Streamed { stream: Box<dyn PostStream>, left: u64 },
}

/// Why the rest of a body is not sent.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unread(pub(crate) Arc<str>);

impl Outgoing {
    /// The body of a post, opened.
    pub(crate) async fn open(body: PostBody) -> Result<Outgoing, OutboundError> {
        match body {
            PostBody::Bytes(bytes) => Ok(Outgoing::Bytes(bytes)),
            PostBody::Streamed(source) => {
                let stream = source.open().await.map_err(OutboundError::Body)?;
                Ok(Outgoing::Streamed { stream, left: source.length() })
            }
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Unread;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Unread>>> {
        let next = match self.get_mut() {
            Outgoing::Bytes(bytes) if bytes.is_empty() => None,
            Outgoing::Bytes(bytes) => Some(Ok(std::mem::take(bytes))),
            Outgoing::Streamed { left: 0, .. } => None,
            Outgoing::Streamed { stream, left } => Some(match ready!(stream.poll_next(cx)) {
                Some(Ok(bytes)) => match left.checked_sub(bytes.len() as u64) {
                    Some(rest) => {
                        *left = rest;
                        Ok(bytes)
                    }
                    None => Err(Unread("there is more of it than its length".into())),
                },
                Some(Err(why)) => Err(Unread(why)),
                None => Err(Unread("there is less of it than its length".into())),
            }),
        };
        Poll::Ready(next.map(|next| next.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Outgoing::Bytes(bytes) => bytes.is_empty(),
            Outgoing::Streamed { left, .. } => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Outgoing::Bytes(bytes) => bytes.len() as u64,
            Outgoing::Streamed { left, .. } => *left,
        })
    }
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing").field("left", &self.size_hint().lower()).finish_non_exhaustive()
    }
}
