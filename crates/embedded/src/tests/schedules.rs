use ackd_domain::{Command, Missed, Name, ScheduleRequest, Timestamp};
use rusqlite::Connection;

use super::sample::{NOW, one, open, small, submission, try_open};
use crate::OpenError;

/// What a schedule makes, and when, cannot be guessed: nothing starts over one that is damaged.
#[test]
fn a_changed_schedule_is_named_and_not_served() {
    for sql in [
        "UPDATE schedule SET name = 'weekly'",
        "UPDATE schedule SET settings = replace(settings, 'UTC', 'GMT')",
        "UPDATE schedule SET payload = x'7b7d'",
        "UPDATE schedule SET payload = NULL",
        "UPDATE schedule SET crc = crc + 1",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(directory.path());
        let request = ScheduleRequest {
            cron: "0 3 * * *".into(),
            timezone: "UTC".into(),
            missed: Missed::One,
            paused: false,
            job: submission("video"),
        };
        let (name, next) = (Name::new("nightly").unwrap(), Some(Timestamp::from_millis(NOW.millis() + 1)));
        one(&mut store, Command::PutSchedule { name, request: Box::new(request), next }).unwrap();
        drop(store);
        let shell = Connection::open(directory.path().join("ackd.db")).unwrap();
        assert_eq!(shell.execute(sql, []).unwrap(), 1, "{sql}");
        drop(shell);
        let opened = try_open(directory.path(), &small());
        assert!(matches!(&opened, Err(OpenError::Damaged(what)) if what.contains("schedule ")), "{sql}: {opened:?}");
    }
}
