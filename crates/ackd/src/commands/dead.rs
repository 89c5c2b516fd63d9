//! `ackd dead`: of what the jobs of a queue failed or expired.

use clap::Args;

use crate::cli::Session;
use crate::commands::listing::Listing;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::table::Cell;

/// The arguments of `ackd dead`.
#[derive(Debug, Args)]
#[command(after_help = "Example: ackd dead video")]
pub(crate) struct DeadArgs {
    /// The queue
    queue: String,
}

/// Prints the causes, those of most jobs first.
pub(crate) async fn run(args: DeadArgs, session: &Session) -> Result<Exit, Failure> {
    let dead = session.client.dead(&args.queue).await?;
    if session.console.is_json {
        session.console.document(&dead)?;
        return Ok(Exit::Fine);
    }
    let mut listing = Listing::new(session.console, ["CAUSE", "JOBS", "LATEST"]);
    for cause in &dead.causes {
        let latest = cause.examples.first().map(ToString::to_string).unwrap_or_default();
        listing.add(cause, || [Cell::new(&cause.cause), Cell::new(cause.count.to_string()), Cell::new(latest)])?;
    }
    Ok(listing.finish("no job of this queue is dead")?)
}
