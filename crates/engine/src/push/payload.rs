use std::sync::Arc;
use std::task::{Context, Poll};

use ackd_domain::FileId;
use ackd_ports::{Opening, PostBody, PostSource, PostStream};

use crate::files::{Download, Files};
use crate::work::Granted;

/// What is posted of a job; none where its payload is not at hand.
pub(super) fn body(files: &Files, granted: &Granted) -> Option<PostBody> {
    let spec = &granted.job.spec;
    match spec.payload_file {
        // Its bytes are not in the ledger, and may be more than fit into memory.
        Some(id) => {
            Some(PostBody::Streamed(Arc::new(FileSource { files: files.clone(), id, size: spec.payload.size })))
        }
        None => granted.payload.as_ref().map(|payload| payload.bytes.clone().into()),
    }
}

/// A file that is a payload.
#[derive(Debug)]
struct FileSource {
    files: Files,
    id: FileId,
    size: u64,
}

impl PostSource for FileSource {
    fn length(&self) -> u64 {
        self.size
    }

    fn open(&self) -> Opening {
        let (files, id) = (self.files.clone(), self.id);
        Box::pin(async move {
            let why = |error: &dyn std::fmt::Display| Arc::<str>::from(error.to_string());
            let file = files.file(id).await.map_err(|error| why(&error))?;
            let file = file.ok_or_else(|| Arc::<str>::from("the file is gone"))?;
            let download = files.read(&file, 0..file.size).await.map_err(|error| why(&error))?;
            let stream: Box<dyn PostStream> = Box::new(FileStream(download));
            Ok(stream)
        })
    }
}

struct FileStream(Download);

impl PostStream for FileStream {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<bytes::Bytes, Arc<str>>>> {
        self.0.poll_next(cx).map(|next| next.map(|next| next.map_err(|error| error.to_string().into())))
    }
}
