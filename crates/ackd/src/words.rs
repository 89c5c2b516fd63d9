//! Words for people about jobs.

use std::borrow::Cow;

use ackd_client::Document;
use ackd_client::api::{Problem, Status, Waiting};

/// A text as it can be shown on a terminal: other people's control characters would be obeyed by it.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_control) {
        text.chars().map(|char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char }).collect()
    } else {
        Cow::Borrowed(text)
    }
}

/// At most `most` characters of a text that is shown on one line.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let text = shown(text);
    if text.chars().count() <= most {
        return text.into_owned();
    }
    let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// How far a job has come, why it waits, or why it failed. Empty where there is nothing to say.
pub(crate) fn note(job: &Document) -> String {
    let mut parts = Vec::new();
    match job.status {
        Status::Init => parts.extend(job.waiting.as_ref().map(reason)),
        Status::Processing => {
            parts.extend(job.cancel_requested_at.map(|_| "cancel requested".to_owned()));
            parts.extend(progress(job));
        }
        Status::Done | Status::Cancelled | Status::Expired | Status::Failed => {}
    }
    let is_failed = matches!(job.status, Status::Init | Status::Failed | Status::Expired | Status::Cancelled);
    if is_failed && let Some(problem) = job.problem() {
        parts.push(shown(title(&problem)).into_owned());
    }
    parts.join(", ")
}

/// A problem in a few words: its title, or the type of one that has no title.
pub(crate) fn title(problem: &Problem) -> &str {
    if problem.title.is_empty() { &problem.kind } else { &problem.title }
}

/// The progress that a worker told last.
pub(crate) fn progress(job: &Document) -> Option<String> {
    let progress = job.progress.as_ref()?;
    let percent = progress.percent.map(|percent| format!("{percent:.0} %"));
    let message = progress.message.as_deref().map(|message| shown(message).into_owned());
    Some([percent, message].into_iter().flatten().collect::<Vec<_>>().join(" "))
}

/// Which attempt it is, and by whom.
pub(crate) fn attempt(job: &Document) -> String {
    if job.attempt == 0 {
        return String::new();
    }
    let worker = job.worker.as_deref().map(|worker| format!(" on {}", shown(worker))).unwrap_or_default();
    format!("attempt {} of {}{worker}", job.attempt, job.max_attempts)
}

fn reason(waiting: &Waiting<'_>) -> String {
    match waiting {
        Waiting::Blocked { jobs } if jobs.len() == 1 => "waits for another job".to_owned(),
        Waiting::Blocked { jobs } => format!("waits for {} other jobs", jobs.len()),
        Waiting::Paused => "its queue is paused".to_owned(),
        Waiting::Scheduled { run_at } => format!("scheduled for {run_at}"),
        Waiting::Retrying { run_at, .. } => format!("tried again at {run_at}"),
        Waiting::Limited { limit } => format!("held back by {}", shown(limit)),
        Waiting::NoWorker => "no worker asks for it".to_owned(),
        Waiting::Queued => "queued".to_owned(),
        Waiting::Unknown => "waiting".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::tests::job;
    use serde_json::json;

    #[test]
    fn a_note_says_what_matters_in_each_status() {
        for (fields, expected) in [
            (json!({"status": "INIT", "waiting": {"reason": "no_worker"}}), "no worker asks for it"),
            (json!({"status": "INIT", "waiting": {"reason": "blocked", "jobs": ["a"]}}), "waits for another job"),
            (json!({"status": "INIT", "waiting": {"reason": "blocked", "jobs": ["a", "b"]}}), "waits for 2 other jobs"),
            (
                json!({"status": "INIT", "error": {"title": "boom"},
                    "waiting": {"reason": "retrying", "run_at": "2026-11-20T10:00:00Z"}}),
                "tried again at 2026-11-20T10:00:00.000Z, boom",
            ),
            (
                json!({"status": "PROCESSING", "cancel_requested_at": "2026-11-20T10:00:00Z",
                    "progress": {"percent": 41.6, "message": "720p\u{7}", "at": "2026-11-20T10:00:00Z"}}),
                "cancel requested, 42 % 720p\u{fffd}",
            ),
            (json!({"status": "FAILED", "error": {"title": "boom"}}), "boom"),
            (json!({"status": "FAILED", "error": {"type": "https://x.example/quota"}}), "https://x.example/quota"),
            (json!({"status": "DONE", "error": {"title": "of an earlier attempt"}}), ""),
        ] {
            assert_eq!(note(&job(fields.clone())), expected, "{fields}");
        }
    }

    #[test]
    fn an_attempt_names_its_worker() {
        assert_eq!(attempt(&job(json!({"attempt": 0}))), "");
        assert_eq!(attempt(&job(json!({"attempt": 2, "worker": "w"}))), "attempt 2 of 20 on w");
    }

    #[test]
    fn texts_are_cut_by_characters() {
        assert_eq!((cut("éé", 2).as_str(), cut("ééé", 2).as_str()), ("éé", "é…"));
    }
}
