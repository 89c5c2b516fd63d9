use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use ackd_ports::LedgerError;
use rusqlite::ErrorCode;
use rusqlite::ffi;
use rustix::fs::{FallocateFlags, fallocate, statvfs};

use crate::fault::Fault;

/// Room on the disk, and some of it set aside.
///
/// A full disk must not keep work from being settled that was accepted before. So a file of some MiB
/// holds blocks that nobody else can take. When a commit finds no room, the file is deleted: from then on
/// batches with submissions are refused at once, and what settles, heartbeats and cancels has those
/// blocks. When there is room for more than the file again, it is made anew and everything is taken.
#[derive(Debug)]
pub(super) struct Room {
    directory: PathBuf,
    reserve: PathBuf,
    bytes: u64,
    /// Why submissions are refused.
    scarce: Option<String>,
}

impl Room {
    /// Sets `bytes` aside in `directory`, if there is room for them.
    pub(super) fn new(directory: &Path, bytes: u64) -> Room {
        let reserve = directory.join("reserve");
        let mut room = Room { directory: directory.to_owned(), reserve, bytes, scarce: None };
        if let Err(error) = room.set_aside() {
            room.refuse(&format!("no room for the reserve of {bytes} bytes: {error}"));
        }
        room
    }

    fn set_aside(&self) -> io::Result<()> {
        if self.bytes == 0 {
            return Ok(());
        }
        let file = File::options().write(true).create(true).truncate(false).open(&self.reserve)?;
        if file.metadata()?.len() == self.bytes {
            return Ok(());
        }
        file.set_len(0)?;
        match fallocate(&file, FallocateFlags::empty(), 0, self.bytes) {
            Ok(()) => Ok(()),
            // A file system that cannot set blocks aside works as well as it can without.
            Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
            Err(error) => {
                drop(file);
                fs::remove_file(&self.reserve)?;
                Err(error.into())
            }
        }
    }

    fn refuse(&mut self, why: &str) {
        if self.scarce.is_none() {
            tracing::error!("submissions are refused until there is room: {why}");
        }
        self.scarce = Some(why.to_owned());
        if let Err(error) = fs::remove_file(&self.reserve)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::error!("the reserve cannot be freed: {error}");
        }
    }

    /// Whether a batch may be tried.
    pub(super) fn admit(&mut self, submits: bool) -> Result<(), LedgerError> {
        let Some(why) = &self.scarce else { return Ok(()) };
        if self.has_room() && self.set_aside().is_ok() {
            tracing::info!("there is room again: submissions are taken");
            self.scarce = None;
            return Ok(());
        }
        if submits { Err(LedgerError::Full(why.clone())) } else { Ok(()) }
    }

    /// That there is no room, if that is still so: the next batch looks again.
    pub(super) fn trouble(&self) -> Option<String> {
        let why = self.scarce.as_ref().filter(|_| !self.has_room())?;
        Some(format!("submissions are refused for want of room: {why}"))
    }

    /// Whether there is more room than the reserve takes.
    fn has_room(&self) -> bool {
        self.free() > self.bytes.saturating_mul(2)
    }

    /// What `fault` is to whoever asked for the batch. For want of room, the reserve is freed.
    pub(super) fn explain(&mut self, fault: Fault) -> LedgerError {
        match fault {
            Fault::Sqlite(error) if self.is_want_of_room(&error) => {
                let why = error.to_string();
                self.refuse(&why);
                LedgerError::Full(why)
            }
            // Somebody in a shell has the database locked: it will work again.
            Fault::Sqlite(error) if is_locked(&error) => LedgerError::Full(error.to_string()),
            Fault::Sqlite(error) => LedgerError::Failed(error.to_string()),
            Fault::Damaged(what) => LedgerError::Failed(format!("what is stored of {what} is damaged")),
            Fault::Keys(error) => LedgerError::Failed(error.to_string()),
        }
    }

    /// Besides saying so plainly, SQLite tells it by a write or the growth of the shared index that
    /// failed; a failed sync is another thing, however full the disk.
    fn is_want_of_room(&self, error: &rusqlite::Error) -> bool {
        match error.sqlite_error() {
            Some(ffi::Error { code: ErrorCode::DiskFull, .. }) => true,
            Some(error) => {
                let writes = [ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_SHMSIZE, ffi::SQLITE_IOERR_TRUNCATE];
                writes.contains(&error.extended_code) && self.free() < 1 << 20
            }
            None => false,
        }
    }

    /// The bytes that are free on the disk; all of them where it does not say.
    fn free(&self) -> u64 {
        statvfs(&self.directory).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

fn is_locked(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
