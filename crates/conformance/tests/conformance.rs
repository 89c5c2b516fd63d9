//! What stands in this crate passes its own suites.

#![allow(clippy::unwrap_used, reason = "this is a test, all of it")]

use std::cell::Cell;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ackd_conformance as conformance;
use ackd_conformance::ledger::{Fixture, Opened};
use ackd_conformance::outbound::{Answer, Received, Receiver};
use ackd_domain::{Body, Command, JSON, Name, Submission, Timestamp};
use ackd_memory::{FakeOutbound, Faults, MemoryDisk, MemoryFiles, MemoryLedger, Script};
use ackd_ports::{
    FileStore, Filter, Idle, Ledger, LedgerReader, Outbound, OutboundError, Phase, Post, Reply, SeededEntropy,
    SystemClock, SystemEntropy, Wanted,
};
use bytes::Bytes;

fn memory() -> Fixture {
    let ledger = MemoryLedger::new(SeededEntropy::new(1));
    let (reader, faults) = (ledger.reader(), ledger.faults());
    Fixture::volatile(Opened { ledger: Box::new(ledger), reader: reader.clone(), feed: reader })
        .failing(move |error| faults.fail_next(error))
}

#[test]
fn the_ledger_in_memory() {
    conformance::ledger::exercise(memory);
}

/// A ledger that is opened again from what it wrote.
fn on_disk() -> Fixture {
    let (disk, latest) = (MemoryDisk::new(), Arc::new(Mutex::new(None)));
    let failing: Arc<Mutex<Option<Faults>>> = Arc::clone(&latest);
    let open = move || {
        let ledger = disk.open(SeededEntropy::new(1));
        *latest.lock().unwrap() = Some(ledger.faults());
        let reader = ledger.reader();
        Opened { ledger: Box::new(ledger), reader: reader.clone(), feed: reader }
    };
    Fixture::durable(open).failing(move |error| {
        failing.lock().unwrap().as_ref().into_iter().for_each(|faults| faults.fail_next(error.clone()))
    })
}

#[test]
fn the_ledger_in_memory_on_a_disk() {
    conformance::ledger::exercise(on_disk);
}

#[test]
fn a_power_cut_loses_what_was_not_synced() {
    let submit = |disk: &MemoryDisk| {
        let mut ledger = disk.open(SeededEntropy::new(1));
        let body = Body { content_type: JSON.into(), bytes: "1".into() };
        let submission = Submission::new(Name::new("video").unwrap(), body);
        ledger.apply(vec![Command::Submit(vec![submission])], Timestamp::default(), &mut Idle).unwrap()
    };
    let jobs =
        |disk: &MemoryDisk| disk.open(SeededEntropy::new(1)).reader().list(&Filter::default(), None, 9).unwrap().jobs;
    let disk = MemoryDisk::new();
    submit(&disk);
    disk.sync();
    let lost = submit(&disk);
    submit(&disk);
    assert_eq!((disk.unsynced(), jobs(&disk).len()), (2, 3));
    disk.cut(0);
    assert_eq!((disk.unsynced(), jobs(&disk).len()), (0, 1));
    // What was drawn for what is lost is not drawn again.
    let next = submit(&disk);
    assert!(next.changes[0].position > lost.changes[0].position);
    submit(&disk);
    disk.cut(1);
    assert_eq!(jobs(&disk).len(), 2);
    disk.lose_last();
    assert_eq!(jobs(&disk).len(), 1);
}

#[test]
fn the_files_in_memory() {
    let files = MemoryFiles::default();
    let open = || Box::new(files.clone()) as Box<dyn FileStore>;
    // It never waits for anything.
    let exercise = pin!(conformance::files::exercise(&files, open));
    assert!(exercise.poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

#[test]
fn the_machines_clocks() {
    conformance::clock::exercise(&SystemClock::start());
}

#[test]
fn both_sources_of_chance() {
    conformance::entropy::exercise(&mut SystemEntropy::new().unwrap());
    conformance::entropy::exercise(&mut SeededEntropy::new(2));
}

/// The fake is its own receiver: what it records is what arrived.
struct Recorded(FakeOutbound, Cell<usize>);

impl Receiver for Recorded {
    fn url(&self, path: &str) -> Arc<str> {
        format!("http://receiver.test{path}").into()
    }

    fn answer_with(&self, url: &str, answers: Vec<Answer>) {
        let scripts = answers.into_iter().map(|answer| {
            Script::Reply(Reply {
                retry_after: answer.retry_after.map(|seconds| Duration::from_secs(seconds.into())),
                took: Duration::from_millis(1),
                body: answer.body,
                ..Reply::empty(answer.status)
            })
        });
        self.0.script(url, scripts);
    }

    fn received(&self) -> Vec<Received> {
        let posts = self.0.posts();
        let seen = self.1.replace(posts.len());
        let received = posts[seen..].iter().map(|post| Received {
            id: post.signed.as_ref().map_or("", |signed| &signed.id).to_owned(),
            timestamp: post.signed.as_ref().map_or(0, |_| post.at.millis() / 1000),
            signatures: post.signed.as_ref().map_or(0, |signed| signed.keys.len()),
            content_type: post.content_type.as_ref().to_owned(),
            further: post.headers.first().map_or("", |(_, value)| value).to_owned(),
            body: Bytes::copy_from_slice(post.body.as_bytes()),
        });
        received.collect()
    }
}

#[test]
fn the_outbound_that_sends_nothing() {
    let fake = FakeOutbound::new();
    let recorded = Recorded(fake.clone(), Cell::new(0));
    // The fake never waits, so that one poll of its future is all of it.
    let exercised = pin!(conformance::outbound::exercise(&fake, &recorded));
    assert!(exercised.poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

#[test]
fn the_outbound_that_sends_nothing_fails_and_hangs_as_it_is_told() {
    let fake = FakeOutbound::new();
    let url: Arc<str> = "http://receiver.test/".into();
    let timeout = OutboundError::Timeout { during: Phase::Answering, limit: Duration::from_secs(1) };
    fake.script(&url, [Script::Fail(timeout.clone()), Script::Hang]);
    let post = || Post {
        url: Arc::clone(&url),
        at: Timestamp::from_millis(0),
        content_type: "text/plain".into(),
        body: Bytes::new().into(),
        signed: None,
        headers: Vec::new(),
        wanted: Wanted::Beginning,
        timeout: Duration::from_secs(1),
    };
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(fake.post(post()).as_mut().poll(&mut context), Poll::Ready(Err(timeout)));
    assert_eq!(fake.post(post()).as_mut().poll(&mut context), Poll::Pending);
    assert_eq!(fake.wait_for(2, Duration::from_secs(10)).len(), 2);
    assert_eq!(fake.wait_for(3, Duration::ZERO).len(), 2, "there is no third");
}
