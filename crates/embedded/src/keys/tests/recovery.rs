use super::faulty_disk::FaultyDisk;
use super::spread;
use super::world::{HASHER, World, hash, narrow};
use crate::keys::{KeyHasher, KeyIndex, Options};

#[test]
fn what_is_written_needs_no_row_after_a_restart() {
    let mut world = World::new(narrow(), FaultyDisk::default());
    world.submit_keys(100);
    world.settle();
    assert_eq!(world.index.covered(), 96);
    world.reopen();
    assert_eq!(world.index.covered(), 96);
    world.check_all().unwrap();
}

/// A restored backup: the index knows jobs that the ledger will give to others.
#[test]
fn runs_of_another_history_are_deleted_for_good() {
    let mut world = World::new(narrow(), FaultyDisk::default());
    world.submit_keys(100);
    world.settle();
    world.rows.split_off(&50);
    world.next = 50;
    world.reopen();
    assert!(world.index.covered() <= 50);
    for _ in 50..200 {
        world.submit(Some(spread(world.next + 1_000)));
    }
    world.check_all().unwrap();
    world.crash();
    world.check_all().unwrap();
}

#[test]
fn another_secret_makes_every_run_worthless() {
    let mut world = World::new(narrow(), FaultyDisk::default());
    world.submit_keys(100);
    world.settle();
    let path = world.folder.path().to_owned();
    drop((world.index, world.keeper));
    let index = KeyIndex::open(&path, &KeyHasher::new([4; 16]), 0..100, narrow()).unwrap();
    assert_eq!(index.covered(), 0);
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0);
}

#[test]
fn other_files_in_the_folder_are_let_be() {
    let mut world = World::new(narrow(), FaultyDisk::default());
    std::fs::write(world.folder.path().join("README"), "mine").unwrap();
    std::fs::write(world.folder.path().join("x.keys.new"), "torn").unwrap();
    std::fs::write(world.folder.path().join("x.keys"), "no run").unwrap();
    world.reopen();
    assert_eq!(world.files(), [world.folder.path().join("README")]);
}

/// An index whose rows are gone up to a number, or all.
#[test]
fn a_start_within_or_behind_the_runs_is_well() {
    for retired in [1, 7, 8, 9, 50, 95, 96, 97, 100] {
        let mut world = World::new(narrow(), FaultyDisk::default());
        world.submit_keys(100);
        world.settle();
        world.rows = world.rows.split_off(&retired);
        world.retired = retired;
        world.reopen();
        assert_eq!(world.index.covered(), retired.max(96));
        world.check_all().unwrap();
        world.submit_keys(100);
        world.check_all().unwrap();
    }
}

/// The ledger says that older keys count than the runs cover: all of it is read again.
#[test]
fn a_start_before_the_runs_begins_anew() {
    let mut world = World::new(narrow(), FaultyDisk::default());
    world.submit_keys(100);
    world.retire(40);
    world.settle();
    world.retired = 39;
    world.rows.insert(39, Some(hash(39)));
    world.reopen();
    assert_eq!(world.files().len(), 0);
    world.check_all().unwrap();
}

/// With its thread, as it is used.
#[test]
fn the_thread_does_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let options = Options { memory_entries: 500, table_span: 10_000, ..narrow() };
    let mut covered = 0;
    for round in 0..3 {
        let mut index = KeyIndex::open(&path, &HASHER(), 0..round * 5_000, options.clone()).unwrap();
        assert!(index.covered() >= covered);
        covered = index.covered();
        let mut numbers = Vec::new();
        for number in covered..(round + 1) * 5_000 {
            index.insert(spread(number), number);
            let asked = spread(number) % (number + 1);
            index.candidates(spread(asked), &mut numbers).unwrap();
            assert_eq!(numbers, [asked]);
        }
        for number in 0..(round + 1) * 5_000 {
            index.candidates(spread(number), &mut numbers).unwrap();
            assert_eq!(numbers, [number]);
        }
        assert!(index.trouble().is_none());
    }
    assert!(covered > 8_000, "{covered}");
}
