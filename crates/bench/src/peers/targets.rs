//! What ackd is to reach beside the others.

use super::catalogue::{Promise, Sort};
use super::figures::{Figures, Metric};
use super::page::Row;

/// A target, and where ackd stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Target {
    /// Beside whom.
    pub(crate) than: &'static str,
    pub(crate) metric: Metric,
    /// At least this ratio of rates, at most this of times.
    pub(crate) wanted: f64,
    /// ackd ÷ the other.
    pub(crate) ratio: f64,
}

impl Target {
    /// Whether ackd is there.
    pub(crate) fn is_met(&self) -> bool {
        if self.metric.is_a_rate() { self.ratio >= self.wanted } else { self.ratio < self.wanted }
    }

    /// What is asked, in words.
    pub(crate) fn asked(&self) -> String {
        let than = if self.metric.is_a_rate() { "at least" } else { "less than" };
        format!("{than} {}", self.wanted)
    }
}

const BEST: &str = "the best durable job system";
const BROKER: &str = "RabbitMQ quorum, single acknowledgements";

/// All targets of which both sides were measured. ackd's is the first of `rows`.
pub(crate) fn met(rows: &[Row]) -> Vec<Target> {
    let Some((ours, others)) = rows.split_first() else { return Vec::new() };
    let mut targets = Vec::new();
    let mut hold = |than, metric, wanted, its: Option<f64>| {
        if let Some((ours, its)) = ours.figures.median(metric).zip(its) {
            targets.push(Target { than, metric, wanted, ratio: ours / its });
        }
    };
    let durable = |row: &&Row| row.peer.sort == Sort::Jobs && row.peer.promise == Promise::Synced;
    let best = |metric| others.iter().filter(durable).filter_map(|row| row.figures.median(metric)).reduce(f64::max);
    hold(BEST, Metric::Accept, 2.5, best(Metric::Accept));
    for metric in [Metric::Bulk, Metric::Drain, Metric::DrainLarge, Metric::SteadyDone] {
        hold(BEST, metric, 3.0, best(metric));
    }
    let is_broker = |row: &&Row| row.peer.folder == "rabbitmq" && row.peer.ack == 1;
    let broker: Option<&Figures> = others.iter().find(is_broker).map(|row| &row.figures);
    for metric in [
        Metric::AskP50,
        Metric::Accept,
        Metric::Bulk,
        Metric::Drain,
        Metric::DrainLarge,
        Metric::SteadySent,
        Metric::SteadyDone,
    ] {
        hold(BROKER, metric, 1.0, broker.and_then(|figures| figures.median(metric)));
    }
    targets
}
