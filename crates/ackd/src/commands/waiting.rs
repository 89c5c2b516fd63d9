//! Waiting for the end of a job, with a bar that shows how far it has come.

use std::time::Duration;

use ackd_client::api::Status;
use ackd_client::{Document, Event};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::Session;
use crate::console::note;
use crate::exit::Exit;
use crate::failure::{Failure, headline};
use crate::notices;
use crate::words;

/// A result of more bytes is written as it comes. A smaller one is read whole, again if the server goes away meanwhile.
const IN_MEMORY: u64 = 1 << 20;

/// Waits until `job` has ended, at most so long, across restarts of the server.
pub(super) async fn until_end(
    session: &Session,
    job: Document,
    most: ackd_client::api::Duration,
) -> Result<Document, Failure> {
    if job.status.is_terminal() {
        return Ok(job);
    }
    let id = job.id.clone();
    // indicatif draws on stderr, and only if that is a terminal.
    let bar = ProgressBar::no_length();
    notices::start(Some(bar.clone()));
    bar.enable_steady_tick(Duration::from_millis(120));
    show(&bar, &job);
    let ended = tokio::time::timeout(most.get(), follow(session, job, &bar)).await;
    bar.finish_and_clear();
    ended.unwrap_or_else(|_| {
        Err(Failure::Other(format!(
            "job {id} has not ended after {most}; it goes on, and `ackd watch {id}` follows it"
        )))
    })
}

async fn follow(session: &Session, mut job: Document, bar: &ProgressBar) -> Result<Document, Failure> {
    let mut events = session.client.follow_after(&job.id, &job.position);
    while let Some(event) = events.next().await {
        if let Event::Status { job: now, .. } | Event::Progress { job: now, .. } = event? {
            show(bar, &now);
            job = *now;
        }
    }
    // It may have ended before the first event.
    if job.status.is_terminal() { Ok(job) } else { Ok(session.client.wait(&job.id).await?) }
}

/// Draws the job as it is.
fn show(bar: &ProgressBar, job: &Document) {
    let percent = job.progress.as_ref().and_then(|progress| progress.percent);
    let is_measured = job.status == Status::Processing && percent.is_some();
    let template = if is_measured { "{spinner} [{bar:30}] {msg}  {elapsed}" } else { "{spinner} {msg}  {elapsed}" };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_length(100);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
    bar.set_position(percent.unwrap_or_default().clamp(0.0, 100.0) as u64);
    let note = words::note(job);
    let message = match job.status {
        Status::Processing if !note.is_empty() => note,
        status if note.is_empty() => status.to_string(),
        status => format!("{status}: {note}"),
    };
    bar.set_message(words::cut(&message, 60));
}

/// Prints what came out of a job that has ended: its result, or on stderr why there is none.
pub(super) async fn print_end(session: &Session, job: &Document) -> Result<Exit, Failure> {
    let is_done = job.status == Status::Done;
    if is_done
        && let Some(info) = &job.result_info
        && info.size > IN_MEMORY
        && !session.console.is_terminal
    {
        session.console.download(session.client.result_stream(&job.id).await?).await?;
    } else if is_done && job.result_info.is_some() {
        let result = session.client.result_bytes(&job.id).await?;
        session.console.body(&result)?;
    }
    if is_done {
        return Ok(Exit::Fine);
    }
    // Of one that was cancelled nothing more is to be said.
    let problem = job.problem().filter(|_| job.status != Status::Cancelled);
    let why = problem.map(|problem| format!(": {}", headline(&problem))).unwrap_or_default();
    note(&format!("job {} ended as {}{why}", job.id, job.status));
    Ok(Exit::Failed)
}
