use std::fmt::Write;

/// So many lines of what a broken target said are shown.
const TAIL: usize = 40;

/// What libFuzzer says of a run.
pub(super) struct Report {
    log: String,
}

impl Report {
    /// What stands above the rows.
    pub(super) const HEAD: &str = "target         |   runs | runs/s | covered | inputs kept | new\n---------------|--------|--------|---------|-------------|----";

    /// Reads what was logged.
    pub(super) fn read(log: &[u8]) -> Report {
        Report { log: String::from_utf8_lossy(log).into_owned() }
    }

    /// A row of the table.
    pub(super) fn row(&self, target: &str, held: bool) -> String {
        let statistic = |name: &str| {
            let line = self.log.lines().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name));
            line.map_or("?", |line| line.trim_start_matches(':').trim()).to_owned()
        };
        let mut row = format!("{target:14} ");
        let runs = short(&statistic("number_of_executed_units"));
        let rate = short(&statistic("average_exec_per_sec"));
        let (covered, kept) = (self.last("cov: "), self.last("corp: "));
        let kept = kept.split('/').next().unwrap_or_default().to_owned();
        // Writing to a text does not fail.
        let _ =
            write!(row, "| {runs:>6} | {rate:>6} | {covered:>7} | {kept:>11} | {:>3}", statistic("new_units_added"));
        if !held {
            row.push_str("  BROKEN");
        }
        row
    }

    /// What follows `name` where it stands last.
    fn last(&self, name: &str) -> String {
        let at = self.log.rfind(name).map(|at| &self.log[at + name.len()..]);
        at.and_then(|rest| rest.split_whitespace().next()).unwrap_or("?").to_owned()
    }

    /// The end of what was said.
    pub(super) fn tail(&self) -> String {
        let lines: Vec<&str> = self.log.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }
}

/// A number in thousands or millions.
fn short(number: &str) -> String {
    match number.parse::<u64>() {
        Ok(number @ 10_000_000..) => format!("{} M", number / 1_000_000),
        Ok(number @ 10_000..) => format!("{} k", number / 1000),
        _ => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_in_a_row() {
        let log = b"#2\tINITED cov: 12 ft: 14 corp: 3/40b exec/s: 0 rss: 40Mb\n\
            #99\tNEW    cov: 345 ft: 600 corp: 70/1Kb lim: 4 exec/s: 9 rss: 41Mb L: 3/3 MS: 1 EraseBytes-\n\
            stat::number_of_executed_units: 12345678\nstat::average_exec_per_sec:     202387\nstat::new_units_added:          68\n";
        let report = Report::read(log);
        assert_eq!(report.row("cron", true), "cron           |   12 M |  202 k |     345 |          70 |  68");
        assert!(report.row("cron", false).ends_with("68  BROKEN"));
        assert!(Report::read(b"").row("cron", false).contains('?'));
    }
}
