//! The store of files: what is too large to stand in the ledger.

use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ackd_domain::FileId;
use bytes::Bytes;

/// Something that a store of files does, on the caller's runtime.
pub type Filing<'a, T> = Pin<Box<dyn Future<Output = Result<T, FileStoreError>> + Send + 'a>>;

/// Keeps bytes by their [`FileId`]: written once, as a whole, and never changed.
///
/// What the bytes are, who refers to them and when they go is the ledger's to say; the store knows nothing of it. Like
/// [`crate::Outbound`] it does not block: its stores are remote, and thousands wait at once.
pub trait FileStore: Send + Sync {
    /// The most bytes of an upload that are in memory at once.
    fn upload_bytes(&self) -> usize;

    /// Begins to write a file of this media type. Nothing of it can be read before [`FileUpload::finish`] has returned.
    fn create(&self, id: FileId, content_type: &str) -> Box<dyn FileUpload>;

    /// The bytes of `range`, which lies within the file. A range that is empty gives none.
    ///
    /// # Errors
    /// [`FileStoreError::Missing`] where there is no such file.
    fn read(&self, id: FileId, range: Range<u64>) -> Filing<'static, Box<dyn FileDownload>>;

    /// Deletes the file. One that is not there is deleted already. Who reads it meanwhile may get the rest, or an error.
    ///
    /// # Errors
    /// [`FileStoreError::Failed`]; then it may be there still.
    fn delete(&self, id: FileId) -> Filing<'static, ()>;

    /// Every file that is there, in no order. One that comes or goes meanwhile may be told of or not.
    fn list(&self) -> Box<dyn FileListing>;

    /// A URL under which anybody can get the file for `valid_for`, where the store has such.
    ///
    /// # Errors
    /// [`FileStoreError::Failed`] where it has, but none can be made.
    fn link(&self, id: FileId, valid_for: Duration) -> Filing<'static, Option<String>>;
}

/// A file being written. Dropped before it is finished it leaves nothing that could be read.
pub trait FileUpload: Send {
    /// Takes the next bytes. Once it returns they are out of memory, but for a part of bounded size. After an error there is
    /// nothing left to do but to drop it.
    ///
    /// # Errors
    /// [`FileStoreError::Full`] or [`FileStoreError::Failed`].
    fn write(&mut self, bytes: Bytes) -> Filing<'_, ()>;

    /// Ends the file. When it returns `Ok` the file is durable, and can be read.
    ///
    /// # Errors
    /// As [`FileUpload::write`]. The file may be there all the same: it is to be deleted.
    fn finish(self: Box<Self>) -> Filing<'static, ()>;
}

/// A file being read.
pub trait FileDownload: Send {
    /// The next bytes, never none; `None` at the end, and after an error. Where the file is shorter than it was, that end comes
    /// early: whoever reads it has to count.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, FileStoreError>>>;
}

/// The files of a store, a page after the other.
pub trait FileListing: Send {
    /// The next page, at most a thousand; empty at the end. What is in the store and no file of ours is passed over.
    ///
    /// # Errors
    /// [`FileStoreError::Failed`].
    fn next_page(&mut self) -> Filing<'_, Vec<FileId>>;
}

/// Why a store of files did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileStoreError {
    /// There is no room.
    #[error("the store of files is full: {0}")]
    Full(String),
    /// There is no such file.
    #[error("the store of files has no file {0}")]
    Missing(FileId),
    /// It cannot be reached, or cannot read or write.
    #[error("the store of files has failed: {0}")]
    Failed(String),
}
