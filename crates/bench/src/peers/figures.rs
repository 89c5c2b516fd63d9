//! What was measured: figures by what they are figures of.

use std::collections::BTreeMap;

use crate::report::median;

/// What a figure is a figure of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    /// Jobs accepted a second, one at a time by 64 callers.
    Accept,
    /// The p99 of one such accept, in ms.
    AcceptP99,
    /// Jobs accepted a second in batches of 100.
    Bulk,
    /// Jobs a second while a backlog is worked off.
    Drain,
    /// The same, of the large one.
    DrainLarge,
    /// Jobs accepted a second while workers work.
    SteadySent,
    /// Jobs done a second meanwhile.
    SteadyDone,
    /// The p50 from submit to result on an idle system, in ms.
    AskP50,
    /// The p99 of the same, in ms.
    AskP99,
    /// The server's memory when idle, in MiB.
    MemoryIdle,
    /// The server's memory with the backlog waiting, in MiB.
    MemoryLoaded,
}

impl Metric {
    /// All, in the order in which they are shown.
    pub(crate) const ALL: [Metric; 11] = [
        Metric::Accept,
        Metric::AcceptP99,
        Metric::Bulk,
        Metric::Drain,
        Metric::DrainLarge,
        Metric::SteadySent,
        Metric::SteadyDone,
        Metric::AskP50,
        Metric::AskP99,
        Metric::MemoryIdle,
        Metric::MemoryLoaded,
    ];

    /// What heads its column.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Metric::Accept => "accept one, 64 callers, jobs/s",
            Metric::AcceptP99 => "p99 of that, ms",
            Metric::Bulk => "accept 100, jobs/s",
            Metric::Drain => "drain, jobs/s",
            Metric::DrainLarge => "drain of many, jobs/s",
            Metric::SteadySent => "steady, sent/s",
            Metric::SteadyDone => "steady, done/s",
            Metric::AskP50 => "submit → result, p50 ms",
            Metric::AskP99 => "p99 ms",
            Metric::MemoryIdle => "memory idle, MiB",
            Metric::MemoryLoaded => "loaded, MiB",
        }
    }

    /// Whether more is better; else less is.
    pub(crate) fn is_a_rate(self) -> bool {
        use Metric::{Accept, Bulk, Drain, DrainLarge, SteadyDone, SteadySent};
        matches!(self, Accept | Bulk | Drain | DrainLarge | SteadySent | SteadyDone)
    }
}

/// The figures of one peer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    taken: BTreeMap<Metric, Vec<f64>>,
    absent: BTreeMap<Metric, String>,
    failures: Vec<String>,
    news: Vec<(Metric, f64)>,
}

impl Figures {
    /// Notes the figure of one more run.
    pub(crate) fn add(&mut self, metric: Metric, figure: f64) {
        self.taken.entry(metric).or_default().push(figure);
        self.news.push((metric, figure));
    }

    /// The figures that were noted since this was asked for last.
    pub(crate) fn take_news(&mut self) -> Vec<(Metric, f64)> {
        std::mem::take(&mut self.news)
    }

    /// Notes why there is none.
    pub(crate) fn none(&mut self, metric: Metric, why: &str) {
        self.absent.insert(metric, why.to_owned());
    }

    /// Notes that something went wrong.
    pub(crate) fn failed(&mut self, why: String) {
        self.failures.push(why);
    }

    /// What went wrong.
    pub(crate) fn failures(&self) -> &[String] {
        &self.failures
    }

    /// Why there is no figure, where there cannot be one.
    pub(crate) fn absent(&self, metric: Metric) -> Option<&str> {
        self.absent.get(&metric).map(String::as_str)
    }

    /// The median of all runs.
    pub(crate) fn median(&self, metric: Metric) -> Option<f64> {
        self.taken.get(&metric).filter(|all| !all.is_empty()).map(|all| median(all.clone()))
    }

    /// The least and the most of all runs.
    pub(crate) fn spread(&self, metric: Metric) -> Option<(f64, f64)> {
        let all = self.taken.get(&metric)?;
        let least = all.iter().copied().reduce(f64::min)?;
        let most = all.iter().copied().reduce(f64::max)?;
        Some((least, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_spread_of_the_runs() {
        let mut figures = Figures::default();
        assert_eq!((figures.median(Metric::Bulk), figures.spread(Metric::Bulk)), (None, None));
        for figure in [7.0, 1.0, 3.0] {
            figures.add(Metric::Bulk, figure);
        }
        assert_eq!((figures.median(Metric::Bulk), figures.spread(Metric::Bulk)), (Some(3.0), Some((1.0, 7.0))));
        assert_eq!(figures.median(Metric::Drain), None);
        assert_eq!(figures.take_news(), [7.0, 1.0, 3.0].map(|figure| (Metric::Bulk, figure)));
        assert_eq!(figures.take_news(), []);
    }
}
