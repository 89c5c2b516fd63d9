use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OpenFlags};

use crate::checksum::Checksum;

/// Connections that only read. There are few, and who finds none waits: so many reads at a time are as
/// much as the disk and the processors have use for. Each is opened when it is first needed, but for one, so that an
/// idle server holds no more.
#[derive(Debug)]
pub(crate) struct Pool {
    path: PathBuf,
    most: usize,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Debug)]
struct State {
    idle: Vec<Reading>,
    /// How many there are, lent ones too.
    open: usize,
}

/// A connection and what its reader keeps.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) connection: Connection,
    pub(crate) checksum: Checksum,
}

impl Pool {
    /// A pool of up to `size` connections to the database at `path`, and of one at least.
    pub(crate) fn open(path: &Path, size: usize) -> rusqlite::Result<Pool> {
        let state = State { idle: vec![Reading::open(path)?], open: 1 };
        Ok(Pool { path: path.to_owned(), most: size, state: Mutex::new(state), returned: Condvar::new() })
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
        let mut state = self.state();
        loop {
            if let Some(reading) = state.idle.pop() {
                return reading;
            }
            if state.open < self.most {
                state.open += 1;
                drop(state);
                match Reading::open(&self.path) {
                    Ok(reading) => return reading,
                    // There is one at least to wait for.
                    Err(error) => tracing::warn!(%error, "no further connection can be opened to read over"),
                }
                state = self.state();
                state.open -= 1;
                if !state.idle.is_empty() {
                    continue;
                }
            }
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give_back(&self, reading: Reading) {
        self.state().idle.push(reading);
        self.returned.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
            self.pool.give_back(reading);
        }
    }
}

impl Reading {
    pub(crate) fn open(path: &Path) -> rusqlite::Result<Reading> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        crate::store::configure(&connection, 1 << 20)?;
        Ok(Reading { connection, checksum: Checksum::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(directory: &Path, size: usize) -> Pool {
        let path = directory.join("some.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE some (id)").unwrap();
        Pool::open(&path, size).unwrap()
    }

    #[test]
    fn a_connection_is_opened_when_it_is_needed_and_no_more_than_may_be() {
        let directory = tempfile::tempdir().unwrap();
        let pool = pool(directory.path(), 2);
        pool.read(|_| assert_eq!(pool.state().open, 1));
        pool.read(|_| pool.read(|_| assert_eq!(pool.state().open, 2)));
        assert_eq!(pool.state().idle.len(), 2);
        // The third waits for one of the two.
        std::thread::scope(|scope| {
            let (held, waits) = (pool.take(), pool.take());
            let third = scope.spawn(|| pool.read(|_| pool.state().open));
            pool.give_back(held);
            assert_eq!(third.join().unwrap(), 2);
            pool.give_back(waits);
        });
        assert_eq!(pool.state().idle.len(), 2);
    }

    #[test]
    fn where_no_further_one_can_be_opened_the_first_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let pool = pool(directory.path(), 2);
        let only = pool.take();
        std::fs::remove_file(directory.path().join("some.db")).unwrap();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| pool.read(|_| pool.state().open));
            pool.give_back(only);
            assert_eq!(second.join().unwrap(), 1);
        });
    }
}
