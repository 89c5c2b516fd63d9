//! `ackd timeline`: everything that happened to a job.

use ackd_client::api::{Problem, TimelineEntry, TimelineEvent};
use clap::Args;
use serde::Serialize;

use crate::cli::Session;
use crate::console::{Colour, note};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::table::{Cell, Table};
use crate::words::title;

/// The arguments of `ackd timeline`.
#[derive(Debug, Args)]
#[command(after_help = "Example: ackd timeline ID")]
pub(crate) struct TimelineArgs {
    /// The job's id
    id: String,
}

/// Prints the changes, oldest first.
pub(crate) async fn run(args: TimelineArgs, session: &Session) -> Result<Exit, Failure> {
    let timeline = session.client.timeline(&args.id).await?;
    if session.console.is_json {
        session.console.document(&timeline)?;
        return Ok(Exit::Fine);
    }
    if timeline.truncated {
        note("older changes are not kept any more");
    }
    let mut table = Table::new(["TIME", "EVENT", "STATUS", "RUN", "ATTEMPT", "WORKER", "ERROR"]);
    for entry in &timeline.entries {
        table.row(row(entry));
    }
    table.print(session.console)?;
    Ok(Exit::Fine)
}

fn row(entry: &TimelineEntry<'_>) -> [Cell; 7] {
    let error = entry.error.as_ref().and_then(|error| serde_json::from_str::<Problem>(error.get()).ok());
    [
        Cell::new(entry.at.to_string()),
        Cell::new(name(entry.event)),
        Cell::painted(entry.status.as_str(), Colour::of(entry.status)),
        Cell::new(if entry.run > 1 { entry.run.to_string() } else { String::new() }),
        Cell::new(if entry.attempt > 0 { entry.attempt.to_string() } else { String::new() }),
        Cell::new(entry.worker.as_deref().unwrap_or_default()),
        Cell::new(error.as_ref().map(title).unwrap_or_default()),
    ]
}

/// The event as the API writes it.
fn name(event: TimelineEvent) -> String {
    #[derive(Serialize)]
    struct Name(TimelineEvent);
    let json = serde_json::to_value(Name(event)).ok();
    json.and_then(|json| json.as_str().map(|name| name.replace('_', " "))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_names() {
        assert_eq!(name(TimelineEvent::CancelRequested), "cancel requested");
        assert_eq!(name(TimelineEvent::Leased), "leased");
    }
}
