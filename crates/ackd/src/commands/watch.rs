//! `ackd watch`: what happens to a job, or to many, as it happens.

use ackd_client::api::Status;
use ackd_client::{Document, Event, EventFilter, JobFilter};
use clap::Args;

use crate::cli::Session;
use crate::commands::narrowing::Narrowing;
use crate::console::{Colour, Console, note};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::notices;
use crate::words;

/// The arguments of `ackd watch`.
#[derive(Debug, Args)]
#[command(
    after_help = "One job is watched to its end; the feed of many, or of all, for as long as you like. It goes on across \
                  restarts of the server.\n\n\
                  Examples: ackd watch ID --json | jq -r .progress.percent\n\
                  \x20         ackd watch --queue video --status done,failed"
)]
pub(crate) struct WatchArgs {
    /// The job's id; several, or none for the feed of all jobs
    ids: Vec<String>,

    #[command(flatten)]
    of: Narrowing,

    /// Begin after this position, as `--json` and lists show it, or with `earliest`
    #[arg(long, value_name = "POSITION")]
    after: Option<String>,
}

/// Prints the job as of each event.
pub(crate) async fn run(args: WatchArgs, session: &Session) -> Result<Exit, Failure> {
    let WatchArgs { ids, of, after } = args;
    let one = match &ids[..] {
        [id] if of == Narrowing::default() => Some(id.clone()),
        _ => None,
    };
    // A server that is not there at all is told at once; only one that goes away later is waited for.
    match &one {
        Some(id) => drop(session.client.get(id).await?),
        None => drop(session.client.list(&JobFilter { page_size: Some(1), ..JobFilter::default() }).await?),
    }
    notices::start(None);
    let mut events = match (&one, after) {
        (Some(id), None) => session.client.follow(id),
        (Some(id), Some(after)) => session.client.follow_after(id, &after),
        (None, after) => {
            let Narrowing { queue: queues, status: statuses, kind: kinds, tag: tags } = of;
            session.client.events(&EventFilter { jobs: ids, queues, statuses, kinds, tags, after })
        }
    };
    while let Some(event) = events.next().await {
        match event? {
            Event::Status { job, .. } | Event::Progress { job, .. } => {
                if session.console.is_json {
                    session.console.document(&*job)?;
                } else if one.is_some() {
                    session.console.line(&line(&job, session.console))?;
                } else {
                    session.console.line(&format!("{}  {}  {}", job.id, job.queue, line(&job, session.console)))?;
                }
            }
            Event::Reset { .. } => note("some older events are not kept any more"),
        }
    }
    Ok(Exit::Fine)
}

/// The job as of an event: when, what, and by whom.
fn line(job: &Document, console: Console) -> String {
    let progress = job.progress.as_ref().map(|progress| progress.at);
    let time = match job.status {
        Status::Init => Some(job.created_at).filter(|_| job.attempt == 0),
        Status::Processing => progress.max(job.started_at),
        Status::Done | Status::Failed | Status::Cancelled | Status::Expired => job.finished_at,
    };
    let time = time.map_or(String::new(), |time| time.to_string());
    let status = console.paint(Colour::of(job.status), &format!("{:<10}", job.status.as_str()));
    let parts = [words::attempt(job), words::note(job)];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("{time:<24}  {status}  {}", parts.join("  ")).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::tests::job;
    use serde_json::json;

    #[test]
    fn a_line_says_when_what_and_by_whom() {
        let console = Console { is_json: false, is_terminal: false, is_coloured: false };
        assert_eq!(line(&job(json!({"attempt": 0})), console), "2026-11-20T10:00:00.000Z  INIT");
        let at_work = json!({
            "status": "PROCESSING", "worker": "w", "started_at": "2026-11-20T10:00:01.000Z",
            "progress": {"percent": 42, "message": "720p", "at": "2026-11-20T10:00:02.000Z"},
        });
        assert_eq!(
            line(&job(at_work), console),
            "2026-11-20T10:00:02.000Z  PROCESSING  attempt 1 of 20 on w  42 % 720p"
        );
    }
}
