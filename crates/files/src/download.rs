use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::task::{Context, Poll};

use ackd_domain::FileId;
use ackd_ports::{FileDownload, FileStoreError};
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt, empty, try_unfold};
use object_store::{GetResult, GetResultPayload};

use crate::error::of_store;

/// The bytes that are read of a folder's file at once.
const CHUNK: u64 = 128 << 10;

type Chunks = BoxStream<'static, Result<Bytes, object_store::Error>>;

/// A file on its way out.
pub(crate) struct Download {
    id: FileId,
    /// The bytes that are to come yet.
    left: u64,
    chunks: Chunks,
}

impl Download {
    pub(crate) fn new(id: FileId, length: u64, chunks: Chunks) -> Download {
        Download { id, left: length, chunks }
    }

    pub(crate) fn empty() -> Download {
        Download::new(FileId::new(0), 0, empty().boxed())
    }

    fn fail(&mut self, error: FileStoreError) -> Poll<Option<Result<Bytes, FileStoreError>>> {
        self.left = 0;
        self.chunks = empty().boxed();
        Poll::Ready(Some(Err(error)))
    }
}

impl FileDownload for Download {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, FileStoreError>>> {
        while self.left > 0 {
            match self.chunks.poll_next_unpin(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(chunk))) if chunk.is_empty() => {}
                Poll::Ready(Some(Ok(chunk))) => {
                    let Some(left) = self.left.checked_sub(chunk.len() as u64) else {
                        return self
                            .fail(FileStoreError::Failed(format!("more came of file {} than was asked", self.id)));
                    };
                    self.left = left;
                    return Poll::Ready(Some(Ok(chunk)));
                }
                Poll::Ready(Some(Err(error))) => return self.fail(of_store(self.id, &error)),
                // The file is shorter than it was: whoever counts takes it for damaged, not for a store that fails.
                Poll::Ready(None) => return Poll::Ready(None),
            }
        }
        Poll::Ready(None)
    }
}

/// The bytes of what the store gave.
pub(crate) fn stream(got: GetResult) -> Chunks {
    let range = got.range.clone();
    match got.payload {
        // As the library does, but not 8 KiB at a time.
        GetResultPayload::File(file, _) => try_unfold((file, range.start, range.end), |(file, at, end)| async move {
            if at == end {
                return Ok(None);
            }
            let read = tokio::task::spawn_blocking(move || chunk(file, at, (end - at).min(CHUNK)));
            let (file, chunk) = read.await.map_err(io::Error::other).flatten()?;
            let next = at + chunk.len() as u64;
            // A file that was cut ends early, which is noticed.
            Ok((!chunk.is_empty()).then_some((chunk, (file, next, end))))
        })
        .map_err(|error: io::Error| object_store::Error::Generic { store: "folder", source: Box::new(error) })
        .boxed(),
        GetResultPayload::Stream(stream) => stream,
    }
}

fn chunk(mut file: File, at: u64, length: u64) -> io::Result<(File, Bytes)> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    (&mut file).take(length).read_to_end(&mut bytes)?;
    Ok((file, bytes.into()))
}
