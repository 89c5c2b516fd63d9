//! One invariant a file. Each takes in the facts one by one, keeps what it must of each job, and says at the end what
//! only the whole history shows.

mod acknowledged;
mod after;
mod damage;
mod drains;
mod in_order;
mod latest_lease;
mod lines;
mod no_phantoms;
mod offered;
mod one_end;
mod one_key;
mod webhooks;

use crate::fact::Fact;
use crate::known::Known;
use crate::violation::Violations;

/// An invariant.
trait Rule {
    /// Takes in the next fact.
    fn take(&mut self, fact: &Fact<'_>, known: &Known, violations: &mut Violations);

    /// The history is over.
    fn finish(&mut self, _known: &Known, _violations: &mut Violations) {}
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Invariants {
    acknowledged: acknowledged::Acknowledged,
    one_end: one_end::OneEnd,
    latest_lease: latest_lease::LatestLease,
    offered: offered::Offered,
    one_key: one_key::OneKey,
    in_order: in_order::InOrder,
    lines: lines::Lines,
    after: after::Comes,
    webhooks: webhooks::Webhooks,
    no_phantoms: no_phantoms::NoPhantoms,
    damage: damage::Damage,
    drains: drains::Drains,
}

impl Invariants {
    fn all(&mut self) -> [&mut dyn Rule; 12] {
        [
            &mut self.acknowledged,
            &mut self.one_end,
            &mut self.latest_lease,
            &mut self.offered,
            &mut self.one_key,
            &mut self.in_order,
            &mut self.lines,
            &mut self.after,
            &mut self.webhooks,
            &mut self.no_phantoms,
            &mut self.damage,
            &mut self.drains,
        ]
    }

    pub(crate) fn take(&mut self, fact: &Fact<'_>, known: &Known, violations: &mut Violations) {
        self.all().into_iter().for_each(|rule| rule.take(fact, known, violations));
    }

    pub(crate) fn finish(&mut self, known: &Known, violations: &mut Violations) {
        self.all().into_iter().for_each(|rule| rule.finish(known, violations));
    }
}
