use proptest::prelude::*;

use super::faulty_disk::FaultyDisk;
use super::world::{World, hash, narrow};
use crate::keys::Options;

/// Something that happens to a ledger and its index.
#[derive(Debug, Clone)]
enum Event {
    /// A job with one of a few keys, so that many share a hash.
    SubmitCommon(u64),
    /// Jobs with a key of their own.
    Submit(u64),
    /// Jobs without keys.
    SubmitKeyless(u64),
    /// Numbers that no job gets.
    Skip(u64),
    /// Percent of the numbers, the jobs below which are deleted.
    Retire(u64),
    /// The keeper gets on.
    Steps(usize),
    /// The disk fails after so many operations.
    Fail(u64),
    /// The power goes out after so many operations.
    Die(u64),
    Crash,
    Reopen,
    /// All from a percentage of the numbers on is forgotten and made again.
    Forget(u64),
    LookUp(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0..40_u64).prop_map(Event::SubmitCommon),
        8 => (1..30_u64).prop_map(Event::Submit),
        2 => (1..60_u64).prop_map(Event::SubmitKeyless),
        1 => (1..1_000_000_u64).prop_map(Event::Skip),
        2 => (0..=100_u64).prop_map(Event::Retire),
        12 => (1..30_usize).prop_map(Event::Steps),
        1 => (0..20_u64).prop_map(Event::Fail),
        1 => (0..20_u64).prop_map(Event::Die),
        1 => Just(Event::Crash),
        1 => Just(Event::Reopen),
        1 => (0..=100_u64).prop_map(Event::Forget),
        8 => (0..60_u64).prop_map(Event::LookUp),
    ]
}

fn happen(world: &mut World, event: &Event) {
    match *event {
        Event::SubmitCommon(key) => world.submit(Some(hash(key))),
        Event::Submit(count) => world.submit_keys(count),
        Event::SubmitKeyless(count) => {
            (0..count).for_each(|_| world.submit(None));
            world.index.advance(world.next);
        }
        Event::Skip(count) => world.next += count,
        Event::Retire(percent) => world.retire(world.next * percent / 100),
        Event::Steps(count) => {
            for _ in 0..count {
                let _ = world.step() || world.step_later();
            }
        }
        Event::Fail(operations) => world.disk.fail_in(operations),
        Event::Die(operations) => world.disk.die_in(operations),
        Event::Crash => world.crash(),
        Event::Reopen => world.crash_if_dead_or_reopen(),
        Event::Forget(percent) => {
            world.index.forget_from(world.next * percent / 100);
            world.rebuild();
        }
        Event::LookUp(key) => world.check(hash(key)).unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// The index knows exactly what the rows say, whatever happens.
    #[test]
    fn the_index_knows_what_the_rows_say(
        memory_entries in 1..20_usize,
        table_span in 1..200_u64,
        filter_bytes in 0..1_500_usize,
        events in prop::collection::vec(event(), 1..120),
    ) {
        let options = Options { memory_entries, table_span, filter_bytes, ..narrow() };
        let mut world = World::new(options, FaultyDisk::default());
        for event in &events {
            happen(&mut world, event);
        }
        world.check_all().unwrap();
        world.crash();
        world.check_all().unwrap();
        world.settle();
        world.check_all().unwrap();
        prop_assert_eq!(world.files().len(), world.keeper.runs());
    }
}
