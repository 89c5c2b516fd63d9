use std::error::Error;
use std::io;
use std::path::PathBuf;

use ackd_domain::FileId;
use ackd_ports::FileStoreError;

/// Why a store of files cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made or read.
    #[error("the folder {0:?} cannot keep files: {1}")]
    Folder(PathBuf, io::Error),
    /// The library refuses it.
    #[error("files cannot be kept there: {0}")]
    Store(String),
    /// The address of a bucket is none.
    #[error("`{0}` is no address of a bucket: it is s3://bucket or s3://bucket/prefix")]
    Address(String),
}

impl From<object_store::Error> for OpenError {
    fn from(error: object_store::Error) -> OpenError {
        OpenError::Store(told(&error))
    }
}

/// What the library says of a file, as the port has it.
pub(crate) fn of_store(id: FileId, error: &object_store::Error) -> FileStoreError {
    if matches!(error, object_store::Error::NotFound { .. }) {
        return FileStoreError::Missing(id);
    }
    failed(error)
}

/// What the library says of no file that might be missing.
pub(crate) fn failed(error: &object_store::Error) -> FileStoreError {
    let is_full = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|error| {
        matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
    });
    if is_full { FileStoreError::Full(told(error)) } else { FileStoreError::Failed(told(error)) }
}

fn causes(error: &object_store::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

/// The error with its causes, each once, on one line.
fn told(error: &object_store::Error) -> String {
    let mut told = String::new();
    for cause in causes(error) {
        let text = cause.to_string();
        if !told.contains(&text) {
            let colon = if told.is_empty() { "" } else { ": " };
            told = format!("{told}{colon}{text}");
        }
    }
    told.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(source: io::Error) -> object_store::Error {
        object_store::Error::Generic { store: "test", source: Box::new(source) }
    }

    #[test]
    fn a_full_disk_is_told_from_a_broken_one() {
        let full = failed(&generic(io::Error::from_raw_os_error(28)));
        assert!(matches!(full, FileStoreError::Full(_)), "{full}");
        let broken = failed(&generic(io::Error::from_raw_os_error(5)));
        assert!(matches!(broken, FileStoreError::Failed(_)), "{broken}");
        let missing = object_store::Error::NotFound { path: "x".into(), source: "gone".into() };
        assert_eq!(of_store(FileId::new(7), &missing), FileStoreError::Missing(FileId::new(7)));
    }
}
