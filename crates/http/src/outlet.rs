//! The body of an answer, on its way out.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ackd_engine::Grants;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::connection::Link;
use crate::events::EventFrames;

/// The body of an answer.
///
/// It tells its connection when hyper has taken the last of it, and hands it the leases that are in it: only the
/// connection learns whether they were written.
pub(crate) struct Outlet {
    content: Content,
    link: Option<Arc<Link>>,
}

enum Content {
    Nothing,
    Whole(Bytes),
    Leases(Bytes, Box<Grants>),
    Events(Box<EventFrames>),
}

impl Outlet {
    pub(crate) fn empty() -> Outlet {
        Outlet { content: Content::Nothing, link: None }
    }

    pub(crate) fn whole(bytes: Bytes) -> Outlet {
        let content = if bytes.is_empty() { Content::Nothing } else { Content::Whole(bytes) };
        Outlet { content, link: None }
    }

    /// `bytes`, which carry the leases of `grants` to their worker.
    pub(crate) fn leases(bytes: Bytes, grants: Grants) -> Outlet {
        Outlet { content: Content::Leases(bytes, Box::new(grants)), link: None }
    }

    pub(crate) fn events(frames: EventFrames) -> Outlet {
        Outlet { content: Content::Events(Box::new(frames)), link: None }
    }

    /// This body, on its way out through `link`.
    pub(crate) fn through(mut self, link: &Arc<Link>) -> Outlet {
        self.link = Some(Arc::clone(link));
        if let Content::Leases(bytes, _) = &self.content
            && bytes.is_empty()
            && let Content::Leases(_, grants) = std::mem::replace(&mut self.content, Content::Nothing)
        {
            // hyper does not ask for a body of length 0; the lease is in the head, which is written next.
            link.carry(*grants);
        }
        self
    }
}

impl Body for Outlet {
    type Data = Bytes;
    /// Why a stream of events ends before its time; whatever else is sent was at hand before.
    type Error = ackd_engine::ReadError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match std::mem::replace(&mut self.content, Content::Nothing) {
            Content::Nothing => Poll::Ready(None),
            Content::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Content::Leases(bytes, grants) => {
                match &self.link {
                    Some(link) => link.carry(*grants),
                    // Nobody can say that they arrived: they are released.
                    None => drop(grants),
                }
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Content::Events(mut frames) => {
                let polled = frames.poll_next(cx);
                if !matches!(polled, Poll::Ready(None | Some(Err(_)))) {
                    self.content = Content::Events(frames);
                }
                polled.map_ok(Frame::data)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Nothing)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Nothing => SizeHint::with_exact(0),
            Content::Whole(bytes) | Content::Leases(bytes, _) => SizeHint::with_exact(bytes.len() as u64),
            Content::Events(_) => SizeHint::default(),
        }
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            link.answered();
        }
    }
}

/// A handler never fails: what went wrong is an answer too.
pub(crate) type Served = Result<http::Response<Outlet>, Infallible>;
