use std::path::PathBuf;

use crate::error::{ChaosError, Done, broken};
use crate::history::History;

/// How much of a server's log an error repeats, in characters.
const LOG_SHOWN: usize = 2_000;

/// Says whether a history keeps the promises, once the run itself has `ended` so. Where it does not, the history is kept, and the
/// error says where.
pub(crate) fn decide(history: &History, name: &str, seed: u64, ended: Done, log: &str) -> Done {
    let found = found(history, ended)?;
    if found.is_empty() {
        return Ok(());
    }
    let path = kept_at(name, seed);
    let kept = match history.keep(&path) {
        Ok(()) => format!("the history: {} (ackd-checker reads it)", path.display()),
        Err(error) => format!("the history cannot be kept at {}: {error}", path.display()),
    };
    // Beside it all that the server said. What matters is the history.
    let _ = std::fs::write(path.with_extension("log"), log);
    let skipped = log.chars().count().saturating_sub(LOG_SHOWN);
    let said: String = log.chars().skip(skipped).collect();
    let said = if said.is_empty() { String::new() } else { format!("\nthe server said:\n{said}") };
    broken(format!("{}\n{kept}{said}", found.join("\n")))
}

/// Deletes what was kept of a run, if anything was.
pub(crate) fn forget(name: &str, seed: u64) {
    let path = kept_at(name, seed);
    for path in [path.with_extension("log"), path] {
        // There is none of a server that did not even start again.
        let _ = std::fs::remove_file(path);
    }
}

/// Where the history of a run is kept.
fn kept_at(name: &str, seed: u64) -> PathBuf {
    std::env::temp_dir().join(format!("ackd-chaos-{name}-{seed}.jsonl"))
}

/// All that is wrong.
fn found(history: &History, ended: Done) -> Done<Vec<String>> {
    let mut found = Vec::new();
    match ended {
        Ok(()) => {}
        Err(ChaosError::Broken(what)) => found.push(what),
        Err(other) => return Err(other),
    }
    found.extend(history.odds().into_iter().take(10));
    match history.check() {
        Ok(report) => {
            for violation in report.violations.iter().take(10) {
                found.push(format!("{}: {}", violation.invariant, violation.what));
                found.extend(history.lines(&violation.records).into_iter().map(|line| format!("    {line}")));
            }
            if report.found > 10 {
                found.push(format!("and {} more", report.found - 10));
            }
        }
        Err(error) => found.push(format!("what the clients wrote down is no history: {error}")),
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ackd_checker::{Event, Line};

    fn acknowledged() -> History {
        let history = History::new();
        let line = Line::new("q".into(), "p".into());
        history.add(Event::Submit { request: "r".into(), by: "c".into(), lines: vec![line] });
        history.add(Event::Accepted { request: "r".into(), jobs: vec!["job-1".into()] });
        history
    }

    #[test]
    fn a_lost_job_is_found_and_the_history_kept() {
        let history = acknowledged();
        decide(&history, "verdict-test", 1, Ok(()), "").unwrap();
        history.add(Event::Missing { by: "c".into(), since: history.now(), job: "job-1".into() });
        let error = decide(&history, "verdict-test", 1, Ok(()), "it said so").unwrap_err().to_string();
        assert!(error.contains("(1)") && error.contains("job-1") && error.contains("it said so"), "{error}");
        let path = kept_at("verdict-test", 1);
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3);
        forget("verdict-test", 1);
        assert!(!path.exists());
    }

    #[test]
    fn odd_answers_and_runs_that_do_not_end_are_found() {
        let history = acknowledged();
        history.odd("500 what?");
        let error = decide(&history, "verdict-odd", 1, broken("it never drains"), "").unwrap_err().to_string();
        assert!(error.contains("500 what?") && error.contains("it never drains"), "{error}");
        forget("verdict-odd", 1);
        let forbidden = Err(ChaosError::Forbidden("no root".into()));
        assert!(matches!(decide(&history, "verdict-odd", 1, forbidden, ""), Err(ChaosError::Forbidden(_))));
    }
}
