use ackd_domain::{Command, Position};

use ackd_ports::FeedError;

use super::Case;
use super::samples::{HOUR, SECOND, failure, json, submission};
use super::world::World;

pub(super) const CASES: &[Case] = &[
    ("the feed of an empty ledger", an_empty_feed),
    ("the feed has every change in order, whatever the page", every_change_in_order),
    ("a feed goes on from any position", from_any_position),
    ("changes that are gone are told of", changes_that_are_gone),
];

fn an_empty_feed(world: &mut World) {
    let feed = world.fixture.feed();
    assert_eq!((feed.head(), feed.earliest()), (Ok(Position::START), Ok(Position::START)));
    let none = feed.changes(Position::START, 10);
    assert!(matches!(&none, Ok(changes) if changes.is_empty()), "an empty ledger tells of {none:?}");
    let beyond = feed.changes(Position(1), 10);
    assert!(matches!(beyond, Err(FeedError::Beyond(Position::START))), "an empty feed takes 1: {beyond:?}");
}

/// Takes some jobs through some of their lives, in batches that mix them.
fn live(world: &mut World) {
    let submitted = world.submit_all(vec![submission("video"); 6]);
    let mut leases: Vec<_> = submitted.iter().map(|accepted| world.lease(&accepted.job).1).collect();
    for round in 0..3 {
        world.pass(SECOND);
        let checkpoint = Some(format!("{round}").into());
        let beat =
            |lease| Command::Heartbeat { lease, ttl: None, progress: None, checkpoint: Clone::clone(&checkpoint) };
        world.apply(leases.iter().copied().map(beat).collect());
    }
    let (done, failed) = (leases.split_off(4), leases.split_off(2));
    let complete = |lease| Command::Complete { lease, result: Some(json("1")) };
    let fail = |lease| Command::Fail {
        lease,
        error: failure("no"),
        retryable: true,
        retry_after: Some(HOUR),
        cancelled: false,
    };
    world.apply(done.into_iter().map(complete).chain(failed.into_iter().map(fail)).collect());
}

fn every_change_in_order(world: &mut World) {
    live(world);
    world.audit();
    live(world);
    let head = world.head();
    let rest = world.fixture.feed().changes(head, 10);
    assert!(matches!(&rest, Ok(changes) if changes.is_empty()), "there is something after the head: {rest:?}");
}

fn from_any_position(world: &mut World) {
    live(world);
    for after in 0..=world.head().0 {
        let after = Position(after);
        let read = world.fixture.feed().changes(after, 2).expect("the feed can be read");
        let expected = world.changes.iter().filter(|change| change.position > after).take(2);
        assert!(
            read.iter().map(|change| change.position).eq(expected.map(|change| change.position)),
            "after {after:?} comes {read:?}"
        );
    }
}

fn changes_that_are_gone(world: &mut World) {
    live(world);
    let middle = world.changes[world.changes.len() / 2].position;
    world.purge(middle);
    assert!(world.fixture.feed().earliest().is_ok_and(|earliest| earliest >= middle), "what is gone is offered");
    world.audit();
    live(world);
    world.audit();
    let head = world.head();
    world.purge(head);
    world.audit();
    live(world);
}
