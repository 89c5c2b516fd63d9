use std::collections::BTreeSet;

use ackd_domain::{Answer, Change, Command, JobId, Position, QueuePatch, Refusal};

use ackd_ports::{LedgerError, Reactor};

use super::Case;
use super::samples::{SECOND, json, name, submission};
use super::world::World;

pub(super) const CASES: &[Case] = &[
    ("a full store fails the batch and nothing else", a_full_store),
    ("a failed store takes nothing more", a_failed_store),
];

/// Remembers what was drawn, also for batches that fail.
#[derive(Default)]
struct Drawn {
    positions: Vec<Position>,
    ids: Vec<JobId>,
}

impl Reactor for Drawn {
    fn react(&mut self, answers: &[Result<Answer, Refusal>], changes: &[Change]) -> Vec<Command> {
        self.positions.extend(changes.iter().map(|change| change.position));
        for answer in answers {
            if let Ok(Answer::Accepted(accepted)) = answer {
                self.ids
                    .extend(accepted.iter().filter(|accepted| !accepted.is_replayed()).map(|accepted| accepted.job.id));
            }
        }
        vec![]
    }
}

fn a_full_store(world: &mut World) {
    let keyed = || submission("video").keyed("k".into());
    let (_, lease) = world.leased(submission("video"));
    let mut drawn = Drawn::default();
    for round in 0..3 {
        if !world.fixture.fail_next(LedgerError::Full("no room".into())) {
            return;
        }
        let lasting = QueuePatch { lease_ttl: Some(Some(SECOND)), ..QueuePatch::pause(true) };
        let batch = vec![
            Command::Submit(vec![keyed(), submission("new-queue")]),
            Command::Complete { lease, result: Some(json("1")) },
            Command::Configure { queue: name("video"), patch: Box::new(lasting) },
        ];
        let failed = world.try_apply(batch, &mut drawn);
        assert!(matches!(failed, Err(LedgerError::Full(_))), "a full store answers with {failed:?} in round {round}");
        // Nothing of it has happened: no job, no key, no count, no change, no setting.
        world.audit();
    }
    let again = Command::Submit(vec![keyed(), submission("video")]);
    let applied = world.apply_with(vec![again, Command::Complete { lease, result: None }], &mut drawn);
    assert!(applied.answers.iter().all(Result::is_ok), "a batch that failed has left something: {applied:?}");
    let positions: BTreeSet<Position> = drawn.positions.iter().copied().collect();
    assert_eq!(positions.len(), drawn.positions.len(), "a position is drawn twice: {:?}", drawn.positions);
    let numbers: BTreeSet<u64> = drawn.ids.iter().map(|id| id.number()).collect();
    assert_eq!(numbers.len(), drawn.ids.len(), "a number is drawn twice: {:?}", drawn.ids);
}

fn a_failed_store(world: &mut World) {
    world.submit(submission("video").keyed("k".into()));
    world.audit();
    if !world.fixture.fail_next(LedgerError::Failed("an fsync failed".into())) {
        return;
    }
    for n in 0..3 {
        let failed = world.try_apply(vec![Command::Submit(vec![submission("video")])], &mut ackd_ports::Idle);
        assert!(matches!(failed, Err(LedgerError::Failed(_))), "a failed store answers batch {n} with {failed:?}");
    }
    // It reports its trouble, and what it had can still be read.
    world.failed = true;
}
