//! The picture: a panel of bars for each kind of work, as SVG without any script.
//!
//! Colours follow the reader's light or dark mode where the viewer tells it (`prefers-color-scheme`); those that are there
//! without are legible on both.

use std::fmt::Write;

use super::catalogue::{Peer, Promise, Sort};
use super::figures::Metric;
use super::page::{Row, short};
use crate::report::figure;

/// What is shown, and what is said of it.
const PANELS: [(Metric, &str); 5] = [
    (Metric::Accept, "Accept, one at a time by 64 callers: jobs a second"),
    (Metric::Bulk, "Accept in batches of 100: jobs a second"),
    (Metric::Drain, "Work off a backlog: jobs a second"),
    (Metric::SteadyDone, "Submit and work at once: jobs done a second"),
    (Metric::AskP50, "Submit → result on an idle system: milliseconds, less is better"),
];

const WIDTH: f64 = 840.0;
/// Where names end and bars begin.
const LEFT: f64 = 230.0;
/// The longest bar; behind it stands its figure.
const LONGEST: f64 = 430.0;
const BAR: f64 = 14.0;
const STEP: f64 = 20.0;
const HEAD: f64 = 34.0;
const GAP: f64 = 14.0;

const STYLE: &str = "\
text{font:12px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#57606a}\
.title{font-size:13px;font-weight:600;fill:#24292f}.ours{font-weight:600;fill:#0969da}\
.name{text-anchor:end}.bar{fill:#8c959f}.bar.raw{fill:#b6bdc5}.bar.later{fill-opacity:.45;stroke:#8c959f;stroke-dasharray:3 2}\
.bar.ackd{fill:#0969da}\
@media(prefers-color-scheme:dark){text{fill:#9198a1}.title{fill:#f0f6fc}.ours{fill:#4493f8}.bar{fill:#6e7681}\
.bar.raw{fill:#484f58}.bar.later{stroke:#6e7681}.bar.ackd{fill:#4493f8}}";

/// The picture of `rows`, ackd's the first; `note` says where and when.
pub(crate) fn draw(rows: &[Row], note: &str) -> String {
    let mut body = String::new();
    let mut y = 8.0;
    for (metric, title) in PANELS {
        y = panel(&mut body, rows, metric, title, y);
    }
    let legend =
        "Solid: synced to disk before it is acknowledged; dashed: later. Pale: a raw broker, which knows no jobs.";
    let times = "×: how many times as fast ackd is.";
    for text in [legend, times, note] {
        y += 18.0;
        let _ = writeln!(body, r#"<text x="12" y="{y}">{}</text>"#, escape(text));
    }
    let height = y + 12.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-label=\"ackd beside other job systems\">\n<style>{STYLE}</style>\n{body}</svg>\n"
    )
}

/// Draws one kind of work, best first, and says where the next may begin.
fn panel(body: &mut String, rows: &[Row], metric: Metric, title: &str, top: f64) -> f64 {
    let mut bars: Vec<_> = rows.iter().filter_map(|row| Some((row.peer, row.figures.median(metric)?))).collect();
    if bars.is_empty() {
        return top;
    }
    bars.sort_by(|one, other| other.1.total_cmp(&one.1));
    if !metric.is_a_rate() {
        bars.reverse();
    }
    let ours = rows.first().and_then(|row| row.figures.median(metric));
    let scale = scale(metric, &bars);
    // Writing to a string does not fail.
    let _ = writeln!(body, r#"<text class="title" x="12" y="{}">{}</text>"#, top + 20.0, escape(title));
    let mut y = top + HEAD;
    for (peer, value) in bars {
        let is_cut = value > scale;
        let width = (value.min(scale) / scale * LONGEST).max(1.0);
        let is_ours = if peer.sort == Sort::Ackd { " ours" } else { "" };
        let times = ours.filter(|_| peer.sort != Sort::Ackd).map_or(String::new(), |ours| {
            format!("  ·  {} ×", short(if metric.is_a_rate() { ours / value } else { value / ours }))
        });
        let cut = if is_cut { "→ " } else { "" };
        let middle = y + BAR - 3.0;
        let _ = writeln!(
            body,
            "<text class=\"name{is_ours}\" x=\"{}\" y=\"{middle}\">{}</text>\
             <rect class=\"bar{}\" x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\"/>\
             <text class=\"figure{is_ours}\" x=\"{:.1}\" y=\"{middle}\">{cut}{}{times}</text>",
            LEFT - 8.0,
            escape(peer.title),
            class(peer),
            LEFT + width + 6.0,
            figure(value),
        );
        y += STEP;
    }
    y + GAP
}

/// What the longest bar stands for: the most, but of times no more than eight times the least, so that one that waits
/// half a second leaves something of the others to be seen.
fn scale(metric: Metric, bars: &[(&Peer, f64)]) -> f64 {
    let most = bars.iter().map(|bar| bar.1).fold(0.0, f64::max);
    let least = bars.iter().map(|bar| bar.1).fold(f64::INFINITY, f64::min);
    let scale = if metric.is_a_rate() { most } else { most.min(least * 8.0) };
    if scale > 0.0 { scale } else { 1.0 }
}

fn class(peer: &Peer) -> &'static str {
    match (peer.sort, peer.promise) {
        (Sort::Ackd, _) => " ackd",
        (Sort::Jobs, Promise::Synced) => "",
        (Sort::Jobs, Promise::Later(_)) => " later",
        (Sort::Broker, Promise::Synced) => " raw",
        (Sort::Broker, Promise::Later(_)) => " raw later",
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::page::tests::rows;

    /// The widths of the bars of one class, in order.
    fn widths(picture: &str, class: &str) -> Vec<f64> {
        let mark = format!("<rect class=\"{class}\"");
        let bars = picture.split(&mark).skip(1);
        bars.map(|bar| bar.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()).collect()
    }

    #[test]
    fn bars_are_as_long_as_their_figures() {
        let picture = draw(&rows(), "here & now");
        assert_eq!(widths(&picture, "bar ackd"), [LONGEST, (1.1 / 2.2 * LONGEST * 10.0_f64).round() / 10.0]);
        assert_eq!(widths(&picture, "bar later").len(), 1);
        assert_eq!(widths(&picture, "bar raw").len(), 2);
        assert!(picture.contains("here &amp; now") && !picture.contains("<script"));
        let balanced =
            |tag: &str| (picture.matches(&format!("<{tag}")).count(), picture.matches(&format!("</{tag}>")).count());
        assert_eq!(balanced("text").0, balanced("text").1);
        assert_eq!(balanced("svg"), (1, 1));
    }

    #[test]
    fn the_best_stands_first_and_one_that_waits_long_hides_nobody() {
        let mut rows = rows();
        for _ in 0..3 {
            rows[2].figures.add(Metric::AskP50, 500.0);
        }
        let picture = draw(&rows, "");
        let at = |text: &str| picture.find(text).unwrap_or_else(|| panic!("no {text} in {picture}"));
        assert!(at("0.800  ·  0.73 ×") < at(">1.100<") && at(">1.100<") < at("2.200  ·  2.0 ×"));
        assert!(picture.contains("→ 500.0"), "it is cut, and says so: {picture}");
        assert_eq!(widths(&picture, "bar later")[1], LONGEST);
    }
}
