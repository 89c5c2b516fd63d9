use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::faulty_disk::FaultyDisk;
use super::world::{World, hash, narrow};
use crate::keys::keeper::Step;
use crate::keys::{KeyIndex, KeyIndexError};

fn is_full_disk(index: &KeyIndex) -> bool {
    matches!(index.trouble().as_deref(), Some(KeyIndexError::Io { .. }))
}

#[test]
fn a_full_disk_is_reported_loses_nothing_and_is_got_over() {
    let mut world = World::new(narrow(), FaultyDisk::default());
    world.submit_keys(8);
    world.settle();
    assert_eq!(world.index.covered(), 8);
    assert!(!is_full_disk(&world.index));

    world.disk.fail_always(true);
    world.submit_keys(8);
    assert!(world.step());
    assert!(is_full_disk(&world.index));
    assert!(!world.step(), "it pauses");
    assert!(world.step_later(), "and tries again");
    // More than fits is kept all the same: the commits are done, the keys must be known.
    world.submit_keys(100);
    assert_eq!(world.index.room(), 4);
    assert_eq!(world.index.covered(), 8);
    world.check_all().unwrap();

    world.disk.fail_always(false);
    world.settle();
    assert!(!is_full_disk(&world.index));
    assert_eq!(world.index.covered(), 112);
    world.check_all().unwrap();
    world.reopen();
    world.check_all().unwrap();
}

#[test]
fn trouble_with_a_merge_does_not_hold_up_tables() {
    let mut world = World::new(narrow(), FaultyDisk::default());
    while world.keeper.runs() < 4 {
        world.submit_keys(1);
        if world.index.covered() + 8 <= world.next {
            world.step();
        }
    }
    world.disk.fail_in(0);
    while !is_full_disk(&world.index) {
        assert!(world.step());
    }
    let covered = world.index.covered();
    world.submit_keys(8);
    while world.step() {}
    assert_eq!(world.index.covered(), covered + 8);
    assert!(is_full_disk(&world.index), "the merge still waits");
    world.settle();
    assert!(!is_full_disk(&world.index));
    assert!(world.keeper.runs() < 4);
    world.check_all().unwrap();
}

#[test]
fn room_counts_the_keys_that_fit() {
    let mut world = World::new(narrow(), FaultyDisk::default());
    assert_eq!(world.index.room(), 24);
    world.submit_keys(7);
    assert_eq!(world.index.room(), 17);
    world.submit_keys(1);
    assert_eq!(world.index.room(), 16);
    world.submit_keys(16);
    assert_eq!(world.index.room(), 0);
    world.settle();
    assert_eq!(world.index.room(), 24);
}

/// The owner waits for a slow keeper, and goes on when it has written.
#[test]
fn tables_that_wait_to_be_written_are_bounded() {
    let world = World::new(narrow(), FaultyDisk::default());
    let World { mut index, mut keeper, .. } = world;
    keeper.attend();
    let finished = Arc::new(AtomicBool::new(false));
    let owner = std::thread::spawn({
        let finished = Arc::clone(&finished);
        move || {
            for number in 0..400 {
                index.insert(hash(number), number);
            }
            finished.store(true, Ordering::Release);
            index
        }
    });
    while !finished.load(Ordering::Acquire) {
        assert!(keeper.sealed() <= 2);
        if keeper.step(Instant::now()) != Step::Worked {
            keeper.wait(Duration::from_millis(1));
        }
    }
    let mut index = owner.join().unwrap();
    let mut numbers = Vec::new();
    for number in 0..400 {
        index.candidates(hash(number), &mut numbers).unwrap();
        assert!(numbers.contains(&number));
    }
}

/// An owner that waits when trouble begins does not wait for its end.
#[test]
fn nobody_waits_for_a_full_disk() {
    let world = World::new(narrow(), FaultyDisk::default());
    let World { mut index, mut keeper, disk, .. } = world;
    keeper.attend();
    disk.fail_always(true);
    let owner = std::thread::spawn(move || {
        for number in 0..100 {
            index.insert(hash(number), number);
        }
        index
    });
    let mut now = Instant::now();
    while !owner.is_finished() {
        if keeper.step(now) != Step::Worked {
            keeper.wait(Duration::from_millis(1));
            now += Duration::from_secs(600);
        }
    }
    let mut index = owner.join().unwrap();
    assert!(is_full_disk(&index));
    assert_eq!(index.covered(), 0);
    let mut numbers = Vec::new();
    for number in 0..100 {
        index.candidates(hash(number), &mut numbers).unwrap();
        assert!(numbers.contains(&number));
    }
}

/// Nor for a keeper that is gone.
#[test]
fn nobody_waits_for_a_keeper_that_is_gone() {
    let World { mut index, keeper, .. } = World::new(narrow(), FaultyDisk::default());
    keeper.attend();
    assert!(index.trouble().is_none());
    let owner = std::thread::spawn(move || {
        for number in 0..100 {
            index.insert(hash(number), number);
        }
        index
    });
    std::thread::spawn(move || {
        let _departure = keeper.departure();
        panic!("this panic is part of the test");
    })
    .join()
    .unwrap_err();
    let index = owner.join().unwrap();
    assert!(matches!(index.trouble().as_deref(), Some(KeyIndexError::Stopped)));
}
