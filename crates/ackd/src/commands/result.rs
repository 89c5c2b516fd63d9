//! `ackd result`: the bytes that came out of a job.

use ackd_client::api::Duration;
use clap::Args;

use super::waiting;
use crate::cli::Session;
use crate::exit::Exit;
use crate::failure::Failure;

/// The arguments of `ackd result`.
#[derive(Debug, Args)]
#[command(after_help = "To a file or a pipe the result is written byte for byte. Without one: exit code 1.\n\n\
                  Example: ackd result ID --wait 5m > cat-720p.mp4")]
pub(crate) struct ResultArgs {
    /// The job's id
    id: String,

    /// Wait for the job's end, if it has not ended, at most so long
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "3650d", value_parser = super::duration)]
    wait: Option<Duration>,
}

/// Prints the result.
pub(crate) async fn run(args: ResultArgs, session: &Session) -> Result<Exit, Failure> {
    let mut job = session.client.get(&args.id).await?;
    if let Some(most) = args.wait {
        job = waiting::until_end(session, job, most).await?;
    }
    if !job.status.is_terminal() {
        let detail = format!("job {} is {}; wait for its end by `--wait`", job.id, job.status);
        return Err(Failure::Other(detail));
    }
    waiting::print_end(session, &job).await
}
