use std::ops::Range;
use std::task::{Context, Poll, ready};

use ackd_domain::{File, FileId};
use ackd_ports::FileDownload;
use bytes::Bytes;

use super::FilesError;
use crate::engine::Engine;

/// The bytes of a file on their way to a client.
pub struct Download {
    engine: Engine,
    bytes: Box<dyn FileDownload>,
    id: FileId,
    left: u64,
    /// The sum of all and that of what has gone, where the file is read as a whole: of a part it is not known.
    sums: Option<(u32, u32)>,
}

impl Download {
    pub(super) fn new(engine: Engine, file: &File, range: Range<u64>, bytes: Box<dyn FileDownload>) -> Download {
        let is_whole = range == (0..file.size);
        let left = range.end.saturating_sub(range.start);
        Download { engine, bytes, id: file.id, left, sums: is_whole.then_some((file.sum, 0)) }
    }

    /// How many bytes are to come.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// The next bytes, never none. The last of a whole file come only where its sum is right: so nobody takes what is damaged for
    /// the file.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, FilesError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let next = match ready!(self.bytes.poll_next(cx)) {
            Some(Ok(next)) => self.took(next),
            Some(Err(error)) => Err(error.into()),
            None => Err(FilesError::Damaged(self.id)),
        };
        Poll::Ready(Some(next.map_err(|error| {
            self.left = 0;
            self.engine.file_trouble().note(error)
        })))
    }

    fn took(&mut self, next: Bytes) -> Result<Bytes, FilesError> {
        self.left = self.left.checked_sub(next.len() as u64).ok_or(FilesError::Damaged(self.id))?;
        if let Some((sum, so_far)) = &mut self.sums {
            *so_far = crc32c::crc32c_append(*so_far, &next);
            if self.left == 0 && so_far != sum {
                return Err(FilesError::Damaged(self.id));
            }
            if self.left == 0 {
                self.engine.file_trouble().forget(self.id);
            }
        }
        Ok(next)
    }
}
