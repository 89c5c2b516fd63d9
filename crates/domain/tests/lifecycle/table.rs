//! Every command in every state that a job can be in.

use std::fmt::Write as _;
use std::sync::Arc;

use ackd_domain::{
    Answer, Command, Decision, JobId, LeaseToken, Position, Progress, Refusal, Status, Submission, Timestamp, Write,
};

use crate::book::Book;
use crate::samples::{
    HOUR, SECOND, backoff, beat, complete, fail, fail_cancelled, fail_for_good, lapse, release, submission, tell,
};

/// Read it so: a job that is `INIT, released`, and whose worker shows the token of its last lease, is
/// leased as its first attempt (`PROCESSING 1`), loses a heartbeat (`lost`), is released again without
/// any effect (`=`), and so on.
///
/// - `STATUS n`: a change, after which `n` attempts of the run count;
/// - `=`: an answer, and nothing changed;
/// - `gone`: the job is erased;
/// - `lost` lease lost, `busy` not waiting, `held` held back, `ended` already finished, `open` not
///   finished: refused, and nothing changed.
const TABLE: &str = "
                          | lease        | beat | tell         | complete     | fail         | for good    | cancelled   | release     | lapse       | cancel       | expire    | retry  | delete
INIT                      | PROCESSING 1 | lost | lost         | lost         | lost         | lost        | lost        | lost        | lost        | CANCELLED 0  | EXPIRED 0 | open   | open
INIT, not due             | held         | lost | lost         | lost         | lost         | lost        | lost        | lost        | lost        | CANCELLED 0  | EXPIRED 0 | open   | open
INIT, past its expiry     | held         | lost | lost         | lost         | lost         | lost        | lost        | lost        | lost        | CANCELLED 0  | EXPIRED 0 | open   | open
INIT, released            | PROCESSING 1 | lost | lost         | lost         | lost         | lost        | lost        | =           | lost        | CANCELLED 0  | EXPIRED 0 | open   | open
INIT, failed              | PROCESSING 2 | lost | lost         | lost         | =            | =           | =           | lost        | lost        | CANCELLED 1  | EXPIRED 1 | open   | open
INIT, lapsed              | PROCESSING 2 | lost | lost         | lost         | lost         | lost        | lost        | lost        | lost        | CANCELLED 1  | EXPIRED 1 | open   | open
INIT, retried             | PROCESSING 1 | lost | lost         | lost         | =            | =           | =           | lost        | lost        | CANCELLED 0  | EXPIRED 0 | open   | open
PROCESSING                | busy         | =    | PROCESSING 1 | DONE 1       | INIT 1       | FAILED 1    | CANCELLED 1 | INIT 0      | INIT 1      | PROCESSING 1 | EXPIRED 1 | open   | open
PROCESSING, last attempt  | busy         | =    | PROCESSING 2 | DONE 2       | FAILED 2     | FAILED 2    | CANCELLED 2 | INIT 1      | FAILED 2    | PROCESSING 2 | EXPIRED 2 | open   | open
PROCESSING, asked to stop | busy         | =    | PROCESSING 1 | DONE 1       | CANCELLED 1  | CANCELLED 1 | CANCELLED 1 | CANCELLED 0 | CANCELLED 1 | =            | EXPIRED 1 | open   | open
PROCESSING, by another    | busy         | lost | lost         | lost         | lost         | lost        | lost        | lost        | lost        | PROCESSING 2 | EXPIRED 2 | open   | open
DONE                      | busy         | lost | lost         | =            | lost         | lost        | lost        | lost        | lost        | ended        | ended     | ended  | gone
FAILED                    | busy         | lost | lost         | lost         | =            | =           | =           | lost        | lost        | ended        | ended     | INIT 0 | gone
FAILED, lapsed            | busy         | lost | lost         | lost         | lost         | lost        | lost        | lost        | lost        | ended        | ended     | INIT 0 | gone
CANCELLED                 | busy         | lost | lost         | lost         | lost         | lost        | lost        | lost        | lost        | =            | ended     | INIT 0 | gone
CANCELLED, failed         | busy         | lost | lost         | lost         | =            | =           | =           | lost        | lost        | =            | ended     | INIT 0 | gone
CANCELLED, released       | busy         | lost | lost         | lost         | lost         | lost        | lost        | =           | lost        | =            | ended     | INIT 0 | gone
CANCELLED, lapsed         | busy         | lost | lost         | lost         | lost         | lost        | lost        | lost        | lost        | =            | ended     | INIT 0 | gone
EXPIRED                   | busy         | lost | lost         | lost         | lost         | lost        | lost        | lost        | lost        | ended        | ended     | INIT 0 | gone
EXPIRED while PROCESSING  | busy         | lost | lost         | lost         | lost         | lost        | lost        | lost        | lost        | ended        | ended     | INIT 0 | gone
";

/// A token that was never given.
const NEVER: LeaseToken = LeaseToken { number: 1, fence: Position(1), secret: 0 };

/// The job of every row: number 1, two attempts.
fn job() -> Submission {
    Submission { max_attempts: Some(2), expires_in: Some(HOUR), backoff: Some(backoff(SECOND)), ..submission() }
}

/// A book in which job 1 stands as the row says, and the token that its worker shows.
fn row(name: &str) -> (Book, LeaseToken) {
    let mut book = Book::new();
    let id = book.submit(job()).id;
    let cancel = Command::Cancel { id };
    let expire = Command::Expire { number: 1 };
    let mut token = NEVER;
    let mut then = |book: &mut Book, settle: fn(LeaseToken) -> Command| {
        token = book.lease(1);
        book.pass(SECOND);
        book.job(settle(token));
        book.pass(SECOND);
    };
    match name {
        "INIT" => {}
        "INIT, not due" => {
            book = Book::new();
            book.submit(Submission { start: ackd_domain::Start::After(2 * SECOND), ..job() });
            book.pass(SECOND);
        }
        "INIT, past its expiry" => book.pass(HOUR),
        "INIT, released" => then(&mut book, release),
        "INIT, failed" => then(&mut book, fail),
        "INIT, lapsed" => then(&mut book, lapse),
        "INIT, retried" => {
            then(&mut book, fail_for_good);
            book.job(Command::Retry { id });
        }
        "PROCESSING" => token = book.lease(1),
        "PROCESSING, last attempt" => {
            then(&mut book, lapse);
            token = book.lease(1);
        }
        "PROCESSING, asked to stop" => {
            token = book.lease(1);
            book.job(cancel);
        }
        "PROCESSING, by another" => {
            then(&mut book, lapse);
            book.lease(1);
        }
        "DONE" => then(&mut book, complete),
        "FAILED" => then(&mut book, fail_for_good),
        "FAILED, lapsed" => {
            then(&mut book, lapse);
            then(&mut book, lapse);
        }
        "CANCELLED" => drop(book.job(cancel)),
        "CANCELLED, failed" | "CANCELLED, released" | "CANCELLED, lapsed" => {
            token = book.lease(1);
            book.job(cancel);
            let settle = [fail, release, lapse]
                [["failed", "released", "lapsed"].iter().position(|end| name.ends_with(end)).unwrap()];
            book.job(settle(token));
        }
        "EXPIRED" => {
            book.pass(HOUR);
            book.job(expire);
        }
        "EXPIRED while PROCESSING" => {
            token = book.lease(1);
            book.pass(HOUR);
            book.job(expire);
        }
        other => panic!("no state is called {other:?}"),
    }
    (book, token)
}

/// The command of a column, of the worker that shows `lease`.
fn column(name: &str, lease: LeaseToken, id: JobId) -> Command {
    match name {
        "lease" => Command::Lease { number: 1, worker: None, ttl: None },
        "beat" => beat(lease),
        "tell" => tell(lease),
        "complete" => complete(lease),
        "fail" => fail(lease),
        "for good" => fail_for_good(lease),
        "cancelled" => fail_cancelled(lease),
        "release" => release(lease),
        "lapse" => lapse(lease),
        "cancel" => Command::Cancel { id },
        "expire" => Command::Expire { number: 1 },
        "retry" => Command::Retry { id },
        "delete" => Command::Delete { id },
        other => panic!("no command is called {other:?}"),
    }
}

/// The cell that the decision comes to.
fn cell(book: &Book, decision: Result<Decision, Refusal>) -> String {
    let before = &book.jobs[&1];
    match decision {
        Ok(Decision { writes, changes, answer: Answer::Erased(id), .. }) => {
            assert_eq!((writes, changes, id), (vec![Write::Erase(Arc::clone(before))], vec![], before.id));
            "gone".into()
        }
        Ok(Decision { writes, changes, answer, .. }) if changes.is_empty() => {
            assert!(writes.is_empty(), "rows are written and nothing is told: {writes:?}");
            match answer {
                Answer::Job(job) => assert_eq!(job, *before, "an answer of something else"),
                other => assert!(matches!(other, Answer::Beat { .. }), "{other:?}"),
            }
            "=".into()
        }
        Ok(Decision { changes, .. }) => {
            assert_eq!(changes.len(), 1, "a command is more than one change: {changes:?}");
            format!("{} {}", changes[0].job.status, changes[0].job.attempt)
        }
        Err(Refusal::LeaseLost) => "lost".into(),
        Err(Refusal::NotWaiting) => "busy".into(),
        Err(Refusal::HeldBack) => "held".into(),
        Err(Refusal::AlreadyFinished(status)) => {
            assert_eq!(status, before.status);
            assert!(status.is_terminal());
            "ended".into()
        }
        Err(Refusal::NotFinished(status)) => {
            assert_eq!(status, before.status);
            assert!(!status.is_terminal());
            "open".into()
        }
        Err(other) => format!("{other:?}"),
    }
}

/// The table as the decisions make it, laid out as the one above.
fn decided() -> String {
    let mut lines = TABLE.lines().skip(1);
    let columns: Vec<&str> = lines.next().unwrap().split('|').skip(1).collect();
    let mut table = format!("\n{}\n", TABLE.lines().nth(1).unwrap());
    for line in lines {
        let head = line.split('|').next().unwrap();
        write!(table, "{head}").unwrap();
        for column in &columns {
            let (mut book, token) = row(head.trim());
            let id = book.jobs[&1].id;
            if column.trim() == "expire" {
                book.now = book.now.max(book.jobs[&1].expires_at);
            }
            let decision = book.decide(self::column(column.trim(), token, id));
            write!(table, "| {:<1$}", cell(&book, decision), column.len() - 1).unwrap();
        }
        table.truncate(table.trim_end().len());
        table.push('\n');
    }
    table
}

#[test]
fn every_command_in_every_state_is_as_the_table_says() {
    let decided = decided();
    assert!(decided == TABLE, "the table is now:\n{decided}");
}

#[test]
fn the_table_has_every_status_and_every_command() {
    for status in Status::ALL {
        let rows = TABLE.lines().filter(|line| line.starts_with(status.as_str()));
        for row in rows {
            let name = row.split('|').next().unwrap().trim();
            assert_eq!(self::row(name).0.jobs[&1].status, status, "{name}");
        }
        assert!(TABLE.contains(&format!("\n{status}")), "{status} is not in the table");
    }
}

#[test]
fn a_foreign_token_is_refused_in_every_state() {
    for line in TABLE.lines().skip(2) {
        let name = line.split('|').next().unwrap().trim();
        let (mut book, token) = row(name);
        let foreign = [
            NEVER,
            LeaseToken { secret: token.secret ^ 1, ..token },
            LeaseToken { secret: token.secret ^ (1 << 127), ..token },
            LeaseToken { fence: token.fence.next(), ..token },
            LeaseToken { number: 2, ..token },
        ];
        for lease in foreign {
            for settle in [beat, tell, complete, fail, fail_for_good, fail_cancelled, release, lapse] {
                let drawn = book.drawn.clone();
                assert_eq!(book.decide(settle(lease)), Err(Refusal::LeaseLost), "{name}: {lease:?}");
                assert_eq!(book.drawn, drawn, "a refused command has drawn something");
            }
        }
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    let mut book = Book::new();
    let id = book.submit(job()).id;
    let unknown = JobId::new(book.now, 2, 0);
    let guessed = JobId::new(book.now, 1, id.salt() ^ 1);
    for id in [unknown, guessed] {
        assert_eq!(book.decide(Command::Cancel { id }), Err(Refusal::NotFound));
        assert_eq!(book.decide(Command::Retry { id }), Err(Refusal::NotFound));
        assert_eq!(book.decide(Command::Delete { id }), Err(Refusal::NotFound));
    }
    assert_eq!(book.decide(Command::Purge { number: 2 }), Err(Refusal::NotFound));
    assert_eq!(book.decide(Command::Lease { number: 2, worker: None, ttl: None }), Err(Refusal::NotFound));
    assert_eq!(book.decide(Command::Expire { number: 2 }), Err(Refusal::NotFound));
    assert_eq!(book.decide(beat(LeaseToken { number: 2, ..NEVER })), Err(Refusal::LeaseLost));
}

#[test]
fn a_job_expires_at_its_time_and_not_before() {
    for name in ["INIT", "INIT, failed", "PROCESSING", "PROCESSING, asked to stop"] {
        let (mut book, _) = row(name);
        book.now = Timestamp::from_millis(book.jobs[&1].expires_at.millis() - 1);
        assert_eq!(book.decide(Command::Expire { number: 1 }), Err(Refusal::NotExpired), "{name}");
    }
}

#[test]
fn an_ended_job_is_purged_at_its_time_and_not_before_and_an_open_one_never() {
    for line in TABLE.lines().skip(2) {
        let name = line.split('|').next().unwrap().trim();
        let (mut book, _) = row(name);
        let purge = Command::Purge { number: 1 };
        let Some(until) = book.jobs[&1].kept_until() else {
            book.pass(1000 * HOUR);
            let status = book.jobs[&1].status;
            assert_eq!(book.decide(purge), Err(Refusal::NotFinished(status)), "{name}");
            continue;
        };
        book.now = Timestamp::from_millis(until.millis() - 1);
        assert_eq!(book.decide(purge.clone()), Err(Refusal::Kept), "{name}");
        book.now = until;
        assert_eq!(book.apply(purge), Ok(Answer::Erased(line_id(name))), "{name}");
        assert!(book.jobs.is_empty(), "{name}");
    }
}

/// The id of the job of every row with this name.
fn line_id(name: &str) -> JobId {
    row(name).0.jobs[&1].id
}

#[test]
fn a_refused_command_draws_no_number_and_no_position() {
    for line in TABLE.lines().skip(2) {
        let name = line.split('|').next().unwrap().trim();
        let columns = TABLE.lines().nth(1).unwrap().split('|').skip(1);
        for column in columns {
            let (mut book, token) = row(name);
            let (id, drawn) = (book.jobs[&1].id, book.drawn.clone());
            if book.decide(self::column(column.trim(), token, id)).is_ok_and(|decision| !decision.changes.is_empty()) {
                continue;
            }
            assert_eq!(book.drawn, drawn, "{name}: {column}");
        }
    }
}

#[test]
fn progress_is_a_change_and_a_bare_heartbeat_is_none() {
    let (mut book, lease) = row("PROCESSING");
    let progress = Progress { percent: None, message: None, at: Timestamp::default() };
    let told = Command::Heartbeat { lease, ttl: None, progress: Some(progress), checkpoint: None };
    assert_eq!(book.jobs[&1].version, 2);
    book.apply(beat(lease)).unwrap();
    assert_eq!(book.jobs[&1].version, 2);
    book.apply(told).unwrap();
    assert_eq!(book.jobs[&1].version, 3);
}
