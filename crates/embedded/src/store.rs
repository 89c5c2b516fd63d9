use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ackd_ports::Entropy;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::checkpoint::{Checkpointer, Gate};
use crate::error::OpenError;
use crate::ledger::{Background, EmbeddedLedger};
use crate::meta;
use crate::options::Options;
use crate::pool::Pool;
use crate::reader::EmbeddedReader;
use crate::schema;
use crate::scrub::Scrubber;
use crate::shared::Shared;
use crate::wal;

/// The size of a page. Of those measured it is the best for single commits and no worse for large ones.
pub(crate) const PAGE_SIZE: u32 = 4096;

/// What a server makes in its directory once it has a database there.
const LATER: [&str; 3] = ["keys", "reserve", "files.id"];

/// How long a connection waits for a lock. Only a person in a shell holds one that long.
const PATIENCE: Duration = Duration::from_secs(5);

/// The embedded ledger in one data directory, opened.
///
/// ```text
/// DIRECTORY/ackd.db  -wal  -shm    SQLite
/// DIRECTORY/keys/                  the index of idempotency keys, made from ackd.db where it is missing
/// DIRECTORY/lock                   locked while a server runs
/// DIRECTORY/reserve                blocks set aside, so that work can be settled on a full disk
/// ```
#[derive(Debug)]
pub struct EmbeddedStore {
    /// The writer. It belongs to one thread.
    pub ledger: EmbeddedLedger,
    /// Everybody's reader, and the change feed.
    pub reader: Arc<EmbeddedReader>,
}

impl EmbeddedStore {
    /// Opens the store in `directory`, which is made if it is not there, and brings it to the version
    /// that this binary knows. The directory stays locked until ledger and reader are dropped.
    ///
    /// # Errors
    /// [`OpenError`] says what is in the way; nothing of the store was changed then, but that an older
    /// version may have become a newer one.
    pub fn open(directory: &Path, options: &Options, entropy: Box<dyn Entropy>) -> Result<EmbeddedStore, OpenError> {
        let lock = lock(directory)?;
        let path = directory.join("ackd.db");
        refuse_without_database(directory, &path)?;
        // SQLite has the log beside the file, wherever a link to it stands.
        let file = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        wal::check(&log_of(&file))?;
        let mut writer = open_writer(&path, options)?;
        // SQLite does so too once it has written to the log, which is there by now, and says nothing where that fails.
        sync(directory)?;
        let readers = Pool::open(&path, options.readers)?;
        let shared = Arc::new(Shared::new(lock));
        let gate = Arc::default();
        Gate::watch(&gate, &mut writer)?;
        let checkpointer = Checkpointer::start(&path, options.checkpoint_at, &gate, &shared)?;
        let scrubber = Scrubber::start(&path, options.scrub_rate, options.scrub_pause, &shared)?;
        let background = Background { gate, _checkpointer: checkpointer, _scrubber: scrubber };
        let ledger = EmbeddedLedger::open(writer, directory, options, entropy, background, Arc::clone(&shared))?;
        let reader = Arc::new(EmbeddedReader::new(readers, shared));
        Ok(EmbeddedStore { ledger, reader })
    }
}

/// A database that somebody moved away, or cut to nothing, is not one that was never there: a new one in its place would know
/// none of the jobs, and have the files deleted as nobody's.
fn refuse_without_database(directory: &Path, path: &Path) -> Result<(), OpenError> {
    let is_there = fs::metadata(path).is_ok_and(|database| database.len() > 0);
    let is_used = || LATER.iter().any(|name| fs::symlink_metadata(directory.join(name)).is_ok());
    if is_there || !is_used() { Ok(()) } else { Err(OpenError::Missing(path.to_owned())) }
}

/// The write-ahead log of the database `file`.
fn log_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// Makes the directory and locks it.
fn lock(directory: &Path) -> Result<File, OpenError> {
    match fs::metadata(directory) {
        Ok(found) if !found.is_dir() => return Err(OpenError::NotADirectory(directory.to_owned())),
        Ok(_) => {}
        Err(_) => {
            fs::create_dir_all(directory).map_err(|error| OpenError::io(directory, error))?;
            // A path of one name is in the working directory.
            let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
            sync(parent.unwrap_or(Path::new(".")))?;
        }
    }
    let path = directory.join("lock");
    let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|error| OpenError::io(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(directory.to_owned())),
        Err(TryLockError::Error(error)) => Err(OpenError::io(&path, error)),
    }
}

/// Makes the names in a directory durable.
fn sync(directory: &Path) -> Result<(), OpenError> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(|error| OpenError::io(directory, error))
}

fn open_writer(path: &Path, options: &Options) -> Result<Connection, OpenError> {
    // SQLite would open a file that it may not write for reading, and fail later.
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
    file.map_err(|error| OpenError::io(path, error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    schema::refuse_others(&connection)?;
    connection.pragma_update(None, "page_size", PAGE_SIZE)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    configure(&connection, options.page_cache)?;
    connection.set_prepared_statement_cache_capacity(WRITERS_STATEMENTS);
    schema::migrate(&mut connection)?;
    schema::check(&connection)?;
    meta::check(&connection)?;
    Ok(connection)
}

/// More than the writer has: it uses them in one order batch after batch, so that in a cache that holds too few the next
/// one is always that which has just gone.
const WRITERS_STATEMENTS: usize = 256;

/// What every connection has in common.
pub(crate) fn configure(connection: &Connection, page_cache: usize) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Else a statement with a parameter in its LIMIT would be compiled anew each time that it is run.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // A negative size is in KiB.
    let kib = i64::try_from(page_cache >> 10).unwrap_or(i64::MAX);
    connection.pragma_update(None, "cache_size", -kib.max(1))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "trusted_schema", false)
}
