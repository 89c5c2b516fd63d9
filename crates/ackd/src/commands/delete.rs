//! `ackd delete`: jobs that are to be no longer.

use clap::Args;

use crate::cli::Session;
use crate::exit::Exit;
use crate::failure::Failure;

/// The arguments of `ackd delete`.
#[derive(Debug, Args)]
#[command(
    after_help = "With a job go its payload, its result and its idempotency key, at once and for good. A job that has \
                  not ended is refused: cancel it first.\n\n\
                  Example: ackd delete $(ackd list --status cancelled --queue video --json | jq -r .id)"
)]
pub(crate) struct DeleteArgs {
    /// The jobs' ids
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

/// Erases the jobs, each by itself.
pub(crate) async fn run(args: DeleteArgs, session: &Session) -> Result<Exit, Failure> {
    let delete = |id: String| async move {
        session.client.delete(&id).await?;
        if session.console.is_json {
            return Ok(());
        }
        Ok(session.console.line(&format!("{id} deleted"))?)
    };
    Ok(super::each(&args.ids, session, delete).await)
}
