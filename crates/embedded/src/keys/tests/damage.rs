use std::path::Path;
use std::sync::{Arc, Barrier};
use std::time::Instant;

use tempfile::TempDir;

use super::faulty_disk::FaultyDisk;
use super::world::{World, hash, narrow};
use crate::keys::keeper::Step;
use crate::keys::{KeyIndexError, Options};

/// A world with three runs: one of them merged, one with a hash of many jobs.
fn three_runs() -> World {
    let mut world = World::new(Options { memory_entries: 100, table_span: 1_000, ..narrow() }, FaultyDisk::default());
    world.submit_keys(400);
    world.settle();
    for _ in 0..100 {
        world.submit(Some(7));
    }
    world.submit_keys(100);
    world.settle();
    assert_eq!(world.files().len(), 3);
    world.check_all().unwrap();
    world
}

fn copy(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// Whatever `damage` does to a file, each lookup is right or says that the run is damaged, and after
/// that the way out leads to an index that is right.
fn survives(world: &mut World, damage: &dyn Fn(&Path)) {
    world.reopen();
    for file in world.files() {
        let backup = TempDir::new().unwrap();
        copy(world.folder.path(), backup.path());
        damage(&file);

        for keeper_first in [true, false] {
            world.reopen();
            if keeper_first {
                world.settle();
            }
            while let Err(error) = world.check_all() {
                let KeyIndexError::Damaged { path, from, to, page } = error else { panic!("{error}") };
                assert_eq!(path, file);
                assert!(page > 0 && from < to && to <= world.index.covered());
                world.index.forget_from(from);
                assert_eq!(world.index.covered(), from);
                world.rebuild();
            }
            world.settle();
            world.check_all().unwrap();
            assert!(!matches!(world.index.trouble().as_deref(), Some(KeyIndexError::Damaged { .. })) || keeper_first);

            for file in world.files() {
                std::fs::remove_file(file).unwrap();
            }
            copy(backup.path(), world.folder.path());
            if keeper_first {
                damage(&file);
            }
        }
    }
    world.reopen();
    assert_eq!(world.files().len(), 3, "the damage is undone");
    world.check_all().unwrap();
}

#[test]
fn a_flipped_bit_is_noticed_wherever_it_is() {
    let mut world = three_runs();
    let longest = world.files().iter().map(|file| file.metadata().unwrap().len()).max().unwrap();
    for byte in (0..longest).step_by(1_021).chain([4_095, 4_096, 8_191, 8_192]) {
        survives(&mut world, &|file| {
            let mut bytes = std::fs::read(file).unwrap();
            let at = usize::try_from(byte).unwrap() % bytes.len();
            bytes[at] ^= 1 << (byte % 8);
            std::fs::write(file, bytes).unwrap();
        });
    }
}

#[test]
fn a_file_that_is_cut_short_emptied_prolonged_or_zeroed_is_noticed() {
    let mut world = three_runs();
    let cut = |len: fn(usize) -> usize| {
        move |file: &Path| {
            let mut bytes = std::fs::read(file).unwrap();
            bytes.resize(len(bytes.len()), 0);
            std::fs::write(file, bytes).unwrap();
        }
    };
    for len in [|_| 0, |_| 1, |_| 4_096, |len| len - 1, |len| len - 4_096, |len| len + 1, |len| len + 4_096] {
        survives(&mut world, &cut(len));
    }
    for page in 0..3 {
        survives(&mut world, &|file| {
            let mut bytes = std::fs::read(file).unwrap();
            bytes[page * 4_096..][..4_096].fill(0);
            std::fs::write(file, bytes).unwrap();
        });
    }
}

#[test]
fn a_page_in_the_place_of_another_is_noticed() {
    let mut world = three_runs();
    survives(&mut world, &|file| {
        let mut bytes = std::fs::read(file).unwrap();
        let (last, filter) = (bytes.len() - 4_096, 4_096);
        let page = bytes[last..].to_vec();
        bytes[filter..][..4_096].copy_from_slice(&page);
        std::fs::write(file, bytes).unwrap();
    });
}

#[test]
fn a_missing_file_is_made_up_for() {
    let mut world = three_runs();
    survives(&mut world, &|file| std::fs::remove_file(file).unwrap());
}

/// The keeper meets damage when it merges: it says so and lets the run be.
#[test]
fn a_merge_that_meets_damage_says_so_and_does_not_try_again() {
    let mut world = World::new(narrow(), FaultyDisk::default());
    world.submit_keys(24);
    world.settle();
    let damaged = world.files()[1].clone();
    let mut bytes = std::fs::read(&damaged).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&damaged, bytes).unwrap();

    world.submit_keys(80);
    world.settle();
    let trouble = world.index.trouble().unwrap();
    let KeyIndexError::Damaged { path, from, .. } = &*trouble else { panic!("{trouble}") };
    assert_eq!((path, *from), (&damaged, 8));
    assert_eq!(world.index.covered(), 104, "tables are written all the same");
    world.check(hash(9)).unwrap_err();

    world.index.forget_from(8);
    assert_eq!(world.index.covered(), 8);
    assert!(!matches!(world.index.trouble().as_deref(), Some(KeyIndexError::Damaged { .. })));
    world.rebuild();
    world.settle();
    world.check_all().unwrap();
    assert_eq!(world.files().len(), world.keeper.runs());
    world.reopen();
    world.check_all().unwrap();
}

/// Ten tables that the keeper has not seen yet.
fn ten_tables() -> World {
    let mut world = World::new(narrow(), FaultyDisk::default());
    world.submit_keys(80);
    world
}

/// The owner forgets in the middle of each operation of the keeper in turn: what that was at comes to
/// nothing.
#[test]
fn forgetting_while_the_keeper_works_keeps_nothing_old() {
    let mut world = ten_tables();
    while world.step() {}
    let operations = world.disk.operations();
    assert!(operations > 70, "{operations}");

    for operation in 0..operations {
        let mut world = ten_tables();
        let barrier = Arc::new(Barrier::new(2));
        world.disk.pause_at(operation, Arc::clone(&barrier));
        let World { index, keeper, .. } = &mut world;
        std::thread::scope(|scope| {
            scope.spawn(|| while keeper.step(Instant::now()) == Step::Worked {});
            barrier.wait();
            index.forget_from(20);
            barrier.wait();
        });
        assert!(world.index.covered() <= 20);
        world.rebuild();
        world.check_all().unwrap();
        world.settle();
        world.check_all().unwrap();
        assert_eq!(world.files().len(), world.keeper.runs());
        world.crash();
        world.check_all().unwrap();
    }
}
