//! `ackd payload`: the bytes that a worker gets.

use clap::Args;

use crate::cli::Session;
use crate::exit::Exit;
use crate::failure::Failure;

/// The arguments of `ackd payload`.
#[derive(Debug, Args)]
#[command(
    after_help = "To a file or a pipe the payload is written byte for byte.\n\nExample: ackd payload ID > cat.mp4"
)]
pub(crate) struct PayloadArgs {
    /// The job's id
    id: String,
}

/// Prints the payload.
pub(crate) async fn run(args: PayloadArgs, session: &Session) -> Result<Exit, Failure> {
    if !session.console.is_terminal {
        session.console.download(session.client.payload_stream(&args.id).await?).await?;
        return Ok(Exit::Fine);
    }
    let payload = session.client.payload_bytes(&args.id).await?;
    session.console.body(&payload)?;
    Ok(Exit::Fine)
}
