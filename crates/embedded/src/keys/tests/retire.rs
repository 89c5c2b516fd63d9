use super::faulty_disk::FaultyDisk;
use super::world::{World, hash, narrow};

#[test]
fn retired_jobs_are_no_candidates_and_their_runs_go() {
    let mut world = World::new(narrow(), FaultyDisk::default());
    world.submit_keys(200);
    world.settle();
    let before = world.files().len();
    world.retire(170);
    world.check_all().unwrap();
    (0..170).for_each(|key| world.check(hash(key)).unwrap());
    world.settle();
    assert!(world.files().len() < before);
    world.check_all().unwrap();
    world.retire(200);
    world.settle();
    world.check_all().unwrap();
    assert_eq!(world.files().len(), world.keeper.runs());
    assert_eq!(world.index.covered(), 200);
}

#[test]
fn a_run_goes_when_its_last_job_does_and_not_before() {
    let mut world = World::new(narrow(), FaultyDisk::default());
    world.submit_keys(16);
    world.settle();
    world.retire(7);
    world.settle();
    assert_eq!(world.keeper.runs(), 2);
    world.check(hash(7)).unwrap();
    world.retire(8);
    world.settle();
    assert_eq!(world.keeper.runs(), 1);
    world.retire(8);
    world.retire(3);
    world.check_all().unwrap();
}

/// However long the index lives, what it takes follows the jobs that are there.
#[test]
fn a_window_of_jobs_takes_bounded_space() {
    let mut world = World::new(narrow(), FaultyDisk::default());
    let (mut most_files, mut most_entries) = (0, 0);
    for round in 0..300 {
        world.submit_keys(16);
        world.retire(world.next.saturating_sub(200));
        world.settle();
        if round > 50 {
            most_files = most_files.max(world.files().len());
            most_entries = most_entries.max(world.keeper.entries());
        }
    }
    world.check_all().unwrap();
    assert!(most_files <= 12, "{most_files}");
    assert!(most_entries <= 600, "{most_entries}");
}

#[test]
fn retiring_in_the_middle_of_a_merge_is_well() {
    for steps in 0..30 {
        for below in [5, 20, 32, 33, 64, 90] {
            let mut world = World::new(narrow(), FaultyDisk::default());
            for _ in 0..12 {
                world.submit_keys(8);
                world.step();
            }
            for _ in 0..steps {
                world.step();
            }
            world.retire(below);
            world.check_all().unwrap();
            world.settle();
            world.check_all().unwrap();
            world.crash();
            world.check_all().unwrap();
        }
    }
}
