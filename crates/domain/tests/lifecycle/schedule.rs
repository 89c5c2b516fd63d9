use std::sync::Arc;

use ackd_domain::{
    Answer, Command, Firing, Missed, Name, QueuePatch, Refusal, Schedule, ScheduleRequest, Submission, Timestamp,
    limits,
};

use crate::book::Book;
use crate::samples::{HOUR, SECOND, START, name, submission};

fn request() -> ScheduleRequest {
    ScheduleRequest {
        cron: "0 * * * *".into(),
        timezone: "UTC".into(),
        missed: Missed::One,
        paused: false,
        job: submission(),
    }
}

/// So many hours after the start.
fn hour(n: u32) -> Timestamp {
    START.after(HOUR * n)
}

fn command(schedule: &str, request: ScheduleRequest, next: Option<Timestamp>) -> Command {
    Command::PutSchedule { name: name(schedule), request: Box::new(request), next }
}

fn put(book: &mut Book, request: ScheduleRequest, next: Timestamp) -> Arc<Schedule> {
    match book.apply(command("s", request, Some(next))) {
        Ok(Answer::Schedule { schedule, .. }) => schedule,
        other => panic!("no schedule: {other:?}"),
    }
}

/// The firing of all times from the schedule's next to `latest`.
fn firing(schedule: &Schedule, jobs: usize, latest: Timestamp) -> Firing {
    Firing {
        name: schedule.name.clone(),
        revision: schedule.revision,
        at: schedule.next_run_at.unwrap(),
        jobs: vec![schedule.job.clone(); jobs],
        latest: (jobs > 0).then_some(latest),
        next: Some(latest.after(HOUR)),
    }
}

fn fire(book: &mut Book, firing: Firing) -> Result<(Arc<Schedule>, usize), Refusal> {
    match book.apply(Command::Fire(Box::new(firing)))? {
        Answer::Fired { schedule, accepted } => Ok((schedule, accepted.len())),
        other => panic!("nothing was fired: {other:?}"),
    }
}

#[test]
fn a_time_is_left_once_however_many_think_that_it_has_come() {
    let mut book = Book::new();
    let schedule = put(&mut book, request(), hour(1));
    book.now = hour(1);
    let wanted = firing(&schedule, 1, hour(1));
    let (fired, made) = fire(&mut book, wanted.clone()).unwrap();
    assert_eq!((made, fired.last_run_at, fired.next_run_at), (1, Some(hour(1)), Some(hour(2))));
    assert_eq!(fired.last_job, Some(book.jobs[&1].id));
    assert_eq!(fire(&mut book, wanted), Err(Refusal::ScheduleMoved));
    let early = Firing { at: hour(3), ..firing(&fired, 1, hour(3)) };
    assert_eq!(fire(&mut book, early), Err(Refusal::ScheduleMoved));
    assert_eq!(book.jobs.len(), 1);
    // Where the time passes without a job, what was made last stays known.
    let (skipped, made) = fire(&mut book, firing(&fired, 0, hour(2))).unwrap();
    assert_eq!((made, skipped.next_run_at), (0, Some(hour(3))));
    assert_eq!((skipped.last_run_at, skipped.last_job), (fired.last_run_at, fired.last_job));
}

#[test]
fn the_jobs_are_ordinary_ones() {
    let mut book = Book::new();
    book.configure(QueuePatch { max_attempts: Some(Some(3)), ..QueuePatch::default() });
    let job = Submission { priority: Some(7), tags: vec!["nightly".into()], ..submission() };
    let schedule = put(&mut book, ScheduleRequest { job, ..request() }, hour(1));
    book.now = hour(3);
    let (_, made) = fire(&mut book, firing(&schedule, 3, hour(3))).unwrap();
    assert_eq!((made, book.jobs.len(), book.changes.len()), (3, 3, 3));
    for job in book.jobs.values() {
        assert_eq!((job.spec.max_attempts, job.spec.priority, job.run_at), (3, 7, book.now));
        assert_eq!(job.spec.tags, [Arc::from("nightly")]);
    }
}

#[test]
fn what_is_put_anew_with_the_same_times_forgets_none_that_is_due() {
    let mut book = Book::new();
    let first = put(&mut book, request(), hour(1));
    book.now = hour(1).after(SECOND);
    let job = Submission { priority: Some(1), ..submission() };
    let again = put(&mut book, ScheduleRequest { job, missed: Missed::All, ..request() }, hour(2));
    assert_eq!((again.next_run_at, again.created_at, again.revision), (Some(hour(1)), START, first.revision + 1));
    assert_eq!((again.missed, again.job.priority), (Missed::All, Some(1)));
    // What was meant of the schedule as it was says nothing about it as it is.
    assert_eq!(fire(&mut book, firing(&first, 1, hour(1))), Err(Refusal::ScheduleMoved));
    assert!(fire(&mut book, firing(&again, 1, hour(1))).is_ok());
}

#[test]
fn other_times_begin_with_the_next_and_never_with_one_that_was_used() {
    let mut book = Book::new();
    let schedule = put(&mut book, request(), hour(1));
    book.now = hour(1);
    let (fired, _) = fire(&mut book, firing(&schedule, 1, hour(1))).unwrap();
    // The clock goes back, and somebody puts other times that hold the one that was used.
    book.now = START;
    let halves = || ScheduleRequest { cron: "0,30 * * * *".into(), ..request() };
    for used in [hour(1), START.after(HOUR / 2)] {
        assert_eq!(book.apply(command("s", halves(), Some(used))), Err(Refusal::ScheduleMoved));
    }
    let later = put(&mut book, halves(), hour(2));
    assert_eq!((later.next_run_at, later.last_run_at), (Some(hour(2)), Some(hour(1))));
    assert_eq!((later.last_job, later.revision), (fired.last_job, fired.revision + 1));
    let elsewhere = put(&mut book, ScheduleRequest { timezone: "Asia/Kolkata".into(), ..halves() }, hour(3));
    assert_eq!(elsewhere.next_run_at, Some(hour(3)));
}

#[test]
fn one_that_is_paused_has_no_next_time_and_begins_anew() {
    let mut book = Book::new();
    put(&mut book, request(), hour(1));
    let paused = put(&mut book, ScheduleRequest { paused: true, ..request() }, hour(1));
    assert_eq!((paused.paused, paused.next_run_at), (true, None));
    let late =
        Firing { at: hour(1), ..firing(&Schedule { next_run_at: Some(hour(1)), ..(*paused).clone() }, 1, hour(1)) };
    assert_eq!(fire(&mut book, late), Err(Refusal::ScheduleMoved));
    assert_eq!(put(&mut book, ScheduleRequest { paused: true, ..request() }, hour(5)).next_run_at, None);
    assert_eq!(put(&mut book, request(), hour(5)).next_run_at, Some(hour(5)));
}

#[test]
fn there_are_only_so_many_and_a_deleted_one_is_none() {
    let mut book = Book::new();
    let put = |n: usize| command(&format!("s{n}"), request(), Some(hour(1)));
    for n in 0..limits::SCHEDULES {
        assert!(matches!(book.apply(put(n)), Ok(Answer::Schedule { created: true, .. })), "{n}");
    }
    assert_eq!(book.apply(put(limits::SCHEDULES)), Err(Refusal::TooManySchedules));
    assert!(matches!(book.apply(put(7)), Ok(Answer::Schedule { created: false, .. })));
    let delete = |text: &str| -> (Name, Command) { (name(text), Command::DeleteSchedule { name: name(text) }) };
    let (gone, command) = delete("s7");
    let seventh = Arc::clone(&book.schedules[&gone]);
    assert_eq!(book.apply(command.clone()), Ok(Answer::NoSchedule(gone)));
    assert_eq!(book.apply(command), Err(Refusal::NotFound));
    assert_eq!(fire(&mut book, firing(&seventh, 1, hour(1))), Err(Refusal::NotFound));
    assert!(book.apply(put(limits::SCHEDULES)).is_ok());
    assert!(book.changes.is_empty(), "a schedule is no change of a job");
}
