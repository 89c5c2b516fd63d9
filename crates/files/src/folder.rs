//! Files in a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ackd_ports::FileStoreError;
use object_store::local::LocalFileSystem;
use rustix::fs::statvfs;

use crate::error::OpenError;
use crate::store::{Shared, Store};

/// The bytes of an upload that are written at once.
const PART: usize = 1 << 20;

/// The bytes that an upload leaves free on the disk, 64 MiB: the ledger, which often lies on the same one, needs room to accept
/// jobs.
const KEPT_FREE: u64 = 64 << 20;

/// A folder of files.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) const fn path(&self) -> &PathBuf {
        &self.0
    }

    /// Whether `bytes` more may be written.
    pub(crate) fn check_room(&self, bytes: usize) -> Result<(), FileStoreError> {
        let Ok(disk) = statvfs(&self.0) else { return Ok(()) };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free >= KEPT_FREE.saturating_add(bytes as u64) {
            return Ok(());
        }
        Err(FileStoreError::Full(format!("the disk of {:?} has {free} bytes free; {KEPT_FREE} are kept so", self.0)))
    }
}

impl Store {
    /// The files in `folder`, which is made where it is not there. What an earlier process left of uploads that were not
    /// finished is deleted: nobody else may use the folder.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn in_folder(folder: &Path) -> Result<Store, OpenError> {
        prepare(folder).map_err(|error| OpenError::Folder(folder.to_owned(), error))?;
        // A file is durable, and so is its name, before an upload is said to be finished.
        let objects = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
        let shared = Shared {
            objects: Arc::new(objects),
            prefix: object_store::path::Path::default(),
            part: PART,
            folder: Some(Folder(folder.to_owned())),
            #[cfg(feature = "s3")]
            signer: None,
        };
        Ok(Store { shared: Arc::new(shared) })
    }
}

fn prepare(folder: &Path) -> io::Result<()> {
    make(folder)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // The library writes to ID#1, ID#2 and so on until an upload is finished.
        let name = entry.file_name();
        let staged = name.to_str().and_then(|name| name.split_once('#'));
        if staged.is_some_and(|(id, _)| id.parse::<ackd_domain::FileId>().is_ok()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Makes the folder, and sees to it that its name lasts.
fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make(parent)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    fs::File::open(parent)?.sync_all()
}
