//! Following the feed of a running engine over the in-memory ledger.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::sync::Arc;

use ackd_domain::{Answer, Body, Command, JSON, Name, Position, Status, Submission};
use ackd_engine::{Engine, Feed, FeedItem, FeedStart, Filter, Interest};
use ackd_memory::Faults;
use ackd_ports::SystemClock;

struct World {
    engine: Engine,
    faults: Faults,
}

impl World {
    fn new() -> World {
        let (engine, faults) = common::engine(Arc::new(SystemClock::start()));
        World { engine, faults }
    }

    /// Submits jobs to `queue` and gives their numbers.
    async fn submit(&self, queue: &str, jobs: usize) -> Vec<u64> {
        let payload = Body { content_type: JSON.into(), bytes: "1".into() };
        let submission = || Submission::new(name(queue), payload.clone());
        let command = Command::Submit((0..jobs).map(|_| submission()).collect());
        let answers = self.engine.run(vec![command]).await.unwrap();
        let Ok(Answer::Accepted(accepted)) = &answers[0] else { panic!("{answers:?}") };
        accepted.iter().map(|accepted| accepted.job.id.number()).collect()
    }

    async fn feed(&self, filter: Filter, from: FeedStart) -> Feed {
        self.engine.feed(Interest::new(filter, Vec::new()), from, None).await.unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.engine.stop();
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn of(queue: &str) -> Filter {
    Filter { queues: vec![name(queue)], ..Filter::default() }
}

/// The numbers of the jobs of the next `count` entries; nothing else may come between.
async fn entries(feed: &mut Feed, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        match feed.next().await.unwrap() {
            Some(FeedItem::Entry(entry)) => numbers.push(entry.change.job.id.number()),
            other => panic!("{other:?} after {numbers:?}"),
        }
    }
    numbers
}

async fn caught_up(feed: &mut Feed) {
    let next = feed.next().await.unwrap();
    assert!(matches!(next, Some(FeedItem::CaughtUp)), "{next:?}");
}

#[tokio::test]
async fn what_happens_is_told_to_whom_it_interests() {
    let world = World::new();
    world.submit("video", 1).await;
    let mut video = world.feed(of("video"), FeedStart::Now).await;
    let mut all = world.feed(Filter::default(), FeedStart::Now).await;
    let mut done = world.feed(Filter { statuses: vec![Status::Done], ..Filter::default() }, FeedStart::Now).await;
    let mail = world.submit("mail", 1).await;
    let clips = world.submit("video", 2).await;
    let one = Interest::new(Filter::default(), vec![clips[1]]);
    let mut one = world.engine.feed(one, FeedStart::Earliest, None).await.unwrap();
    assert_eq!(entries(&mut video, 2).await, clips);
    assert_eq!(entries(&mut all, 3).await, [mail.clone(), clips.clone()].concat());
    assert_eq!(entries(&mut one, 1).await, clips[1..]);
    caught_up(&mut one).await;
    assert!(done.try_next().is_none());
    assert_eq!(world.engine.followers(), 4);
    drop((video, all, one));
    assert_eq!(world.engine.followers(), 1);
}

#[tokio::test]
async fn whoever_comes_back_is_told_the_rest() {
    let world = World::new();
    let mut feed = world.feed(of("video"), FeedStart::Now).await;
    let first = world.submit("video", 3).await;
    assert_eq!(entries(&mut feed, 2).await, first[..2]);
    let at = feed.position();
    drop(feed);
    let more = world.submit("video", 600).await;
    let mut feed = world.feed(of("video"), FeedStart::After(at)).await;
    let expected: Vec<u64> = first[2..].iter().chain(&more).copied().collect();
    assert_eq!(entries(&mut feed, 601).await, expected);
    caught_up(&mut feed).await;
    let last = world.submit("video", 1).await;
    assert_eq!(entries(&mut feed, 1).await, last);
}

#[tokio::test]
async fn whoever_does_not_keep_up_reads_what_it_missed() {
    let world = World::new();
    let mut feed = world.feed(Filter::default(), FeedStart::Now).await;
    let everything = Interest::new(Filter::default(), Vec::new());
    let mut other = world.engine.feed(everything, FeedStart::Now, Some(2000)).await.unwrap();
    let mut jobs = world.submit("video", 64).await;
    jobs.remove(0);
    entries(&mut feed, 1).await;
    jobs.extend(world.submit("video", 1000).await);
    // Whoever submits is answered before the followers are told, and one that takes each entry as it comes keeps up.
    // Every entry goes to all of them before the next: once the other has the last, this one has far too many.
    entries(&mut other, 1064).await;
    let mut told = Vec::new();
    let mut lagged = 0;
    while told.len() < jobs.len() || lagged == 0 {
        match feed.next().await.unwrap().unwrap() {
            FeedItem::Entry(entry) => told.push(entry.change.job.id.number()),
            FeedItem::Lagging => lagged += 1,
            FeedItem::CaughtUp => {}
            FeedItem::Reset(position) => panic!("{position:?}"),
        }
    }
    assert_eq!(told, jobs);
}

#[tokio::test]
async fn a_position_that_is_no_longer_kept_is_reset() {
    let world = World::new();
    let jobs = world.submit("video", 10).await;
    world.faults.purge(Position(6));
    let mut feed = world.feed(of("video"), FeedStart::After(Position(2))).await;
    let reset = feed.next().await.unwrap();
    assert!(matches!(reset, Some(FeedItem::Reset(Position(6)))), "{reset:?}");
    assert_eq!(entries(&mut feed, 4).await, jobs[6..]);
    caught_up(&mut feed).await;
    let mut earliest = world.feed(of("video"), FeedStart::Earliest).await;
    assert_eq!(entries(&mut earliest, 4).await, jobs[6..]);
    let mut kept = world.feed(of("video"), FeedStart::After(Position(6))).await;
    assert_eq!(entries(&mut kept, 4).await, jobs[6..]);
}

#[tokio::test]
async fn a_position_beyond_the_feed_is_reset_to_its_end() {
    let world = World::new();
    world.submit("video", 2).await;
    let mut feed = world.feed(Filter::default(), FeedStart::After(Position(99))).await;
    let reset = feed.next().await.unwrap();
    assert!(matches!(reset, Some(FeedItem::Reset(Position(2)))), "{reset:?}");
    caught_up(&mut feed).await;
    let next = world.submit("video", 1).await;
    assert_eq!(entries(&mut feed, 1).await, next);
}

#[tokio::test]
async fn the_position_of_a_sparse_filter_moves_on() {
    let world = World::new();
    let mut sparse = world.feed(of("rare"), FeedStart::Now).await;
    let mut all = world.feed(Filter::default(), FeedStart::Now).await;
    world.submit("video", 5).await;
    // Both are told in the same round, so once one has heard of the next round, the other was passed over.
    entries(&mut all, 5).await;
    world.submit("video", 1).await;
    entries(&mut all, 1).await;
    assert!(sparse.position() >= Position(5), "{:?}", sparse.position());
    let rare = world.submit("rare", 1).await;
    assert_eq!(entries(&mut sparse, 1).await, rare);
    assert_eq!(sparse.position(), Position(7));
}

#[tokio::test]
async fn a_server_that_stops_lets_everybody_go() {
    let world = World::new();
    let mut feed = world.feed(Filter::default(), FeedStart::Now).await;
    let jobs = world.submit("video", 1).await;
    assert_eq!(entries(&mut feed, 1).await, jobs);
    world.engine.stop();
    assert!(feed.next().await.unwrap().is_none());
    assert!(world.feed(Filter::default(), FeedStart::Now).await.next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_rule_is_told_what_concerns_it_and_moves_on_with_the_rest() {
    let world = World::new();
    let mail = name("mail");
    let rule = Interest::rule(move |change| change.job.spec.queue == mail);
    let mut feed = world.engine.feed(rule, FeedStart::Now, None).await.unwrap();
    assert_eq!(world.engine.followers(), 0, "the server's own parts are not counted");
    for _ in 0..100 {
        world.submit("video", 10).await;
    }
    let mails = world.submit("mail", 2).await;
    assert_eq!(entries(&mut feed, 2).await, mails);
    let other = world.feed(of("video"), FeedStart::Now).await;
    world.submit("video", 1).await;
    drop(other);
    let mails = world.submit("mail", 1).await;
    assert_eq!(entries(&mut feed, 1).await, mails);
    assert_eq!(feed.position(), world.engine.head().await.unwrap());
}
