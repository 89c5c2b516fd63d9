//! What is too large for memory, in a file that has no name and goes with the worker.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::block_in_place;

/// The most bytes that are kept in memory.
pub(super) const IN_MEMORY: usize = 1 << 20;

/// Bytes, in memory or in a file of the directory for temporary ones (`TMPDIR`).
#[derive(Debug)]
pub(super) enum Spool {
    Memory(Vec<u8>),
    File { file: Arc<File>, size: u64 },
}

impl Default for Spool {
    fn default() -> Spool {
        Spool::Memory(Vec::new())
    }
}

impl Spool {
    /// How many bytes there are.
    pub(super) fn size(&self) -> u64 {
        match self {
            Spool::Memory(bytes) => bytes.len() as u64,
            Spool::File { size, .. } => *size,
        }
    }

    /// Adds some bytes.
    ///
    /// # Errors
    /// The disk is full or broken. What there is then is of no use any more.
    pub(super) fn write(&mut self, more: &[u8]) -> io::Result<()> {
        match self {
            Spool::Memory(bytes) if bytes.len() + more.len() <= IN_MEMORY => bytes.extend_from_slice(more),
            Spool::Memory(bytes) => {
                let size = (bytes.len() + more.len()) as u64;
                let file = block_in_place(|| {
                    let mut file = tempfile::tempfile()?;
                    file.write_all(bytes)?;
                    file.write_all(more)?;
                    io::Result::Ok(file)
                })?;
                *self = Spool::File { file: Arc::new(file), size };
            }
            Spool::File { file, size } => {
                block_in_place(|| file.write_all_at(more, *size))?;
                *size += more.len() as u64;
            }
        }
        Ok(())
    }

    /// Reads some bytes from a place on; none are the end.
    ///
    /// # Errors
    /// The disk is broken.
    pub(super) fn read(&self, at: u64, most: usize) -> io::Result<Bytes> {
        match self {
            Spool::Memory(bytes) => {
                let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
                Ok(Bytes::copy_from_slice(&rest[..rest.len().min(most)]))
            }
            Spool::File { file, .. } => {
                let mut buffer = vec![0; most];
                let count = block_in_place(|| file.read_at(&mut buffer, at))?;
                buffer.truncate(count);
                Ok(buffer.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_in_memory_and_beyond() {
        let mut spool = Spool::default();
        let chunk = vec![b'a'; IN_MEMORY];
        spool.write(&chunk).unwrap();
        assert!(matches!(spool, Spool::Memory(_)));
        assert_eq!((spool.read(1, 3).unwrap(), spool.read(IN_MEMORY as u64, 3).unwrap()), ("aaa".into(), Bytes::new()));
        spool.write(b"b").unwrap();
        spool.write(b"cd").unwrap();
        assert!(matches!(spool, Spool::File { .. }));
        assert_eq!(spool.size(), IN_MEMORY as u64 + 3);
        assert_eq!(spool.read(IN_MEMORY as u64 - 1, 100).unwrap(), "abcd");
        assert_eq!(spool.read(spool.size(), 100).unwrap(), "");
    }
}
