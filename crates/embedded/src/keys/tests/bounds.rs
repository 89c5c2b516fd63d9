use super::faulty_disk::FaultyDisk;
use super::world::{World, hash, narrow};
use crate::keys::Options;

const LAST: u64 = (1 << 44) - 1;

#[test]
fn the_last_number_is_taken_and_found_again() {
    let mut world = World::new(narrow(), FaultyDisk::default());
    world.submit_keys(5);
    world.next = LAST;
    world.submit(Some(1));
    assert_eq!(world.next, LAST + 1);
    world.index.advance(LAST + 1);
    world.check_all().unwrap();
    world.settle();
    assert_eq!(world.index.covered(), LAST + 1);
    world.reopen();
    world.check_all().unwrap();
}

#[test]
#[should_panic(expected = "below 2^44")]
fn a_number_beyond_the_last_is_refused() {
    World::new(narrow(), FaultyDisk::default()).index.insert(1, LAST + 1);
}

#[test]
#[should_panic(expected = "below 2^44")]
fn advancing_beyond_the_last_number_is_refused() {
    World::new(narrow(), FaultyDisk::default()).index.advance(LAST + 2);
}

#[test]
#[should_panic(expected = "job 5 comes after job 6 was seen")]
fn a_number_that_was_seen_is_refused() {
    let mut world = World::new(narrow(), FaultyDisk::default());
    world.index.insert(1, 5);
    world.index.insert(1, 5);
}

#[test]
fn jobs_without_keys_move_the_cover_on() {
    let mut world = World::new(narrow(), FaultyDisk::default());
    world.submit(Some(1));
    for _ in 0..10_000 {
        world.submit(None);
        world.index.advance(world.next);
        world.step();
    }
    world.settle();
    assert!(world.index.covered() > 10_000 - 40);
    assert!(world.keeper.runs() < 4);
    world.check_all().unwrap();
    world.reopen();
    assert!(world.index.covered() > 10_000 - 40);
    world.check_all().unwrap();
}

/// The span at which a table that is not full is sealed, and one less.
#[test]
fn a_table_is_sealed_at_its_span() {
    let mut world = World::new(narrow(), FaultyDisk::default());
    world.index.advance(39);
    world.settle();
    assert_eq!(world.index.covered(), 0);
    world.index.advance(40);
    world.settle();
    assert_eq!(world.index.covered(), 40);
    world.index.insert(5, 40);
    world.index.insert(5, 79);
    world.settle();
    assert_eq!(world.index.covered(), 80);
}

#[test]
fn a_table_is_sealed_when_it_is_full() {
    let mut world = World::new(narrow(), FaultyDisk::default());
    world.submit_keys(7);
    world.settle();
    assert_eq!(world.index.covered(), 0);
    world.submit_keys(1);
    world.settle();
    assert_eq!(world.index.covered(), 8);
}

#[test]
fn one_key_again_and_again_is_well() {
    let mut world =
        World::new(Options { memory_entries: 4_000, table_span: 1 << 20, ..narrow() }, FaultyDisk::default());
    for _ in 0..5_000 {
        world.submit(Some(hash(7)));
        world.step();
    }
    world.check_all().unwrap();
    world.settle();
    world.check_all().unwrap();
    world.reopen();
    world.check_all().unwrap();
}

#[test]
fn bounds_of_nothing_still_work() {
    let options = Options { memory_entries: 0, sealed_tables: 0, table_span: 0, filter_bytes: 0 };
    let mut world = World::new(options, FaultyDisk::default());
    for _ in 0..50 {
        world.submit_keys(1);
        world.check_all().unwrap();
        world.settle();
    }
    world.check_all().unwrap();
    assert_eq!(world.keeper.filter_bytes(), 0);
    world.reopen();
    world.settle();
    world.check_all().unwrap();
}

/// The filters in memory are those of the newest runs, as many as fit.
#[test]
fn older_filters_make_room_for_newer_ones() {
    let mut world = World::new(Options { memory_entries: 42, filter_bytes: 192, ..narrow() }, FaultyDisk::default());
    for _ in 0..7 {
        world.submit_keys(42);
        world.settle();
    }
    // One merged run of four blocks, which is one too many, and three of one.
    assert_eq!(world.keeper.filters(), [None, Some(64), Some(64), Some(64)]);
    world.options.filter_bytes = 192 + 255;
    world.reopen();
    assert_eq!(world.keeper.filters(), [None; 4], "loaded when there is time");
    world.settle();
    assert_eq!(world.keeper.filters(), [None, Some(64), Some(64), Some(64)]);
    world.options.filter_bytes = 192 + 256;
    world.reopen();
    world.settle();
    assert_eq!(world.keeper.filters(), [Some(256), Some(64), Some(64), Some(64)]);
    world.check_all().unwrap();
}
