use ackd_domain::{
    Answer, BulkAction, BulkCourse, ChangeKind, Command, LeaseToken, Name, Position, Refusal, Status, Stepped,
    Submission,
};

use crate::book::Book;
use crate::samples::{HOUR, complete, fail_for_good, json, submission};

/// A book with a bulk job, number 1, that is under way.
fn bulk() -> (Book, LeaseToken) {
    let mut book = Book::new();
    let lease = book.leased(Submission::new(Name::bulk().clone(), json("{}")));
    (book, lease)
}

fn step(book: &Book, number: u64, action: BulkAction, bulk: LeaseToken) -> Command {
    Command::BulkStep { number, action, until: Position(book.drawn.position), bulk }
}

fn course(next: Option<u64>) -> BulkCourse {
    BulkCourse { until: Position(9), next, matched: 5, changed: 1, refused: 0, percent: 40.0 }
}

#[test]
fn each_action_takes_the_statuses_that_it_is_for() {
    use BulkAction::{Cancel, Purge, Redrive, Retry};
    let ended = |status| Err(Refusal::AlreadyFinished(status));
    let open = |status| Err(Refusal::NotFinished(status));
    let waiting = |book: &mut Book| drop(book.submit(submission()));
    let running = |book: &mut Book| {
        book.leased(submission());
    };
    let done = |book: &mut Book| {
        let lease = book.leased(submission());
        book.job(complete(lease));
    };
    let failed = |book: &mut Book| {
        let lease = book.leased(submission());
        book.job(fail_for_good(lease));
    };
    let cancelled = |book: &mut Book| {
        let id = book.submit(submission()).id;
        book.job(Command::Cancel { id });
    };
    let asked = |book: &mut Book| {
        let lease = book.leased(submission());
        let id = book.jobs[&lease.number].id;
        book.job(Command::Cancel { id });
    };
    let expired = |book: &mut Book| {
        let number = book.submit(Submission { expires_in: Some(HOUR), ..submission() }).id.number();
        let now = book.now;
        book.pass(HOUR);
        book.job(Command::Expire { number });
        book.now = now;
    };
    type Make<'a> = &'a dyn Fn(&mut Book);
    for (make, action, expected) in [
        (&waiting as Make<'_>, Cancel, Ok((Status::Cancelled, ChangeKind::Cancelled))),
        (&running, Cancel, Ok((Status::Processing, ChangeKind::CancelRequested))),
        (&asked, Cancel, open(Status::Processing)),
        (&done, Cancel, ended(Status::Done)),
        (&failed, Cancel, ended(Status::Failed)),
        (&cancelled, Cancel, ended(Status::Cancelled)),
        (&waiting, Purge, Ok((Status::Cancelled, ChangeKind::Cancelled))),
        (&running, Purge, Err(Refusal::NotWaiting)),
        (&cancelled, Purge, Err(Refusal::NotWaiting)),
        (&waiting, Retry, open(Status::Init)),
        (&running, Retry, open(Status::Processing)),
        (&done, Retry, ended(Status::Done)),
        (&failed, Retry, Ok((Status::Init, ChangeKind::Retried))),
        (&cancelled, Retry, Ok((Status::Init, ChangeKind::Retried))),
        (&expired, Retry, Ok((Status::Init, ChangeKind::Retried))),
        (&waiting, Redrive, open(Status::Init)),
        (&done, Redrive, ended(Status::Done)),
        (&failed, Redrive, Ok((Status::Init, ChangeKind::Redriven))),
        (&cancelled, Redrive, ended(Status::Cancelled)),
        (&expired, Redrive, Ok((Status::Init, ChangeKind::Redriven))),
    ] {
        let (mut book, lease) = bulk();
        make(&mut book);
        let command = step(&book, 2, action, lease);
        let changes = book.changes.len();
        let came = book.apply(command).map(|_| (book.jobs[&2].status, book.changes[changes].kind));
        assert_eq!(came, expected, "{action:?}");
        assert!(expected.is_ok() || book.changes.len() == changes);
    }
}

#[test]
fn what_failed_again_since_is_not_run_again() {
    let (mut book, lease) = bulk();
    let worker = book.leased(submission());
    book.job(fail_for_good(worker));
    let redrive = step(&book, 2, BulkAction::Redrive, lease);
    book.job(redrive.clone());
    assert_eq!(book.jobs[&2].run, 2);
    let worker = book.lease(2);
    book.job(fail_for_good(worker));
    assert_eq!(book.apply(redrive), Err(Refusal::ChangedSince));
}

#[test]
fn who_lost_the_lease_does_nothing() {
    let (mut book, lease) = bulk();
    book.submit(submission());
    book.job(crate::samples::release(lease));
    let again = book.lease(1);
    let cancel = step(&book, 2, BulkAction::Cancel, lease);
    assert_eq!(book.apply(cancel), Err(Refusal::LeaseLost));
    assert_eq!(book.apply(Command::BulkPart { bulk: lease, course: course(None) }), Err(Refusal::LeaseLost));
    let cancel = step(&book, 2, BulkAction::Cancel, again);
    assert_eq!(book.job(cancel).status, Status::Cancelled);
}

#[test]
fn a_part_counts_its_steps_and_the_last_one_ends_the_job() {
    let (mut book, lease) = bulk();
    book.stepped = Stepped { changed: 3, refused: 1 };
    let job = book.job(Command::BulkPart { bulk: lease, course: course(Some(7)) });
    let progress = job.progress.as_ref().unwrap();
    assert_eq!((progress.percent, progress.message.as_deref()), (Some(40.0), Some("4 of 5 changed")));
    let checkpoint = r#"{"until":9,"next":7,"matched":5,"changed":4,"refused":1,"percent":40}"#;
    assert_eq!(job.checkpoint.as_deref(), Some(checkpoint));
    assert_eq!(job.status, Status::Processing);
    let ended = book.job(Command::BulkPart { bulk: lease, course: course(None) });
    assert_eq!((ended.status, ended.result.as_ref().map(|result| result.size)), (Status::Done, Some(37)));
    let Some(told) = book.changes.last().and_then(|change| change.body.clone()) else { panic!("no result is told") };
    assert_eq!(told.bytes, r#"{"matched":5,"changed":4,"refused":1}"#);
    assert!(matches!(book.apply(crate::samples::beat(lease)), Err(Refusal::LeaseLost)));
    assert!(matches!(book.apply(Command::Retry { id: ended.id }), Err(Refusal::AlreadyFinished(Status::Done))));
}

#[test]
fn a_bulk_job_that_is_to_stop_goes_on_where_it_was() {
    let (mut book, lease) = bulk();
    book.job(Command::BulkPart { bulk: lease, course: course(Some(7)) });
    let id = book.jobs[&1].id;
    book.job(Command::Cancel { id });
    assert_eq!(book.job(crate::samples::release(lease)).status, Status::Cancelled);
    let Ok(Answer::Job(again)) = book.apply(Command::Retry { id }) else { panic!("it is not retried") };
    assert!(again.checkpoint.as_deref().is_some_and(|text| text.contains(r#""next":7"#)));
}
