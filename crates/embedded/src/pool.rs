use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OpenFlags};

use crate::checksum::Checksum;

/// Connections that only read. There are few, and who finds none waits: so many reads at a time are as
/// much as the disk and the processors have use for.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: Mutex<Vec<Reading>>,
    returned: Condvar,
}

/// A connection and what its reader keeps.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) connection: Connection,
    pub(crate) checksum: Checksum,
}

impl Pool {
    /// A pool of `size` connections to the database at `path`, and of one at least.
    pub(crate) fn open(path: &Path, size: usize) -> rusqlite::Result<Pool> {
        let idle = (0..size.max(1)).map(|_| Reading::open(path)).collect::<rusqlite::Result<_>>()?;
        Ok(Pool { idle: Mutex::new(idle), returned: Condvar::new() })
    }

    /// Reads over a connection, as soon as there is one. It goes back even if `read` panics.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&mut Reading) -> T) -> T {
        let mut lent = Lent { reading: Some(self.take()), pool: self };
        match &mut lent.reading {
            Some(reading) => read(reading),
            None => unreachable!("a connection is given back when it is no longer lent"),
        }
    }

    fn take(&self) -> Reading {
        let mut idle = self.idle();
        loop {
            if let Some(reading) = idle.pop() {
                return reading;
            }
            idle = self.returned.wait(idle).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Reading>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that goes back to its pool when this is dropped.
struct Lent<'a> {
    reading: Option<Reading>,
    pool: &'a Pool,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(reading) = self.reading.take() {
            self.pool.idle().push(reading);
            self.pool.returned.notify_one();
        }
    }
}

impl Reading {
    pub(crate) fn open(path: &Path) -> rusqlite::Result<Reading> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        crate::store::configure(&connection, 2 << 20)?;
        Ok(Reading { connection, checksum: Checksum::default() })
    }
}
