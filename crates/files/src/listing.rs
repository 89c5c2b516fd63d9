use ackd_domain::FileId;
use ackd_ports::{FileListing, Filing};
use futures_util::stream::{BoxStream, StreamExt};
use object_store::ObjectMeta;

use crate::error::failed;

/// The most files of a page.
const PAGE: usize = 1000;

/// The files of a store as they are found.
pub(crate) struct Listing(BoxStream<'static, Result<ObjectMeta, object_store::Error>>);

impl Listing {
    pub(crate) fn new(objects: BoxStream<'static, Result<ObjectMeta, object_store::Error>>) -> Listing {
        // A page that comes to the end is asked for the next one all the same.
        Listing(objects.fuse().boxed())
    }
}

impl FileListing for Listing {
    fn next_page(&mut self) -> Filing<'_, Vec<FileId>> {
        Box::pin(async move {
            let mut page = Vec::new();
            while page.len() < PAGE
                && let Some(object) = self.0.next().await
            {
                match object {
                    Ok(object) => page.extend(object.location.filename().and_then(|name| name.parse::<FileId>().ok())),
                    // One that went while it was looked at.
                    Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => return Err(failed(&error)),
                }
            }
            Ok(page)
        })
    }
}
