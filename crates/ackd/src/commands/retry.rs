//! `ackd retry`: jobs that get another run.

use clap::Args;

use crate::cli::Session;
use crate::exit::Exit;
use crate::failure::Failure;

/// The arguments of `ackd retry`.
#[derive(Debug, Args)]
#[command(after_help = "Example: ackd retry $(ackd list --status failed --queue video --json | jq -r .id)")]
pub(crate) struct RetryArgs {
    /// The jobs' ids
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

/// Opens the next run of the jobs, each by itself.
pub(crate) async fn run(args: RetryArgs, session: &Session) -> Result<Exit, Failure> {
    let retry = |id: String| async move {
        let job = session.client.retry(&id).await?;
        if session.console.is_json {
            return Ok(session.console.document(&job)?);
        }
        Ok(session.console.line(&format!("{id} {} (run {})", job.status, job.run))?)
    };
    Ok(super::each(&args.ids, session, retry).await)
}
