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
    let owner = owner(data, entropy).map_err(|error| FileStoreError::Owner(data.display().to_string(), error))?;
    Ok(match place {
        FilesPlace::Folder(folder) => Arc::new(Store::in_folder(&folder.join(owner))?),
        #[cfg(feature = "s3")]
        FilesPlace::S3(address) => Arc::new(Store::on_s3(
            address,
            &owner,
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )?),
    })
}

fn owner(data: &Path, entropy: &mut dyn Entropy) -> io::Result<String> {
    let path = data.join(OWNER);
    match fs::read_to_string(&path) {
        Ok(text) => {
            let owner = text.trim();
            let is_one = owner.len() == OWNER_DIGITS && owner.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_one.then(|| owner.to_owned()).ok_or_else(|| io::Error::other("it holds no name"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let owner = format!("{:016x}", entropy.random());
            let new = path.with_extension("new");
            let mut file = File::create(&new)?;
            file.write_all(owner.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(data)?.sync_all()?;
            Ok(owner)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ackd_ports::SeededEntropy;

    #[test]
    fn a_server_keeps_its_name() {
        let data = tempfile::tempdir().unwrap();
        let mut entropy = SeededEntropy::new(1);
        let name = owner(data.path(), &mut entropy).unwrap();
        assert_eq!(owner(data.path(), &mut entropy).unwrap(), name);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(owner(other.path(), &mut entropy).unwrap(), name);
        for wrong in ["", "../../../../../..", "0123456789abcdefg"] {
            fs::write(data.path().join(OWNER), wrong).unwrap();
            assert!(owner(data.path(), &mut entropy).is_err(), "{wrong}");
        }
    }
}
