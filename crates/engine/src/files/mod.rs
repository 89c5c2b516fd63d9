//! Files: what is too large to stand in the ledger.
//!
//! The bytes are in a store, and who needs them is in the ledger. A file is stored before the ledger takes note of it, and
//! deleted only once the ledger says that nobody can refer to it any more. So a crash in between leaves at most bytes that
//! nobody knows of, which the [`FileKeeper`] finds and deletes, and never a job without its file.

mod download;
mod keeper;
mod receive;
mod trouble;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ackd_domain::{File, FileId, Name};
use ackd_ports::{FileStore, FileStoreError, ReadError};
use rustc_hash::FxHashSet;

use crate::engine::Engine;

pub use download::Download;
pub use keeper::FileKeeper;
pub use receive::{Received, Receiving};
pub(crate) use trouble::FileTrouble;

/// A handle on the files of a running engine. Cloning it is cheap.
#[derive(Clone)]
pub struct Files {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    store: Arc<dyn FileStore>,
    /// The upper half of every id that is given out: no other process draws the same.
    seed: u64,
    next: AtomicU64,
    /// The files that are being uploaded, up to when the ledger knows of them or they are deleted.
    under_way: Mutex<FxHashSet<FileId>>,
}

/// Why a file could not be stored or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilesError {
    /// The store.
    #[error(transparent)]
    Store(#[from] FileStoreError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] ReadError),
    /// The bytes are not those that were stored.
    #[error("the bytes of file {0} are damaged")]
    Damaged(FileId),
}

impl FilesError {
    /// Whether the bytes are lost: asking again does not help.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        match self {
            FilesError::Damaged(_)
            | FilesError::Store(FileStoreError::Missing(_))
            | FilesError::Ledger(ReadError::Damaged(_)) => true,
            FilesError::Store(_) | FilesError::Ledger(_) => false,
        }
    }
}

impl Files {
    /// The files of `engine` in `store`. `seed` is random, and another each time the process starts.
    #[must_use]
    pub fn new(engine: Engine, store: Arc<dyn FileStore>, seed: u64) -> Files {
        let (next, under_way) = (AtomicU64::new(0), Mutex::default());
        Files { inner: Arc::new(Inner { engine, store, seed, next, under_way }) }
    }

    /// The file of this name, unless its time is over.
    ///
    /// # Errors
    /// If the ledger cannot be read, or what it holds is damaged.
    pub async fn named(&self, name: Name) -> Result<Option<Arc<File>>, ReadError> {
        let file = self.engine().read(move |reader| reader.file_named(&name)).await?;
        Ok(file.filter(|file| !file.is_unused(self.engine().clock().now())))
    }

    /// The file of this id, which a job refers to.
    ///
    /// # Errors
    /// If the ledger cannot be read, or what it holds is damaged.
    pub async fn file(&self, id: FileId) -> Result<Option<Arc<File>>, ReadError> {
        self.engine().read(move |reader| reader.file(id)).await
    }

    /// The bytes of `range`, which lies within the file.
    ///
    /// # Errors
    /// [`FilesError`]. What is lost is told by [`Engine::health`] from then on.
    pub async fn read(&self, file: &File, range: Range<u64>) -> Result<Download, FilesError> {
        match self.inner.store.read(file.id, range.clone()).await {
            Ok(bytes) => Ok(Download::new(self.engine().clone(), file, range, bytes)),
            Err(error) => Err(self.engine().file_trouble().note(error.into())),
        }
    }

    /// A URL under which anybody can get the file for `valid_for`, where the store has such.
    ///
    /// # Errors
    /// [`FilesError::Store`].
    pub async fn link(&self, file: &File, valid_for: Duration) -> Result<Option<String>, FilesError> {
        Ok(self.inner.store.link(file.id, valid_for).await?)
    }

    /// Begins to receive a file of this media type.
    #[must_use]
    pub fn receive(&self, content_type: Arc<str>) -> Receiving {
        let low = self.inner.next.fetch_add(1, Ordering::Relaxed);
        let id = FileId::new(u128::from(self.inner.seed) << 64 | u128::from(low));
        Receiving::new(self.clone(), id, content_type)
    }

    /// The most bytes of a file that are in memory while it is received.
    #[must_use]
    pub fn receiving_bytes(&self) -> usize {
        self.inner.store.upload_bytes()
    }

    fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    fn store(&self) -> &Arc<dyn FileStore> {
        &self.inner.store
    }

    fn under_way(&self) -> MutexGuard<'_, FxHashSet<FileId>> {
        self.inner.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Deletes the bytes of a file unless the ledger knows of it. What fails is found again at the next start.
    async fn delete_unknown(&self, id: FileId) {
        match self.file(id).await {
            Ok(Some(_)) => {}
            Ok(None) => {
                if let Err(error) = self.store().delete(id).await {
                    tracing::warn!(%id, %error, "a file that nobody refers to could not be deleted");
                }
            }
            Err(error) => tracing::warn!(%id, %error, "whether a file is referred to could not be read"),
        }
    }
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").finish_non_exhaustive()
    }
}
