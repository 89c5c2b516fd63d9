use std::fmt;

/// What must hold of every history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// What was acknowledged or told of a job is there from then on, and the job ends at last.
    Acknowledged = 1,
    /// A run ends once, and stays as it ended, across crashes.
    OneEnd = 2,
    /// Only who holds the latest lease settles, no lease is granted twice, and none is taken away before its time.
    LatestLease = 3,
    /// Every result was offered by a worker.
    Offered = 4,
    /// One idempotency key makes one job, also when the first answer was lost.
    OneKey = 5,
    /// Who follows sees everything, in order.
    InOrder = 6,
    /// Every webhook is answered with a 2xx, or can be seen to be dead.
    Webhooks = 7,
    /// Nobody sees a job that was not asked for, or another tenant's.
    NoPhantoms = 8,
    /// Damage is reported and never served.
    Damage = 9,
    /// When faults stop everything drains within a bound, and no job is `PROCESSING` without a live lease.
    Drains = 10,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let says = match self {
            Invariant::Acknowledged => "what was acknowledged is present and ends at last",
            Invariant::OneEnd => "a run ends once",
            Invariant::LatestLease => "only the latest lease settles",
            Invariant::Offered => "every result was offered by a worker",
            Invariant::OneKey => "one key makes one job",
            Invariant::InOrder => "who follows sees everything in order",
            Invariant::Webhooks => "every webhook has a 2xx or a dead letter",
            Invariant::NoPhantoms => "no phantoms, nobody else's jobs",
            Invariant::Damage => "damage is reported and never served",
            Invariant::Drains => "everything drains when faults stop",
        };
        write!(f, "({}) {says}", *self as u8)
    }
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What it violates.
    pub invariant: Invariant,
    /// The id of the job, partition or subscriber that it is about.
    pub about: Option<u64>,
    /// What is wrong.
    pub what: &'static str,
    /// The records that prove it, by their place in the history, from 0.
    pub records: Vec<u64>,
}

/// The most violations that are kept of one invariant: a server that loses everything must not fill our memory.
const KEPT: usize = 100;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Violations {
    kept: Vec<Violation>,
    found: [u64; 11],
}

impl Violations {
    pub(crate) fn add(&mut self, invariant: Invariant, about: Option<u64>, what: &'static str, records: &[u64]) {
        let found = &mut self.found[invariant as usize];
        *found += 1;
        if *found <= KEPT as u64 {
            let mut records = records.to_vec();
            records.sort_unstable();
            records.dedup();
            self.kept.push(Violation { invariant, about, what, records });
        }
    }

    /// Those that were kept, and the number of all.
    pub(crate) fn into_all(self) -> (Vec<Violation>, u64) {
        (self.kept, self.found.iter().sum())
    }
}
