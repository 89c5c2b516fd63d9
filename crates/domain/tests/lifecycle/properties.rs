//! What holds over any sequence of commands.

mod checks;
mod plan;

use ackd_domain::{Answer, ChangeKind, Command, JobId, LeaseToken, Position};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::book::Book;
use plan::{Op, op};

/// A book that is taken through a plan, every decision of which is checked.
struct Life {
    book: Book,
    ids: Vec<JobId>,
    leases: Vec<LeaseToken>,
}

impl Life {
    fn new() -> Life {
        Life { book: Book::new(), ids: Vec::new(), leases: Vec::new() }
    }

    fn live(&mut self, ops: &[Op]) {
        for op in ops {
            match op {
                Op::Pass(time) => self.book.pass(*time),
                other => self.apply(other.command(&self.ids, &self.leases, self.book.now)),
            }
        }
    }

    fn apply(&mut self, command: Command) {
        let before = self.book.clone();
        let decision = self.book.decide(command.clone());
        // The same view, time and draws give the same decision.
        assert_eq!(before.clone().decide(command.clone()), decision, "{command:?}");
        checks::decision(&before, &self.book.drawn, &command, &decision);
        self.book = before;
        let told = self.book.changes.len();
        drop::<Result<Answer, _>>(self.book.apply(command));
        for change in &self.book.changes[told..] {
            let number = change.job.id.number();
            match change.kind {
                ChangeKind::Submitted => self.ids.push(change.job.id),
                ChangeKind::Leased => self.leases.push(change.job.lease.as_ref().unwrap().token(number)),
                _ => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_decision_keeps_the_rules(ops in vec(op(), 1..120)) {
        let mut life = Life::new();
        life.live(&ops);
        checks::history(&life.book);
    }

    #[test]
    fn no_later_command_can_use_a_lease_that_has_ended(ops in vec(op(), 1..80)) {
        let mut life = Life::new();
        life.live(&ops);
        for lease in &life.leases {
            let live = life.book.jobs[&lease.number].live_lease(lease).is_some();
            for settle in [crate::samples::tell, crate::samples::lapse] {
                prop_assert_eq!(life.book.clone().decide(settle(*lease)).is_ok(), live);
            }
        }
        let fences: std::collections::BTreeSet<Position> = life.leases.iter().map(|lease| lease.fence).collect();
        prop_assert_eq!(fences.len(), life.leases.len());
    }
}
