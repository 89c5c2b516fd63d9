use std::sync::Arc;

use ackd_domain::Command;

use super::Case;
use super::samples::{failure, submission};
use super::world::World;

/// What takes many jobs stands last, so that most mistakes are found without.
pub(super) const CASES: &[Case] =
    &[("a large batch is one commit", a_large_batch), ("many keys are all found again", many_keys_are_found_again)];

fn a_large_batch(world: &mut World) {
    let lines = |n: usize| (0..50).map(|line| submission(["a", "b", "c"][(n + line) % 3])).collect();
    let applied = world.apply((0..20).map(|n| Command::Submit(lines(n))).collect());
    assert_eq!(applied.changes.len(), 1000);
    world.audit();
    let cancel = world.jobs.values().step_by(2).map(|job| Command::Cancel { id: job.id }).collect();
    let applied = world.apply(cancel);
    assert!(applied.answers.iter().all(Result::is_ok));
}

fn many_keys_are_found_again(world: &mut World) {
    // In no order, neither of time nor of text.
    let keyed = |n: u64| submission("video").keyed(format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).into());
    let all = 3000;
    for start in (0..all).step_by(100) {
        world.apply(
            (start..start + 100).step_by(10).map(|n| Command::Submit((n..n + 10).map(keyed).collect())).collect(),
        );
    }
    let first = world.jobs.values().next().map(Arc::clone).expect("there is a first job");
    let (_, lease) = world.lease(&first);
    world.job(Command::Fail { lease, error: failure("no"), retryable: false, retry_after: None, cancelled: false });
    for round in 0..2 {
        for start in (0..all).step_by(500) {
            let accepted = world.submit_all((start..start + 500).map(keyed).collect());
            for (n, accepted) in (start..).zip(accepted) {
                assert!(accepted.is_replayed(), "the key of job {n} is not found in round {round}");
                assert_eq!(accepted.job.spec.key, keyed(n).key);
            }
        }
        world.fixture.reopen();
    }
    assert_eq!(world.jobs.len() as u64, all);
}
