use std::fs;
use std::sync::Arc;

use ackd_ports::LedgerReader;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::sample::{open, small, submission, submit, try_open};
use crate::OpenError;

#[test]
fn a_directory_is_made_where_there_is_none() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("a/b");
    let mut store = open(&directory);
    submit(&mut store, submission("video"));
    assert!(directory.join("ackd.db").exists() && directory.join("lock").exists() && directory.join("keys").is_dir());
}

#[test]
fn a_directory_in_use_is_refused_until_ledger_and_reader_are_gone() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let in_use = || matches!(try_open(directory.path(), &small()), Err(OpenError::InUse(_)));
    assert!(in_use());
    let reader = Arc::clone(&store.reader);
    drop(store);
    assert!(in_use());
    drop(reader);
    open(directory.path());
}

#[test]
fn a_newer_database_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ackd.db");
    drop(open(directory.path()));
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 7777).unwrap();
    let before = fs::read(&path).unwrap();
    let refused = try_open(directory.path(), &small());
    assert!(matches!(refused, Err(OpenError::Newer { found: 7777, known: 2 })), "{refused:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_database_of_the_first_version_is_brought_to_the_latest() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ackd.db");
    drop(open(directory.path()));
    let shell = Connection::open(&path).unwrap();
    shell.execute_batch("CREATE INDEX link_back ON link (follower); PRAGMA user_version = 1").unwrap();
    drop(open(directory.path()));
    let named = "SELECT count(*) FROM sqlite_schema WHERE name = 'link_back'";
    assert_eq!(shell.query_row(named, [], |row| row.get(0)), Ok(0));
    assert_eq!(shell.pragma_query_value(None, "user_version", |row| row.get(0)), Ok(2));
}

#[test]
fn a_database_is_damaged_whose_tables_are_not_as_they_were_made() {
    for (sql, what) in [
        ("UPDATE sqlite_schema SET sql = replace(sql, 'previous', 'qrevious') WHERE name = 'change'", "change"),
        (
            "UPDATE sqlite_schema SET sql = replace(sql, 'status = 1', 'status = 3') WHERE name = 'job_leased'",
            "job_leased",
        ),
        ("UPDATE sqlite_schema SET name = 'job_waitinf' WHERE name = 'job_waiting'", "job_waitinf"),
        ("UPDATE sqlite_schema SET sql = replace(sql, 'as of', CAST(x'ff' AS TEXT)) WHERE name = 'change'", "utf-8"),
        ("DROP INDEX dead_causes", "dead_causes"),
        ("PRAGMA user_version = 0", "version"),
        ("PRAGMA user_version = -3", "version"),
        ("UPDATE meta SET value = zeroblob(16) WHERE name = 'key_secret'", "key_secret"),
        ("UPDATE meta SET name = 'kez_secret' WHERE name = 'key_secret'", "kez_secret"),
        ("UPDATE meta SET value = 'text' WHERE name = 'key_secret'", "key_secret"),
        ("UPDATE meta SET crc = NULL WHERE name = 'key_secret'", "key_secret"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        drop(open(directory.path()));
        let shell = Connection::open(directory.path().join("ackd.db")).unwrap();
        shell.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).unwrap();
        shell.execute_batch(&format!("PRAGMA writable_schema = 1; {sql}")).unwrap();
        drop(shell);
        let opened = try_open(directory.path(), &small());
        assert!(matches!(&opened, Err(OpenError::Damaged(said)) if said.contains(what)), "{sql}: {opened:?}");
    }
}

#[test]
fn a_bit_that_turned_in_the_log_of_a_killed_server_loses_no_commit_without_a_word() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    for _ in 0..5 {
        submit(&mut store, submission("video"));
    }
    // What a server leaves behind that is killed now.
    let killed = |turned: Option<usize>| {
        let copy = tempfile::tempdir().unwrap();
        for name in ["ackd.db", "ackd.db-wal"] {
            let mut bytes = fs::read(directory.path().join(name)).unwrap();
            if let Some(at) = turned.filter(|_| name == "ackd.db-wal") {
                bytes[at] ^= 4;
            }
            fs::write(copy.path().join(name), bytes).unwrap();
        }
        copy
    };
    let whole = killed(None);
    assert_eq!(open(whole.path()).reader.counts().unwrap()[0].by_status[0], 5);
    for at in [3, 20, 30, 50, 5000] {
        let turned = killed(Some(at));
        let opened = try_open(turned.path(), &small());
        assert!(
            matches!(&opened, Err(OpenError::Damaged(said)) if said.contains("write-ahead log")),
            "{at}: {opened:?}"
        );
    }
}

/// Whoever restores a backup may start the server once too early; it must not take the folder for a new one.
#[test]
fn a_used_directory_without_its_database_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let id = submit(&mut store, submission("video")).id;
    drop(store);
    let path = directory.path().join("ackd.db");
    let database = fs::read(&path).unwrap();
    let refused = || matches!(try_open(directory.path(), &small()), Err(OpenError::Missing(at)) if at == path);
    fs::remove_file(&path).unwrap();
    assert!(refused());
    assert!(!path.exists());
    fs::write(&path, b"").unwrap();
    assert!(refused());
    fs::write(&path, &database).unwrap();
    assert!(open(directory.path()).reader.job(id).unwrap().is_some());
    // Nothing but what stands there before there is a database: a first start that was killed.
    fs::remove_dir_all(directory.path().join("keys")).unwrap();
    fs::write(&path, b"").unwrap();
    open(directory.path());
}

#[test]
fn an_index_that_somebody_added_is_theirs() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let shell = Connection::open(directory.path().join("ackd.db")).unwrap();
    shell.execute_batch("CREATE INDEX of_mine ON job (worker)").unwrap();
    drop(shell);
    submit(&mut open(directory.path()), submission("video"));
}

#[test]
fn what_is_not_a_database_of_ours_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ackd.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(matches!(try_open(directory.path(), &small()), Err(OpenError::Foreign)));
    assert_eq!(Connection::open(&path).unwrap().query_row("SELECT count(*) FROM theirs", [], |row| row.get(0)), Ok(0));

    fs::write(&path, "no database at all, however long this text may be".repeat(100)).unwrap();
    assert!(matches!(try_open(directory.path(), &small()), Err(OpenError::Damaged(_))));

    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(try_open(&file, &small()), Err(OpenError::NotADirectory(_))));
    assert!(matches!(try_open(&file.join("below"), &small()), Err(OpenError::NotADirectory(_))));
}

#[test]
fn a_person_in_a_shell_sees_the_jobs() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    submit(&mut store, submission("video"));
    let shell = Connection::open(directory.path().join("ackd.db")).unwrap();
    let columns = "SELECT id, queue, type, priority, status, attempt, created_at FROM jobs";
    let row: (i64, String, Option<String>, u8, String, u32, String) =
        shell.query_row(columns, [], |row| row.try_into()).unwrap();
    let expected = (1, "video".into(), None, 5, "INIT".into(), 0, "2025-01-01T00:00:00.000Z".into());
    assert_eq!(row, expected);
    assert_eq!(store.reader.trouble(), Vec::<String>::new());
}
