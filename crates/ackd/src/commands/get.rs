//! `ackd get`: one job as it is.

use ackd_client::Document;
use ackd_client::api::Status;
use ackd_client::api::job::{BodyInfo, Inline};
use clap::Args;

use crate::cli::Session;
use crate::console::{Colour, Console};
use crate::exit::Exit;
use crate::failure::{Failure, headline};
use crate::json;
use crate::words;

/// The characters of a payload or a result that are shown.
const SHOWN: usize = 200;

/// The arguments of `ackd get`.
#[derive(Debug, Args)]
#[command(after_help = "Example: ackd get ID --json | jq .progress")]
pub(crate) struct GetArgs {
    /// The job's id
    id: String,
}

/// Prints the job.
pub(crate) async fn run(args: GetArgs, session: &Session) -> Result<Exit, Failure> {
    let job = session.client.get(&args.id).await?;
    session.console.show(&job, |console| {
        for (name, value) in fields(&job, console) {
            console.line(&format!("{name:<10} {value}"))?;
        }
        Ok(())
    })
}

/// What there is to say about a job, by name.
fn fields(job: &Document, console: Console) -> Vec<(&'static str, String)> {
    let note = words::note(job);
    let status = console.paint(Colour::of(job.status), job.status.as_str());
    let text = |value: &Option<std::borrow::Cow<'_, str>>| value.as_deref().map(|text| words::shown(text).into_owned());
    let time = |time: Option<ackd_client::api::Time>| time.map(|time| time.to_string());
    // A job that is done may have failed before; that is in its timeline.
    let problem = job.problem().filter(|_| job.status != Status::Done);
    let fields = [
        ("id", Some(job.id.to_string())),
        ("queue", Some(job.queue.to_string())),
        ("type", text(&job.kind)),
        ("status", Some(if note.is_empty() { status } else { format!("{status}  {note}") })),
        ("attempt", words::attempt(job).strip_prefix("attempt ").map(str::to_owned)),
        ("run", (job.run > 1).then(|| job.run.to_string())),
        ("priority", Some(job.priority.to_string())),
        ("tags", (!job.tags.is_empty()).then(|| words::shown(&job.tags.join(", ")).into_owned())),
        ("key", text(&job.idempotency_key)),
        ("trace", text(&job.traceparent)),
        ("timeout", job.timeout.map(|timeout| timeout.to_string())),
        ("created", time(Some(job.created_at))),
        ("run at", time((job.run_at != job.created_at).then_some(job.run_at))),
        ("started", time(job.started_at)),
        ("finished", time(job.finished_at)),
        ("expires", time(job.expires_at)),
        ("payload", body(job.payload.as_ref(), job.payload_info.as_ref())),
        ("checkpoint", job.checkpoint.as_ref().map(|json| words::cut(&json::compact(json.get()), SHOWN))),
        ("result", body(job.result.as_ref(), job.result_info.as_ref())),
        ("error", problem.map(|problem| headline(&problem).replace('\n', "\n         "))),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// A payload or a result: itself if it is small, and else what it is.
fn body(inline: Option<&Inline<'_>>, info: Option<&BodyInfo<'_>>) -> Option<String> {
    let info = info?;
    let about = format!("{}, {} bytes", words::shown(&info.content_type), info.size);
    Some(match inline.and_then(Inline::as_json) {
        Some(json) => format!("{}  ({about})", words::cut(&json::compact(json.get()), SHOWN)),
        None => format!("({about})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::tests::job;
    use serde_json::json;

    #[test]
    fn a_job_is_shown_by_what_it_has() {
        let console = Console { is_json: false, is_terminal: true, is_coloured: false };
        let lines = |fields_of: serde_json::Value| -> Vec<String> {
            fields(&job(fields_of), console).into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
        };
        let info = json!({"content_type": "application/json", "size": 9});
        assert_eq!(
            lines(json!({
                "status": "FAILED", "type": "t", "worker": "w", "payload": {"a": [1]}, "payload_info": info,
                "error": {"title": "exit code 3", "detail": "exit code 3\nboom"}, "tags": ["x", "y"],
                "finished_at": "2026-11-20T10:00:01.000Z", "result_info": {"content_type": "image/png", "size": 7},
            })),
            [
                "id: a",
                "queue: q",
                "type: t",
                "status: FAILED  exit code 3",
                "attempt: 1 of 20 on w",
                "priority: 5",
                "tags: x, y",
                "created: 2026-11-20T10:00:00.000Z",
                "finished: 2026-11-20T10:00:01.000Z",
                "payload: {\"a\":[1]}  (application/json, 9 bytes)",
                "result: (image/png, 7 bytes)",
                "error: exit code 3\n           boom",
            ]
        );
    }
}
