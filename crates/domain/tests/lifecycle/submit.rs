use ackd_domain::{
    Acceptance, Accepted, Answer, ChangeKind, Command, Decision, Held, Job, Position, Refusal, Start, Status,
    Submission, Timestamp, Write, limits,
};

use crate::book::Book;
use crate::samples::{HOUR, SECOND, START, complete, json, name, submission};

fn accepted(answer: Result<Answer, Refusal>) -> Vec<Accepted> {
    match answer {
        Ok(Answer::Accepted(accepted)) => accepted,
        other => panic!("not accepted: {other:?}"),
    }
}

#[test]
fn a_submission_becomes_a_waiting_job() {
    let mut book = Book::new();
    let Decision { writes, changes, answer, .. } = book.decide(Command::Submit(vec![submission()])).unwrap();
    let [Accepted { job, how: Acceptance::Made }] = &accepted(Ok(answer))[..] else { panic!("not one job") };
    let expected = Job {
        id: job.id,
        spec: job.spec.clone(),
        status: Status::Init,
        version: 1,
        run: 1,
        attempt: 0,
        run_at: START,
        held: Held::default(),
        expires_at: START.after(limits::DEFAULT_EXPIRY),
        started_at: None,
        finished_at: None,
        cancel_requested_at: None,
        worker: None,
        lease: None,
        progress: None,
        error: None,
        checkpoint: None,
        result: None,
        result_file: None,
        changed: Position(book.drawn.position),
    };
    assert_eq!(**job, expected);
    assert_eq!((job.id.number(), job.created_at(), job.spec.priority), (1, START, limits::DEFAULT_PRIORITY));
    assert_eq!(writes, [Write::Insert(job.clone(), json("1"))]);
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].kind, changes[0].previous), (ChangeKind::Submitted, Position::START));
    assert_eq!((&changes[0].job, &changes[0].body), (job, &Some(json("1"))));
}

#[test]
fn a_job_is_due_as_it_says_and_never_before_it_was_accepted() {
    let starts = [
        (Start::Now, START),
        (Start::After(HOUR), START.after(HOUR)),
        (Start::At(START.after(HOUR)), START.after(HOUR)),
        (Start::At(Timestamp::from_millis(0)), START),
        (Start::At(Timestamp::MAX), Timestamp::MAX),
    ];
    for (start, run_at) in starts {
        let job = Book::new().submit(Submission { start, ..submission() });
        assert_eq!(job.run_at, run_at, "{start:?}");
        assert_eq!(job.expires_at, run_at.after(limits::DEFAULT_EXPIRY), "it may expire before it is due");
        let named = Book::new().submit(Submission { start, expires_in: Some(2 * HOUR), ..submission() });
        assert_eq!(named.expires_at, START.after(2 * HOUR), "a delay puts off the expiry that the job names");
    }
}

#[test]
fn the_same_key_gets_the_same_job_as_it_is() {
    let mut book = Book::new();
    let keyed = || submission().keyed("k".into());
    let first = book.submit(keyed());
    let lease = book.lease(1);
    let done = book.job(complete(lease));
    let drawn = book.drawn.clone();
    let Decision { writes, changes, answer, .. } = book.decide(Command::Submit(vec![keyed()])).unwrap();
    assert!(writes.is_empty() && changes.is_empty() && book.drawn == drawn, "a replay writes or draws something");
    assert_eq!(accepted(Ok(answer)), [Accepted { job: done.clone(), how: Acceptance::Replayed }]);
    assert_eq!(first.id, done.id);
}

#[test]
fn a_key_twice_in_one_command_is_one_job() {
    let mut book = Book::new();
    let keyed = || submission().keyed("k".into());
    let lines = accepted(book.apply(Command::Submit(vec![keyed(), submission(), keyed()])));
    let replayed: Vec<bool> = lines.iter().map(|line| line.is_replayed()).collect();
    assert_eq!(replayed, [false, false, true]);
    assert_eq!((&lines[2].job, book.jobs.len()), (&lines[0].job, 2));
}

#[test]
fn one_key_of_another_request_refuses_every_line() {
    let mut book = Book::new();
    let held = book.submit(submission().keyed("held".into())).id;
    let other = |key: &str| Submission { payload: json("2"), ..submission() }.keyed(key.into());
    let lines = vec![submission(), submission().keyed("new".into()), other("new"), other("held"), other("free")];
    let drawn = book.drawn.clone();
    let refused = book.apply(Command::Submit(lines));
    assert_eq!(refused, Err(Refusal::KeyMismatch(vec![(2, None), (3, Some(held))])));
    assert_eq!(book.drawn, drawn, "a refused command has drawn something");
    assert_eq!(book.jobs.len(), 1);
    // A key is of all queues, and the queue is of the request.
    let elsewhere = Submission { queue: name("audio"), ..submission() }.keyed("held".into());
    assert_eq!(book.apply(Command::Submit(vec![elsewhere])), Err(Refusal::KeyMismatch(vec![(0, Some(held))])));
}

#[test]
fn a_trace_makes_no_other_request() {
    let mut book = Book::new();
    let traced = |trace: &str| Submission { traceparent: Some(trace.into()), ..submission() }.keyed("k".into());
    let first = book.submit(traced("00-a"));
    book.pass(SECOND);
    assert_eq!(book.submit(traced("00-b")), first);
}
