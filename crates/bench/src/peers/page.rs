//! The page: what was measured, as Markdown.

use std::fmt::Write;

use super::catalogue::{Peer, Promise, Sort};
use super::figures::{Figures, Metric};
use super::targets;
use crate::report::figure;

/// What was measured of one peer.
pub(crate) struct Row {
    pub(crate) peer: &'static Peer,
    /// Client libraries and server, with their versions.
    pub(crate) versions: String,
    pub(crate) figures: Figures,
}

/// Under which circumstances.
pub(crate) struct Circumstances {
    /// The command that does it again.
    pub(crate) command: String,
    pub(crate) date: String,
    pub(crate) machine: String,
    pub(crate) runs: usize,
    /// How many jobs the backlogs held.
    pub(crate) jobs: u64,
    pub(crate) many: Option<u64>,
}

/// The page. ackd's is the first of `rows`.
pub(crate) fn render(rows: &[Row], told: &Circumstances) -> String {
    let mut page = String::new();
    // Writing to a string does not fail.
    let _ = write!(page, "{}", Page { rows, told });
    page
}

struct Page<'a> {
    rows: &'a [Row],
    told: &'a Circumstances,
}

impl std::fmt::Display for Page<'_> {
    fn fmt(&self, page: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Circumstances { command, date, machine, runs, jobs, many } = self.told;
        writeln!(page, "# ackd beside what people would pick instead\n")?;
        writeln!(page, "```sh\n{command}\n```\n")?;
        let many = many.map_or(String::new(), |many| format!(" (the large one: {many})"));
        writeln!(
            page,
            "{date}, {machine}. Medians of {runs} runs, all peers in turn in each of them, and least … most below. Server, \
             workers and those who submit share the machine; payloads are 256 bytes of JSON; the handler does nothing; the \
             backlog holds {jobs} jobs{many}. Trust the ratios: absolute figures of such a machine swing. This page is written by \
             the command; how each peer is driven is in [crates/bench/peers](../../crates/bench/peers/README.md).\n"
        )?;
        writeln!(page, "![The same as a picture](peers.svg)\n")?;
        self.figures(page)?;
        self.ratios(page)?;
        self.targets(page)?;
        self.settings(page)
    }
}

impl Page<'_> {
    /// The metrics that were measured at all.
    fn metrics(&self) -> Vec<Metric> {
        let is_there = |metric: &Metric| self.rows.iter().any(|row| row.figures.median(*metric).is_some());
        Metric::ALL.into_iter().filter(is_there).collect()
    }

    fn figures(&self, page: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let metrics = self.metrics();
        writeln!(page, "## Figures\n")?;
        write!(page, "| | acknowledged when |")?;
        for metric in &metrics {
            write!(page, " {} |", metric.title())?;
        }
        writeln!(page, "\n|---|---|{}", "---:|".repeat(metrics.len()))?;
        for row in self.rows {
            write!(page, "| {} | {} |", name(row.peer), promise(row.peer))?;
            for metric in &metrics {
                match row.figures.median(*metric).zip(row.figures.spread(*metric)) {
                    Some((median, (least, most))) => {
                        write!(page, " **{}**<br>{} … {} |", figure(median), figure(least), figure(most))?;
                    }
                    None if row.figures.absent(*metric).is_some() => write!(page, " – |")?,
                    None => write!(page, " failed |")?,
                }
            }
            writeln!(page)?;
        }
        writeln!(page)?;
        let raw = self.rows.iter().any(|row| row.peer.sort == Sort::Broker);
        if raw {
            writeln!(
                page,
                "*Raw*: a broker's own client. It carries messages; attempts, delays, results and their history are still to be \
                 written around it.\n"
            )?;
        }
        for row in self.rows {
            let absent: Vec<_> = metrics.iter().filter_map(|metric| row.figures.absent(*metric)).collect();
            let mut whys = absent.clone();
            whys.dedup();
            for why in whys {
                writeln!(page, "- {}: –: {why}", row.peer.title)?;
            }
            for failure in row.figures.failures() {
                let first = failure.lines().next().unwrap_or_default();
                writeln!(page, "- {}: failed: {first}", row.peer.title)?;
            }
        }
        writeln!(page)
    }

    fn ratios(&self, page: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some((ours, others)) = self.rows.split_first().filter(|(_, others)| !others.is_empty()) else {
            return Ok(());
        };
        let metrics = self.metrics();
        writeln!(page, "## ackd ÷ peer\n")?;
        writeln!(
            page,
            "Of rates more than 1 is good for ackd, of times and memory less. Where a peer wins the figure is *slanted*.\n"
        )?;
        write!(page, "| |")?;
        for metric in &metrics {
            write!(page, " {} |", metric.title())?;
        }
        writeln!(page, "\n|---|{}", "---:|".repeat(metrics.len()))?;
        for row in others {
            write!(page, "| {} |", name(row.peer))?;
            for metric in &metrics {
                match ours.figures.median(*metric).zip(row.figures.median(*metric)).map(|(ours, its)| ours / its) {
                    Some(ratio) if (ratio >= 1.0) == metric.is_a_rate() => write!(page, " {} |", short(ratio))?,
                    Some(ratio) => write!(page, " *{}* |", short(ratio))?,
                    None => write!(page, " – |")?,
                }
            }
            writeln!(page)?;
        }
        writeln!(page)
    }

    fn targets(&self, page: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let met = targets::met(self.rows);
        if met.is_empty() {
            return Ok(());
        }
        writeln!(page, "## Targets\n\n| ackd ÷ | at | target | measured |\n|---|---|---|---|")?;
        for target in met {
            let not = if target.is_met() { "" } else { "**not met**: " };
            writeln!(
                page,
                "| {} | {} | {} | {not}{} |",
                target.than,
                target.metric.title(),
                target.asked(),
                short(target.ratio)
            )?;
        }
        writeln!(page)
    }

    fn settings(&self, page: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(page, "## Versions and settings\n\n| | versions | settings |\n|---|---|---|")?;
        for row in self.rows {
            writeln!(page, "| {} | {} | {} |", row.peer.title, row.versions, row.peer.settings)?;
        }
        Ok(())
    }
}

fn name(peer: &Peer) -> String {
    match peer.sort {
        Sort::Ackd => format!("**{}**", peer.title),
        Sort::Jobs => peer.title.to_owned(),
        Sort::Broker => format!("{} (raw)", peer.title),
    }
}

fn promise(peer: &Peer) -> String {
    match peer.promise {
        Promise::Synced => "synced to disk".to_owned(),
        Promise::Later(when) => format!("**in memory**; on disk later: {when}"),
    }
}

/// A ratio with as many digits as it deserves.
pub(crate) fn short(ratio: f64) -> String {
    match ratio {
        10.0.. => format!("{ratio:.0}"),
        1.0.. => format!("{ratio:.1}"),
        _ => format!("{ratio:.2}"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::peers::catalogue::ALL;

    /// A row of the catalogue with these figures, each of three runs.
    pub(crate) fn row(folder: &str, promise: fn(&Promise) -> bool, figures: &[(Metric, [f64; 3])]) -> Row {
        let peer = ALL.iter().find(|peer| peer.folder == folder && promise(&peer.promise)).unwrap();
        let mut all = Figures::default();
        for (metric, runs) in figures {
            for figure in runs {
                all.add(*metric, *figure);
            }
        }
        Row { peer, versions: "some 1.2.3".to_owned(), figures: all }
    }

    pub(crate) fn is_synced(promise: &Promise) -> bool {
        *promise == Promise::Synced
    }

    pub(crate) fn rows() -> Vec<Row> {
        vec![
            row("ackd", is_synced, &[(Metric::Bulk, [180e3, 190e3, 200e3]), (Metric::AskP50, [1.2, 1.0, 1.1])]),
            row("bullmq", is_synced, &[(Metric::Bulk, [14e3, 13e3, 12e3]), (Metric::AskP50, [2.0, 2.2, 2.4])]),
            row("bullmq", |it| !is_synced(it), &[(Metric::Bulk, [16e3, 16e3, 16e3])]),
            row(
                "redis-streams",
                is_synced,
                &[(Metric::Bulk, [121e3, 122e3, 123e3]), (Metric::AskP50, [0.8, 0.8, 0.7])],
            ),
        ]
    }

    fn told() -> Circumstances {
        Circumstances {
            command: "cargo xtask bench peers".to_owned(),
            date: "21 November 2026".to_owned(),
            machine: "2 cores".to_owned(),
            runs: 3,
            jobs: 2000,
            many: None,
        }
    }

    fn line<'a>(page: &'a str, start: &str) -> &'a str {
        page.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start} in {page}"))
    }

    #[test]
    fn medians_with_their_spread_and_what_an_acknowledgement_is_worth() {
        let mut rows = rows();
        rows[2].figures.none(Metric::AskP50, "it has no ears");
        rows[1].figures.failed("the server\nwent away".to_owned());
        let page = render(&rows, &told());
        assert_eq!(
            line(&page, "| **ackd** | synced"),
            "| **ackd** | synced to disk | **190 000**<br>180 000 … 200 000 | **1.100**<br>1.000 … 1.200 |"
        );
        let later = line(&page, "| BullMQ, default Redis | **in memory**");
        assert!(later.ends_with("| **16 000**<br>16 000 … 16 000 | – |"), "{later}");
        assert!(page.contains("- BullMQ, default Redis: –: it has no ears"), "{page}");
        assert!(page.contains("- BullMQ, AOF always: failed: the server\n"), "{page}");
        assert!(!page.contains("went away"), "one line is enough: {page}");
        assert!(page.contains("21 November 2026, 2 cores. Medians of 3 runs"), "{page}");
    }

    #[test]
    fn what_was_not_measured_and_has_no_reason_failed() {
        let page = render(&rows(), &told());
        assert!(line(&page, "| BullMQ, default Redis | **in memory**").ends_with("| failed |"), "{page}");
        assert!(!page.contains("drain, jobs/s"), "nobody drained: {page}");
    }

    #[test]
    fn ratios_say_where_a_peer_wins() {
        let page = render(&rows(), &told());
        let ratios = page.split_once("## ackd ÷ peer").unwrap().1;
        assert_eq!(line(ratios, "| BullMQ, AOF"), "| BullMQ, AOF always | 15 | 0.50 |");
        assert_eq!(line(ratios, "| Redis Streams"), "| Redis Streams, AOF always (raw) | 1.6 | *1.4* |");
    }

    #[test]
    fn the_best_durable_job_system_is_no_broker_and_none_that_forgets() {
        let targets = targets::met(&rows());
        assert_eq!(targets.len(), 1, "{targets:?}");
        assert!((targets[0].ratio - 190.0 / 13.0).abs() < 1e-9 && targets[0].is_met(), "{targets:?}");
        let page = render(&rows(), &told());
        let said = line(&page, "| the best durable job system");
        assert_eq!(said, "| the best durable job system | accept 100, jobs/s | at least 3 | 15 |");
        let mut rows = rows();
        rows[0] = row("ackd", is_synced, &[(Metric::Bulk, [38e3, 38e3, 38e3])]);
        assert!(render(&rows, &told()).contains("| at least 3 | **not met**: 2.9 |"));
    }
}
