use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use ackd_domain::FileId;
use bytes::Bytes;

use ackd_ports::{FileDownload, FileListing, FileStore, FileStoreError, FileUpload, Filing};

/// The most bytes that a download gives at once.
const CHUNK: usize = 64 << 10;

/// A store of files in memory, for tests.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<FileId, Bytes>,
    /// Why the next thing that is asked for fails.
    fault: Option<FileStoreError>,
    /// What cannot be deleted.
    stuck: BTreeSet<FileId>,
    /// It cannot be said what is there.
    hidden: bool,
    /// Nothing comes of what is read.
    stalled: bool,
    /// What the links to its files begin with, if it gives any.
    links: Option<String>,
}

impl MemoryFiles {
    /// Fails the next thing that is asked for so.
    pub fn fail_next(&self, error: FileStoreError) {
        self.locked().fault = Some(error);
    }

    /// Whether this file can be deleted from now on.
    pub fn stick(&self, id: FileId, is_stuck: bool) {
        let mut state = self.locked();
        if is_stuck {
            state.stuck.insert(id)
        } else {
            state.stuck.remove(&id)
        };
    }

    /// Does not list what is there from now on.
    pub fn hide(&self) {
        self.locked().hidden = true;
    }

    /// Whoever reads from now on waits for ever.
    pub fn stall(&self) {
        self.locked().stalled = true;
    }

    /// Gives links from now on, which nobody answers: `base`, the file's id, and for how many seconds it would be good.
    pub fn give_links(&self, base: &str) {
        self.locked().links = Some(base.to_owned());
    }

    /// The files that are there.
    #[must_use]
    pub fn ids(&self) -> Vec<FileId> {
        self.locked().files.keys().copied().collect()
    }

    /// Changes the first byte of every file behind the back of everybody.
    pub fn damage(&self) {
        for bytes in self.locked().files.values_mut() {
            let mut damaged = bytes.to_vec();
            damaged.iter_mut().take(1).for_each(|byte| *byte ^= 1);
            *bytes = damaged.into();
        }
    }

    /// Deletes every file behind the back of everybody.
    pub fn lose(&self) {
        self.locked().files.clear();
    }

    /// Takes the last byte of every file behind the back of everybody.
    pub fn cut(&self) {
        for bytes in self.locked().files.values_mut() {
            bytes.truncate(bytes.len().saturating_sub(1));
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sound(&self) -> Result<MutexGuard<'_, State>, FileStoreError> {
        let mut state = self.locked();
        state.fault.take().map_or(Ok(state), Err)
    }
}

impl FileStore for MemoryFiles {
    fn upload_bytes(&self) -> usize {
        // Here it is all of it; what is said is what others would hold.
        CHUNK
    }

    fn create(&self, id: FileId, _: &str) -> Box<dyn FileUpload> {
        Box::new(Upload { store: self.clone(), id, bytes: Vec::new() })
    }

    fn read(&self, id: FileId, range: Range<u64>) -> Filing<'static, Box<dyn FileDownload>> {
        let store = self.clone();
        Box::pin(async move {
            let state = store.sound()?;
            let bytes = state.files.get(&id).cloned().ok_or(FileStoreError::Missing(id))?;
            // A file that was cut ends early.
            let at = |offset: u64| usize::try_from(offset).map_or(bytes.len(), |at| at.min(bytes.len()));
            let (start, end) = (at(range.start), at(range.end));
            let download: Box<dyn FileDownload> =
                Box::new(Download { bytes: bytes.slice(start..end.max(start)), is_stalled: state.stalled });
            Ok(download)
        })
    }

    fn delete(&self, id: FileId) -> Filing<'static, ()> {
        let store = self.clone();
        Box::pin(async move {
            let mut state = store.sound()?;
            if state.stuck.contains(&id) {
                return Err(FileStoreError::Failed(format!("file {id} is held fast")));
            }
            state.files.remove(&id);
            Ok(())
        })
    }

    fn list(&self) -> Box<dyn FileListing> {
        Box::new(Listing(self.clone(), false))
    }

    fn link(&self, id: FileId, valid_for: Duration) -> Filing<'static, Option<String>> {
        let link = self.locked().links.as_ref().map(|base| format!("{base}{id}?expires={}", valid_for.as_secs()));
        Box::pin(async { Ok(link) })
    }
}

struct Upload {
    store: MemoryFiles,
    id: FileId,
    bytes: Vec<u8>,
}

impl FileUpload for Upload {
    fn write(&mut self, bytes: Bytes) -> Filing<'_, ()> {
        Box::pin(async move {
            drop(self.store.sound()?);
            self.bytes.extend_from_slice(&bytes);
            Ok(())
        })
    }

    fn finish(self: Box<Self>) -> Filing<'static, ()> {
        Box::pin(async move {
            self.store.sound()?.files.insert(self.id, self.bytes.into());
            Ok(())
        })
    }
}

struct Download {
    bytes: Bytes,
    is_stalled: bool,
}

impl FileDownload for Download {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, FileStoreError>>> {
        if self.is_stalled {
            return Poll::Pending;
        }
        let next = self.bytes.split_to(self.bytes.len().min(CHUNK));
        Poll::Ready((!next.is_empty()).then_some(Ok(next)))
    }
}

/// The store, and whether it was told of.
struct Listing(MemoryFiles, bool);

impl FileListing for Listing {
    fn next_page(&mut self) -> Filing<'_, Vec<FileId>> {
        Box::pin(async move {
            let state = self.0.sound()?;
            if state.hidden {
                return Err(FileStoreError::Failed("what is there is not listed".into()));
            }
            let told = std::mem::replace(&mut self.1, true);
            Ok(if told { Vec::new() } else { state.files.keys().copied().collect() })
        })
    }
}
