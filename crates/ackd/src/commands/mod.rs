//! The commands that talk to a server, a file each.

mod batches;
pub(crate) mod bulk;
pub(crate) mod cancel;
pub(crate) mod completions;
pub(crate) mod dead;
pub(crate) mod delete;
mod deliveries;
pub(crate) mod file;
pub(crate) mod get;
mod job_args;
pub(crate) mod list;
mod listing;
mod narrowing;
pub(crate) mod payload;
pub(crate) mod queue;
pub(crate) mod redrive;
pub(crate) mod result;
pub(crate) mod retry;
pub(crate) mod schedule;
pub(crate) mod submit;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod timeline;
mod waiting;
pub(crate) mod watch;
pub(crate) mod webhook;
pub(crate) mod work;

use ackd_client::api::Duration;
use ackd_client::api::duration::DurationError;
use serde::de::DeserializeOwned;

use crate::cli::{Command, Globals, Session};
use crate::exit::Exit;
use crate::failure::Failure;

/// Runs a command that talks to a server.
pub(crate) fn run(command: Command, globals: Globals) -> Result<Exit, Failure> {
    match command {
        Command::Completions(args) => return completions::run(args),
        Command::Work(args) => return work::run(args, globals),
        _ => {}
    }
    let session = Session::open(globals)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Other(format!("cannot start: {error}")))?;
    runtime.block_on(async {
        match command {
            Command::Submit(args) => submit::run(*args, &session).await,
            Command::Get(args) => get::run(args, &session).await,
            Command::Result(args) => result::run(args, &session).await,
            Command::Payload(args) => payload::run(args, &session).await,
            Command::Timeline(args) => timeline::run(args, &session).await,
            Command::List(args) => list::run(args, &session).await,
            Command::Watch(args) => watch::run(args, &session).await,
            Command::Cancel(args) => cancel::run(args, &session).await,
            Command::Retry(args) => retry::run(args, &session).await,
            Command::Dead(args) => dead::run(args, &session).await,
            Command::Redrive(args) => redrive::run(args, &session).await,
            Command::Bulk(args) => bulk::run(args, &session).await,
            Command::Delete(args) => delete::run(args, &session).await,
            Command::File(args) => file::run(args, &session).await,
            Command::Queue(args) => queue::run(args, &session).await,
            Command::Schedule(args) => schedule::run(args, &session).await,
            Command::Webhook(args) => webhook::run(args, &session).await,
            Command::Serve(_) | Command::Completions(_) | Command::Work(_) => Ok(Exit::Fine),
        }
    })
}

/// Reads a duration; a bare number means seconds.
fn duration(text: &str) -> Result<Duration, DurationError> {
    Duration::parse_query(text)
}

/// Reads one of the API's words.
fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

/// What is common to commands that do the same to several jobs: one that is refused does not keep it from the others.
async fn each<F: Future<Output = Result<(), Failure>>>(
    ids: &[String],
    session: &Session,
    act: impl Fn(String) -> F,
) -> Exit {
    let mut exit = Exit::Fine;
    for id in ids {
        if let Err(failure) = act(id.clone()).await {
            if ids.len() > 1 {
                eprint!("{id}: ");
            }
            failure.tell(&session.url);
            exit = failure.exit();
        }
    }
    exit
}
