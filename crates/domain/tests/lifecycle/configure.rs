use std::sync::Arc;

use ackd_domain::{Answer, Command, Push, Queue, QueuePatch, QueueSettings, Rate, Submission, limits};

use crate::book::Book;
use crate::samples::{HOUR, SECOND, backoff, fail, name, submission};

fn full() -> QueueSettings {
    QueueSettings {
        lease_ttl: Some(SECOND),
        max_attempts: Some(3),
        backoff: Some(backoff(SECOND)),
        timeout: Some(2 * SECOND),
        concurrency: Some(9),
        group_concurrency: Some(7),
        rate: Some(Rate { limit: 5, per: SECOND }),
        expires_in: Some(HOUR),
        result_retention: Some(2 * HOUR),
        dead_letter: Some(name("graveyard")),
        push: Some(push("https://example.com/work").into()),
    }
}

fn push(url: &str) -> Push {
    Push { url: url.into(), concurrency: Some(3), timeout: Some(SECOND), is_async: true, fail_on: None }
}

#[test]
fn a_patch_leaves_what_it_does_not_name() {
    let mut book = Book::new();
    assert_eq!(*book.configure(QueuePatch::default()), Queue::new(name("video")));
    book.configure(QueuePatch::replace(&full()));
    let paused = book.configure(QueuePatch::pause(true));
    assert_eq!((&paused.settings, paused.paused), (&full(), true));
    let patched =
        book.configure(QueuePatch { timeout: Some(None), max_attempts: Some(Some(9)), ..QueuePatch::default() });
    assert_eq!(patched.settings, QueueSettings { timeout: None, max_attempts: Some(9), ..full() });
    let unlimited = book.configure(QueuePatch { group_concurrency: Some(None), ..QueuePatch::default() });
    assert_eq!((unlimited.settings.group_concurrency, unlimited.settings.lease_ttl), (None, Some(SECOND)));
    let pushed = Some(Arc::new(push("https://example.com/other")));
    let moved = book.configure(QueuePatch { push: Some(pushed.clone()), ..QueuePatch::default() });
    assert_eq!((&moved.settings.push, moved.settings.lease_ttl), (&pushed, Some(SECOND)));
    assert_eq!(book.configure(QueuePatch { push: Some(None), ..QueuePatch::default() }).settings.push, None);
    let cleared = book.configure(QueuePatch::replace(&QueueSettings::default()));
    assert_eq!((&cleared.settings, cleared.paused), (&QueueSettings::default(), true));
    assert!(book.changes.is_empty(), "settings are no change of a job");
}

#[test]
fn a_job_takes_from_its_queue_what_it_does_not_name() {
    let mut book = Book::new();
    let plain = book.submit(submission());
    assert_eq!(plain.spec.max_attempts, limits::DEFAULT_ATTEMPTS);
    assert_eq!(plain.expires_at, book.now.after(limits::DEFAULT_EXPIRY));
    assert_eq!((plain.spec.result_retention, plain.spec.timeout, plain.spec.backoff), (None, None, None));
    book.configure(QueuePatch::replace(&full()));
    let taken = book.submit(submission());
    assert_eq!((taken.spec.max_attempts, taken.spec.result_retention), (3, Some(2 * HOUR)));
    assert_eq!(taken.expires_at, book.now.after(HOUR));
    // Each line takes from its own queue.
    let elsewhere = Submission { queue: name("audio"), ..submission() };
    let lines = book.apply(Command::Submit(vec![elsewhere.clone(), submission(), elsewhere]));
    let Ok(Answer::Accepted(lines)) = lines else { panic!("not accepted: {lines:?}") };
    let attempts: Vec<u32> = lines.iter().map(|line| line.job.spec.max_attempts).collect();
    assert_eq!(attempts, [limits::DEFAULT_ATTEMPTS, 3, limits::DEFAULT_ATTEMPTS]);
    let own = Submission {
        max_attempts: Some(5),
        expires_in: Some(2 * HOUR),
        result_retention: Some(SECOND),
        ..submission()
    };
    let own = book.submit(own);
    assert_eq!((own.spec.max_attempts, own.spec.result_retention), (5, Some(SECOND)));
    assert_eq!(own.expires_at, book.now.after(2 * HOUR));
}

#[test]
fn the_wait_after_a_failure_is_the_jobs_or_else_its_queues() {
    let mut book = Book::new();
    book.configure(QueuePatch::replace(&full()));
    let of_queue = book.leased(submission());
    let own = book.leased(Submission { backoff: Some(backoff(10 * SECOND)), ..submission() });
    assert_eq!(book.job(fail(of_queue)).run_at, book.now.after(SECOND));
    assert_eq!(book.job(fail(own)).run_at, book.now.after(10 * SECOND));
    book.pass(HOUR / 2);
    let again = book.lease(own.number);
    assert_eq!(book.job(fail(again)).run_at, book.now.after(20 * SECOND));
}
