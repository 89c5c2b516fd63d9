use std::sync::Arc;

use ackd_domain::{Answer, Command, FileId, NewFile, Refusal};
use ackd_ports::FileUpload;
use bytes::Bytes;
use tokio::runtime::Handle;
use xxhash_rust::xxh3::Xxh3;

use super::{Files, FilesError};
use crate::engine::Unavailable;

/// A file that is being received. Dropped before it is committed it leaves nothing.
pub struct Receiving {
    upload: Box<dyn FileUpload>,
    content_type: Arc<str>,
    size: u64,
    sum: u32,
    digest: Box<Xxh3>,
    under_way: UnderWay,
}

impl Receiving {
    pub(super) fn new(files: Files, id: FileId, content_type: Arc<str>) -> Receiving {
        let upload = files.store().create(id, &content_type);
        let under_way = UnderWay::new(files, id);
        Receiving { upload, content_type, size: 0, sum: 0, digest: Box::new(Xxh3::new()), under_way }
    }

    /// How many bytes have come.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`FilesError::Store`].
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), FilesError> {
        self.size += bytes.len() as u64;
        self.sum = crc32c::crc32c_append(self.sum, &bytes);
        self.digest.update(&bytes);
        Ok(self.upload.write(bytes).await?)
    }

    /// Ends the file, which is durable from then on.
    ///
    /// # Errors
    /// [`FilesError::Store`].
    pub async fn finish(self) -> Result<Received, FilesError> {
        let Receiving { upload, content_type, size, sum, digest, mut under_way } = self;
        // Also where it fails, for then nobody can say whether it is there.
        under_way.stored = true;
        upload.finish().await?;
        let file = NewFile { id: under_way.id, content_type, size, sum, digest: digest.digest128() };
        Ok(Received { file, under_way })
    }
}

/// A file that is in the store, and of which the ledger does not know yet. Dropped, it is deleted.
pub struct Received {
    file: NewFile,
    under_way: UnderWay,
}

impl Received {
    /// The file.
    #[must_use]
    pub const fn file(&self) -> &NewFile {
        &self.file
    }

    /// Has `command`, which refers to the file, committed. It goes on also where the caller does not wait for it any more; and
    /// where the ledger does not take note of the file by it, the file is deleted.
    ///
    /// # Errors
    /// [`Unavailable`]; then it has not happened.
    pub async fn commit(self, command: Command) -> Result<Vec<Result<Answer, Refusal>>, Unavailable> {
        let committed = tokio::spawn(async move {
            let files = self.under_way.files.clone();
            let answers = files.engine().run(vec![command]).await;
            self.under_way.end().await;
            answers
        });
        committed.await.unwrap_or_else(|stopped| Err(Unavailable::Failed(stopped.to_string())))
    }
}

/// A file that is no concern of the [`super::FileKeeper`]'s yet.
struct UnderWay {
    files: Files,
    id: FileId,
    /// It may be in the store.
    stored: bool,
    ended: bool,
}

impl UnderWay {
    fn new(files: Files, id: FileId) -> UnderWay {
        files.under_way().insert(id);
        UnderWay { files, id, stored: false, ended: false }
    }

    async fn end(mut self) {
        self.ended = true;
        end(self.files.clone(), self.id).await;
    }
}

async fn end(files: Files, id: FileId) {
    files.delete_unknown(id).await;
    files.under_way().remove(&id);
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // Without a runtime the process ends, and the next one finds it.
        match Handle::try_current() {
            Ok(runtime) if self.stored => drop(runtime.spawn(end(self.files.clone(), self.id))),
            _ => drop(self.files.under_way().remove(&self.id)),
        }
    }
}
