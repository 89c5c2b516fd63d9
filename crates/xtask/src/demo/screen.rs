//! The live view: a line a job, redrawn in place on a terminal, printed when it changes elsewhere.

use std::io::{IsTerminal, Write};

use super::Submitted;

/// The state of the live view.
#[derive(Default)]
pub(crate) struct Screen {
    /// Lines of the last drawing, which the next one goes over.
    drawn: usize,
    last: Vec<String>,
}

impl Screen {
    /// Shows the jobs as they are now.
    pub(crate) fn show(&mut self, jobs: &[Submitted]) {
        let lines: Vec<String> = jobs.iter().map(line).collect();
        let mut out = std::io::stdout().lock();
        // A reader that is gone is no reason to stop the demo.
        let _ = if out.is_terminal() {
            let up = if self.drawn > 0 { format!("\x1b[{}A", self.drawn) } else { String::new() };
            let text: String = lines.iter().map(|line| format!("\x1b[2K{line}\n")).collect();
            self.drawn = lines.len();
            write!(out, "{up}{text}").and_then(|()| out.flush())
        } else {
            // Every tenth per cent is enough for a log.
            let coarse: Vec<String> =
                jobs.iter().map(|job| format!("{} {:.0}", job.status, job.percent / 10.0)).collect();
            let changed: Vec<&String> = lines
                .iter()
                .enumerate()
                .filter(|(at, _)| self.last.get(*at) != coarse.get(*at))
                .map(|(_, line)| line)
                .collect();
            let text: String = changed.iter().map(|line| format!("{line}\n")).collect();
            self.last = coarse;
            write!(out, "{text}").and_then(|()| out.flush())
        };
    }

    /// Says something between the drawings.
    pub(crate) fn say(&mut self, text: &str) {
        println!("  » {text}");
        // The next drawing goes below.
        self.drawn = 0;
    }
}

fn line(job: &Submitted) -> String {
    const WIDTH: usize = 30;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100 becomes 0 to 30")]
    let full = (job.percent.clamp(0.0, 100.0) / 100.0 * WIDTH as f64) as usize;
    let bar = format!("{}{}", "█".repeat(full), "░".repeat(WIDTH - full));
    format!("{:<10} {:<10} {bar} {:>5.1} %  attempt {}  {}", job.title, job.status, job.percent, job.attempt, job.note)
}
