//! `ackd cancel`: jobs that are not to be done any more.

use clap::Args;

use crate::cli::Session;
use crate::console::Colour;
use crate::exit::Exit;
use crate::failure::Failure;

/// The arguments of `ackd cancel`.
#[derive(Debug, Args)]
#[command(after_help = "A job that a worker has is cancelled once the worker has stopped; `ackd watch` tells.\n\n\
                  Example: ackd cancel $(ackd list --status init --queue video --json | jq -r .id)")]
pub(crate) struct CancelArgs {
    /// The jobs' ids
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

/// Cancels the jobs, each by itself.
pub(crate) async fn run(args: CancelArgs, session: &Session) -> Result<Exit, Failure> {
    let cancel = |id: String| async move {
        let job = session.client.cancel(&id).await?;
        if session.console.is_json {
            return Ok(session.console.document(&job)?);
        }
        let status = if job.status.is_terminal() {
            session.console.paint(Colour::of(job.status), job.status.as_str())
        } else {
            "cancel requested; its worker is told".to_owned()
        };
        Ok(session.console.line(&format!("{id} {status}"))?)
    };
    Ok(super::each(&args.ids, session, cancel).await)
}
