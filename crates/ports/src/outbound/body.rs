use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

/// What is posted.
#[derive(Debug, Clone)]
pub enum PostBody {
    /// These bytes.
    Bytes(Bytes),
    /// What is read while it is sent, for it may be larger than memory.
    Streamed(Arc<dyn PostSource>),
}

impl PostBody {
    /// Its length in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        match self {
            PostBody::Bytes(bytes) => bytes.len() as u64,
            PostBody::Streamed(source) => source.length(),
        }
    }

    /// The bytes that are at hand: none of those that are streamed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            PostBody::Bytes(bytes) => bytes,
            PostBody::Streamed(_) => &[],
        }
    }
}

impl From<Bytes> for PostBody {
    fn from(bytes: Bytes) -> PostBody {
        PostBody::Bytes(bytes)
    }
}

/// Where a body is read from.
pub trait PostSource: Debug + Send + Sync {
    /// Its length in bytes, known before any is read.
    fn length(&self) -> u64;

    /// Begins to read it, from its start.
    fn open(&self) -> Opening;
}

/// What opening a [`PostSource`] comes to; why it cannot be opened is told to whoever owns the job.
pub type Opening = Pin<Box<dyn Future<Output = Result<Box<dyn PostStream>, Arc<str>>> + Send>>;

/// A body being read.
pub trait PostStream: Send {
    /// The next bytes, never none; `None` after as many as the source said, and after an error, which says why there are no more.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Arc<str>>>>;
}
