//! Where files are kept, and under which name.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use ackd_files::{OpenError, Store};
use ackd_ports::{Entropy, FileStore};

use crate::config::FilesPlace;

/// In the data directory: under which name this server keeps its files, wherever they are.
const OWNER: &str = "files.id";

/// How long that is.
const OWNER_DIGITS: usize = 16;

/// Why there is no store of files.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileStoreError {
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The server's own name cannot be read or made.
    #[error("{0}/{OWNER} cannot be read or written: {1}")]
    Owner(String, io::Error),
    /// The folder that the server made is gone: it is on a disk that is not mounted, say.
    #[error(
        "the files are not where they were: there is no {0}. Mount or put it back, or make it, empty, to go on without them"
    )]
    Gone(String),
}

/// Opens the store of the server with the data directory `data`, which nobody else has open. Two servers that were told of the same
/// place do not share it: what one does not know of is deleted as left behind.
///
/// # Errors
/// [`FileStoreError`].
pub(crate) fn open(
    place: &FilesPlace,
    data: &Path,
    entropy: &mut dyn Entropy,
) -> Result<Arc<dyn FileStore>, FileStoreError> {
    let failed = |error| FileStoreError::Owner(data.display().to_string(), error);
    let known = owner(data).map_err(failed)?;
    let is_new = known.is_none();
    let owner = known.unwrap_or_else(|| format!("{:016x}", entropy.random()));
    let store = store(place, &owner, is_new)?;
    // Once its place is there: else a server that was killed in between would miss it.
    if is_new {
        keep(data, &owner).map_err(failed)?;
    }
    Ok(store)
}

/// The store of `owner`, which has one already unless it is new.
fn store(place: &FilesPlace, owner: &str, is_new: bool) -> Result<Arc<dyn FileStore>, FileStoreError> {
    Ok(match place {
        FilesPlace::Folder(folder) => {
            let folder = folder.join(owner);
            if !is_new && !folder.is_dir() {
                return Err(FileStoreError::Gone(folder.display().to_string()));
            }
            Arc::new(Store::in_folder(&folder)?)
        }
        #[cfg(feature = "s3")]
        FilesPlace::S3(address) => Arc::new(Store::on_s3(
            address,
            owner,
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )?),
    })
}

/// The server's own name, if it has one yet.
fn owner(data: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(data.join(OWNER)) {
        Ok(text) => {
            let owner = text.trim();
            let is_one = owner.len() == OWNER_DIGITS && owner.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_one.then(|| Some(owner.to_owned())).ok_or_else(|| io::Error::other("it holds no name"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes the server's own name down for good.
fn keep(data: &Path, owner: &str) -> io::Result<()> {
    let path = data.join(OWNER);
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(owner.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, &path)?;
    File::open(data)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ackd_ports::SeededEntropy;

    fn name(data: &Path) -> Option<String> {
        owner(data).unwrap()
    }

    #[test]
    fn a_server_keeps_its_name() {
        let (data, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let place = FilesPlace::Folder(files.path().join("files"));
        let mut entropy = SeededEntropy::new(1);
        assert_eq!(name(data.path()), None);
        open(&place, data.path(), &mut entropy).unwrap();
        let first = name(data.path()).unwrap();
        open(&place, data.path(), &mut entropy).unwrap();
        assert_eq!(name(data.path()).as_ref(), Some(&first));
        let other = tempfile::tempdir().unwrap();
        open(&place, other.path(), &mut entropy).unwrap();
        assert_ne!(name(other.path()), Some(first));
        for wrong in ["", "../../../../../..", "0123456789abcdefg"] {
            fs::write(data.path().join(OWNER), wrong).unwrap();
            assert!(owner(data.path()).is_err(), "{wrong}");
        }
    }

    /// To begin with none would be to take every file for lost.
    #[test]
    fn a_folder_that_is_gone_is_not_made_anew() {
        let (data, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut entropy = SeededEntropy::new(1);
        open(&FilesPlace::Folder(files.path().to_owned()), data.path(), &mut entropy).unwrap();
        let gone = files.path().join(name(data.path()).unwrap());
        fs::remove_dir(&gone).unwrap();
        let mut again = || open(&FilesPlace::Folder(files.path().to_owned()), data.path(), &mut entropy);
        assert!(matches!(again(), Err(FileStoreError::Gone(path)) if path == gone.display().to_string()));
        assert!(!gone.exists());
        fs::create_dir(&gone).unwrap();
        again().unwrap();
    }
}
