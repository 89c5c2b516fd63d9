use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ackd_domain::FileId;
use ackd_ports::FileStoreError;

use super::FilesError;

/// The most files that are named: a disk that dies would fill the memory otherwise.
const FILES: usize = 100;

/// The files that are known to be lost, by whoever was to read them.
#[derive(Debug, Default)]
pub(crate) struct FileTrouble(Mutex<Found>);

#[derive(Debug, Default)]
struct Found {
    files: BTreeMap<FileId, &'static str>,
    /// There were more than are named.
    more: bool,
}

impl FileTrouble {
    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the error, if it says that a file is lost, and hands it on.
    pub(super) fn note(&self, error: FilesError) -> FilesError {
        let (id, what) = match &error {
            FilesError::Damaged(id) => (*id, "is damaged"),
            FilesError::Store(FileStoreError::Missing(id)) => (*id, "is missing"),
            _ => return error,
        };
        let mut found = self.found();
        if found.files.len() < FILES || found.files.contains_key(&id) {
            if found.files.insert(id, what).is_none() {
                tracing::error!("file {id} {what}");
            }
        } else {
            found.more = true;
        }
        error
    }

    /// The file is deleted, so that nobody needs it any more, or it was read as a whole after all.
    pub(super) fn forget(&self, id: FileId) {
        let mut found = self.found();
        if found.files.remove(&id).is_some() {
            // Who comes upon those that were not named names them now.
            found.more = false;
        }
    }

    /// A line for each file.
    pub(crate) fn lines(&self) -> Vec<String> {
        let found = self.found();
        let more = found.more.then(|| "and more files".to_owned());
        found.files.iter().map(|(id, what)| format!("file {id} {what}")).chain(more).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_named_and_that_there_are_more() {
        let trouble = FileTrouble::default();
        trouble.note(FileStoreError::Failed("away".into()).into());
        assert!(trouble.lines().is_empty());
        for _ in 0..2 {
            for at in 0..FILES {
                trouble.note(FilesError::Damaged(FileId::new(at as u128)));
            }
            assert_eq!(trouble.lines().len(), FILES);
        }
        trouble.note(FileStoreError::Missing(FileId::new(1 << 90)).into());
        assert_eq!((trouble.lines().len(), trouble.lines().pop().as_deref()), (FILES + 1, Some("and more files")));
        trouble.forget(FileId::new(0));
        assert_eq!(trouble.lines().len(), FILES - 1);
        (0..FILES).for_each(|at| trouble.forget(FileId::new(at as u128)));
        assert!(trouble.lines().is_empty());
    }
}
