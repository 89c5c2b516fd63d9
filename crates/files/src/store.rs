use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ackd_domain::FileId;
use ackd_ports::{FileDownload, FileListing, FileStore, FileStoreError, FileUpload, Filing};
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt};

use crate::download::{self, Download};
use crate::error::{failed, of_store};
use crate::folder::Folder;
use crate::listing::Listing;
use crate::upload::Upload;

/// A store of files that [`object_store`] reaches. Cloning it is cheap.
#[derive(Clone)]
pub struct Store {
    pub(crate) shared: Arc<Shared>,
}

/// What all that is done with a store needs.
pub(crate) struct Shared {
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// What each path begins with.
    pub(crate) prefix: Path,
    /// The bytes of an upload that are sent on at once, and the most of it that is in memory.
    pub(crate) part: usize,
    /// The folder, where it is one.
    pub(crate) folder: Option<Folder>,
    /// What makes links, where the store has such.
    #[cfg(feature = "s3")]
    pub(crate) signer: Option<Arc<dyn object_store::signer::Signer>>,
}

impl Shared {
    pub(crate) fn path(&self, id: FileId) -> Path {
        self.prefix.clone().join(id.to_string())
    }

    /// What the library says of a file. One is not missing where all are, as when the disk is not mounted.
    pub(crate) fn told(&self, id: FileId, error: &object_store::Error) -> FileStoreError {
        if self.folder.as_ref().is_some_and(|folder| !folder.path().is_dir()) {
            failed(error)
        } else {
            of_store(id, error)
        }
    }

    /// Whether the file is there, and has fewer bytes than this.
    async fn ends_before(&self, id: FileId, end: u64) -> bool {
        self.objects.head(&self.path(id)).await.is_ok_and(|it| it.size < end)
    }
}

impl Store {
    /// Where the files are, for people.
    #[must_use]
    pub fn folder(&self) -> Option<&PathBuf> {
        self.shared.folder.as_ref().map(Folder::path)
    }
}

impl FileStore for Store {
    fn upload_bytes(&self) -> usize {
        self.shared.part
    }

    fn create(&self, id: FileId, content_type: &str) -> Box<dyn FileUpload> {
        Box::new(Upload::new(Arc::clone(&self.shared), id, content_type))
    }

    fn read(&self, id: FileId, range: Range<u64>) -> Filing<'static, Box<dyn FileDownload>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let download: Box<dyn FileDownload> = if range.is_empty() {
                Box::new(Download::empty())
            } else {
                let options = GetOptions { range: Some(range.clone().into()), ..GetOptions::default() };
                match shared.objects.get_opts(&shared.path(id), options).await {
                    Ok(got) => Box::new(Download::new(id, range.end - range.start, download::stream(got))),
                    // Of a file that was cut before the range the library says that the range is wrong.
                    Err(_) if shared.ends_before(id, range.end).await => Box::new(Download::empty()),
                    Err(error) => return Err(shared.told(id, &error)),
                }
            };
            Ok(download)
        })
    }

    fn delete(&self, id: FileId) -> Filing<'static, ()> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            match shared.objects.delete(&shared.path(id)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(failed(&error)),
            }
        })
    }

    fn list(&self) -> Box<dyn FileListing> {
        Box::new(Listing::new(self.shared.objects.list(Some(&self.shared.prefix))))
    }

    #[cfg(feature = "s3")]
    fn link(&self, id: FileId, valid_for: Duration) -> Filing<'static, Option<String>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let Some(signer) = &shared.signer else { return Ok(None) };
            let signed = signer.signed_url(http::Method::GET, &shared.path(id), valid_for).await;
            signed.map(|url| Some(url.to_string())).map_err(|error| failed(&error))
        })
    }

    #[cfg(not(feature = "s3"))]
    fn link(&self, _: FileId, _: Duration) -> Filing<'static, Option<String>> {
        Box::pin(async { Ok(None) })
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("objects", &self.shared.objects).finish_non_exhaustive()
    }
}
