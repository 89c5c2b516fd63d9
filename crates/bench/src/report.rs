//! What a run prints.

pub(crate) use ackd_bench_driver::Quantiles;

/// The middle one of an odd number of figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A figure and its bound, which were measured in turn.
pub(crate) struct Line {
    /// What was measured.
    pub(crate) what: String,
    /// The unit of both.
    pub(crate) unit: &'static str,
    /// Each run's figure.
    pub(crate) figures: Vec<f64>,
    /// What bounds it, and each run's figure of that.
    pub(crate) bound: Option<(String, Vec<f64>)>,
    /// What is to be reached, in words.
    pub(crate) target: String,
}

impl Line {
    /// Prints the medians, their ratio and the spread.
    pub(crate) fn print(&self) {
        let spread = |figures: &[f64]| {
            let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
            let most = figures.iter().copied().fold(0.0, f64::max);
            format!("{} … {}", figure(least), figure(most))
        };
        println!("{}", self.what);
        let ours = median(self.figures.clone());
        println!("  {:<44} {:>12} {}   ({})", "ackd", figure(ours), self.unit, spread(&self.figures));
        if let Some((name, figures)) = &self.bound {
            let bound = median(figures.clone());
            println!("  {name:<44} {:>12} {}   ({})", figure(bound), self.unit, spread(figures));
            println!("  {:<44} {:>12.2}", "ratio of the medians", ours / bound);
        }
        println!("  {:<44} {}", "target", self.target);
        println!();
    }
}

/// A figure with as many digits as it deserves.
pub(crate) fn figure(value: f64) -> String {
    if value >= 1_000.0 {
        let whole = format!("{value:.0}");
        let mut text = String::new();
        for (at, digit) in whole.chars().enumerate() {
            if at > 0 && (whole.len() - at).is_multiple_of(3) {
                text.push(' ');
            }
            text.push(digit);
        }
        text
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.3}")
    }
}
