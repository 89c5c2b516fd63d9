//! What an attack came to: a row of a table, and the bounds that it broke.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::ValueEnum;

use crate::Kind;
use crate::attack::Tally;
use crate::others::Asked;

/// The longest that one of a hundred of the others may wait, on a machine that attackers, others and the server share, and
/// perhaps somebody else.
const LONGEST: Duration = Duration::from_secs(5);

/// The most memory that the server may take beside what its connections do.
const MEMORY: u64 = 64 << 20;

/// What others felt before an attack and beside it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Felt {
    pub(crate) alone: Asked,
    pub(crate) beside: Asked,
}

/// See the module.
pub(crate) struct Report {
    pub(crate) kind: Kind,
    /// How many connections, or requests, there were to be.
    pub(crate) count: usize,
    pub(crate) tally: Arc<Tally>,
    pub(crate) felt: Felt,
    /// The server's resident memory in bytes: before, at its highest, and after.
    pub(crate) memory: [u64; 3],
    /// The most that the system had in buffers of sockets, in bytes.
    pub(crate) buffers: u64,
}

impl Report {
    /// What stands above the rows.
    pub(crate) const HEAD: &str = "\
| attack | connections: made, cut off | answers | server's MiB before, at most, after | the system's buffers | others alone: p50, p99 | beside it: p50, p99 | refused |
|---|---|---|---|---|---|---|---|";

    /// A row of Markdown.
    pub(crate) fn row(&self) -> String {
        let name = self.kind.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let answers = self.tally.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let answers: Vec<String> = answers.iter().map(|(status, count)| format!("{status}: {count}")).collect();
        let (made, cut) = (self.tally.made.load(Ordering::Relaxed), self.tally.cut.load(Ordering::Relaxed));
        let [before, highest, after] = self.memory.map(|bytes| bytes >> 20);
        let waited = |asked: &Asked| {
            let (p50, p99) = asked.waited.millis();
            format!("{p50:.1}, {p99:.1} ms")
        };
        let Felt { alone, beside } = &self.felt;
        format!(
            "| {name} × {} | {made}, {cut} | {} | {before}, {highest}, {after} | {} MiB | {} | {} | {} of {} |",
            self.count,
            answers.join(", "),
            self.buffers >> 20,
            waited(alone),
            waited(beside),
            beside.failed,
            beside.asked,
        )
    }

    /// The most bytes of the server's that one connection may take.
    const fn share(&self) -> u64 {
        match self.kind {
            Kind::SlowHeads | Kind::SlowBodies | Kind::Crowd | Kind::Connections | Kind::Bombs => 32 << 10,
            // What is read of a head, and the head; or what is read of a body before it is counted.
            Kind::LargeHeads | Kind::LargeBodies => 160 << 10,
            // What waits for who does not read.
            Kind::Streams => 128 << 10,
        }
    }

    /// The bounds that do not hold, in words.
    pub(crate) fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let Asked { waited, asked, failed } = self.felt.beside;
        if failed > 0 {
            broken.push(format!("{failed} of {asked} jobs of others were not accepted"));
        }
        if waited.p99 > LONGEST {
            broken.push(format!("one of a hundred of the others waited for {:?}", waited.p99));
        }
        let [before, highest, _] = self.memory;
        // Those that come one after another are never there together.
        let together = if matches!(self.kind, Kind::Connections | Kind::Bombs) { 1000 } else { self.count as u64 };
        // All bodies that are being received have 256 MiB together, and as much while they grow.
        let bodies = if self.kind == Kind::LargeBodies { 512 << 20 } else { 0 };
        let most = before + MEMORY + bodies + together * self.share();
        if highest > most {
            broken.push(format!("the server took {} MiB, {} more than it may", highest >> 20, (highest - most) >> 20));
        }
        let answers = self.tally.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if self.kind == Kind::Bombs && answers.keys().any(|status| *status != 415) {
            broken.push(format!("a body that is encoded was answered otherwise than with 415: {answers:?}"));
        }
        broken
    }
}
