use std::sync::Arc;

use ackd_domain::FileId;
use ackd_ports::{FileStoreError, FileUpload, Filing};
use bytes::Bytes;
use object_store::{Attribute, Attributes, MultipartUpload, ObjectStore, PutMultipartOptions, PutOptions, PutPayload};
use tokio::runtime::Handle;

use crate::error::failed;
use crate::store::Shared;

/// A file on its way into the store: what has come of it is gathered to parts, and each is sent on before the next begins.
pub(crate) struct Upload {
    shared: Arc<Shared>,
    id: FileId,
    content_type: String,
    part: Vec<Bytes>,
    gathered: usize,
    /// Once there was more than a part.
    parts: Option<Box<dyn MultipartUpload>>,
}

impl Upload {
    pub(crate) fn new(shared: Arc<Shared>, id: FileId, content_type: &str) -> Upload {
        Upload { shared, id, content_type: content_type.to_owned(), part: Vec::new(), gathered: 0, parts: None }
    }

    /// How the store is to give the file to whoever comes to it by a link: as what it is, and never as a page.
    fn attributes(&self) -> Attributes {
        let mut attributes = Attributes::new();
        // A folder has none.
        if self.shared.folder.is_none() {
            attributes.insert(Attribute::ContentType, self.content_type.clone().into());
            attributes.insert(Attribute::ContentDisposition, "attachment".into());
        }
        attributes
    }

    fn check_room(&self, bytes: usize) -> Result<(), FileStoreError> {
        self.shared.folder.as_ref().map_or(Ok(()), |folder| folder.check_room(bytes))
    }

    /// Sends on what was gathered.
    async fn send(&mut self) -> Result<(), FileStoreError> {
        self.check_room(self.gathered)?;
        let parts = match &mut self.parts {
            Some(parts) => parts,
            None => {
                let options = PutMultipartOptions { attributes: self.attributes(), ..PutMultipartOptions::default() };
                let begun = self.shared.objects.put_multipart_opts(&self.shared.path(self.id), options).await;
                self.parts.insert(begun.map_err(|error| failed(&error))?)
            }
        };
        self.gathered = 0;
        let part = PutPayload::from_iter(std::mem::take(&mut self.part));
        parts.put_part(part).await.map_err(|error| failed(&error))
    }

    /// The whole file at once.
    async fn put(&mut self) -> Result<(), FileStoreError> {
        self.check_room(self.gathered)?;
        let options = PutOptions { attributes: self.attributes(), ..PutOptions::default() };
        let file = PutPayload::from_iter(std::mem::take(&mut self.part));
        let put = self.shared.objects.put_opts(&self.shared.path(self.id), file, options).await;
        put.map(drop).map_err(|error| failed(&error))
    }
}

impl FileUpload for Upload {
    fn write(&mut self, mut bytes: Bytes) -> Filing<'_, ()> {
        Box::pin(async move {
            while !bytes.is_empty() {
                // Parts are of one size but for the last, as some stores ask.
                let next = bytes.split_to(bytes.len().min(self.shared.part - self.gathered));
                self.gathered += next.len();
                self.part.push(next);
                if self.gathered == self.shared.part {
                    self.send().await?;
                }
            }
            Ok(())
        })
    }

    fn finish(mut self: Box<Self>) -> Filing<'static, ()> {
        Box::pin(async move {
            if self.parts.is_none() {
                return self.put().await;
            }
            if self.gathered > 0 {
                self.send().await?;
            }
            if let Some(parts) = &mut self.parts {
                parts.complete().await.map_err(|error| failed(&error))?;
            }
            self.parts = None;
            Ok(())
        })
    }
}

impl Drop for Upload {
    /// What was sent of a file that is never finished takes room until the store is told.
    fn drop(&mut self) {
        if let Some(mut parts) = self.parts.take()
            && let Ok(runtime) = Handle::try_current()
        {
            let id = self.id;
            runtime.spawn(async move {
                if let Err(error) = parts.abort().await {
                    tracing::warn!(%id, %error, "the parts of an upload that broke off could not be deleted");
                }
            });
        }
    }
}
