//! The tables, and how an older file becomes a newer one.
//!
//! What each table is for, and why it is as lean as it is:
//!
//! - Rows stand in the order of acceptance (`submission`, `job`, `result`) or of commit (`change`), so
//!   that a commit writes few pages, most of them at the end of a table.
//! - `submission` and `result` are only ever inserted. `job` is what changes, so it is narrow, and rare
//!   or long things stand last, as JSON, or elsewhere: the text of an error or a checkpoint is written once,
//!   under the position of the change that brought it, and job and changes refer to it.
//! - A `lane` stands for queue, type, priority and group, which thousands of jobs share.
//! - The only indexes on jobs are partial ones over unfinished jobs. There is none on random keys.
//! - Columns have no declared type: SQLite would try to convert each value to it. Times are milliseconds
//!   since 1970, durations milliseconds, texts UTF-8, `crc` a CRC-32C.
//! - What is NULL has its usual value: a content type of `application/json`, an expiry 14 days after
//!   acceptance, and, in `change`, a job that is due, was leased or ended at the time of the change.

use rusqlite::{Connection, Transaction};

use crate::error::OpenError;

/// "ackd", so that `file` and ackd itself know whose database it is.
const APPLICATION_ID: i32 = 0x6163_6b64;

/// What takes a database from version `n` to `n + 1`, each in a transaction of its own. A released one
/// never changes; another follows it.
const MIGRATIONS: &[fn(&Transaction<'_>) -> rusqlite::Result<()>] = &[lay_out, without_links_back];

/// Refuses a database of a newer version and one that is not ackd's, before anything is changed. Both are written in one
/// commit, so that none of ours is without a version.
pub(crate) fn refuse_others(connection: &Connection) -> Result<(), OpenError> {
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let (found, known) = (version(connection)?, known());
    if application != APPLICATION_ID && (tables > 0 || found > 0) {
        return Err(OpenError::Foreign);
    }
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    if application == APPLICATION_ID && found < 1 {
        return Err(OpenError::Damaged("its version".to_owned()));
    }
    Ok(())
}

/// Brings the database to the version that this binary knows.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    let found = version(connection)?;
    for (version, migration) in (1i64..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        let transaction = connection.transaction()?;
        migration(&transaction)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Compares what the tables are with what this binary lays out: where a bit has turned in the text of one, a statement may read
/// another column than it means. Views are for people, and what others have added, as an index for their own questions, is theirs.
pub(crate) fn check(connection: &Connection) -> Result<(), OpenError> {
    let mut expected = Connection::open_in_memory()?;
    migrate(&mut expected)?;
    let found = objects(connection)?;
    match objects(&expected)?.into_iter().find(|object| !found.contains(object)) {
        None => Ok(()),
        Some((_, name, _, _)) => Err(OpenError::Damaged(format!("the definition of {name}"))),
    }
}

/// Type, name, table and text of each.
type Object = (String, String, String, Option<String>);

fn objects(connection: &Connection) -> rusqlite::Result<Vec<Object>> {
    let mut statement =
        connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE type <> 'view'")?;
    statement.query_map([], |row| row.try_into())?.collect()
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Version 1.
fn lay_out(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(
        "
        CREATE TABLE meta (name TEXT PRIMARY KEY, value, crc INTEGER) WITHOUT ROWID;

        CREATE TABLE queue (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            settings TEXT, -- NULL: nobody has configured it
            paused INTEGER, -- 1 paused, 2 draining, 3 both
            crc INTEGER
        );
        -- How many jobs of a queue stand where.
        CREATE TABLE count (
            queue INTEGER PRIMARY KEY,
            init INTEGER, processing INTEGER, done INTEGER, failed INTEGER, cancelled INTEGER, expired INTEGER
        );
        -- When attempts at the jobs of a queue began, where that is limited.
        CREATE TABLE started (queue TEXT PRIMARY KEY, times TEXT NOT NULL, crc INTEGER) WITHOUT ROWID;
        CREATE TABLE lane (
            id INTEGER PRIMARY KEY,
            queue INTEGER NOT NULL,
            kind TEXT, -- the job's type
            priority INTEGER NOT NULL,
            \"group\" TEXT, -- the job's group
            crc INTEGER,
            submissions INTEGER NOT NULL DEFAULT 0 -- how many are in it, but for those of the latest jobs; with the last one it goes
        );
        CREATE UNIQUE INDEX lane_names ON lane (queue, kind, priority, \"group\");

        CREATE TABLE submission (
            id INTEGER PRIMARY KEY, -- the acceptance number
            created_at,
            salt,
            lane,
            crc, -- the body's in the upper half, the rest's in the lower
            keyed, -- 1: there is a row in key
            content_type,
            more, -- JSON: what the client named beyond the usual
            body -- last, so that a long one is read only when it is asked for; of an erased job -1 less what it was long
        );
        -- By what a job is looked for: its idempotency key, and its unique key as queue/key.
        CREATE TABLE key (id INTEGER PRIMARY KEY, text, fingerprint, once, crc);
        -- The unfinished jobs with a unique key that are not in their first run, by a hash of queue and key. All others
        -- are the newest with their key.
        CREATE TABLE again (key INTEGER, job INTEGER, PRIMARY KEY (key, job)) WITHOUT ROWID;

        CREATE TABLE job (
            id INTEGER PRIMARY KEY, -- the acceptance number
            lane,
            changed, -- the position of the latest change
            crc,
            lease, -- secret: who knows it may settle the job
            status DEFAULT 0, -- 0 INIT, 1 PROCESSING, 2 DONE, 3 FAILED, 4 CANCELLED, 5 EXPIRED
            version DEFAULT 1,
            run DEFAULT 1,
            attempt DEFAULT 0,
            run_at,
            started_at,
            finished_at,
            worker,
            result_size,
            result_type,
            expires_at,
            cancel_requested_at,
            progress, -- JSON
            error, -- a row in failure
            checkpoint, -- a row in checkpoint
            held, -- what holds it back: 1 behind another of its ordering key, 2 comes after others, 3 both; NULL: nothing
            result_file -- the file that is the result
        );
        -- Unfinished jobs only: those that wait, lane by lane, and those that are leased.
        CREATE INDEX job_waiting ON job (lane, run_at) WHERE status = 0 AND held IS NULL;
        CREATE INDEX job_leased ON job (id) WHERE status = 1;
        -- When unfinished jobs expire that do so at a time of their own.
        CREATE TABLE expiry (at, job, PRIMARY KEY (at, job)) WITHOUT ROWID;

        -- The unfinished jobs of each ordering key, by a hash of queue and key.
        CREATE TABLE line (key INTEGER, job INTEGER, PRIMARY KEY (key, job)) WITHOUT ROWID;
        -- Which job comes after which, as long as it waits for it.
        CREATE TABLE link (job INTEGER, follower INTEGER, PRIMARY KEY (job, follower)) WITHOUT ROWID;
        CREATE INDEX link_back ON link (follower);
        -- The jobs that have ended and whose followers have not all been told.
        CREATE TABLE unresolved (job INTEGER PRIMARY KEY);
        -- When ended jobs go that do so at a time of their own, or of whose end the feed tells no more. All others are found
        -- by their ends in the feed, in the order in which they go.
        CREATE TABLE leaving (at, job, PRIMARY KEY (at, job)) WITHOUT ROWID;
        -- Erased jobs of which changes are kept, by the latest. Till that goes too their submissions stay, without key and
        -- payload.
        CREATE TABLE erased (changed INTEGER PRIMARY KEY, job);

        -- Of what the jobs of a queue failed or expired, and how many of each are kept; with the last of them it goes.
        CREATE TABLE cause (id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, text TEXT NOT NULL, jobs INTEGER NOT NULL);
        CREATE UNIQUE INDEX cause_texts ON cause (queue, text);
        CREATE INDEX cause_jobs ON cause (queue, jobs);
        -- Those jobs: only what died is here, so that a life that ends well costs nothing.
        CREATE TABLE dead (queue INTEGER, job INTEGER, cause INTEGER, PRIMARY KEY (queue, job)) WITHOUT ROWID;
        CREATE INDEX dead_causes ON dead (cause, job);

        -- The webhook endpoints.
        CREATE TABLE endpoint (
            name TEXT PRIMARY KEY,
            settings TEXT NOT NULL, -- JSON; secret: who knows its keys may speak for the server
            crc INTEGER
        ) WITHOUT ROWID;
        -- Which jobs (of the server's own queue) deliver what became of a job.
        CREATE TABLE delivery (source INTEGER, job INTEGER, PRIMARY KEY (source, job)) WITHOUT ROWID;
        -- How far each consumer of the changes has come.
        CREATE TABLE consumer (name TEXT PRIMARY KEY, position INTEGER, crc INTEGER) WITHOUT ROWID;

        -- The schedules.
        CREATE TABLE schedule (
            name TEXT PRIMARY KEY,
            settings TEXT NOT NULL, -- JSON; secret: the key of a callback may be in it
            crc INTEGER,
            payload -- of the job that it makes
        ) WITHOUT ROWID;

        -- The files that stand in a store of their own, by the name that they have there.
        CREATE TABLE file (
            id TEXT PRIMARY KEY,
            name TEXT UNIQUE, -- the client's
            content_type TEXT NOT NULL,
            size INTEGER,
            sum INTEGER, -- CRC-32C of the bytes
            created_at INTEGER,
            expires_at INTEGER,
            refs INTEGER, -- how many jobs refer to it
            condemned INTEGER, -- 1: its bytes are being deleted
            crc INTEGER
        ) WITHOUT ROWID;
        CREATE INDEX file_unused ON file (expires_at) WHERE refs = 0;

        CREATE TABLE result (id INTEGER PRIMARY KEY, crc, content_type, body);
        CREATE TABLE failure (seq INTEGER PRIMARY KEY, job, crc, problem);
        CREATE TABLE checkpoint (seq INTEGER PRIMARY KEY, job, crc, state);

        CREATE TABLE change (
            seq INTEGER PRIMARY KEY, -- the position in the feed
            job,
            previous DEFAULT 0, -- the job's change before this one
            at,
            kind DEFAULT 0, -- 0 submitted, 1 leased, 2 progressed, 3 checkpointed, 4 completed, 5 failed, 6 released,
                            -- 7 lapsed, 8 cancel requested, 9 cancelled, 10 expired, 11 retried, 12 unblocked, 13 replaced, 14 redriven
            crc,
            -- The job as of this change: the columns of job.
            status DEFAULT 0, version DEFAULT 1, run DEFAULT 1, attempt DEFAULT 0, run_at, started_at, finished_at,
            worker, result_size, result_type, expires_at, cancel_requested_at, progress, error, checkpoint, held, result_file,
            -- The texts that the job had until this change: they go with it.
            old_error, old_checkpoint
        );

        -- For people in a shell; nothing of ackd reads it.
        CREATE VIEW jobs AS
        SELECT job.id, queue.name AS queue, lane.kind AS type, lane.priority, lane.\"group\",
               CASE status WHEN 0 THEN 'INIT' WHEN 1 THEN 'PROCESSING' WHEN 2 THEN 'DONE' WHEN 3 THEN 'FAILED'
                    WHEN 4 THEN 'CANCELLED' ELSE 'EXPIRED' END AS status,
               version, run, attempt, worker,
               strftime('%FT%R:%fZ', created_at / 1000.0, 'unixepoch') AS created_at,
               strftime('%FT%R:%fZ', run_at / 1000.0, 'unixepoch') AS run_at,
               strftime('%FT%R:%fZ', started_at / 1000.0, 'unixepoch') AS started_at,
               strftime('%FT%R:%fZ', finished_at / 1000.0, 'unixepoch') AS finished_at,
               progress, failure.problem AS error
        FROM job
        JOIN submission ON submission.id = job.id
        JOIN lane ON lane.id = job.lane
        JOIN queue ON queue.id = lane.queue
        LEFT JOIN failure ON failure.seq = job.error;
        ",
    )
}

/// Whom a job waits for is said by the job itself: the index by the other end was only written.
fn without_links_back(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch("DROP INDEX link_back")
}
