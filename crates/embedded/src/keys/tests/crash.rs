use super::faulty_disk::FaultyDisk;
use super::world::{World, hash, narrow};

/// Everything that changes files: tables are written, runs merged, some retire, spans without keys.
fn live(world: &mut World) {
    for round in 0..28 {
        for key in 0..6 {
            world.submit(Some(hash(round * 3 + key)));
        }
        world.submit(None);
        while world.step() {}
        if round % 10 == 9 || round == 24 {
            world.retire(world.next / 3);
        }
    }
    while world.step() {}
}

/// The power is cut at each operation in turn: while a run is written, between its sync, its rename
/// and the folder's sync, between a merge and the removal of its inputs.
#[test]
fn no_key_is_lost_wherever_the_power_is_cut() {
    let mut whole = World::new(narrow(), FaultyDisk::default());
    live(&mut whole);
    whole.check_all().unwrap();
    let operations = whole.disk.operations();
    assert!(operations > 150, "{operations}");

    for operation in 0..operations {
        let mut world = World::new(narrow(), FaultyDisk::dying_at(operation));
        live(&mut world);
        assert!(world.disk.is_dead(), "the power went out at operation {operation}");
        world.check_all().unwrap();
        world.crash();
        world.check_all().unwrap();
        // What was interrupted is done after all.
        world.settle();
        world.check_all().unwrap();
        assert!(world.index.trouble().is_some_and(|trouble| trouble.to_string().contains("has ended")));
        assert!(world.files().iter().all(|file| file.to_string_lossy().ends_with(".keys")));
        assert_eq!(world.files().len(), world.keeper.runs());
        world.reopen();
        world.check_all().unwrap();
    }
}

/// Each operation fails in turn, once, as on a full disk.
#[test]
fn no_key_is_lost_and_all_is_done_later_whatever_fails() {
    let mut whole = World::new(narrow(), FaultyDisk::default());
    live(&mut whole);
    whole.settle();
    let covered = whole.index.covered();
    for operation in 0..whole.disk.operations() {
        let mut world = World::new(narrow(), FaultyDisk::failing_at(operation));
        live(&mut world);
        world.check_all().unwrap();
        world.settle();
        world.check_all().unwrap();
        assert!(world.index.covered() + 8 > covered, "operation {operation}");
        world.reopen();
        world.check_all().unwrap();
        assert!(world.files().iter().all(|file| file.to_string_lossy().ends_with(".keys")));
    }
}

/// A second cut while the first one's leftovers are cleared away.
#[test]
fn a_cut_during_recovery_does_no_harm() {
    for first in (0..200).step_by(7) {
        let mut world = World::new(narrow(), FaultyDisk::dying_at(first));
        live(&mut world);
        world.crash();
        for second in [0, 1, 2, 5, 11] {
            world.disk.die_in(second);
            world.submit_keys(20);
            while world.step() {}
            world.crash();
            world.check_all().unwrap();
        }
    }
}
