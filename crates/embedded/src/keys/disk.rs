use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// What the index asks of the file system to change it. Reading needs no such seam; this one lets
/// tests stop the world between any two steps.
pub(super) trait Disk: Send + Sync {
    /// Makes a file that is not there yet.
    fn create(&self, path: &Path) -> io::Result<File>;
    /// Writes into the file that was made as `path`.
    fn write(&self, file: &File, path: &Path, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Returns when what was written to the file survives a power cut.
    fn sync(&self, file: &File, path: &Path) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file; one that is gone already is well too.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Returns when the names in the folder survive a power cut.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
}

/// The file system.
pub(super) struct FileSystem;

impl Disk for FileSystem {
    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(path)
    }

    fn write(&self, file: &File, _: &Path, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn sync(&self, file: &File, _: &Path) -> io::Result<()> {
        file.sync_data()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}
