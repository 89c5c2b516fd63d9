//! The body of an answer, on its way out.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use ackd_engine::{Download, Grants};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::connection::Link;
use crate::takeover::Run;

/// An answer of so many bytes that carries leases may be so long on its way that they would lapse.
const LONG: usize = 64 << 10;

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
    /// A file as it comes from its store, with the lease of the job whose payload it is.
    File(Box<Download>, Option<Box<Grants>>),
    /// The connection is taken over: the body is written by other means.
    Takeover(Run),
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

    /// A file, which carries the lease of `grants` to its worker.
    pub(crate) fn file(download: Download, grants: Option<Grants>) -> Outlet {
        Outlet { content: Content::File(Box::new(download), grants.map(Box::new)), link: None }
    }

    pub(crate) fn takeover(run: Run) -> Outlet {
        Outlet { content: Content::Takeover(run), link: None }
    }

    /// What takes the connection over, if anything does.
    pub(crate) fn take_run(&mut self) -> Option<Run> {
        match std::mem::replace(&mut self.content, Content::Nothing) {
            Content::Takeover(run) => Some(run),
            content => {
                self.content = content;
                None
            }
        }
    }

    /// This body, on its way out through `link`.
    pub(crate) fn through(mut self, link: &Arc<Link>) -> Outlet {
        self.link = Some(Arc::clone(link));
        let is_empty = match &self.content {
            Content::Leases(bytes, _) => bytes.is_empty(),
            Content::File(download, _) => download.left() == 0,
            _ => false,
        };
        // hyper does not ask for a body of length 0; the lease is in the head, which is written next.
        if is_empty
            && let Content::Leases(_, grants) | Content::File(_, Some(grants)) =
                std::mem::replace(&mut self.content, Content::Nothing)
        {
            link.carry(*grants);
        }
        match &mut self.content {
            Content::File(_, Some(grants)) => grants.last_while(link.taking()),
            Content::Leases(bytes, grants) if bytes.len() > LONG => grants.last_while(link.taking()),
            _ => {}
        }
        self
    }
}

impl Body for Outlet {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Content::File(download, grants) = &mut self.content {
            let next = ready!(download.poll_next(cx));
            // A worker that has not got all of its payload has no lease.
            if download.left() == 0
                && let Some(grants) = grants.take()
            {
                match (&next, &self.link) {
                    (Some(Ok(_)), Some(link)) => link.carry(*grants),
                    (Some(Err(error)), _) => grants.unreadable(error),
                    // Nobody can say that it arrived: it is released.
                    _ => drop(grants),
                }
            }
            return Poll::Ready(next.map(|next| {
                next.map(Frame::data).map_err(|error| {
                    // The head is written: all that is left to say is that this is not all of it.
                    tracing::error!(%error, "a download breaks off");
                    io::Error::other(error)
                })
            }));
        }
        match std::mem::replace(&mut self.content, Content::Nothing) {
            // Who takes the connection over has been asked for before the body is.
            Content::Nothing | Content::Takeover(_) | Content::File(..) => Poll::Ready(None),
            Content::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Content::Leases(bytes, grants) => {
                match &self.link {
                    Some(link) => link.carry(*grants),
                    // Nobody can say that they arrived: they are released.
                    None => drop(grants),
                }
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Nothing => true,
            Content::File(download, _) => download.left() == 0,
            _ => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Nothing | Content::Takeover(_) => SizeHint::with_exact(0),
            Content::File(download, _) => SizeHint::with_exact(download.left()),
            Content::Whole(bytes) | Content::Leases(bytes, _) => SizeHint::with_exact(bytes.len() as u64),
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
