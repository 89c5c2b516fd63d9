//! `ackd redrive`: run dead jobs of a queue again.

use ackd_client::api::{Duration, Rate, RedriveRequest};
use clap::Args;

use crate::cli::Session;
use crate::exit::Exit;
use crate::failure::Failure;

/// The arguments of `ackd redrive`.
#[derive(Debug, Args)]
#[command(after_help = "Example: ackd redrive video --cause /problems/timeout --rate 100/1m")]
pub(crate) struct RedriveArgs {
    /// The queue
    queue: String,

    /// Only jobs that died of this, as `ackd dead` names it
    #[arg(long, conflicts_with = "ids")]
    cause: Option<String>,

    /// Only these jobs
    #[arg(long = "id", value_name = "ID", value_delimiter = ',')]
    ids: Vec<String>,

    /// At most so many in a time, 10/1s say
    #[arg(long, value_name = "N/DURATION", value_parser = rate)]
    rate: Option<Rate>,

    /// Only count them
    #[arg(long)]
    dry_run: bool,
}

/// Asks for it, and says how many they are.
pub(crate) async fn run(args: RedriveArgs, session: &Session) -> Result<Exit, Failure> {
    let RedriveArgs { queue, cause, ids, rate, dry_run } = args;
    let request = RedriveRequest { cause, ids: (!ids.is_empty()).then_some(ids), rate };
    let redriven = session.client.redrive(&queue, &request, dry_run).await?;
    if session.console.is_json {
        session.console.document(&redriven)?;
        return Ok(Exit::Fine);
    }
    let job = redriven.job.map_or_else(String::new, |job| format!("  (job {job} says how far that is)"));
    let would = if dry_run { "would be " } else { "" };
    session.console.line(&format!("{} {would}redriven{job}", redriven.redriven))?;
    Ok(Exit::Fine)
}

fn rate(text: &str) -> Result<Rate, String> {
    let (limit, per) = text.split_once('/').ok_or("a rate is a number, a slash and a duration, as in 10/1s")?;
    let limit = limit.parse().map_err(|error| format!("{limit}: {error}"))?;
    let per = Duration::parse_query(per).map_err(|error| format!("{per}: {error}"))?;
    Ok(Rate { limit, per })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_in_a_time() {
        let read = rate("10/1m").unwrap();
        assert_eq!((read.limit, read.per), (10, "1m".parse().unwrap()));
        for bad in ["10", "x/1s", "10/soon", "-1/1s"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }
}
